// The page of the API, drawn from the description that the gateway gives of itself.

import { fill, h } from "./dom.js";
import { Schemas } from "./schemas.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const STATUS = {
  200: "OK", 201: "Created", 202: "Accepted", 204: "No content", 400: "Bad request", 401: "Unauthorized", 403: "Forbidden",
  404: "Not found", 405: "Method not allowed", 409: "Conflict", 413: "Too large", 415: "Unsupported type",
  422: "Cannot be", 429: "Too many", 503: "Unavailable",
};

/** Paragraphs with `code` in them. */
function prose(text) {
  return text.trim().split(/\n\s*\n/).map((part) => h("p", {}, code(part.replace(/\s*\n\s*/g, " "))));
}

function code(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

function slug(method, path) {
  return `${method}${path.replace(/[^a-z0-9]+/gi, "-").replace(/-$/, "")}`;
}

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function example(name, value) {
  return h("figure", {}, h("figcaption", { class: "hint" }, name), h("pre", { tabindex: "0" }, h("code", {}, shown(value))));
}

function examples(content) {
  if (content.examples) return Object.entries(content.examples).map(([name, { value }]) => example(`Example: ${name}`, value));
  return content.example === undefined ? [] : [example("Example", content.example)];
}

/** One call: what it takes and what it answers. */
class Call {
  constructor(path, method, told, schemas) {
    Object.assign(this, { path, method, told, schemas, id: slug(method, path) });
  }

  draw() {
    const { told } = this;
    return h("details", { class: "card call", id: this.id },
      h("summary", {}, h("span", { class: `method ${this.method}` }, this.method.toUpperCase()),
        h("code", { class: "path" }, this.path), h("span", { class: "lead" }, told.summary ?? "")),
      h("div", { class: "inside" },
        told.description ? prose(told.description) : null,
        h("p", { class: "hint" }, told.security?.length ? "Needs a token, unless the gateway has none." : "Needs no token."),
        this.parameters(), this.body(), this.curl(), this.answers()));
  }

  parameters() {
    const all = this.told.parameters ?? [];
    if (!all.length) return null;
    return h("section", {}, h("h3", {}, "Parameters"), h("dl", { class: "keys" }, all.map((each) => h("div", {},
      h("dt", {}, h("code", {}, each.name), h("span", { class: "hint" }, ` ${each.in}, ${each.required ? "required, " : ""}`, this.schemas.type(each.schema))),
      h("dd", {}, code(each.description ?? "")),
    ))));
  }

  body() {
    const content = this.told.requestBody?.content;
    if (!content) return null;
    return h("section", {}, h("h3", {}, "Body"), Object.entries(content).map(([media, each]) => [
      h("p", { class: "hint" }, h("code", {}, media)), this.schemas.view(each.schema), ...examples(each),
    ]).flat());
  }

  curl() {
    const parts = ["curl"];
    const content = Object.values(this.told.requestBody?.content ?? {})[0];
    const given = content?.example ?? Object.values(content?.examples ?? {})[0]?.value;
    if (this.method !== "get") parts.push(`-X ${this.method.toUpperCase()}`);
    if (this.told.security?.length) parts.push('-H "Authorization: Bearer $DHESS_TOKEN"');
    if (this.method === "post") parts.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(given ?? {}).replaceAll("'", "'\\''")}'`);
    parts.push(new URL(".", location.href).href.replace(/\/$/, "") + this.path.replaceAll("{", "$").replaceAll("}", ""));
    return example("From a terminal", parts.join(" \\\n  "));
  }

  answers() {
    const rows = Object.entries(this.told.responses).sort(([a], [b]) => a - b);
    return h("section", {}, h("h3", {}, "Answers"), rows.map(([status, each]) => h("details", { class: "answer" },
      h("summary", {}, h("span", { class: `status s${status[0]}` }, status), ` ${STATUS[status] ?? ""}`, h("span", { class: "hint" }, ` ${each.description}`)),
      h("div", { class: "inside" }, this.answer(each)))));
  }

  answer({ content, headers }) {
    const names = Object.keys(headers ?? {});
    return [
      names.length ? h("p", { class: "hint" }, "Headers: ", names.map((name) => [h("code", {}, name), " "]).flat()) : null,
      ...Object.entries(content ?? {}).map(([media, each]) => [
        h("p", { class: "hint" }, h("code", {}, media)), each.schema ? this.schemas.view(each.schema) : null, ...examples(each),
      ]).flat(),
      content ? null : h("p", { class: "hint" }, "It has no body."),
    ];
  }
}

function calls(api) {
  const schemas = new Schemas(api);
  return Object.entries(api.paths).flatMap(([path, all]) => METHODS.filter((method) => all[method])
    .map((method) => new Call(path, method, all[method], schemas)));
}

function groups(all) {
  const found = new Map();
  for (const call of all) {
    const name = call.told.tags?.[0] ?? "others";
    found.set(name, [...found.get(name) ?? [], call]);
  }
  return [...found].map(([name, each]) => h("section", {}, h("h2", {}, name[0].toUpperCase() + name.slice(1)), each.map((call) => call.draw())));
}

/** Open what the address names. */
function reveal() {
  const asked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(asked instanceof HTMLDetailsElement)) return;
  asked.open = true;
  asked.scrollIntoView();
  asked.querySelector("summary").focus();
}

async function start() {
  const main = document.getElementById("main");
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    const api = await response.json();
    fill(main,
      h("div", { class: "headline" }, h("h1", {}, "API"), h("span", { class: "hint" }, `${api.info.title} ${api.info.version}`)),
      prose(api.info.description ?? ""),
      h("p", {}, h("a", { href: "openapi.json" }, "openapi.json"), " describes the same for programs."),
      groups(calls(api)));
    main.addEventListener("toggle", ({ target }) => {
      if (target.open && target.id) history.replaceState(null, "", `#${target.id}`);
    }, true);
    addEventListener("hashchange", reveal);
    reveal();
  } catch (error) {
    fill(main, h("h1", {}, "API"), h("p", { class: "problem", role: "alert" }, `The description cannot be read (${error.message}); load this page again.`));
  }
}

start();
