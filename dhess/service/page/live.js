// What goes on by itself: events of one job, and calls that are repeated. Both outlive a gateway
// that is killed and started again: they try anew, less and less often, and at once when the
// browser is back on line or the page is looked at again.

import { Failure, get, line, Offline, place, request } from "./api.js";

const SILENCE = 40_000; // two keep-alives and a half
const LONGEST = 8_000;

/** Wait, but no longer than until the page is looked at or the line is back. */
export function wait(ms, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", left);
    };
    const end = () => { done(); resolve(); };
    const seen = () => { if (!document.hidden) end(); };
    const left = () => { done(); reject(signal.reason); };
    if (signal.aborted) { reject(signal.reason); return; }
    const timer = setTimeout(end, ms);
    addEventListener("online", end, { once: true });
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", left);
  });
}

/** How long to wait before the n-th attempt in a row; not all pages at the same moment. */
function pause(n) {
  return Math.min(LONGEST, 500 * 2 ** n) * (0.75 + Math.random() / 2);
}

function isPassing(error) {
  return error instanceof Offline || (error instanceof Failure && (error.status === 429 || error.status >= 500));
}

/** Call again and again; the function returns how many ms to wait, or null to end. */
export async function repeat(call, signal) {
  for (let failures = 0; ;) {
    let ms;
    try {
      ms = await call();
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      ms = Math.max(pause(failures), (error.after ?? 0) * 1000);
      failures += 1;
    }
    if (ms === null || signal.aborted) return;
    await wait(ms, signal).catch(() => null);
    if (signal.aborted) return;
  }
}

/** Read server-sent events from a response; each becomes a call with its name and its data. */
async function read(response, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split(/\r?\n\r?\n/);
    rest = parts.pop();
    heard(null, null); // a comment, too, is a sign of life
    for (const part of parts) {
      const lines = part.split(/\r?\n/);
      const field = (name) => lines.filter((each) => each.startsWith(`${name}:`))
        .map((each) => each.slice(name.length + 1).replace(/^ /, ""));
      const data = field("data").join("\n");
      if (data) heard(field("event")[0] ?? "message", data);
    }
  }
}

const ENDED = new Set(["done", "failed", "cancelled"]);

/** Whether nothing more will happen to a job by itself. */
export function isEnded(view) {
  return ENDED.has(view.state);
}

/** Follow a job to its end; `show` gets each view of it. */
export async function follow(id, show, signal) {
  let last = null;
  await repeat(async () => {
    let heard = false;
    const patience = new AbortController();
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => patience.abort(), SILENCE);
    };
    try {
      alive();
      const both = AbortSignal.any([signal, patience.signal]);
      const response = await request(place(id, "/events"), { signal: both, headers: { Accept: "text/event-stream" } });
      await read(response, (name, data) => {
        alive();
        heard = true;
        if (name !== "job") return;
        last = JSON.parse(data);
        show(last);
      });
    } catch (error) {
      if (signal.aborted || error instanceof Failure) throw error;
      if (!heard) throw new Offline("The events broke off.", { cause: error });
    } finally {
      clearTimeout(timer);
    }
    return last && isEnded(last) ? null : 500;
  }, signal);
}

/** Show a line while the gateway does not answer, and ask for it until it does. */
export function watchLine(spot) {
  const { signal } = new AbortController();
  line.addEventListener("change", () => {
    spot.textContent = line.up ? "" : "Reconnecting – the gateway does not answer at the moment.";
    if (line.up) return;
    repeat(async () => {
      if (!line.up) await get("health", signal);
      return null;
    }, signal);
  });
}
