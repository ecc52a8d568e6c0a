// The page: reads what the address asks for, asks the service, shows the answer.

import { addressOf, readAddress, searchBy } from "./address.js";
import { closeComparison, openComparison } from "./compare.js";
import { byId, counted, element } from "./elements.js";
import { showFacts, showWarning } from "./facts.js";
import { captionOf, distanceText, showEmptyGrid, showGrid } from "./grid.js";
import { givenFile, givenPicture, keepGiven, thumbnail } from "./pictures.js";
import * as service from "./service.js";

const STATUS_MILLISECONDS = 10_000;

let state = readAddress();
let status = null;
let answer = null;
let asking = new AbortController();
let numUploads = 0;
const startCodes = new Map();

async function start() {
  if (matchMedia("(max-width: 52rem)").matches) {
    for (const id of ["options", "about-box"]) byId(id).open = false;
  }
  byId("k").value = state.k;
  await run(false);
  setInterval(refreshStatus, STATUS_MILLISECONDS);
}

/** Go to another state: a step that the browser's back button undoes. */
function go(next) {
  state = next;
  history.pushState(null, "", addressOf(next));
  return run(true);
}

/** Ask for what the state says, and show it. Of two that overlap, the later one is shown. */
async function run(moveFocus, picture = null) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const grid = byId("grid");
  grid.setAttribute("aria-busy", "true");
  document.body.classList.add("busy");
  closeComparison();
  showTerms();
  try {
    await openIndex(signal);
    const shown = picture ? await askPicture(picture, signal) : await ask(signal);
    if (signal.aborted) return;
    showProblem(null);
    show(shown, moveFocus);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    answer = null;
    showQuery(null);
    if (!(error instanceof service.ServiceProblem)) {
      showProblem(new service.ServiceProblem(0, "This page failed; reload it."));
      throw error;
    }
    showProblem(error);
  } finally {
    if (!signal.aborted) {
      grid.removeAttribute("aria-busy");
      document.body.classList.remove("busy");
    }
  }
}

/** The index that the address names, else the first; its facts are read anew. */
async function openIndex(signal) {
  const all = await service.indexes();
  if (signal.aborted) return;
  if (!all.length) throw new service.ServiceProblem(404, "This service serves no index.");
  const names = all.map((each) => each.index);
  if (state.index === null) state = { ...state, index: names[0] };
  const select = byId("index");
  const shownNames = names.includes(state.index) ? names : [...names, state.index];
  select.replaceChildren(...shownNames.map((name) => element("option", { value: name }, name)));
  select.value = state.index;
  select.disabled = shownNames.length < 2;
  status = all.find((each) => each.index === state.index) ?? null;
  if (status === null || status.ready) {
    const facts = await service.indexFacts(state.index, signal);
    if (signal.aborted) return;
    status = facts;
  }
  showFacts(status);
  showWarning(status, null);
  byId("key-button").hidden = !service.apiKey();
}

/** {answer, query}: what the service says to the state, and what it was searched by (null for a few pictures). */
async function ask(signal) {
  const { index, id, code, upload } = state;
  if (id) {
    const [found, described] = await Promise.all([
      service.query(index, { id }, state, signal),
      service.item(index, id, signal),
    ]);
    return { answer: found, query: { by: { id }, caption: captionOf(described), given: null } };
  }
  if (code) {
    const found = await service.query(index, { code }, state, signal);
    const caption = givenFile(code) ? givenFile(code).name || "your picture" : "a code";
    return { answer: found, query: { by: { code }, caption, given: code } };
  }
  if (upload) {
    const file = givenFile(upload);
    if (!file) throw new service.ServiceProblem(410, "This page does not keep pictures; choose yours again.");
    const found = await service.queryPicture(index, file, state, signal);
    return { answer: found, query: { by: null, caption: file.name || "your picture", given: upload } };
  }
  const some = { ...state, radius: null };
  return { answer: await service.query(index, { code: startCode() }, some, signal), query: null };
}

