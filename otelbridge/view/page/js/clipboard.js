/** Copying, also where the page is not in a secure context (a token-guarded host without TLS). */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = h("textarea", { "aria-hidden": "true", class: "offscreen" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser does not allow it");
}

/**
 * @param {() => string} text what to copy, asked when pressed
 * @param {string} label for those who cannot see the icon
 * @returns {HTMLButtonElement}
 */
export function copyButton(text, label = "Copy") {
  const button = h("button", { class: "copy", type: "button", title: label, "aria-label": label }, icon("copy"));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    const done = await copy(text()).then(() => true, () => false);
    button.replaceChildren(icon(done ? "check" : "close"));
    button.title = done ? "Copied" : "The browser does not allow copying";
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.title = label;
    }, 1200);
  });
  return button;
}
