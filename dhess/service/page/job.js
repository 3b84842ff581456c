// One job: how far it is while it runs, what it found at its end, its log, and what one can do.

import { Failure, place, send } from "./api.js";
import { confirm } from "./dialogs.js";
import { facts, fill, h, say, write } from "./dom.js";
import { amount, counted, duration, moment, number, whole } from "./format.js";
import { follow, isEnded } from "./live.js";
import { showLog } from "./log.js";
import { showResult } from "./result.js";
import { aim, badge, barred, progress, setBadge, stateName, tempo, title } from "./state.js";

const SELDOM = 15_000; // between two sentences of a screen reader

/** The parts of the view that change while a job runs. */
class Sheet {
  constructor(main, session, id) {
    this.session = session;
    this.id = id;
    this.heading = h("h1", { tabindex: "-1" }, `Job ${id}`);
    this.badge = h("span", { class: "badge" });
    this.aim = h("p", { class: "lead" });
    this.note = h("p", { class: "note" });
    this.actions = h("div", { class: "actions" });
    this.bar = h("progress", { "aria-label": "Progress of the job" });
    this.numbers = h("div", { class: "numbers" });
    this.result = h("section", { "aria-label": "Result" });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.about = h("div");
    this.log = h("div");
    this.heard = 0;
    fill(main,
      h("p", { class: "back" }, h("a", { href: "#/jobs" }, "All jobs")),
      h("div", { class: "headline" }, this.heading, this.badge), this.aim, this.actions, this.problem,
      h("section", { class: "card", "aria-label": "Progress" }, this.bar, this.numbers, this.note),
      this.result, this.about, this.log);
  }

  show(view) {
    const before = this.view;
    this.view = view;
    write(this.heading, title(view));
    document.title = `${stateName(view)}: ${title(view)} – dhess`;
    setBadge(this.badge, view);
    write(this.aim, view.output ? `${aim(view)}, to ${view.output}` : aim(view));
    write(this.note, view.note ?? "");
    this.note.className = view.state === "failed" ? "note problem" : "note";
    this.bar.hidden = view.state === "done";
    this.bar.max = view.windows || 1;
    this.bar.value = view.windows ? view.done : 0;
    fill(this.numbers, numbers(view));
    if (!before || stateName(before) !== stateName(view)) {
      fill(this.actions, this.buttons(view));
      fill(this.about, about(view));
      this.tell(view, 0);
    } else {
      this.tell(view, SELDOM);
    }
  }

  tell(view, pause) {
    if (Date.now() - this.heard < pause) return;
    this.heard = Date.now();
    say([stateName(view), progress(view), tempo(view)].filter(Boolean).join(", "));
  }

  buttons(view) {
    const why = barred(view, this.session.me);
    const button = (name, act, kind) => h("button", {
      type: "button", class: kind, onclick: act, disabled: Boolean(why), title: why || null,
    }, name);
    const [ended, wish] = [isEnded(view), stateName(view) !== view.state];
    return [
      ended || wish ? null : button("Cancel…", () => this.cancel(), ""),
      ["failed", "cancelled"].includes(view.state) ? button("Retry…", () => this.retry(), "primary") : null,
      h("a", { class: "button", href: `#/submit?from=${encodeURIComponent(view.id)}` }, "New job like this"),
      ended ? button("Delete…", () => this.remove(), "danger") : null,
      why ? h("span", { class: "hint" }, why) : null,
    ];
  }

  async act(method, rest) {
    write(this.problem, "");
    try {
      return (await send(method, place(this.id, rest))).answer;
    } catch (error) {
      write(this.problem, error.message);
      throw error;
    }
  }

  async cancel() {
    const text = `Done so far: ${progress(this.view) || "nothing"}. What is recorded is kept, so that a retry goes on from there.`;
    if (!await confirm("Cancel this job?", text, "Cancel the job", { risky: true })) return;
    // The events may have told of the end before this answer came.
    await this.act("POST", "/cancel").then((view) => { if (!isEnded(this.view)) this.show(view); }, () => null);
    this.heading.focus();
  }

