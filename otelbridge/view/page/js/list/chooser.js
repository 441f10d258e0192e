/** The bar that leads from chosen traces to their comparison. */

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { go } from "../router.js";

/**
 * @param {string} first id of a trace that was chosen on its own page, or empty
 * @param {() => void} cancel forget that one
 */
export function chooser(first, cancel) {
  const words = h("span", {});
  const button = h("button", { type: "button", class: "button primary" }, icon("compare"), "Compare");
  const leave = h("button", { type: "button", class: "button quiet" }, "Cancel");
  const element = h("div", { class: "chooser", role: "status" }, words, button, leave);
  /** @type {string[]} */
  let pair = first ? [first] : [];

  const compare = () => {
    if (pair.length === 2) go(`/compare/${pair[0]}/${pair[1]}`);
  };
  /** @param {string[]} chosen */
  const show = (chosen) => {
    pair = first ? [first, ...chosen.filter((it) => it !== first)].slice(0, 2) : chosen;
    element.hidden = pair.length === 0;
    button.disabled = pair.length < 2;
    leave.hidden = !first;
    words.textContent = pair.length === 2 ? "Two traces are chosen" : `${pair[0]?.slice(0, 8)} is chosen; choose a second one to compare it with`;
  };
  button.addEventListener("click", compare);
  leave.addEventListener("click", () => {
    first = "";
    show([]);
    cancel();
  });
  show([]);
  return { element, show, compare };
}
