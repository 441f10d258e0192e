/** A value as JSON that can be read: coloured, folded where it is long, with a button to copy it. */

import { copyButton } from "./clipboard.js";
import { h } from "./dom.js";
import { longText } from "./long_text.js";
import { isMap, json, special } from "./values.js";
import { short } from "./text.js";

const OPEN_DEPTH = 3; // deeper values begin folded
const OPEN_ENTRIES = 60; // and so do longer ones
const STEP = 200; // entries drawn at once

/**
 * @param {unknown} value
 * @param {string} [label] of the copy button
 * @returns {HTMLElement}
 */
export function jsonView(value, label = "Copy as JSON") {
  return h("div", { class: "json" }, copyButton(() => json(value), label), draw(value, 0));
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {HTMLElement}
 */
export function draw(value, depth) {
  const word = special(value);
  if (word !== null) return h("span", { class: "json-number" }, short(word, 400));
  if (typeof value === "string") return longText(value, "json-string");
  if (typeof value === "number") return h("span", { class: "json-number" }, value);
  if (value === null || typeof value !== "object") return h("span", { class: "json-word" }, String(value));
  const many = Object.keys(value).length;
  if (many === 0) return h("span", { class: "json-mark" }, isMap(value) ? "{}" : "[]");
  return folding(value, many, depth);
}

/**
 * @param {object} value
 * @param {number} many
 * @param {number} depth
 */
function folding(value, many, depth) {
  const isList = Array.isArray(value);
  const summary = h(
    "summary",
    {},
    h("span", { class: "json-mark" }, isList ? "[" : "{"),
    h("span", { class: "json-many" }, isList ? `${many} items` : `${many} ${many === 1 ? "key" : "keys"}`),
    h("span", { class: "json-mark close" }, isList ? "]" : "}"),
  );
  const body = h("div", { class: "json-body" });
  const element = h("details", { class: "json-fold", open: depth < OPEN_DEPTH && many <= OPEN_ENTRIES }, summary, body);
  const fill = () => {
    if (element.open && !body.hasChildNodes()) more(body, value, 0, depth);
  };
  element.addEventListener("toggle", fill);
  fill();
  return element;
}

/**
 * @param {HTMLElement} body
 * @param {object} value
 * @param {number} from
 * @param {number} depth
 */
function more(body, value, from, depth) {
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  for (const [key, each] of entries.slice(from, from + STEP)) {
    const name = h("span", { class: isList ? "json-index" : "json-key" }, short(key));
    body.append(h("div", { class: "json-entry" }, name, h("span", { class: "json-mark" }, ": "), draw(each, depth + 1)));
  }
  const left = entries.length - from - STEP;
  if (left <= 0) return;
  const button = h("button", { type: "button", class: "text-button" }, `${left} more`);
  button.addEventListener("click", () => {
    button.remove();
    more(body, value, from + STEP, depth);
  });
  body.append(button);
}
