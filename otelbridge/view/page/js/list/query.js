/** What the list is asked for, as the address has it. */

/**
 * @typedef {object} Query
 * @property {string} text
 * @property {string} service
 * @property {string} status `well`, `error`, `running`, `ended`, `lost` or empty
 * @property {string} event
 * @property {string} tag
 * @property {string} metadata `key` or `key=value`
 * @property {string} name of a span
 * @property {string} since a span of time such as `1h`; empty: all
 * @property {string} from ns, of a stretch chosen in the sparkline
 * @property {string} to
 * @property {string} compare id of the trace that another is to be compared with
 */

/** @type {(keyof Query)[]} */
const KEYS = ["text", "service", "status", "event", "tag", "metadata", "name", "since", "from", "to", "compare"];

/** @type {Record<string, number>} seconds */
export const SPANS_OF_TIME = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };

/**
 * @param {string} search of the address
 * @returns {Query}
 */
export function readQuery(search) {
  const given = new URLSearchParams(search);
  return /** @type {Query} */ (Object.fromEntries(KEYS.map((key) => [key, given.get(key) ?? ""])));
}

/**
 * @param {Query} query
 * @returns {string} the address of the list
 */
export function listAddress(query) {
  const given = new URLSearchParams();
  for (const key of KEYS) if (query[key]) given.set(key, query[key]);
  return given.size ? `/?${given}` : "/";
}

/**
 * @param {Query} query
 * @returns {boolean} whether anything is left out
 */
export function isFiltered(query) {
  return KEYS.some((key) => key !== "compare" && query[key] !== "");
}

/**
 * @param {Query} query
 * @param {number} now ms since the epoch
 * @param {boolean} [timed] with the time
 * @returns {URLSearchParams} as `/api/traces` takes them
 */
export function toApi(query, now, timed = true) {
  const asked = new URLSearchParams();
  for (const key of /** @type {const} */ (["text", "service", "event", "tag", "metadata", "name"])) {
    if (query[key]) asked.set(key, query[key]);
  }
  if (query.status) asked.set(["well", "error"].includes(query.status) ? "status" : "state", query.status);
  if (!timed) return asked;
  const { since, until } = stretch(query, now);
  if (since) asked.set("since_ns", since);
  if (until) asked.set("until_ns", until);
  return asked;
}

/**
 * @param {Query} query
 * @param {number} now ms since the epoch
 * @returns {{ since: string, until: string }} ns, or empty
 */
export function stretch(query, now) {
  if (query.from || query.to) return { since: query.from, until: query.to };
  const seconds = SPANS_OF_TIME[query.since];
  if (!seconds) return { since: "", until: "" };
  return { since: `${Math.floor(now - seconds * 1000)}000000`, until: "" };
}
