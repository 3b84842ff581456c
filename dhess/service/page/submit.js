// The form of a new job. What the source holds and what the job would take is looked up while it
// is filled in, and a job is sent only after its plan was shown.

import { Failure, get, line, Offline, place, send } from "./api.js";
import { fill, h, say, write } from "./dom.js";
import { Fields } from "./fields.js";
import { counted } from "./format.js";
import { repeat } from "./live.js";
import { infoView, planView } from "./preview.js";

const CALM = 700; // ms after the last key before anything is looked up

const ABOUT_DATA = ["source", "variable", "chunks"];

let draft = {};

/** The form, and what is shown beside it. */
class Form {
  constructor(main, { spec, me }, signal) {
    this.signal = signal;
    this.fields = new Fields(spec);
    this.problem = h("p", { class: "problem", role: "alert" });
    this.status = h("p", { class: "hint", role: "status" });
    this.info = h("section", { class: "card", "aria-label": "The data", hidden: true });
    this.plan = h("section", { class: "card", "aria-label": "The plan", hidden: true });
    this.idle = h("p", { class: "hint idle" }, "What the source holds, and what the job would take, appears here.");
    this.planned = null;
    this.ready = "";
    // What could not be looked up while the gateway was away is looked up when it is back.
    line.addEventListener("change", () => { if (line.up && !this.planned) this.changed(0); }, { signal });
    const may = me.open || me.scopes.some((each) => each !== "read");
    this.button = h("button", { class: "primary", disabled: !may }, "Submit job");
    const form = h("form", {
      class: "sides", novalidate: true, "aria-label": "New job",
      onsubmit: (event) => { event.preventDefault(); this.submit(); },
      oninput: () => this.changed(CALM), onchange: () => this.changed(0),
    },
    h("div", { class: "keys" }, this.fields.nodes),
    h("div", { class: "preview" }, this.idle, this.info, this.plan),
    h("div", { class: "ends" }, h("div", { class: "actions" }, this.button, this.clear()), this.problem, this.status,
      may ? null : h("p", { class: "hint" }, "Your token may only read.")));
    fill(main, h("h1", { tabindex: "-1" }, "New job"), places(spec), form);
  }

  clear() {
    return h("button", {
      type: "button",
      onclick: () => {
        draft = {};
        if (location.hash === "#/submit") dispatchEvent(new HashChangeEvent("hashchange"));
        else location.hash = "#/submit";
      },
    }, "Start over");
  }

  changed(ms) {
    this.fields.adapt();
    draft = this.fields.texts();
    const text = JSON.stringify(draft);
    // A field that is left, as for a click on the button, tells of a change once more.
    if (text === this.looked || text === this.looking) return;
    clearTimeout(this.timer);
    if (!this.fields.all.get("source").text.trim()) return;
    write(this.status, "");
    this.timer = setTimeout(() => this.look().catch(() => null), ms);
  }

  use(texts) {
    this.fields.put(texts);
    this.changed(0);
    say(`Set ${Object.keys(texts).join(", ")}.`);
  }

  /** Look up what changed since the last time; throws what is wrong with the job. */
  async look() {
    const asked = this.fields.some(ABOUT_DATA);
    const text = JSON.stringify(this.fields.texts());
    if (text === this.looking) return;
    [this.looking, this.looked] = [text, null];
    this.round?.abort();
    this.round = new AbortController();
    const signal = AbortSignal.any([this.signal, this.round.signal]);
    write(this.problem, "");
    try {
      await this.lookInfo(asked, signal);
      await this.lookPlan(this.fields.spec(), signal);
      this.looked = text;
    } catch (error) {
      if (signal.aborted) throw error;
      this.planned = null;
      this.plan.hidden = true;
      this.tell(error);
      throw error;
    } finally {
      if (this.looking === text) this.looking = null;
    }
  }

  async lookPlan(spec, signal) {
    const text = JSON.stringify(spec);
    if (text !== this.planned) await this.plannedAnew(spec, text, signal);
    write(this.status, this.ready);
  }

  async plannedAnew(spec, text, signal) {
    write(this.status, "Planning…");
    const { answer } = await send("POST", "v1/plan", spec, signal);
    fill(this.plan, h("h2", {}, "The plan"), planView(answer, (texts) => this.use(texts)));
    this.plan.hidden = false;
    this.planned = text;
    this.ready = `The plan is ready: ${counted(answer.blocks, "block")}, ${answer.fits ? "it fits" : "it does not fit"}.`;
  }

  async lookInfo(asked, signal) {
    const text = JSON.stringify(asked);
    if (text === this.known) return;
    this.known = null;
    write(this.status, "Looking at the data…");
    try {
      const { answer } = await send("POST", "v1/info", asked, signal);
      fill(this.info, h("h2", {}, "The data"), infoView(answer, (texts) => this.use(texts)));
      this.info.hidden = false;
      this.idle.hidden = true;
      this.known = text;
    } catch (error) {
      if (!signal.aborted) this.info.hidden = true;
      throw error;
    }
  }

  tell(error) {
    if (!(error instanceof Failure || error instanceof Offline || error.field)) throw error;
    write(this.status, "");
    write(this.problem, error.message);
  }

  async submit() {
    clearTimeout(this.timer);
    let spec;
    try {
      spec = this.fields.spec();
    } catch (error) {
      this.tell(error);
      this.fields.reveal(error.field);
      return;
    }
    if (JSON.stringify(spec) !== this.planned) {
      this.looking = null;
      await this.look().then(() => write(this.status, `${this.ready} Press “Submit job” again to send it.`), () => null);
      return;
    }
    await this.send(spec);
  }

  async send(spec) {
    this.button.setAttribute("aria-busy", "true");
    write(this.problem, "");
    try {
      const { answer, made } = await send("POST", "v1/jobs", spec, this.signal);
      draft = {};
      say(made ? "The job is submitted." : "This job was submitted before.");
      location.hash = `#/jobs/${encodeURIComponent(answer.id)}`;
    } catch (error) {
      if (!this.signal.aborted) this.tell(error);
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }
}

function places({ roots, output_roots: outputs }) {
  const list = (all) => all.flatMap((each, i) => [i ? ", " : "", h("code", {}, each)]);
  return h("p", { class: "hint" }, "This gateway reads from ", list(roots), " and writes to ", list(outputs),
    "; a relative path is taken from the first.");
}

/** Show the form, filled from a draft or from a job that was there before. */
export async function showSubmit(main, session, query, signal) {
  const form = new Form(main, session, signal);
  const from = query.get("from");
  if (!from) {
    form.fields.put(draft);
    if (draft.source) form.changed(0);
    return;
  }
  await repeat(async () => {
    const view = await get(place(from), signal);
    form.fields.take(view.spec);
    form.changed(0);
    return null;
  }, signal);
}
