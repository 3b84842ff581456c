// The list of jobs: filtered, a page at a time, kept up to date in place.

import { get } from "./api.js";
import { fill, h, say, write } from "./dom.js";
import { ago, moment } from "./format.js";
import { repeat } from "./live.js";
import { aim, badge, progress, setBadge, STATES, tempo, title } from "./state.js";

const LIMIT = 25;
const SOON = 2_000;
const LATER = 6_000;

function address(query, changes) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next.size ? `#/jobs?${next}` : "#/jobs";
}

function choice(name, label, options, query) {
  const chosen = query.get(name) ?? "";
  const select = h("select", {
    id: `by-${name}`, onchange: (event) => { location.hash = address(query, { [name]: event.target.value, before: "" }); },
  }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return h("div", { class: "field" }, h("label", { for: `by-${name}` }, label), select);
}

function filters(query, me) {
  const states = [["", "all"], ...STATES.map((each) => [each, each])];
  const tasks = [["", "all"], ["find", "find"], ["field", "field"], ["regions", "regions"], ["critical", "critical"]];
  const people = [["", "everybody"], [me.name, "me"]];
  return h("div", { role: "search", class: "filters", "aria-label": "Filter the jobs" },
    choice("state", "State", states, query), choice("task", "Task", tasks, query),
    me.open ? null : choice("submitter", "Submitted by", people, query));
}

/** One job of the list; its parts are changed in place, so that focus and selection stay. */
class Row {
  constructor(view) {
    this.badge = badge(view);
    this.meta = h("span", { class: "meta" });
    this.told = h("span", { class: "told" });
    this.bar = h("progress", { "aria-label": "Progress" });
    this.node = h("li", {},
      h("div", { class: "what" },
        h("a", { href: `#/jobs/${encodeURIComponent(view.id)}`, title: String(view.source) }, title(view)), this.meta),
      h("div", { class: "how" }, this.bar, this.told), this.badge);
    this.show(view);
  }

  show(view) {
    setBadge(this.badge, view);
    write(this.meta, `${aim(view)} · ${view.submitter} · ${ago(view.created)}`);
    this.meta.title = moment(view.created);
    const going = view.windows && !["done", "cancelled"].includes(view.state);
    this.bar.hidden = !going;
    this.bar.max = view.windows || 1;
    this.bar.value = view.done;
    write(this.told, [progress(view), tempo(view) || (view.state === "failed" ? view.note : "")].filter(Boolean).join(" · "));
  }
}

function nothing(query) {
  if (query.size) return h("p", { class: "empty" }, "No job is like that. ", h("a", { href: "#/jobs" }, "Show all jobs"));
  return h("p", { class: "empty" }, "There are no jobs yet. ", h("a", { href: "#/submit" }, "Submit the first one"));
}

/** Show the list, and keep it fresh until the signal. */
export async function showJobs(main, { me }, query, signal) {
  const list = h("ul", { class: "jobs", "aria-label": "Jobs" });
  const below = h("nav", { class: "pages", "aria-label": "Pages of the list" });
  const empty = h("div");
  fill(main,
    h("div", { class: "headline" }, h("h1", { tabindex: "-1" }, "Jobs"), h("a", { class: "button primary", href: "#/submit" }, "New job")),
    filters(query, me), list, empty, below);
  const rows = new Map();
  const asked = new URLSearchParams({ limit: LIMIT });
  for (const name of ["state", "task", "submitter", "before"]) if (query.get(name)) asked.set(name, query.get(name));
  await repeat(async () => {
    if (document.hidden && rows.size) return LATER;
    const page = await get(`v1/jobs?${asked}`, signal);
    if (signal.aborted) return null;
    draw(page, rows, list);
    fill(empty, page.jobs.length ? [] : nothing(query));
    pages(below, page, query);
    return page.jobs.some((each) => ["queued", "running"].includes(each.state)) ? SOON : LATER;
  }, signal);
}

function draw(page, rows, list) {
  const first = !rows.size;
  const ids = new Set(page.jobs.map((each) => each.id));
  for (const [id, row] of rows) {
    if (!ids.has(id)) {
      row.node.remove();
      rows.delete(id);
    }
  }
  page.jobs.forEach((view, i) => {
    if (rows.has(view.id)) rows.get(view.id).show(view);
    else rows.set(view.id, new Row(view));
    const { node } = rows.get(view.id);
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
  if (first) say(`${page.jobs.length} jobs are listed.`);
}

function pages(below, page, query) {
  const links = [
    query.get("before") ? [address(query, { before: "" }), "Newest jobs"] : null,
    page.next ? [address(query, { before: page.next }), "Older jobs"] : null,
  ].filter(Boolean);
  if (links.map(([href]) => href).join() === [...below.children].map((each) => each.getAttribute("href")).join()) return;
  fill(below, links.map(([href, text]) => h("a", { class: "button", href }, text)));
}
