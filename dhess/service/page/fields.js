// The fields of the form: one for each key of the schema, in groups that a scientist thinks in.

import { fill, fresh, h, write } from "./dom.js";
import { keyOf, parse, show } from "./schema.js";

/** What stands where; a key that no group names comes into the last one. */
const GROUPS = [
  ["Data", ["source", "variable"], true],
  ["Question", ["task", "measure", "threshold", "quantile", "k", "min_size", "connectivity", "tolerance", "output"], true],
  ["Part of the data", ["sel", "chunks", "smooth"]],
  ["Derivatives", ["dims", "order", "scheme", "period", "spacing", "scale", "nan", "dtype", "datetime_unit"]],
  ["On a sphere", ["geometry", "latitude", "longitude", "radius"]],
  ["Other", ["exclude_edges", "overwrite"]],
];

/** Keys that not every task has. */
const OF_TASK = {
  measure: ["find", "field", "regions"], scheme: ["find", "field", "regions"], k: ["find", "regions", "critical"], exclude_edges: ["find"], tolerance: ["critical"],
  threshold: ["regions"], quantile: ["regions"], min_size: ["regions"], connectivity: ["regions"],
};

/** Choices that the schema tells in words only. */
const CHOICES = {
  order: ["2", "4", "6", "8"],
  scheme: ["direct", "iterated"],
  nan: ["propagate", "adapt"],
  geometry: ["cartesian", "sphere"],
  connectivity: ["faces", "full"],
  dtype: ["float32", "float64"],
  datetime_unit: ["D", "h", "min", "s", "ms", "us", "ns"],
};

const LABELS = {
  k: "How many to find", min_size: "Least points of a region", sel: "Selection", dims: "Dimensions", nan: "NaN", dtype: "Type of the result",
  smooth: "Smoothing", chunks: "Blocks", datetime_unit: "Unit of times", exclude_edges: "Without edges", window: "Blocks of a window",
};

/** What a field may write besides the measures. */
const TENSORS = [
  { name: "gradient", meaning: "all first derivatives" },
  { name: "hessian", meaning: "all second derivatives" },
  { name: "eigenvalues", meaning: "of the Hessian, ascending" },
];

function label(name) {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words[0].toUpperCase() + words.slice(1);
}

function options(key, measures) {
  if (key.name === "measure") return measures.map((each) => each.name);
  return key.values ?? CHOICES[key.name] ?? null;
}

/** One key: its label, its control, its description, and what is wrong with what was typed. */
class Field {
  constructor(key, measures) {
    this.key = key;
    this.id = fresh("key");
    this.required = key.name === "source";
    this.hint = h("p", { class: "hint", id: `${this.id}-hint` }, key.about);
    this.problem = h("p", { class: "problem", id: `${this.id}-problem` });
    this.control = this.make(options(key, measures));
    const name = h("label", { for: this.id }, label(key.name));
    const parts = key.kind === "flag" ? [h("div", { class: "tick" }, this.control, name)] : [name, this.control];
    this.node = h("div", { class: `field key-${key.name}` }, parts, this.hint, this.problem);
  }

