/** Light, dark, or as the system says; the choice is kept in this browser. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "otelbridge.theme";

/** @returns {"light" | "dark"} what is seen now */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Change to the other one; canvases are told by the event `themechange` on the document. */
export function toggleTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage is switched off: it holds for this page alone.
  }
  document.dispatchEvent(new Event("themechange"));
}

/** @returns {HTMLElement} the button for the top bar */
export function themeButton() {
  const button = h("button", {
    class: "button icon-only quiet",
    type: "button",
    title: "Light or dark",
    "aria-label": "Switch between light and dark",
    onclick: toggleTheme,
  });
  const draw = () => button.replaceChildren(icon(theme() === "dark" ? "sun" : "moon"));
  document.addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new Event("themechange")),
  );
  draw();
  return button;
}
