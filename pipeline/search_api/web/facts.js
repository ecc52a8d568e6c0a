// What the index is, and what is wrong with it.

import { byId, counted, definitions, duration, element, percent } from "./elements.js";

/** `status`: as `/v1/indexes/{name}` gives it. */
export function showFacts(status) {
  byId("facts").textContent = status.generation
    ? `${counted(status.num_rows, "picture")} · ${status.num_bits}-bit codes · ${status.model_id}`
    : "not open";
  const stale = status.staleness_seconds;
  byId("about").replaceChildren(
    ...definitions([
      ["Index", `${status.index} (alias ${status.alias})`],
      ["Generation", status.generation],
      ["Model", status.model_id],
      ["Code", status.num_bits && `${status.num_bits} bits`],
      ["Rows", counted(status.num_rows, "row")],
      ["Coverage", percent(status.coverage)],
      ["Up to date", stale === null ? "unknown" : stale === 0 ? "yes" : `lacks changes of ${duration(stale)} ago`],
    ]),
  );
  showColumns(Object.keys(status.columns ?? {}));
}

/** A visible line for everything that keeps answers from being whole and new. `answer` may be null. */
export function showWarning(status, answer) {
  const lines = [];
  if (status && !status.ready) lines.push(`This index is not ready: ${status.reasons.join("; ")}.`);
  if (status?.trouble) lines.push(`The service cannot follow changes of this index: ${status.trouble}.`);
  if (answer?.degraded) {
    lines.push(`This answer rests on ${percent(answer.coverage)} of the index; nearer pictures may be missing.`);
  }
  const banner = byId("warning");
  banner.hidden = lines.length === 0;
  banner.replaceChildren(...lines.map((line) => element("p", {}, line)));
}

function showColumns(names) {
  const hint = "COLUMN=VALUE, or with != < <= > >=.";
  byId("columns").textContent = names.length ? `${hint} Columns: ${names.join(", ")}.` : hint;
}
