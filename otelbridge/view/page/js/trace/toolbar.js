/** What can be done with the waterfall, as buttons; each has a key, too. */

import { h, setText } from "../dom.js";
import { icon } from "../icons.js";
import { grouped } from "../time.js";

/**
 * @typedef {object} Actions
 * @property {(view: "waterfall" | "events") => void} view
 * @property {() => void} nextError
 * @property {(on: boolean) => void} errorsFirst
 * @property {(on: boolean) => void} critical
 * @property {(factor: number) => void} zoom
 * @property {() => void} fit
 * @property {(folded: boolean) => void} foldAll
 */

/** @param {Actions} actions */
export function toolbar(actions) {
  const errorWords = h("span", {});
  const errors = h("button", { type: "button", class: "button danger", title: "Go to the next error (e)", onclick: actions.nextError }, icon("error"), errorWords);
  const first = toggle("Errors first", "Put branches with errors first", actions.errorsFirst);
  const critical = toggle("Critical path", "Show what the duration was spent on (p)", actions.critical, true);
  const views = {
    waterfall: view("Waterfall", () => actions.view("waterfall")),
    events: view("Events", () => actions.view("events")),
  };
  const out = tool("minus", "Zoom out (−)", () => actions.zoom(1.6));
  const near = tool("plus", "Zoom in (+)", () => actions.zoom(1 / 1.6));
  const fit = tool("fit", "Show all (0)", actions.fit);
  const fold = h("button", { type: "button", class: "button quiet", onclick: () => actions.foldAll(true) }, "Fold all");
  const unfold = h("button", { type: "button", class: "button quiet", onclick: () => actions.foldAll(false) }, "Unfold all");
  const own = h("div", { class: "tools-of-waterfall" }, first, critical, fold, unfold, h("div", { class: "button-group" }, out, near, fit));
  const element = h("div", { class: "toolbar", role: "toolbar", "aria-label": "View" }, h("div", { class: "segmented" }, views.waterfall, views.events), errors, h("div", { class: "spring" }), own);
  return {
    element,
    critical,
    /** @param {{ events: number, errors: number }} counts */
    count({ events, errors: many }) {
      errors.hidden = many === 0;
      first.hidden = many === 0;
      setText(errorWords, `${grouped(many)} ${many === 1 ? "error" : "errors"}`);
      setText(views.events, `Events ${grouped(events)}`);
    },
    /** @param {"waterfall" | "events"} shown */
    shows(shown) {
      own.hidden = shown !== "waterfall";
      for (const [name, button] of Object.entries(views)) button.setAttribute("aria-pressed", String(name === shown));
    },
  };
}

/** @param {string} text @param {() => void} act */
function view(text, act) {
  return h("button", { type: "button", "aria-pressed": "false", onclick: act }, text);
}

/** @param {string} name @param {string} title @param {() => void} act */
function tool(name, title, act) {
  return h("button", { type: "button", class: "button icon-only", title, "aria-label": title, onclick: act }, icon(name));
}

/** @param {string} text @param {string} title @param {(on: boolean) => void} act @param {boolean} [on] */
function toggle(text, title, act, on = false) {
  const button = h("button", { type: "button", class: "button toggle", title, "aria-pressed": String(on) }, text);
  button.addEventListener("click", () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    act(next);
  });
  return button;
}
