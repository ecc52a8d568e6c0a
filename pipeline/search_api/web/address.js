// What is searched for, as the page's address says it: so it can be bookmarked, sent, and gone back to.

const DEFAULT_K = 24;

/**
 * {index, id, code, upload, k, radius, where}. At most one of `id` (an item), `code` (in hex) and `upload` (a picture
 * that this page holds in memory) is set; with none, the page shows a few pictures of the index.
 */
export function readAddress(search = location.search) {
  const given = new URLSearchParams(search);
  const whole = (name, least) => {
    const text = given.get(name);
    return text !== null && /^\d{1,9}$/.test(text) && Number(text) >= least ? Number(text) : null;
  };
  return {
    index: given.get("index"),
    id: /^\d{1,19}$/.test(given.get("id") ?? "") ? given.get("id") : null,
    code: /^[0-9a-f]+$/i.test(given.get("code") ?? "") ? given.get("code") : null,
    upload: given.get("upload"),
    k: whole("k", 1) ?? DEFAULT_K,
    radius: whole("radius", 0),
    where: given.getAll("where"),
  };
}

export function addressOf(state) {
  const given = new URLSearchParams();
  for (const name of ["index", "id", "code", "upload"]) {
    if (state[name]) given.set(name, state[name]);
  }
  if (state.k !== DEFAULT_K) given.set("k", state.k);
  if (state.radius !== null) given.set("radius", state.radius);
  for (const condition of state.where) given.append("where", condition);
  const text = given.toString();
  return text ? `?${text}` : "./";
}

/** The state with another thing to search by; terms stay. */
export function searchBy(state, by) {
  return { ...state, id: null, code: null, upload: null, ...by };
}
