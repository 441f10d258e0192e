/** What hovering over a mark tells: the event's name, time and data; of a group, what is in it. */

import { h } from "../dom.js";
import { nameOf, short } from "../text.js";
import { duration, grouped } from "../time.js";
import { eventData, json } from "../values.js";

/** @import { Node } from "./node.js" */

const LINES = 14;
const NAMES = 6;

/**
 * @param {Node} node
 * @param {number} first place in the order of time
 * @param {number} count
 * @returns {HTMLElement[]}
 */
export function eventTip(node, first, count) {
  const order = node.order();
  const places = Array.from(order.subarray(first, first + count));
  const place = places[0] ?? 0;
  const event = node.events[place];
  const at = duration((node.times[place] ?? 0) - node.start);
  if (!event) return [];
  if (count > 1) {
    const last = duration((node.times[places[places.length - 1] ?? 0] ?? 0) - node.start);
    return [h("strong", {}, `${grouped(count)} events`), h("div", { class: "dim" }, `${at} to ${last} after the span's start`), h("ul", { class: "tip-names" }, ...names(node, places))];
  }
  const { data, rest } = eventData(event);
  const shown = data === undefined ? rest : data;
  const text = preview(shown);
  return [h("strong", {}, h("bdi", {}, nameOf(event.name))), h("div", { class: "dim" }, `${at} after the span's start`), ...(text ? [h("pre", {}, text)] : [])];
}

/** @param {unknown} value */
function preview(value) {
  if (typeof value === "object" && value !== null && Object.keys(value).length === 0) return "";
  const text = typeof value === "string" ? value.slice(0, 4000) : json(value).slice(0, 4000);
  const lines = text.split("\n");
  const head = lines.slice(0, LINES).map((it) => short(it, 90));
  return lines.length > LINES ? [...head, "…"].join("\n") : head.join("\n");
}

/** @param {Node} node @param {number[]} places */
function names(node, places) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const place of places) {
    const name = nameOf(node.events[place]?.name ?? "");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].slice(0, NAMES).map(([name, many]) => h("li", {}, h("bdi", {}, name), many > 1 ? h("span", { class: "dim" }, ` × ${grouped(many)}`) : ""));
  return counts.size > NAMES ? [...rows, h("li", { class: "dim" }, `and ${counts.size - NAMES} more names`)] : rows;
}
