/** Questions to the server, and its clock. */

/** @import { CompareAnswer, EventRecord, Hit, TraceAnswer, TracesAnswer } from "./types.js" */

/** An answer that is an error; its message says the cure. */
export class ApiError extends Error {
  /**
   * @param {number} status of HTTP; 0 where no answer came
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function get(path, signal) {
  const response = await fetch(path, signal ? { signal } : {}).catch((reason) => {
    if (signal?.aborted) throw reason;
    throw new ApiError(0, "The viewer does not answer. Start it again with: otelbridge view");
  });
  const text = await response.text();
  if (!response.ok) throw new ApiError(response.status, errorOf(text, response.status));
  const answer = parse(text);
  if (typeof answer.now_ns === "string") offset = Number(BigInt(answer.now_ns) / 1000000n) - Date.now();
  return answer;
}

/**
 * @param {string} text
 * @param {number} status
 */
function errorOf(text, status) {
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string") return error;
  } catch {
    // No JSON: a proxy's own page, which is of no use to a reader.
  }
  return `The viewer answered with status ${status}.`;
}

const LARGE = /[:[,]\s*-?\d{16,}/;

/**
 * Read JSON; integers that a number would round become BigInt where the browser can tell.
 *
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  if (!LARGE.test(text)) return JSON.parse(text);
  /** @type {(key: string, value: unknown, context?: { source?: string }) => unknown} */
  const exact = (_key, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? 0)
      : value;
  return JSON.parse(text, exact);
}

let offset = 0;

/** @returns {number} ms since the epoch by the server's clock */
export function now() {
  return Date.now() + offset;
}

/**
 * @param {URLSearchParams} query filters, `limit` and `before`
 * @param {AbortSignal} [signal]
 * @returns {Promise<TracesAnswer>}
 */
export function traces(query, signal) {
  return get(`/api/traces?${query}`, signal);
}

/**
 * @param {string} id
 * @returns {Promise<TraceAnswer>}
 */
export function trace(id) {
  return get(`/api/traces/${encodeURIComponent(id)}`);
}

/**
 * @param {string} traceId
 * @param {string} spanId
 * @param {number} from
 * @param {number} limit
 * @returns {Promise<{ events: EventRecord[], total: number }>}
 */
export function events(traceId, spanId, from, limit) {
  return get(`/api/traces/${traceId}/spans/${spanId}/events?from=${from}&limit=${limit}`);
}

/**
 * @param {URLSearchParams} query `text`, filters, `limit` and `before`
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ hits: Hit[] }>}
 */
export function search(query, signal) {
  return get(`/api/search?${query}`, signal);
}

/** @returns {Promise<{ services: string[], events: string[] }>} */
export function menus() {
  return get("/api/menus");
}

/**
 * @param {URLSearchParams} query filters, `since_ns`, `until_ns`, `buckets`
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ buckets: [number, number][] }>}
 */
export function load(query, signal) {
  return get(`/api/load?${query}`, signal);
}

/**
 * @param {string} a
 * @param {string} b
 * @returns {Promise<CompareAnswer>}
 */
export function compare(a, b) {
  return get(`/api/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`);
}
