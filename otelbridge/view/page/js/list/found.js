/** Where in a trace the words are that were searched for. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { traceAddress } from "../router.js";
import { line, nameOf } from "../text.js";
import { grouped } from "../time.js";
import { toApi } from "./query.js";

/** @import { Hit } from "../types.js" */
/** @import { Query } from "./query.js" */

const PIECE = 100; // hits that are asked for at once
const MOST = 3; // times: a trace with very many hits hides the others' for longer

/** @typedef {Map<string, { first: Hit, count: number }>} Found by the id of the trace */

/**
 * @param {Query} query
 * @param {string[]} ids of the traces that are shown
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
export async function findWhere(query, ids, signal) {
  /** @type {Found} */
  const found = new Map();
  if (!query.text || ids.length === 0) return found;
  const asked = toApi({ ...query, status: query.status === "well" ? "ended" : query.status }, api.now());
  asked.set("limit", String(PIECE));
  for (let turn = 0; turn < MOST && ids.some((id) => !found.has(id)); turn += 1) {
    const { hits } = await api.search(asked, signal);
    hits.forEach((hit) => count(found, hit));
    const last = hits.at(-1);
    if (!last || hits.length < PIECE) break;
    asked.set("before", `${last.trace.trace_id}:${last.span_id}`);
  }
  return found;
}

/** @param {Found} found @param {Hit} hit */
function count(found, hit) {
  const known = found.get(hit.trace.trace_id);
  if (known) known.count += 1;
  else found.set(hit.trace.trace_id, { first: hit, count: 1 });
}

/**
 * @param {{ first: Hit, count: number }} found
 * @param {string} text that was searched for
 * @returns {HTMLElement} leads to the span
 */
export function foundLine({ first, count }, text) {
  return h(
    "a",
    { class: "found", href: traceAddress(first.trace.trace_id, first.span_id) },
    h("bdi", { class: "found-where" }, line(first.where, 80)),
    h("bdi", { class: "found-text" }, ...marked(line(first.excerpt), text)),
    h("span", { class: "found-span" }, "in ", h("bdi", {}, nameOf(first.name)), count > 1 && ` and ${grouped(count - 1)} more`),
  );
}

/**
 * @param {string} excerpt
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
function marked(excerpt, text) {
  const words = text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  if (words.length === 0) return [excerpt];
  const begins = new RegExp(`(?<![\\p{L}\\p{N}])(${words.slice(0, 20).join("|")})`, "giu");
  return excerpt.split(begins).map((part, at) => (at % 2 ? h("mark", {}, part) : part));
}
