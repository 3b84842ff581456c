// The page: which view the address names, who is there, and whether the gateway answers.

import { forget, get, onToken } from "./api.js";
import { askToken } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { repeat, watchLine } from "./live.js";
import { showSubmit } from "./submit.js";

const main = document.getElementById("main");
const session = { me: null, spec: null };

let leave = new AbortController();

/** Take the address apart: #/jobs?state=done, #/jobs/ID, #/submit?from=ID. */
function where() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, id = null] = path.split("/");
  return { view, id: id && safely(id), query: new URLSearchParams(query) };
}

function safely(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function draw({ view, id, query }, signal) {
  if (view === "submit") return showSubmit(main, session, query, signal);
  if (view === "jobs" && id) return showJob(main, session, id, signal);
  if (view === "jobs" || view === "") return showJobs(main, session, query, signal);
  fill(main, h("h1", { tabindex: "-1" }, "There is no such page"),
    h("p", {}, h("a", { href: "#/jobs" }, "Go to the jobs")));
  return undefined;
}

async function route(moved) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const place = where();
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === (place.view || "jobs")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const drawn = Promise.resolve(draw(place, signal));
  document.title = `${main.querySelector("h1")?.textContent ?? "Jobs"} – dhess`;
  // Whoever followed a link goes on reading at the top of the new view.
  if (moved) main.querySelector("h1")?.focus();
  try {
    await drawn;
  } catch (error) {
    if (signal.aborted) return;
    main.append(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

function drawWho() {
  const { me } = session;
  if (me.open) return [];
  const leaving = h("button", { type: "button", class: "plain", onclick: () => { forget(); location.reload(); } }, "Sign out");
  return [h("span", { title: `May: ${me.scopes.join(", ")}` }, me.name), leaving];
}

async function start() {
  watchLine(document.getElementById("lost"));
  onToken(askToken);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  // The first call tells whether a token is needed; all others wait for it.
  await repeat(async () => {
    session.me = await get("v1/me");
    session.spec = await get("v1/spec");
    return null;
  }, new AbortController().signal);
  fill(document.getElementById("who"), drawWho());
  addEventListener("hashchange", () => route(true));
  await route(false);
}

start();
