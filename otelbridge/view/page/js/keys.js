/** Keyboard shortcuts of the page that is shown, and the list of them that `?` opens. */

import { h, isTyping } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @typedef {object} Shortcut
 * @property {string[]} keys as `KeyboardEvent.key` has them
 * @property {string} does
 * @property {(event: KeyboardEvent) => void} run
 */

/** @type {Set<Shortcut[]>} */
const groups = new Set();

/**
 * @param {Shortcut[]} shortcuts
 * @returns {() => void} takes them away
 */
export function addKeys(shortcuts) {
  groups.add(shortcuts);
  return () => groups.delete(shortcuts);
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (isTyping() && event.key !== "Escape") return;
    if (event.key === "?") showHelp();
    for (const group of [...groups].reverse()) {
      const found = group.find((it) => it.keys.includes(event.key));
      if (!found) continue;
      event.preventDefault();
      found.run(event);
      return;
    }
  });
}

/** @returns {HTMLElement} */
export function helpButton() {
  return h(
    "button",
    { class: "button icon-only quiet", type: "button", title: "Keyboard shortcuts (?)", "aria-label": "Keyboard shortcuts", onclick: showHelp },
    icon("keyboard"),
  );
}

/** @type {Record<string, string>} */
const NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space" };

function showHelp() {
  const rows = [...groups].flat().map((it) =>
    h(
      "div",
      { class: "shortcut" },
      h("dt", {}, ...it.keys.map((key) => h("kbd", {}, NAMES[key] ?? key))),
      h("dd", {}, it.does),
    ),
  );
  const close = h("button", { class: "button icon-only quiet", type: "button", "aria-label": "Close" }, icon("close"));
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-label": "Keyboard shortcuts" },
    h("header", {}, h("h2", {}, "Keyboard"), close),
    h("dl", {}, ...rows),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
