/** The times above the waterfall, and choosing a stretch by drawing over them. */

import { h } from "../dom.js";
import { duration } from "../time.js";
import { ticks } from "./timeline.js";

/** @import { Timeline } from "./timeline.js" */

export class Axis {
  /** @param {Timeline} timeline */
  constructor(timeline) {
    this.timeline = timeline;
    this.labels = h("div", { class: "axis-labels", "aria-hidden": "true" });
    this.brush = h("div", { class: "brush", hidden: true });
    this.element = h("div", { class: "axis", title: "Draw over a stretch to see it alone; press 0 to see all" }, this.labels, this.brush);
    this.element.addEventListener("pointerdown", (event) => this.draw(event));
    this.element.addEventListener("dblclick", () => timeline.fit());
  }

  /** @param {HTMLElement} lines where the vertical lines are drawn */
  show(lines) {
    const { timeline } = this;
    const places = ticks(timeline.from, timeline.to, Math.max(2, timeline.width / 110)).filter((it) => timeline.x(it) >= 0);
    fill(this.labels, places, (element, at) => {
      element.className = "tick-label";
      element.style.transform = `translateX(${timeline.x(at)}px)`;
      element.textContent = at === 0 ? "0" : duration(at);
      element.hidden = timeline.x(at) > timeline.width - 34;
    });
    fill(lines, places, (element, at) => {
      element.className = "tick-line";
      element.style.transform = `translateX(${timeline.x(at)}px)`;
    });
  }

  /** @param {PointerEvent} event */
  draw(event) {
    if (event.button) return;
    event.preventDefault();
    const { element, brush, timeline } = this;
    const left = element.getBoundingClientRect().left;
    const begin = event.clientX - left;
    element.setPointerCapture(event.pointerId);
    const moved = (/** @type {PointerEvent} */ it) => {
      const x = it.clientX - left;
      brush.hidden = false;
      brush.style.left = `${Math.min(begin, x)}px`;
      brush.style.width = `${Math.abs(x - begin)}px`;
    };
    const done = (/** @type {PointerEvent} */ it) => {
      element.removeEventListener("pointermove", moved);
      brush.hidden = true;
      const x = it.clientX - left;
      if (Math.abs(x - begin) > 4) timeline.see(timeline.time(Math.min(begin, x)), timeline.time(Math.max(begin, x)));
    };
    element.addEventListener("pointermove", moved);
    element.addEventListener("pointerup", done, { once: true });
  }
}

/**
 * @param {HTMLElement} parent
 * @param {number[]} places
 * @param {(element: HTMLElement, at: number) => void} draw
 */
function fill(parent, places, draw) {
  while (parent.children.length > places.length) parent.lastElementChild?.remove();
  places.forEach((place, at) => {
    draw(/** @type {HTMLElement} */ (parent.children[at] ?? parent.appendChild(h("div", {}))), place);
  });
}
