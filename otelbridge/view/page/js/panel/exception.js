/** An exception: its type, its message, its stack. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { longText } from "../long_text.js";
import { short } from "../text.js";

/**
 * @param {import("../types.js").Attributes} attributes of its record
 * @returns {HTMLElement}
 */
export function exceptionView(attributes) {
  const text = (/** @type {string} */ key) => String(attributes[`exception.${key}`] ?? "");
  const stack = text("stacktrace");
  return h(
    "div",
    { class: "exception-view" },
    h("div", { class: "exception-head" }, h("strong", {}, h("bdi", {}, short(text("type") || "Exception", 200))), h("div", { class: "exception-message" }, longText(text("message")))),
    stack ? h("div", { class: "stack" }, copyButton(() => stack, "Copy the stack"), h("pre", { tabindex: "0", "aria-label": "Stack" }, longText(stack))) : null,
  );
}
