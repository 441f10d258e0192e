/** A text of any length: its beginning, and more of it when asked, so that a megabyte costs nothing. */

import { h } from "./dom.js";
import { cut, visible } from "./text.js";
import { grouped } from "./time.js";

const FIRST = 1_000;
const STEP = 64_000;

/**
 * @param {string} text
 * @param {string} [kind] a class
 * @returns {HTMLElement}
 */
export function longText(text, kind = "") {
  if (text.length <= FIRST) return h("span", { class: `long ${kind}` }, visible(text));
  let shown = cut(text, FIRST).length;
  const seen = document.createTextNode(visible(text.slice(0, shown)));
  const button = h("button", { type: "button", class: "text-button" });
  const label = () => {
    button.textContent = `… show more (${grouped(text.length - shown)} of ${grouped(text.length)} characters left)`;
  };
  button.addEventListener("click", () => {
    const next = cut(text.slice(shown), STEP);
    seen.data += visible(next);
    shown += next.length;
    if (shown >= text.length) button.remove();
    else label();
  });
  label();
  return h("span", { class: `long ${kind}` }, seen, button);
}
