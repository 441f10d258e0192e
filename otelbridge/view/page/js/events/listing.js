/** The events of spans as one list by time, and those of them that a search finds. */

import { json } from "../values.js";

/** @import { EventRecord } from "../types.js" */
/** @import { Node } from "../trace/node.js" */

/**
 * @typedef {object} Entry
 * @property {Node} node
 * @property {number} place among the events of its span
 * @property {number} time ns after the trace's base
 */

/**
 * @param {Node[]} nodes
 * @returns {Entry[]} by time
 */
export function listing(nodes) {
  /** @type {Entry[]} */
  const found = [];
  for (const node of nodes) {
    const order = node.order();
    for (const place of order) found.push({ node, place, time: node.times[place] ?? 0 });
  }
  return nodes.length === 1 ? found : found.sort((a, b) => a.time - b.time);
}

/** @param {Entry} entry @returns {EventRecord} */
export function eventOf({ node, place }) {
  return /** @type {EventRecord} */ (node.events[place]);
}

const SEARCHED = 4_000; // characters of an event's data

/** @type {WeakMap<EventRecord, string>} */
const texts = new WeakMap();

/** @param {EventRecord} event */
function textOf(event) {
  let text = texts.get(event);
  if (text === undefined) {
    text = `${event.name.slice(0, SEARCHED)} ${json(event.attributes, 0).slice(0, SEARCHED)}`.toLowerCase();
    texts.set(event, text);
  }
  return text;
}

/**
 * @param {Entry[]} entries
 * @param {string} search words that all occur in an event's name, data, or its span's name
 * @returns {Entry[]}
 */
export function matching(entries, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter((entry) => {
    const text = textOf(eventOf(entry));
    return words.every((word) => text.includes(word) || entry.node.span.name.toLowerCase().includes(word));
  });
}
