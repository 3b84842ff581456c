// What a job found: a table, a picture, and files to take away.

import { bytes, Failure, get, Offline, place } from "./api.js";
import { facts, fill, h, save, table } from "./dom.js";
import { amount, counted, head, number, sizes, whole } from "./format.js";
import { repeat } from "./live.js";

/** Show the result of a job that is done. */
export async function showResult(spot, view, signal) {
  const card = h("div", { class: "card" }, h("h2", {}, "Result"), h("p", { class: "hint" }, "Reading the result…"));
  fill(spot, card);
  let report;
  try {
    await repeat(async () => {
      report = await get(place(view.id, "/result"), signal);
      return null;
    }, signal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    fill(card, h("h2", {}, "Result"), h("p", { class: "problem" }, error.message));
    return;
  }
  if (signal.aborted) return;
  const figure = h("figure");
  fill(card, h("h2", {}, "Result"), SHOWS[report.report](report),
    downloads(view, report), figure);
  await picture(figure, view, report, signal);
}

const SHOWN = 200; // rows that a page can hold with ease

function found(report) {
  const { length } = report.answers;
  const first = { ...report, answers: report.answers.slice(0, SHOWN) };
  const nans = report.nan_points ? whole(report.nan_points) : "none";
  const what = length > 1 ? `The ${whole(length)} smallest values` : "The smallest value";
  return [
    h("p", {}, `${what} of ${report.measure} among ${counted(report.points, "point")}, ${nans} of them NaN.`),
    table(`${what} of ${report.measure}`, columns(first)),
    length > SHOWN ? h("p", { class: "hint" }, `The first ${SHOWN} are shown; the files below have all.`) : null,
    ...told(report), derivatives(first),
  ];
}

function columns({ answers, dims, units, measure }) {
  const column = (name, each, right = true) => ({ head: name, cells: answers.map(each), right });
  return [
    column("rank", (a) => String(a.rank)),
    column(head(measure, units.value), (a) => number(a.value)),
    ...dims.map((dim) => column(head(dim, units[dim]), (a) => number(a.at[dim], 8))),
    column(head("field", units.field), (a) => number(a.field)),
    column("kind", (a) => a.kind, false),
    column("eigenvalues", (a) => a.eigenvalues.map((each) => number(each, 4)).join(", "), false),
    column("index", (a) => dims.map((dim) => a.index[dim]).join(", "), false),
  ];
}

function regions(report) {
  const rows = report.regions.slice(0, SHOWN);
  const column = (name, each, right = true) => ({ head: name, cells: rows.map(each), right });
  const { units, dims, measure } = report;
  const nans = report.nan_points ? whole(report.nan_points) : "none";
  const among = `${counted(report.points, "point")}, ${nans} of them NaN`;
  const limit = `${measure} is below ${number(report.threshold)}`;
  if (!report.found) return [h("p", {}, `No region: ${limit} nowhere among ${among}; the smallest value is ${number(report.smallest)}.`), ...told(report)];
  const what = `${counted(report.found, "region")} where ${limit}`;
  const summary = h("p", {}, `${what}: ${whole(report.points_below)} of ${among}.`);
  const left = report.found - report.regions.length;
  const rest = left ? h("p", { class: "hint" }, `${whole(left)} more ${left === 1 ? "is" : "are"} left out, as asked by the least size or the number of regions.`) : null;
  if (!rows.length) return [summary, rest, ...told(report)];
  const remark = (r) => [r.touches_edge ? "at an edge" : null, ...r.wraps.map((dim) => `all around ${dim}`)].filter(Boolean).join("; ");
  return [
    summary,
    table(what, [
      column("region", (r) => String(r.region)),
      column("points", (r) => whole(r.size)),
      column(head(report.content, units.content), (r) => number(r.content)),
      column(head(`lowest ${measure}`, units.value), (r) => number(r.value)),
      ...dims.map((dim) => column(head(dim, units[dim]), (r) => number(r.at[dim], 8))),
      column(head("field", units.field), (r) => number(r.field)),
      ...dims.map((dim) => column(`${dim} from … to`, (r) => `${number(r.low[dim], 8)} … ${number(r.high[dim], 8)}`, false)),
      rows.some(remark) ? column("remarks", remark, false) : null,
    ].filter(Boolean)),
    report.regions.length > SHOWN ? h("p", { class: "hint" }, `The first ${SHOWN} are shown; the files below have all that are told.`) : null,
    rest, ...told(report),
  ];
}

function kinds({ counts }) {
  const named = [["minimum", "minima"], ["maximum", "maxima"], ["saddle", "saddles"], ["degenerate", "degenerate"]];
  const there = named.filter(([kind]) => counts[kind]);
  return there.length ? `: ${there.map(([kind, many]) => `${whole(counts[kind])} ${counts[kind] === 1 ? kind : many}`).join(", ")}` : "";
}

function critical(report) {
  const rows = report.critical_points.slice(0, SHOWN);
  const column = (name, each, right = true) => ({ head: name, cells: rows.map(each), right });
  const { units, dims } = report;
  const nans = report.nan_cells ? whole(report.nan_cells) : "none";
  const what = `${counted(report.found, "critical point")}${kinds(report)}`;
  const summary = h("p", {}, `${what}; among ${counted(report.points, "point")}, ${nans} of them beside NaN.`);
  if (!rows.length) return [summary, ...told(report)];
  const remark = (p) => (p.cells > 1
    ? `plateau of ${whole(p.cells)} points, indices ${dims.map((dim) => `${dim} ${p.extent[dim].join(" … ")}`).join(", ")}`
    : p.refined ? "" : "not refined");
  return [
    summary,
    table(what, [
      column("rank", (p) => String(p.rank)),
      column("kind", (p) => p.kind, false),
      ...dims.map((dim) => column(head(dim, units[dim]), (p) => number(p.at[dim], 8))),
      column(head("field", units.field), (p) => number(p.field)),
      column(head("eigenvalues", units.eigenvalues), (p) => p.eigenvalues.map((each) => number(each, 4)).join(", "), false),
      column("Morse index", (p) => (p.morse_index === null ? "–" : String(p.morse_index))),
      rows.some(remark) ? column("remarks", remark, false) : null,
    ].filter(Boolean)),
    report.found > rows.length ? h("p", { class: "hint" }, rest(report, rows.length)) : null,
    alternating(report),
    ...told(report), derivatives({ ...report, answers: rows }),
  ];
}

function rest(report, shown) {
  const { length } = report.critical_points;
  const files = length > shown ? `The first ${shown} are shown; the files below have ${length < report.found ? whole(length) : "all"}.` : "";
  return `${files}${length < report.found ? ` The lowest ${whole(length)} were asked for.` : ""}`.trim();
}

function alternating({ alternating: sum, by_index: counts, counts: { degenerate } }) {
  if (sum === null) return null;
  const signed = counts.map((each, i) => `${i ? (i % 2 ? " − " : " + ") : ""}${whole(each)}`).join("");
  const left = degenerate ? `, ${whole(degenerate)} degenerate left out` : "";
  return h("p", { class: "hint" }, `By Morse index, with alternating signs: ${signed} = ${whole(sum)}${left}; it is 0 where all axes wrap.`);
}

function told(report) {
  return [
    report.smoothed ? `Smoothed by ${report.smoothed} before.` : null,
    report.missing_chunks ? `The store lacks ${counted(report.missing_chunks, "chunk")}, read as fill value.` : null,
    report.note,
  ].filter(Boolean).map((text) => h("p", { class: "hint" }, text));
}

function derivatives({ answers, differentiated: dims, units }) {
  return h("details", {}, h("summary", {}, "Gradient and Hessian at each place"), answers.map((a) => [
    h("h3", {}, `Rank ${a.rank}`),
    table(`Gradient and Hessian at rank ${a.rank}`, [
      { head: "along", cells: dims },
      { head: head("gradient", units.gradient), cells: dims.map((dim) => number(a.gradient[dim])), right: true },
      ...dims.map((dim, i) => ({
        head: head(`Hessian ${dim}`, units.hessian), cells: a.hessian.map((row) => number(row[i])), right: true,
      })),
    ]),
  ]).flat());
}

function written(report) {
  return [
    facts([
      ["Written to", h("code", {}, report.out)], ["Variable", head(report.name, report.units)],
      ["Dimensions", sizes(report.dims, report.shape)], ["Chunks", sizes(report.dims, report.chunks)],
      ["Values", `${report.dtype}, ${amount(report.bytes)} uncompressed`],
    ]),
    ...told(report),
  ];
}

/** What each kind of result is shown as, and what its picture shows. */
const SHOWS = { find: found, field: written, regions, critical };
const DRAWN = {
  find: (report) => `The field, and where ${report.measure} is smallest`,
  field: (report) => `The field ${report.field}`,
  critical: (report) => `The field, and its critical points${kinds(report)}`,
  regions: (report) => `The field, and the regions where ${report.measure} is below ${number(report.threshold)}`,
};

function downloads(view, report) {
  const problem = h("p", { class: "problem", role: "alert" });
  const button = (name, rest, file) => h("button", {
    type: "button",
    onclick: async (event) => {
      const { target } = event;
      target.setAttribute("aria-busy", "true");
      problem.textContent = "";
      try {
        save(await bytes(place(view.id, rest)), file);
      } catch (error) {
        if (!(error instanceof Failure || error instanceof Offline)) throw error;
        problem.textContent = error.message;
      } finally {
        target.removeAttribute("aria-busy");
      }
    },
  }, name);
  return h("div", { class: "actions" }, button("Save as JSON", "/result", `dhess-${view.id}.json`),
    report.report !== "field" ? button("Save as NetCDF", "/result.nc", `dhess-${view.id}.nc`) : null, problem);
}

/** Fetch the picture with the token, which an address alone would not carry. */
async function picture(figure, view, report, signal) {
  const caption = h("figcaption", { class: "hint" }, "Drawing the picture…");
  fill(figure, caption);
  try {
    await repeat(async () => {
      const url = URL.createObjectURL(await bytes(place(view.id, "/result.png"), signal));
      signal.addEventListener("abort", () => URL.revokeObjectURL(url));
      const text = DRAWN[report.report](report);
      const image = h("img", { src: url, alt: text });
      await image.decode();
      const open = h("a", { href: url, target: "_blank", rel: "noopener" }, image);
      fill(figure, open, h("figcaption", { class: "hint" }, `${text}.`));
      return null;
    }, signal);
  } catch (error) {
    if (signal.aborted) return;
    const known = error instanceof Failure ? error.message : "The picture could not be shown.";
    fill(figure, h("p", { class: "hint" }, `No picture: ${known}`));
  }
}
