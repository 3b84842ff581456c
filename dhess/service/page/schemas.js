// JSON schemas as lists of keys: the type of each, its default, what it means.

import { h } from "./dom.js";

const DEEPEST = 4;

export class Schemas {
  constructor(api) {
    this.named = api.components?.schemas ?? {};
  }

  /** What a reference leads to, with its name. */
  resolve(schema) {
    const name = schema.$ref?.split("/").at(-1);
    return name ? { name, ...this.named[name] } : schema;
  }

  /** The type in words. */
  type(schema) {
    const found = this.resolve(schema ?? {});
    if (found.anyOf ?? found.oneOf) return [...new Set((found.anyOf ?? found.oneOf).map((each) => this.type(each)))].join(" or ");
    if (found.const !== undefined) return JSON.stringify(found.const);
    if (found.enum) return found.enum.map((each) => JSON.stringify(each)).join(", ");
    if (found.type === "array") return `list of ${found.items ? this.type(found.items) : "anything"}`;
    if (found.type === "object" && found.additionalProperties instanceof Object) return `table of ${this.type(found.additionalProperties)}`;
    return (found.properties && found.name) || [found.type ?? "anything"].flat().join(" or ");
  }

  /** The limits and the default in words. */
  rest(schema) {
    const found = this.resolve(schema);
    return [
      found.minimum === undefined ? null : `at least ${found.minimum}`,
      found.maximum === undefined ? null : `at most ${found.maximum}`,
      found.default === undefined || found.default === null ? null : `default ${JSON.stringify(found.default)}`,
    ].filter(Boolean).map((each) => `, ${each}`).join("");
  }

  /** The schema with properties that is inside: of an object itself, of the items of a list. */
  inside(schema) {
    const found = this.resolve(schema);
    if (found.properties) return found;
    if (found.items) return this.inside(found.items);
    const any = (found.anyOf ?? found.oneOf ?? []).map((each) => this.inside(each)).filter(Boolean);
    return any[0] ?? null;
  }

  /** The keys of a schema, those of its parts folded. */
  view(schema, depth = 0) {
    const found = this.inside(schema);
    if (!found) return depth ? null : h("p", { class: "hint" }, this.type(schema));
    const required = new Set(found.required ?? []);
    const list = h("dl", { class: "keys" }, Object.entries(found.properties).map(([name, each]) => h("div", {},
      h("dt", {}, h("code", {}, name), h("span", { class: "hint" }, ` ${required.has(name) ? "required, " : ""}${this.type(each)}${this.rest(each)}`)),
      h("dd", {}, this.resolve(each).description ?? null, depth < DEEPEST && this.inside(each) ? this.view(each, depth + 1) : null))));
    const title = found.name ?? found.title ?? "Keys";
    return h("details", { class: "schema" }, h("summary", {}, `Keys of ${title}`), list);
  }
}
