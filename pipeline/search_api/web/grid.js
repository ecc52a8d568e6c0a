// The answer as a grid of pictures.

import { byId, element, formatNumber } from "./elements.js";
import { addressOf, searchBy } from "./address.js";
import { thumbnail } from "./pictures.js";

const CAPTION_COLUMNS = ["title", "caption", "text", "description", "name"];

/** What to call an item: its title or caption, else the end of its key. */
export function captionOf(hit) {
  for (const column of CAPTION_COLUMNS) {
    const value = hit.payload?.[column];
    if (typeof value === "string" && value.trim()) return value.trim();
  }
  return (hit.key ?? "").split("/").pop() || `item ${hit.id}`;
}

export function labelOf(hit) {
  const label = hit.payload?.label;
  return label === null || label === undefined || label === "" ? null : String(label);
}

/**
 * `actions`: {search(id), open(place), filter(condition)}. `shows`: {distance, comparison}; without distance, hits are
 * just some pictures; without comparison, the query has no code.
 */
export function showGrid(state, hits, shows, actions) {
  byId("grid").replaceChildren(...hits.map((hit, place) => card(state, hit, place, shows, actions)));
}

/** Distances of quantized codes are real numbers, not bits. */
export function distanceText(distance, hits) {
  if (hits.some((hit) => !Number.isInteger(hit.distance))) return `distance\u00a0${formatNumber(distance)}`;
  return `${formatNumber(distance)}\u00a0${distance === 1 ? "bit" : "bits"}`;
}

export function showEmptyGrid() {
  byId("grid").replaceChildren();
}

function card(state, hit, place, shows, actions) {
  const caption = captionOf(hit);
  const link = element(
    "a",
    {
      class: "card-picture",
      href: addressOf(searchBy(state, { id: hit.id })),
      title: "Search by this picture",
      "aria-label": `Search by ${caption}`,
      "data-id": hit.id,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        actions.search(hit.id);
      },
    },
    thumbnail(state.index, hit.id, ""),
  );
  const distance = shows.distance ? element("span", { class: "distance" }, shows.distance(hit.distance)) : null;
  const label = labelOf(hit);
  const labelled = label === null ? null : labelButton(label, actions);
  const compare = element(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-label": `${shows.comparison ? "Compare codes with" : "Details of"} ${caption}`,
      onclick: () => actions.open(place),
    },
    shows.comparison ? "Compare" : "Details",
  );
  return element(
    "li",
    { class: "card" },
    link,
    element(
      "div",
      { class: "card-text" },
      element("p", { class: "caption", title: caption }, caption),
      element("div", { class: "card-line" }, distance ?? labelled ?? element("span"), compare),
      distance ? labelled : null,
    ),
  );
}

function labelButton(label, actions) {
  return element(
    "button",
    {
      type: "button",
      class: "label",
      title: `Only pictures with label ${label}`,
      onclick: () => actions.filter(`label=${label}`),
    },
    label,
  );
}
