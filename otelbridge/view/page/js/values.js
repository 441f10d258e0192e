/**
 * Attribute values as people wrote them: dotted keys nested again, JSON text parsed, what JSON has no
 * word for spelled out.
 */

/** @import { Attributes, EventRecord } from "./types.js" */

const DATA = "data";
const DEEPEST = 64;

/**
 * @param {EventRecord} event
 * @returns {{ data: unknown, rest: Attributes }} what was dispatched (undefined without), and the other attributes
 */
export function eventData(event) {
  /** @type {Attributes} */
  const rest = {};
  /** @type {Attributes} */
  const dotted = {};
  let data;
  for (const [key, value] of Object.entries(event.attributes)) {
    if (key === DATA) data = readable(value);
    else if (key.startsWith("data.")) dotted[key.slice(5)] = value;
    else rest[key] = value;
  }
  if (data === undefined && Object.keys(dotted).length) data = nested(dotted);
  return { data, rest };
}

/**
 * @param {Attributes} dotted
 * @returns {Attributes} `{"a.b": 1}` as `{a: {b: 1}}`; a key that is both a value and a prefix stays dotted
 */
export function nested(dotted) {
  const found = /** @type {Attributes} */ (Object.create(null));
  for (const [key, value] of Object.entries(dotted)) {
    const parts = key.split(".");
    if (parts.length > DEEPEST || !put(found, parts, readable(value))) found[key] = readable(value);
  }
  return found;
}

/**
 * @param {Attributes} into
 * @param {string[]} parts
 * @param {unknown} value
 * @returns {boolean} whether there was room
 */
function put(into, parts, value) {
  let place = into;
  for (const part of parts.slice(0, -1)) {
    const next = (place[part] ??= Object.create(null));
    if (!isMap(next)) return false;
    place = next;
  }
  const last = parts[parts.length - 1] ?? "";
  if (last in place) return false;
  place[last] = value;
  return true;
}

/**
 * @param {unknown} value
 * @returns {value is Attributes}
 */
export function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} value of an attribute
 * @returns {unknown} JSON text parsed; everything else as it is
 */
export function readable(value) {
  if (typeof value !== "string" || value.length < 2 || value.length > 2_000_000) return value;
  const first = value[0];
  if (first !== "{" && first !== "[") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * @param {unknown} value
 * @returns {string | null} of a value that JSON has no word for, else null
 */
export function special(value) {
  if (typeof value === "bigint") return String(value);
  if (!isMap(value)) return null;
  const keys = Object.keys(value);
  if (keys.length !== 1) return null;
  if (keys[0] === "int" && typeof value.int === "string") return value.int;
  if (keys[0] === "float" && typeof value.float === "string") return value.float;
  if (keys[0] === "bytes" && typeof value.bytes === "string") return `bytes(${value.bytes})`;
  return null;
}

/**
 * @param {unknown} value
 * @param {number} [indent]
 * @returns {string} JSON; integers of any size as they are
 */
export function json(value, indent = 2) {
  const text = JSON.stringify(
    value,
    (_key, it) => (typeof it === "bigint" ? `\u0000${it}\u0000` : it),
    indent,
  );
  return (text ?? "null").replace(/"\\u0000(-?\d+)\\u0000"/g, "$1");
}
