/** The line between names and times, which can be moved by pointer or by keys. */

import { h } from "../dom.js";

const NARROWEST = 140;

/**
 * @param {HTMLElement} waterfall
 * @returns {HTMLElement}
 */
export function resizer(waterfall) {
  const handle = h("div", { class: "resizer", role: "separator", tabindex: "0", "aria-orientation": "vertical", "aria-label": "Width of the names" });
  let width = matchMedia("(max-width: 760px)").matches ? 170 : 340;
  /** @param {number} to px */
  const set = (to) => {
    const most = Math.max(NARROWEST, (waterfall.clientWidth || innerWidth) - NARROWEST);
    width = Math.round(Math.max(NARROWEST, Math.min(to, most)));
    waterfall.style.setProperty("--tree-width", `${width}px`);
    handle.setAttribute("aria-valuenow", String(width));
    handle.setAttribute("aria-valuemin", String(NARROWEST));
    handle.setAttribute("aria-valuemax", String(most));
  };
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    const begin = event.clientX - width;
    const moved = (/** @type {PointerEvent} */ it) => set(it.clientX - begin);
    handle.addEventListener("pointermove", moved);
    handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", moved), { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const by = event.key === "ArrowLeft" ? -20 : event.key === "ArrowRight" ? 20 : 0;
    if (!by) return;
    event.preventDefault();
    set(width + by);
  });
  set(width);
  return handle;
}