/** Search by a picture of the visitor's. From then on its code stands for it, where there is one. */
async function askPicture(file, signal) {
  const found = await service.queryPicture(state.index, file, state, signal);
  if (signal.aborted) return null;
  numUploads += 1;
  const code = found.query_code;
  const name = code ?? `${Date.now()}-${numUploads}`;
  keepGiven(name, file);
  state = searchBy(state, code ? { code } : { upload: name });
  history.pushState(null, "", addressOf(state));
  return { answer: found, query: { by: code ? { code } : null, caption: file.name || "your picture", given: name } };
}

/** A code by chance: its neighbours are a few pictures to begin with. */
function startCode() {
  if (!startCodes.has(state.index)) {
    const numBits = status.num_bits;
    const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil(numBits / 8)));
    if (numBits % 8) bytes[bytes.length - 1] &= 0xff << (8 - (numBits % 8));
    startCodes.set(state.index, [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return startCodes.get(state.index);
}

function show({ answer: found, query }, moveFocus) {
  answer = found;
  showQuery(query);
  showWarning(status, found);
  const view = { state, hits: found.hits, query: query?.by ? query : null, search: searchItem };
  const shows = {
    distance: query && ((distance) => distanceText(distance, found.hits)),
    comparison: view.query !== null,
  };
  showGrid(state, found.hits, shows, {
    search: searchItem,
    open: (place) => openComparison(view, place),
    filter: addCondition,
  });
  byId("results").textContent = query ? `Nearest to ${query.caption}` : "A few pictures of this index";
  byId("summary").textContent = summaryOf(found, query);
  byId("others").hidden = query !== null || found.hits.length === 0;
  document.title = query ? `${query.caption} · Bitquarry` : "Bitquarry";
  if (moveFocus) {
    byId("results").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }
}

function summaryOf(found, query) {
  if (!found.hits.length) return nothingFound();
  if (!query) return "Choose one to find what is like it, or search with a picture of your own.";
  const parts = [counted(found.hits.length, "result"), `${Math.ceil(found.timing_ms.total)} ms`];
  if (!found.ties.complete && !found.degraded && found.ties.kth_distance !== null) {
    parts.push(`more pictures lie at ${distanceText(found.ties.kth_distance, found.hits)}; ask for more results to see them`);
  }
  return parts.join(" · ");
}

function nothingFound() {
  const limits = [];
  if (state.radius !== null) limits.push(`within ${counted(state.radius, "bit")}`);
  if (state.where.length) limits.push(`with ${state.where.join(" and ")}`);
  return limits.length ? `No picture ${limits.join(" ")}. Widen the search to see more.` : "This index holds no picture.";
}

function searchItem(id) {
  return go(searchBy(state, { id }));
}

function showQuery(query) {
  const preview = byId("preview");
  const name = byId("query-name");
  name.hidden = query === null;
  name.textContent = query?.caption ?? "";
  const picture = query && (query.by?.id ? thumbnail(state.index, query.by.id, "") : givenPicture(query.given, ""));
  const holder = element("div", { class: "preview", id: "preview", hidden: !picture });
  if (picture) holder.append(picture);
  preview.replaceWith(holder);
}

function showTerms() {
  byId("k").value = state.k;
  byId("radius").value = state.radius ?? "";
  byId("conditions").replaceChildren(
    ...state.where.map((condition) =>
      element(
        "li",
        {},
        element("span", {}, condition),
        element(
          "button",
          {
            type: "button",
            "aria-label": `Remove filter ${condition}`,
            onclick: () => go({ ...state, where: state.where.filter((each) => each !== condition) }),
          },
          "×",
        ),
      ),
    ),
  );
}

function addCondition(condition) {
  if (!state.where.includes(condition)) go({ ...state, where: [...state.where, condition] });
}

/** Take the terms from the form. Numbers that are none are told at their field. */
function applyTerms() {
  const condition = byId("where").value.trim();
  for (const field of [byId("k"), byId("radius")]) {
    if (!field.reportValidity()) return;
  }
  byId("where").value = "";
  const radius = byId("radius").value === "" ? null : Number(byId("radius").value);
  const where = condition && !state.where.includes(condition) ? [...state.where, condition] : state.where;
  const next = { ...state, k: Number(byId("k").value), radius, where };
  if (addressOf(next) !== addressOf(state)) go(next);
}

function showProblem(error) {
  const banner = byId("problem");
  banner.hidden = error === null;
  if (error === null) return;
  showEmptyGrid();
  byId("results").textContent = "That did not work";
  byId("summary").textContent = "";
  byId("others").hidden = true;
  const lines = [element("p", {}, sentence(error.message))];
  if (error.requestId && error.status >= 500) {
    lines.push(element("p", { class: "hint" }, `The service's log has more under request ${error.requestId}.`));
  }
  const again = element("button", { type: "button", class: "button minor", onclick: () => run(true) }, "Try again");
  const home = element("button", { type: "button", class: "button minor", onclick: goHome }, "Show some pictures");
  lines.push(element("div", { class: "buttons" }, again, home));
  banner.replaceChildren(...lines);
  if (error.status === 401) askForKey();
}

function sentence(text) {
  // A field's name stays as it is: `k = 5000: expected …`.
  const first = /^[a-z]+ [a-z]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

function goHome() {
  const index = status?.index === state.index ? state.index : null;
  return go({ ...readAddress(""), index });
}

function askForKey() {
  const problem = byId("key-problem");
  problem.hidden = !service.apiKey();
  problem.textContent = "The service does not know this key.";
  openKeyDialog();
}

function openKeyDialog() {
  byId("key-button").hidden = false;
  byId("key-forget").hidden = !service.apiKey();
  if (!byId("key-dialog").open) byId("key-dialog").showModal();
}

function searchFile(file) {
  if (file) run(true, file);
}

async function refreshStatus() {
  if (document.hidden || status === null) return;
  try {
    const now = (await service.indexes()).find((each) => each.index === state.index);
    if (!now || status === null) return;
    status = { ...status, ...now };
    showFacts(status);
    showWarning(status, answer);
  } catch (error) {
    if (!(error instanceof service.ServiceProblem)) throw error;
    showWarning({ ready: false, reasons: [error.message.replace(/\.$/, "")] }, answer);
  }
}

byId("terms").addEventListener("submit", (event) => {
  event.preventDefault();
  applyTerms();
});
byId("k").addEventListener("change", applyTerms);
byId("radius").addEventListener("change", applyTerms);
byId("index").addEventListener("change", (event) => go({ ...searchBy(state, {}), index: event.target.value, where: [] }));
byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  goHome();
});
byId("others").addEventListener("click", () => {
  startCodes.delete(state.index);
  run(false);
});
byId("file").addEventListener("change", (event) => {
  searchFile(event.target.files[0]);
  event.target.value = "";
});
byId("key-button").addEventListener("click", openKeyDialog);
byId("key-form").addEventListener("submit", () => {
  service.setApiKey(byId("key").value.trim());
  byId("key").value = "";
  run(true);
});
byId("key-forget").addEventListener("click", () => {
  service.setApiKey(null);
  byId("key-dialog").close();
  run(true);
});

addEventListener("popstate", () => {
  state = readAddress();
  run(false);
});
addEventListener("paste", (event) => searchFile([...(event.clipboardData?.files ?? [])][0]));

const curtain = byId("curtain");
const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
addEventListener("dragover", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  curtain.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) curtain.hidden = true;
});
addEventListener("drop", (event) => {
  curtain.hidden = true;
  if (!carriesFile(event)) return;
  event.preventDefault();
  searchFile(event.dataTransfer.files[0]);
});

start();
