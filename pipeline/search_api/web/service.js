// Requests to the service that sent this page, and to nobody else.

const KEY = "bitquarry-key";

/** A refusal or failure; `message` is fit to be read. `status` 0: no answer at all. */
export class ServiceProblem extends Error {
  constructor(status, message, requestId = "") {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

/** The API key lives as long as the tab. */
export function apiKey() {
  return sessionStorage.getItem(KEY);
}

export function setApiKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export async function indexes() {
  return (await askJson("v1/indexes")).indexes;
}

export function indexFacts(index, signal) {
  return askJson(`v1/indexes/${encodeURIComponent(index)}`, { signal });
}

export function item(index, id, signal) {
  return askJson(`v1/indexes/${encodeURIComponent(index)}/items/${id}`, { signal });
}

/** `by`: {id} or {code}. `terms`: {k, radius, where}. Answers that lack shards are taken, and say so. */
export function query(index, by, terms, signal) {
  const asked = { ...by, k: terms.k, where: terms.where, allow_partial: true };
  if (terms.radius !== null) asked.radius = terms.radius;
  return askJson(`v1/indexes/${encodeURIComponent(index)}/query`, { ...json(asked), signal });
}

export function queryPicture(index, picture, terms, signal) {
  const parameters = new URLSearchParams({ k: terms.k, allow_partial: "true" });
  if (terms.radius !== null) parameters.set("radius", terms.radius);
  for (const condition of terms.where) parameters.append("where", condition);
  const type = picture.type.startsWith("image/") ? picture.type : "application/octet-stream";
  return askJson(`v1/indexes/${encodeURIComponent(index)}/query/image?${parameters}`, {
    method: "POST",
    headers: { "Content-Type": type },
    body: picture,
    signal,
  });
}

export function compare(index, a, b, signal) {
  return askJson("v1/compare", { ...json({ index, a, b }), signal });
}

export function thumbnailPath(index, id) {
  return `v1/indexes/${encodeURIComponent(index)}/items/${id}/thumbnail`;
}

/** An answer's body as Blob. */
export async function askBlob(path, signal) {
  return (await ask(path, { signal })).blob();
}

function json(content) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
}

async function askJson(path, options) {
  return (await ask(path, options)).json();
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  const key = apiKey();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceProblem(0, "The service does not answer. It may have been stopped, or the network is down.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // What stands between this page and the service may answer in its own words.
  }
  const message = typeof told.detail === "string" && told.detail ? told.detail : `HTTP ${response.status}`;
  return new ServiceProblem(response.status, message, told.request_id ?? "");
}
