// How numbers, bytes and times are written; the same as on the terminal.

const MOMENT = { dateStyle: "short", timeStyle: "medium" }; // 2026-01-05 06:00:00 in Swedish
const SIGNS = { degrees_north: "°N", degrees_east: "°E" };

/** A number with so many digits; dates lose an hour and a fraction of zero. */
export function number(value, digits = 6) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return shortDate(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e15) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${exponent.replace("+", "")}`;
  }
  return String(Number(value.toPrecision(digits)));
}

function shortDate(text) {
  const date = /^([+-]?\d{4,}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?)?(\.\d+)?$/.exec(text);
  if (!date) return text;
  const fraction = (date[3] ?? "").replace(/0+$/, "").replace(/\.$/, "");
  const clock = date[2] ?? "";
  return fraction || clock.replace(/[T0:]/g, "") ? date[1] + clock + fraction : date[1];
}

/** A whole number with its thousands apart. */
export function whole(value) {
  return value.toLocaleString("en");
}

/** A number of things. */
export function counted(value, noun) {
  return `${whole(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A number of bytes. */
export function amount(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [size, i] = [bytes, 0];
  while (size >= 999.5 && i < units.length - 1) [size, i] = [size / 1000, i + 1];
  return `${i ? Number(size.toPrecision(3)) : Math.round(size)} ${units[i]}`;
}

/** How long something takes, in two units at most. */
export function duration(seconds) {
  if (seconds < 99.5) return seconds < 1 ? `${Number(seconds.toPrecision(1))} s` : `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const all = Math.round(minutes / 60);
  return all % 24 ? `${Math.floor(all / 24)} d ${all % 24} h` : `${all / 24} d`;
}

/** Windows in a second, or in a minute or an hour where that reads better. */
export function pace(rate) {
  const [value, unit] = rate >= 1 ? [rate, "s"] : rate >= 1 / 60 ? [rate * 60, "min"] : [rate * 3600, "h"];
  return `${Number(value.toPrecision(3))} windows/${unit}`;
}

/** How long ago, for people; the exact time belongs beside it. */
export function ago(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < 10) return "just now";
  return `${duration(seconds)} ago`;
}

/** A moment in the reader's own time zone. */
export function moment(iso) {
  return iso ? `${new Date(iso).toLocaleString("sv-SE", MOMENT)} ${zone(iso)}` : null;
}

function zone(iso) {
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(new Date(iso));
  return parts.find((part) => part.type === "timeZoneName").value;
}

/** A name with its unit. */
export function head(name, unit) {
  return unit ? `${name} (${SIGNS[unit] ?? unit})` : name;
}

/** The sign of a unit. */
export function sign(unit) {
  return SIGNS[unit] ?? unit;
}

/** Sizes with a cross between. */
export function times(shape) {
  return shape.map(whole).join(" × ");
}

/** Every dimension with its size. */
export function sizes(dims, shape) {
  return dims.map((dim, i) => `${dim} ${whole(shape[i])}`).join(", ");
}
