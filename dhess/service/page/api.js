// Calls of the gateway: with the token, with errors as sentences, and with the state of the line.

/** The gateway answered, and refused. */
export class Failure extends Error {
  constructor(status, detail, after = null) {
    super(detail);
    this.status = status;
    this.after = after;
  }
}

/** The gateway did not answer. */
export class Offline extends Error {}

const KEY = "dhess-token";
const BUSY = new Set([502, 504]); // a proxy before the gateway says so

let ask = null;
let asking = null;

/** Whether the gateway answers; listeners hear of each change. */
export const line = Object.assign(new EventTarget(), { up: true });

function setLine(up) {
  if (line.up === up) return;
  line.up = up;
  line.dispatchEvent(new Event("change"));
}

/** Say who asks for a token: a function of the sentence, returning a promise of one. */
export function onToken(asker) {
  ask = asker;
}

/** Forget the token. */
export function forget() {
  sessionStorage.removeItem(KEY);
}

/** Whether a token is kept. */
export function known() {
  return sessionStorage.getItem(KEY) !== null;
}

async function reach(path, given) {
  const headers = { ...given.headers };
  const token = sessionStorage.getItem(KEY);
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    const response = await fetch(path, { ...given, headers, cache: "no-store", redirect: "error" });
    if (BUSY.has(response.status)) throw new TypeError(`status ${response.status}`);
    setLine(true);
    return [response, token];
  } catch (error) {
    if (given.signal?.aborted) throw error;
    setLine(false);
    throw new Offline("The gateway does not answer.", { cause: error });
  }
}

async function told(response) {
  try {
    return String((await response.json()).detail);
  } catch {
    return `The gateway answered with status ${response.status}.`;
  }
}

/** Ask once, however many calls wait for the answer. */
async function askOnce(used, sentence) {
  if (sessionStorage.getItem(KEY) !== used) return; // another call has a new one already
  asking ??= ask(sentence).then((token) => {
    sessionStorage.setItem(KEY, token);
  }).finally(() => {
    asking = null;
  });
  await asking;
}

/** Return the response to a call; a refusal is a Failure, silence is Offline. */
export async function request(path, given = {}) {
  for (;;) {
    const [response, used] = await reach(path, given);
    if (response.ok) return response;
    const detail = await told(response);
    if (response.status !== 401) {
      throw new Failure(response.status, detail, Number(response.headers.get("Retry-After")) || null);
    }
    forgetIf(used);
    await askOnce(sessionStorage.getItem(KEY), used ? detail : "");
  }
}

function forgetIf(used) {
  if (sessionStorage.getItem(KEY) === used) forget();
}

async function body(response, how) {
  try {
    return await response[how]();
  } catch (error) {
    if (error instanceof TypeError) throw new Offline("The answer broke off.", { cause: error });
    throw error;
  }
}

/** Return the JSON of a GET. */
export async function get(path, signal) {
  return body(await request(path, { signal }), "json");
}

/** Return the bytes of a GET. */
export async function bytes(path, signal) {
  return body(await request(path, { signal }), "blob");
}

/** Send JSON, or nothing; return the JSON that comes back, and whether something new was made. */
export async function send(method, path, content, signal) {
  const given = { method, signal };
  if (method === "POST") {
    given.headers = { "Content-Type": "application/json" };
    given.body = JSON.stringify(content ?? {});
  }
  const response = await request(path, given);
  const answer = response.status === 204 ? null : await body(response, "json");
  return { answer, made: response.status === 201 };
}

/** Return where a job is. */
export function place(id, rest = "") {
  return `v1/jobs/${encodeURIComponent(id)}${rest}`;
}
