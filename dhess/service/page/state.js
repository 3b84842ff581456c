// What the state of a job is called, looks like, and lets one do.

import { h } from "./dom.js";
import { counted, duration, number, pace, whole } from "./format.js";

export const STATES = ["queued", "running", "paused", "stopped", "done", "failed", "cancelled"];

const MARKS = { queued: "◌", running: "▶", paused: "❙❙", stopped: "■", done: "✓", failed: "✕", cancelled: "–" };

/** The name of a state; that it is being cancelled counts as one. */
export function stateName(view) {
  const going = !["done", "failed", "cancelled"].includes(view.state);
  if (going && view.wish === "cancel") return "cancelling";
  if (going && view.wish === "delete") return "deleting";
  return view.state;
}

/** A small label with a mark, so that colour is not all that tells states apart. */
export function badge(view) {
  const place = h("span", { class: "badge" });
  return setBadge(place, view);
}

/** Change a label, if it is another one. */
export function setBadge(place, view) {
  const name = stateName(view);
  if (place.dataset.state === name) return place;
  place.dataset.state = name;
  place.replaceChildren(h("span", { "aria-hidden": "true" }, MARKS[name] ?? "…"), ` ${name}`);
  return place;
}

function limit({ measure, spec }) {
  if (spec?.threshold !== undefined && spec.threshold !== null) return `where ${measure} is below ${number(spec.threshold)}`;
  return `of the lowest ${number(100 * (spec?.quantile ?? 0), 4)} % of ${measure}`;
}

/** What a job is about, in one line. */
export function title(view) {
  const sources = Array.isArray(view.source) ? view.source : [view.source];
  const first = String(sources[0] ?? "");
  const name = first.replace(/\/+$/, "").split("/").at(-1) || first;
  const more = sources.length > 1 ? ` and ${counted(sources.length - 1, "other file")}` : "";
  const variable = view.variable && !name.includes("::") ? `::${view.variable}` : "";
  return `${name}${more}${variable}`;
}

/** What is asked of it. */
export function aim(view) {
  const k = view.spec?.k ?? 1;
  if (view.task === "field") return `write ${view.measure}`;
  if (view.task === "regions") return `regions ${limit(view)}`;
  if (view.task === "critical") return "critical points";
  return k === 1 ? `smallest ${view.measure}` : `${whole(k)} smallest ${view.measure}`;
}

/** How far it is, in words. */
export function progress(view) {
  if (!view.windows) return view.state === "queued" ? waits(view) : "";
  const percent = Math.floor((100 * view.done) / view.windows);
  const told = `${whole(view.done)} of ${counted(view.windows, "window")}`;
  return view.done === view.windows ? told : `${told}, ${percent} %`;
}

function waits(view) {
  if (view.queue === null || view.queue === undefined) return "";
  return view.queue <= 1 ? "next in the queue" : `number ${whole(view.queue)} in the queue`;
}

/** How fast it goes and how long it will take. */
export function tempo(view) {
  if (view.state !== "running" || !view.rate) return "";
  const eta = view.eta === null || view.eta === undefined ? "" : `, about ${duration(view.eta)} left`;
  return `${pace(view.rate)}${eta}`;
}

/** Why this person may not change a job; nothing if they may. */
export function barred(view, me) {
  if (me.open || me.scopes.includes("admin")) return "";
  if (!me.scopes.includes("submit")) return "Your token may only read.";
  return view.submitter === me.name ? "" : `Only ${view.submitter} may change this job.`;
}