  make(values) {
    const { key } = this;
    const common = { id: this.id, name: key.name, "aria-describedby": `${this.id}-hint ${this.id}-problem`, required: this.required };
    if (key.kind === "flag") return h("input", { ...common, type: "checkbox" });
    if (values) {
      const first = key.usual === null ? [h("option", { value: "" }, "default")] : [];
      const all = values.map((value) => h("option", { value, selected: value === key.usual }, value));
      return h("select", common, first, all);
    }
    const text = { ...common, autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    const placeholder = key.example === undefined ? null : show(key, key.example);
    if (key.kind === "lines") {
      const area = h("textarea", { ...text, rows: 1, placeholder });
      area.addEventListener("input", () => this.grow());
      return area;
    }
    const inputmode = key.kind === "number" ? (key.integers ? "numeric" : "decimal") : null;
    const made = h("input", { ...text, type: "text", inputmode, placeholder });
    made.value = this.usual();
    return made;
  }

  usual() {
    return ["number", "text"].includes(this.key.kind) || this.key.usual === "auto" ? show(this.key, this.key.usual) : "";
  }

  grow() {
    this.control.rows = Math.min(8, this.control.value.split("\n").length);
  }

  get text() {
    return this.key.kind === "flag" ? (this.control.checked ? "yes" : "") : this.control.value;
  }

  set text(value) {
    if (this.key.kind === "flag") this.control.checked = Boolean(value) && value !== "false";
    else this.control.value = value;
    if (this.key.kind === "lines") this.grow();
  }

  /** Whether something else than the default is chosen. */
  get isChanged() {
    return this.key.kind === "flag" ? this.control.checked : ![show(this.key, this.key.usual), ""].includes(this.text.trim());
  }

  /** The value, or undefined; whatever is wrong is told beside the field. */
  value() {
    try {
      const value = this.key.kind === "flag" ? this.control.checked || undefined : this.parsed();
      this.complain("");
      return value;
    } catch (error) {
      this.complain(error.message);
      throw error;
    }
  }

  parsed() {
    const value = parse(this.key, this.text);
    if (value === undefined && this.required) throw new Error("This is needed.");
    if (this.key.least !== undefined && value < this.key.least) throw new Error(`At least ${this.key.least}.`);
    return this.key.name === "order" && value !== undefined ? Number(value) : value;
  }

  complain(sentence) {
    write(this.problem, sentence);
    if (sentence) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

/** All fields of a job. */
export class Fields {
  constructor({ schema, measures }) {
    this.measures = measures;
    this.resources = Object.keys(schema.properties.resources.properties);
    const given = [
      ...Object.entries(schema.properties).filter(([name]) => !["version", "resources"].includes(name)),
      ...Object.entries(schema.properties.resources.properties),
    ];
    this.all = new Map(given.map(([name, each]) => [name, new Field(keyOf(name, each), measures)]));
    const told = new Set(GROUPS.flatMap(([, names]) => names));
    const rest = [...this.all.keys()].filter((name) => !told.has(name));
    this.more = h("details", { class: "more" }, h("summary", {}, "More options"));
    const first = GROUPS.map(([title, names, open], i) => {
      const here = i === GROUPS.length - 1 ? [...names, ...rest] : names;
      const set = h("fieldset", {}, h("legend", {}, title), here.filter((name) => this.all.has(name)).map((name) => this.all.get(name).node));
      if (!open) this.more.append(set);
      return open ? set : null;
    }).filter(Boolean);
    this.nodes = [...first, this.more];
    this.adapt();
  }

  /** Fit the form to the task: which keys there are, and which measures. */
  adapt() {
    const task = this.all.get("task").text;
    for (const [name, of] of Object.entries(OF_TASK)) if (this.all.has(name)) this.all.get(name).node.hidden = !of.includes(task);
    const output = this.all.get("output");
    output.required = task === "field";
    output.control.required = output.required;
    const measure = this.all.get("measure");
    const known = this.measures.filter((each) => !TENSORS.some(({ name }) => name === each.name));
    const offered = task === "field" ? [...known, ...TENSORS] : known;
    const chosen = offered.some((each) => each.name === measure.text) ? measure.text : measure.key.usual;
    if (measure.control.options.length !== offered.length) {
      fill(measure.control, offered.map(({ name }) => h("option", { value: name }, name)));
      measure.text = chosen;
    }
    write(measure.hint, offered.find((each) => each.name === measure.text)?.meaning ?? measure.key.about);
  }

  /** The job as JSON; throws the first thing that is wrong, after telling all of them. */
  spec() {
    const task = this.all.get("task").text;
    const [found, wrong] = [{}, []];
    for (const [name, field] of this.all) {
      if (OF_TASK[name] && !OF_TASK[name].includes(task)) continue;
      try {
        const value = field.value();
        if (value === undefined) continue;
        if (this.resources.includes(name)) found.resources = { ...found.resources, [name]: value };
        else found[name] = value;
      } catch {
        wrong.push(field);
      }
    }
    if (task === "regions" && !wrong.length) wrong.push(...this.unlimited(found));
    if (wrong.length) throw Object.assign(new Error("Some fields need another value."), { field: wrong[0] });
    return found;
  }

  /** The field to correct where regions have no limit, or two; that is told beside it. */
  unlimited({ threshold, quantile }) {
    if ((threshold === undefined) !== (quantile === undefined)) return [];
    const field = this.all.get(threshold === undefined ? "threshold" : "quantile");
    field.complain(threshold === undefined ? "This or a quantile is needed." : "There is a threshold already; leave one of the two empty.");
    return [field];
  }

  /** The values of some fields; throws the first thing that is wrong. */
  some(names) {
    const given = names.map((name) => [name, this.all.get(name).value()]);
    return Object.fromEntries(given.filter(([, value]) => value !== undefined));
  }

  /** Put texts into the fields, by name. */
  put(texts) {
    const task = texts.task;
    if (task) this.all.get("task").text = task;
    this.adapt();
    for (const [name, text] of Object.entries(texts)) if (this.all.has(name)) this.all.get(name).text = text;
    this.adapt();
    if ([...this.more.querySelectorAll("[name]")].some((each) => this.all.get(each.name).isChanged)) this.more.open = true;
  }

  /** The texts that differ from what an empty form has. */
  texts() {
    return Object.fromEntries([...this.all].filter(([, field]) => field.isChanged).map(([name, field]) => [name, field.text]));
  }

  /** Put a job into the fields. */
  take(spec) {
    const flat = { ...spec, ...spec.resources };
    this.put(Object.fromEntries([...this.all].map(([name, { key }]) => [name, show(key, flat[name] ?? key.usual)])));
  }

  /** Show a field, wherever it is folded away, and go there. */
  reveal(field) {
    if (this.more.contains(field.node)) this.more.open = true;
    field.control.focus();
  }
}
