/** The whole trace in a strip: each span a line, and a window over what the waterfall shows. */

import { h } from "../dom.js";
import { category } from "./category.js";

/** @import { Node } from "./node.js" */
/** @import { Timeline } from "./timeline.js" */

const HEIGHT = 44;

export class Overview {
  /** @param {Timeline} timeline */
  constructor(timeline) {
    this.timeline = timeline;
    this.canvas = h("canvas", { class: "overview-canvas" });
    this.window = h("div", { class: "overview-window" });
    this.brush = h("div", { class: "brush", hidden: true });
    this.element = h("div", { class: "overview", "aria-hidden": "true" }, this.canvas, this.window, this.brush);
    this.element.addEventListener("pointerdown", (event) => this.draw(event));
    this.element.addEventListener("dblclick", () => timeline.fit());
  }

  /** @param {Node[]} nodes in the order of the tree @param {number} now ns after the base */
  show(nodes, now) {
    const width = this.element.clientWidth;
    const scale = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== HEIGHT * scale) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = HEIGHT * scale;
    }
    const context = this.canvas.getContext("2d");
    if (!context || !width) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    const colours = this.colours();
    const { from, to } = this.timeline.whole;
    const step = Math.min(6, (HEIGHT - 6) / Math.max(1, nodes.length));
    nodes.forEach((node, at) => {
      const x = ((node.start - from) / (to - from)) * width;
      const long = ((node.until(now) - node.start) / (to - from)) * width;
      context.fillStyle = (node.span.status === "error" ? colours.error : colours[category(node.span)]) ?? "";
      context.fillRect(x, 3 + at * step, Math.max(1, long), Math.max(0.75, Math.min(3, step * 0.7)));
    });
    this.showWindow();
  }

  showWindow() {
    const { from, to, whole } = this.timeline;
    const room = whole.to - whole.from;
    this.window.hidden = this.timeline.isWhole();
    this.window.style.left = `${((from - whole.from) / room) * 100}%`;
    this.window.style.width = `${((to - from) / room) * 100}%`;
  }

  /** @returns {Record<string, string>} */
  colours() {
    const style = getComputedStyle(this.element);
    const names = ["model", "tool", "retriever", "agent", "remote", "step", "error"];
    return Object.fromEntries(names.map((it) => [it, style.getPropertyValue(`--bar-${it}`)]));
  }

  /** @param {PointerEvent} event */
  draw(event) {
    if (event.button) return;
    event.preventDefault();
    const at = this.element.getBoundingClientRect();
    const { whole } = this.timeline;
    const part = (/** @type {PointerEvent} */ it) => Math.max(0, Math.min(1, (it.clientX - at.left) / at.width));
    const begin = part(event);
    this.element.setPointerCapture(event.pointerId);
    const moved = (/** @type {PointerEvent} */ it) => {
      this.brush.hidden = false;
      this.brush.style.left = `${Math.min(begin, part(it)) * 100}%`;
      this.brush.style.width = `${Math.abs(part(it) - begin) * 100}%`;
    };
    const done = (/** @type {PointerEvent} */ it) => {
      this.element.removeEventListener("pointermove", moved);
      this.brush.hidden = true;
      const time = (/** @type {number} */ p) => whole.from + p * (whole.to - whole.from);
      const [low, high] = [Math.min(begin, part(it)), Math.max(begin, part(it))];
      if (high - low > 0.004) this.timeline.see(time(low), time(high));
      else this.timeline.see(time(low) - (this.timeline.to - this.timeline.from) / 2, time(low) + (this.timeline.to - this.timeline.from) / 2);
    };
    this.element.addEventListener("pointermove", moved);
    this.element.addEventListener("pointerup", done, { once: true });
  }
}
