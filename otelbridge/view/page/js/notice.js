/** A page, or a part of one, that has nothing to show: what happened, and what to do next. */

import { h } from "./dom.js";

/**
 * @param {string} title
 * @param {string} text
 * @param {...Node} next
 * @returns {HTMLElement}
 */
export function notice(title, text, ...next) {
  return h("section", { class: "notice" }, h("h2", {}, title), h("p", {}, text), ...next);
}

/**
 * @param {unknown} error
 * @returns {HTMLElement}
 */
export function failure(error) {
  const text = error instanceof Error ? error.message : String(error);
  const again = h("button", { class: "button", type: "button", onclick: () => location.reload() }, "Try again");
  return notice("This could not be loaded", text, h("div", { class: "actions" }, again, h("a", { class: "button", href: "/" }, "All traces")));
}