  async retry() {
    const text = "It goes on from the windows that are recorded.";
    if (!await confirm("Try this job again?", text, "Try again")) return;
    await this.act("POST", "/retry").then(() => this.again(), () => null);
    this.heading.focus();
  }

  async remove() {
    const output = this.view.output ? " The file that it wrote for you stays where it is." : "";
    const text = `Its record, its log and its result here are removed for good.${output}`;
    if (!await confirm("Delete this job?", text, "Delete the job", { risky: true })) return;
    await this.act("DELETE", "").then(() => { location.hash = "#/jobs"; }, () => null);
  }
}

function numbers(view) {
  const [rate, left] = tempo(view).split(", ");
  const sofar = view.best && !isEnded(view);
  return facts([
    ["Windows", progress(view).replace(/ windows?/, "")],
    ["Rate", rate],
    ["Time left", left?.replace(" left", "")],
    ["Blocks", view.of_blocks ? `${whole(view.blocks)} of ${whole(view.of_blocks)}` : null],
    ["Data", view.of_nbytes ? `${amount(view.nbytes)} of ${amount(view.of_nbytes)}` : null],
    ["Took", view.state === "done" && view.started ? duration((Date.parse(view.ended) - Date.parse(view.started)) / 1000) : null],
    [view.task === "critical" ? "Lowest so far" : "Best so far", sofar ? `${number(view.best.value)} at [${view.best.index.join(", ")}]` : null],
  ], "tiles");
}

function about(view) {
  const spec = JSON.stringify(view.spec, (_, value) => (value === null ? undefined : value), 2);
  const copy = h("button", {
    type: "button",
    onclick: async () => {
      await navigator.clipboard.writeText(spec);
      say("Copied.");
      copy.textContent = "Copied";
    },
  }, "Copy");
  const sources = [view.source].flat().join("\n");
  return h("section", { class: "card", "aria-label": "About this job" }, h("h2", {}, "About this job"),
    facts([
      ["Job", h("code", {}, view.id)], ["Source", sources], ["Variable", view.variable], ["Output", view.output],
      ["Submitted", `${moment(view.created)} by ${view.submitter}`], ["Started", moment(view.started)], ["Ended", moment(view.ended)],
      ["Attempts", view.attempts ? `${counted(view.attempts, "start")} without a new window` : null],
    ]),
    h("details", {}, h("summary", {}, "The job as JSON"), navigator.clipboard ? copy : null, h("pre", { tabindex: "0" }, spec)));
}

/** Show a job, and follow it until the signal. */
export async function showJob(main, session, id, signal) {
  const sheet = new Sheet(main, session, id);
  let round = new AbortController();
  let failed;
  const over = new Promise((_, reject) => { failed = reject; });

  async function go() {
    round.abort();
    round = new AbortController();
    const mine = AbortSignal.any([signal, round.signal]);
    fill(sheet.result);
    showLog(sheet.log, id, () => sheet.view && isEnded(sheet.view), mine).catch(quiet(mine));
    await follow(id, (view) => { if (!mine.aborted) sheet.show(view); }, mine);
    if (!mine.aborted && sheet.view.state === "done") await showResult(sheet.result, sheet.view, mine);
  }

  sheet.again = () => go().catch(failed);
  sheet.again();
  signal.addEventListener("abort", () => round.abort());
  await over.catch((error) => {
    if (signal.aborted) return;
    round.abort();
    if (!(error instanceof Failure && error.status === 404)) throw error;
    fill(main, h("h1", { tabindex: "-1" }, "There is no such job"), h("p", {}, error.message),
      h("p", {}, h("a", { href: "#/jobs" }, "Go to the jobs")));
  });
}

/** Errors of a part of the view that its neighbours tell already. */
function quiet(signal) {
  return (error) => {
    if (!signal.aborted && !(error instanceof Failure)) throw error;
  };
}
