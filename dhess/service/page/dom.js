// Elements are made here and nowhere else, and text only ever becomes a text node: what a file,
// a variable or a note is called can never turn into markup.

/** Make an element. Properties that begin with "on" are listeners, `class` and the others attributes. */
export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Replace the children of an element. */
export function fill(place, ...children) {
  place.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return place;
}

/** Set a text unless it is the same, so that selections and screen readers are left in peace. */
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Names beside values; a pair without a value is left out. */
export function facts(pairs, kind = "facts") {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: kind }, rows.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A table that scrolls by itself where it is too wide; columns are {head, cells, right}. */
export function table(caption, columns) {
  const rows = columns[0].cells.map((_, i) =>
    h("tr", {}, columns.map((column) =>
      h("td", { class: column.right ? "right" : null }, column.cells[i]))));
  const heads = columns.map((column) =>
    h("th", { scope: "col", class: column.right ? "right" : null }, column.head));
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    h("table", {}, h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)));
}

/** Tell screen readers something that others see anyway. */
export function say(text) {
  write(document.getElementById("said"), text);
}

/** Hand a file to the user. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

let count = 0;

/** An id that no other element has. */
export function fresh(prefix) {
  count += 1;
  return `${prefix}-${count}`;
}
