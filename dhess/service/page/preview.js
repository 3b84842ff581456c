// What is known before anything runs: what the source holds, and what the job would take.

import { facts, h, table } from "./dom.js";
import { amount, counted, head, number, sign, sizes, times, whole } from "./format.js";

/** What a source holds; `use` takes the options of a hint. */
export function infoView(report, use) {
  return [
    facts([
      ["Variable", head(report.long_name || report.name, report.units)],
      ["Dimensions", sizes(report.dims, report.shape)],
      ["Values", `${report.dtype}, ${amount(report.bytes)} in memory`],
      ["Stored chunks", report.stored_chunks ? times(report.stored_chunks) : "contiguous"],
      ["Blocks", `${whole(report.blocks)} of up to ${times(report.block)}`],
    ]),
    table("Dimensions of the source", axes(report.axes)),
    ...report.axes.filter((axis) => axis.problem).map((axis) =>
      h("p", { class: "hint" }, `No derivative along ${axis.name}: ${axis.problem}`)),
    report.hints.length ? hints(report.hints, use) : null,
  ];
}

function axes(all) {
  const column = (name, cell, right) => ({ head: name, cells: all.map(cell), right });
  return [
    column("dimension", (axis) => axis.name),
    column("size", (axis) => whole(axis.size), true),
    column("from", (axis) => number(axis.first, 10), true),
    column("to", (axis) => number(axis.last, 10), true),
    column("step", step, true),
    column("spacing", spacing),
  ];
}

function step(axis) {
  if (axis.step_min === null) return "–";
  const range = axis.step_max === axis.step_min ? "" : ` … ${number(axis.step_max)}`;
  const unit = axis.datetime_unit ?? axis.units ?? "";
  return `${number(axis.step_min)}${range} ${sign(unit)}`.trim();
}

function spacing(axis) {
  if (axis.spacing === null) return "–";
  if (axis.first === null) return "no coordinate";
  const uneven = axis.uneven_by ? `uneven by ${number(axis.uneven_by, 2)} steps` : axis.spacing;
  return uneven + (axis.direction === "descending" ? ", descending" : "") + (axis.calendar ? `, ${axis.calendar} calendar` : "");
}

function hints(all, use) {
  return h("div", {}, h("h3", {}, "Options that suit this data"),
    h("ul", { class: "hints" }, all.map((hint) => h("li", {},
      h("div", {}, h("code", {}, hint.option), h("span", { class: "hint" }, hint.reason)),
      h("button", { type: "button", "aria-label": `Use ${hint.option}`, onclick: () => use(typed(hint.option)) }, "Use")))));
}

/** The texts that the options of the terminal stand for: --a-b c --d e is {a_b: "c", d: "e"}. */
function typed(options) {
  return Object.fromEntries(options.split(/(?:^|\s)--(?=[a-z])/).slice(1).map((each) => {
    const [name, ...rest] = each.trim().split(" ");
    return [name.replaceAll("-", "_"), rest.join(" ")];
  }));
}

const WORK = {
  find: (measure) => `search for the smallest ${measure}`,
  field: (measure) => `write ${measure}`,
  regions: (measure) => `label the regions of low ${measure}`,
  critical: () => "search for critical points",
};

/** What a job would take; `use` takes blocks that would fit. */
export function planView(plan, use) {
  const limit = plan.memory_limit === null ? "" : ` of ${amount(plan.memory_limit)}`;
  return [
    h("p", { class: plan.fits ? "fits" : "problem" }, plan.fits ? "It fits the memory of the workers." : "It does not fit the memory of the workers."),
    facts([
      ["Work", WORK[plan.work](plan.measure)],
      ["Cut into", `${counted(plan.blocks, "block")} of up to ${times(Object.values(plan.block))}, in ${counted(plan.windows, "window")}`],
      ["Reads", `${amount(plan.bytes_read)}, ${number(plan.read_ratio, 3)} × the data`],
      ["Writes", plan.bytes_written ? amount(plan.bytes_written) : null],
      ["With", `${counted(plan.workers, "worker")} of ${counted(plan.threads, "thread")}`],
      ["Memory of each", `up to ${amount(plan.peak_memory)}${limit}`],
      ["Takes", `${counted(plan.tasks, "task")}`],
    ]),
    fitting(plan, use),
    plan.advice.length ? h("ul", {}, plan.advice.map((each) => h("li", {}, sentence(each)))) : null,
  ];
}

function fitting({ fits, chunks }, use) {
  if (fits || !chunks) return null;
  const text = Object.entries(chunks).map(([dim, size]) => `${dim}=${size}`).join(", ");
  return h("p", {}, "Blocks of ", h("code", {}, text), " would fit. ",
    h("button", { type: "button", onclick: () => use({ chunks: text }) }, "Use them"));
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}
