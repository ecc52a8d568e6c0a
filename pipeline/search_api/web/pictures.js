// Pictures on the page: thumbnails from the service, and those that the visitor gave.

import { element } from "./elements.js";
import { apiKey, askBlob, thumbnailPath } from "./service.js";

const MOST_AT_ONCE = 6;
const MOST_GIVEN = 20;
const waiting = [];
let numRunning = 0;

/** An <img> of an indexed item; a neutral tile when there is no picture. */
export function thumbnail(index, id, alt) {
  const image = element("img", { alt, loading: "lazy", decoding: "async", draggable: "false" });
  const holder = element("span", { class: "thumbnail" }, image);
  image.addEventListener("error", () => showPlaceholder(holder, alt));
  const path = thumbnailPath(index, id);
  if (apiKey()) {
    // An <img> cannot send a header.
    whenNear(holder, () => enqueue(() => loadWithKey(path, image, holder, alt)));
  } else {
    image.src = path;
  }
  return holder;
}

/** An <img> of a picture that the visitor gave, or a tile when it is not in memory any more. */
export function givenPicture(name, alt) {
  const holder = element("span", { class: "thumbnail" });
  const given = givenPictures.get(name);
  if (!given) {
    showPlaceholder(holder, alt, "a code");
    return holder;
  }
  const image = element("img", { alt, src: given.url });
  image.addEventListener("error", () => showPlaceholder(holder, alt));
  holder.append(image);
  return holder;
}

const givenPictures = new Map();

/** Keep a picture under the name that the address has for it: {file, url}. */
export function keepGiven(name, file) {
  const known = givenPictures.get(name);
  if (known) URL.revokeObjectURL(known.url);
  givenPictures.delete(name);
  givenPictures.set(name, { file, url: URL.createObjectURL(file) });
  for (const [oldest, { url }] of givenPictures) {
    if (givenPictures.size <= MOST_GIVEN) break;
    URL.revokeObjectURL(url);
    givenPictures.delete(oldest);
  }
}

export function givenFile(name) {
  return givenPictures.get(name)?.file ?? null;
}

function showPlaceholder(holder, alt, text = "no picture") {
  holder.replaceChildren(element("span", { class: "placeholder", role: "img", "aria-label": `${alt}: ${text}` }, text));
}

const observers = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      observers.unobserve(entry.target);
      entry.target.whenNear();
    }
  },
  { rootMargin: "400px" },
);

function whenNear(holder, call) {
  holder.whenNear = call;
  observers.observe(holder);
}

function enqueue(job) {
  waiting.push(job);
  startWaiting();
}

function startWaiting() {
  while (numRunning < MOST_AT_ONCE && waiting.length) {
    numRunning += 1;
    waiting.shift()().finally(() => {
      numRunning -= 1;
      startWaiting();
    });
  }
}

async function loadWithKey(path, image, holder, alt) {
  if (!holder.isConnected) return;
  try {
    const url = URL.createObjectURL(await askBlob(path));
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  } catch {
    showPlaceholder(holder, alt);
  }
}
