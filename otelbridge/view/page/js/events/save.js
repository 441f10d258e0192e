/** Events as a file: JSON with all that is known, or CSV for a spreadsheet. */

import { json, eventData } from "../values.js";
import { eventOf } from "./listing.js";

/** @import { Entry } from "./listing.js" */

/** @param {Entry[]} entries @returns {string} */
export function toJson(entries) {
  return json(
    entries.map((entry) => {
      const event = eventOf(entry);
      const { data, rest } = eventData(event);
      return { time_ns: event.time_ns, span_id: entry.node.span.span_id, span: entry.node.span.name, name: event.name, data: data ?? null, attributes: rest };
    }),
  );
}

/** @param {Entry[]} entries @returns {string} */
export function toCsv(entries) {
  const rows = entries.map((entry) => {
    const event = eventOf(entry);
    const { data, rest } = eventData(event);
    return [event.time_ns, entry.node.span.span_id, entry.node.span.name, event.name, data === undefined ? "" : json(data, 0), json(rest, 0)];
  });
  return [["time_ns", "span_id", "span", "name", "data", "attributes"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
}

/**
 * A value for a cell. What a spreadsheet would run as a formula is made text by an apostrophe, as
 * OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection).
 *
 * @param {string} text
 */
function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
