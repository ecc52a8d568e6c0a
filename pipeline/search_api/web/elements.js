// Elements of the page, made from text and never from markup: what an index holds may be hostile.

/** An element with properties (`class`, `data-…`, `aria-…` and other attributes by name; `on…` as listeners). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Terms and what they stand for, as rows of a <dl>. */
export function definitions(pairs) {
  return pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, String(value))));
}

const wholeNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const shortNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export function counted(number, one, many = `${one}s`) {
  return `${wholeNumber.format(number)} ${number === 1 ? one : many}`;
}

export function formatNumber(number) {
  return shortNumber.format(number);
}

export function percent(ratio) {
  // Rounded down: 99.99 % must not read as all.
  return `${shortNumber.format(Math.floor(ratio * 10000) / 100)} %`;
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
