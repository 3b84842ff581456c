// What the schema of a job says of each key, and how a value of it is typed: as on the terminal,
// so x=90, y=90 for lengths, time=0:10 for a selection, and JSON for names with commas in them.

/** The key as a form knows it: which kind of value it takes, and what its description is. */
export function keyOf(name, schema) {
  const any = (schema.anyOf ?? [schema]).filter((each) => each.type !== "null");
  const types = new Set(any.map((each) => each.type));
  const mapping = any.find((each) => each.type === "object");
  return {
    name,
    kind: kind(any, types),
    values: any.find((each) => each.enum)?.enum ?? null,
    ranges: mapping?.additionalProperties?.anyOf?.some((each) => each.type === "array") ?? false,
    integers: types.has("integer") && !types.has("number"),
    words: types.has("string"),
    least: any.find((each) => each.minimum !== undefined)?.minimum,
    usual: schema.default ?? null,
    example: schema.examples?.[0],
    about: schema.description ?? "",
  };
}

function kind(any, types) {
  if (any.some((each) => each.enum)) return "choice";
  if (types.has("boolean")) return "flag";
  if (types.has("object")) return "mapping";
  if (types.has("array")) return types.has("string") ? "lines" : "names";
  if (types.has("integer") || types.has("number")) return "number";
  return "text";
}

/** The value that a text means; a sentence is thrown if it means none. */
export function parse(key, text) {
  const typed = text.trim();
  if (typed === "") return undefined;
  if (key.kind === "lines") {
    const lines = typed.split("\n").map((each) => each.trim()).filter(Boolean);
    return lines.length === 1 ? lines[0] : lines;
  }
  if (/^[[{]/.test(typed) && ["mapping", "names"].includes(key.kind)) return json(typed);
  if (key.kind === "names") return typed.split(",").map((each) => each.trim()).filter(Boolean);
  if (key.kind === "number") return figure(typed, key.integers);
  if (key.kind === "mapping") return mapping(key, typed);
  return typed;
}

function json(typed) {
  try {
    return JSON.parse(typed);
  } catch {
    throw new Error(`“${typed}” begins like JSON and is none; write name=value, …`);
  }
}

function figure(typed, whole) {
  const value = Number(typed);
  if (!Number.isFinite(value) || (whole && !Number.isInteger(value))) {
    throw new Error(`“${typed}” is no ${whole ? "whole " : ""}number.`);
  }
  return value;
}

function mapping(key, typed) {
  if (!typed.includes("=")) {
    if (/^\d+$/.test(typed)) return Number(typed);
    if (key.words) return typed;
    throw new Error(`“${typed}” names no dimension; write ${key.ranges ? "time=0:10" : "x=1, y=2"}.`);
  }
  return Object.fromEntries(typed.split(",").map((part) => {
    const at = part.lastIndexOf("=");
    if (at < 1) throw new Error(`“${part.trim()}” is no name=value.`);
    const value = part.slice(at + 1).trim();
    return [part.slice(0, at).trim(), key.ranges ? range(value) : figure(value, false)];
  }));
}

function range(text) {
  const ends = text.split(":");
  if (ends.length > 2) throw new Error(`“${text}” is no index and no start:stop.`);
  const numbers = ends.map((each) => (each.trim() === "" ? null : figure(each, true)));
  return ends.length === 1 ? numbers[0] : numbers;
}

/** The text that stands for a value. */
export function show(key, value) {
  if (value === null || value === undefined) return "";
  if (key.kind === "lines") return [value].flat().join("\n");
  if (Array.isArray(value)) return value.some((each) => /[,[{]/.test(each)) ? JSON.stringify(value) : value.join(", ");
  if (typeof value !== "object") return String(value);
  const names = Object.keys(value);
  if (names.some((each) => /[,={[]/.test(each))) return JSON.stringify(value);
  return names.map((name) => `${name}=${end(value[name])}`).join(", ");
}

function end(value) {
  return Array.isArray(value) ? value.map((each) => each ?? "").join(":") : String(value);
}
