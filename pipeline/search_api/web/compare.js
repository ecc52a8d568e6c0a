// Two pictures and their codes side by side, with the bits that differ.

import { addressOf, searchBy } from "./address.js";
import { byId, counted, definitions, element, formatNumber } from "./elements.js";
import { captionOf } from "./grid.js";
import { givenPicture, thumbnail } from "./pictures.js";
import { compare, item, ServiceProblem } from "./service.js";

const dialog = byId("compare");
let shown = null;
let asking = new AbortController();

/**
 * `view`: {state, hits, query, search(id)}. `query` is what was searched by: {by: {id} or {code}, caption, given}, or
 * null when the pictures answer no query.
 */
export function openComparison(view, place) {
  shown = { view, place };
  if (!dialog.open) {
    byId("compare-body").replaceChildren();
    dialog.showModal();
  }
  show();
}

export function closeComparison() {
  if (dialog.open) dialog.close();
}

byId("compare-close").addEventListener("click", closeComparison);
byId("compare-previous").addEventListener("click", () => step(-1));
byId("compare-next").addEventListener("click", () => step(1));
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) closeComparison();
});
// The focus may be on a button that was just disabled, whose keys the dialog does not hear of.
document.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("close", () => {
  // The event comes later than the closing: the dialog may be open again.
  if (dialog.open) return;
  asking.abort();
  shown = null;
});

function step(by) {
  if (shown === null) return;
  const place = shown.place + by;
  if (place < 0 || place >= shown.view.hits.length) return;
  shown.place = place;
  show();
}

async function show() {
  asking.abort();
  asking = new AbortController();
  const { view, place } = shown;
  const hit = view.hits[place];
  const { signal } = asking;
  byId("compare-previous").disabled = place === 0;
  byId("compare-next").disabled = place === view.hits.length - 1;
  byId("compare-title").textContent = captionOf(hit);
  const body = byId("compare-body");
  body.setAttribute("aria-busy", "true");
  try {
    const content = view.query ? await comparison(view, hit, signal) : await single(view, hit, signal);
    if (!signal.aborted) body.replaceChildren(...content);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ServiceProblem)) throw error;
    body.replaceChildren(element("p", { class: "banner problem", role: "alert" }, error.message), details(view, hit));
  }
  body.removeAttribute("aria-busy");
}

async function comparison(view, hit, signal) {
  const { query, state } = view;
  const answer = await compare(state.index, query.by, { id: hit.id }, signal);
  const differing = new Set(answer.differing_bits);
  if (!signal.aborted) {
    byId("compare-title").textContent = `${answer.distance} of ${counted(answer.num_bits, "bit")} differ`;
  }
  const queryPicture = query.by.id
    ? thumbnail(state.index, query.by.id, query.caption)
    : givenPicture(query.given, query.caption);
  const sides = [
    side("Searched with", queryPicture, query.caption, answer.a.code, answer.num_bits, differing),
    side("Found", thumbnail(state.index, hit.id, captionOf(hit)), captionOf(hit), answer.b.code, answer.num_bits, differing),
  ];
  const positions = answer.differing_bits.join(", ");
  const legend = differing.size
    ? element("p", { class: "legend" }, element("span", { class: "bit differs", "aria-hidden": "true" }, "1"), `differs: bit ${positions}`)
    : element("p", { class: "legend" }, "The codes are equal.");
  return [element("div", { class: "sides" }, ...sides), legend, details(view, hit)];
}

async function single(view, hit, signal) {
  const found = await item(view.state.index, hit.id, signal);
  const bits = found.code.length * 4;
  const only = side("", thumbnail(view.state.index, hit.id, captionOf(hit)), "", found.code, bits, new Set());
  return [element("div", { class: "sides single" }, only, details(view, hit))];
}

function side(heading, picture, caption, code, numBits, differing) {
  return element(
    "figure",
    { class: "side" },
    heading ? element("p", { class: "side-heading" }, heading) : null,
    picture,
    caption ? element("figcaption", {}, caption) : null,
    bitGrid(code, numBits, differing),
    element("code", { class: "hex" }, code),
  );
}

/** `code` in hex, most significant bit first; bits behind `numBits` are padding. */
function bitGrid(code, numBits, differing) {
  const bits = [...code].flatMap((digit) => [...parseInt(digit, 16).toString(2).padStart(4, "0")]).slice(0, numBits);
  // The sentence below the codes says the same to those who do not see them.
  return element(
    "div",
    { class: "bits", "aria-hidden": "true" },
    ...bits.map((bit, place) => {
      const kind = differing.has(place) ? "bit differs" : bit === "1" ? "bit one" : "bit";
      return element("span", { class: kind, title: `bit ${place}` }, bit);
    }),
  );
}

function details(view, hit) {
  const columns = Object.entries(hit.payload ?? {}).filter(([name]) => name !== "thumbnail");
  const distance = view.query ? formatNumber(hit.distance) : null;
  const rows = [["distance", distance], ["id", hit.id], ["key", hit.key], ["uri", hit.uri], ...columns.map(shownColumn)];
  return element(
    "div",
    { class: "details" },
    element("dl", {}, ...definitions(rows)),
    element(
      "a",
      {
        class: "button",
        href: addressOf(searchBy(view.state, { id: hit.id })),
        onclick: (event) => {
          event.preventDefault();
          closeComparison();
          view.search(hit.id);
        },
      },
      "Search by this picture",
    ),
  );
}

function shownColumn([name, value]) {
  return [name, value !== null && typeof value === "object" ? JSON.stringify(value) : value];
}
