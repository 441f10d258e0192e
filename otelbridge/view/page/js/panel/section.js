/** Parts of the panel: a headed section, and a list of keys with values. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { draw } from "../json_view.js";
import { short } from "../text.js";
import { json, readable } from "../values.js";

/** @import { Attributes } from "../types.js" */

/**
 * @param {string} title
 * @param {...(Node | false | null)} content
 * @returns {HTMLElement}
 */
export function section(title, ...content) {
  return h("section", { class: "panel-section" }, h("h3", {}, title), ...content);
}

/**
 * @param {Attributes} values
 * @returns {HTMLElement}
 */
export function properties(values) {
  const rows = Object.entries(values).map(([key, value]) => {
    const shown = readable(value);
    const text = () => (typeof value === "string" ? value : json(value));
    return h("div", { class: "property" }, h("dt", {}, short(key, 200)), h("dd", {}, draw(shown, 2), copyButton(text, `Copy ${short(key, 60)}`)));
  });
  return h("dl", { class: "properties" }, ...rows);
}
