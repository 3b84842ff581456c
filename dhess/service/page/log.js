// The log of a job: read only while somebody looks at it.

import { get, place } from "./api.js";
import { fill, h } from "./dom.js";
import { repeat } from "./live.js";

const LIMIT = 500;
const KEPT = 5_000; // lines on the page; the whole log is at the gateway

function clock(time) {
  const date = new Date(time);
  return Number.isNaN(date.valueOf()) ? "" : date.toLocaleTimeString("en-GB");
}

function row(entry) {
  return h("li", { class: `level-${String(entry.level).replace(/\W/g, "")}` },
    h("time", { datetime: entry.time, title: entry.time }, clock(entry.time)),
    h("span", { class: "level" }, entry.level), h("span", {}, entry.message));
}

/** Put the log in its place; it is read from when it is opened until the signal. */
export async function showLog(spot, id, ended, signal) {
  const lines = h("ol");
  const box = h("div", { class: "log", role: "region", tabindex: "0", "aria-label": "Log of the job" }, lines);
  const none = h("p", { class: "hint" }, "Nothing is logged yet.");
  const wasOpen = spot.querySelector("details")?.open ?? false;
  const details = h("details", { class: "card", open: wasOpen }, h("summary", {}, "Log"), none, box);
  fill(spot, details);
  let after = 0;
  await new Promise((resolve) => {
    if (wasOpen) resolve();
    else details.addEventListener("toggle", resolve, { once: true });
  });
  await repeat(async () => {
    if (!details.open) return 1_000;
    const page = await get(place(id, `/log?after=${after}&limit=${LIMIT}`), signal);
    const below = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    lines.append(...page.lines.map(row));
    while (lines.children.length > KEPT) lines.firstChild.remove();
    none.hidden = lines.children.length > 0;
    box.hidden = !none.hidden;
    after = page.next ?? after + page.lines.length;
    if (below) box.scrollTop = box.scrollHeight;
    if (page.lines.length === LIMIT) return 0;
    return ended() ? null : 2_000;
  }, signal);
}
