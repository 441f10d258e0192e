/** How many traces began when, as small columns; failed ones in red. A stretch can be drawn to choose it. */

import { h, svg } from "../dom.js";
import { clock, grouped } from "../time.js";
import { hideTooltip, showTooltip } from "../tooltip.js";

export const BUCKETS = 80;
const HEIGHT = 44;

/**
 * @typedef {object} Load
 * @property {[number, number][]} buckets traces, and those with errors
 * @property {bigint} since ns
 * @property {bigint} until ns
 */

export class Sparkline {
  /** @param {(from: bigint, to: bigint) => void} choose */
  constructor(choose) {
    this.choose = choose;
    /** @type {Load | null} */
    this.load = null;
    this.picture = svg("svg", { viewBox: `0 0 ${BUCKETS * 10} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Load over time", class: "spark" });
    this.from = h("span", {});
    this.to = h("span", {});
    this.brush = h("div", { class: "spark-brush", hidden: true });
    this.field = h("div", { class: "spark-field" }, this.brush);
    this.field.prepend(this.picture);
    this.element = h("div", { class: "load" }, this.field, h("div", { class: "spark-ends" }, this.from, this.to));
    this.field.addEventListener("pointerdown", (event) => this.draw(event));
    this.field.addEventListener("pointermove", (event) => this.tell(event));
    this.field.addEventListener("pointerleave", hideTooltip);
  }

  /** @param {Load} load */
  show(load) {
    this.load = load;
    const highest = Math.max(1, ...load.buckets.map(([all]) => all));
    const columns = load.buckets.flatMap(([all, failed], at) => column(at, all, failed, highest));
    const total = load.buckets.reduce((sum, [all]) => sum + all, 0);
    const errors = load.buckets.reduce((sum, [, failed]) => sum + failed, 0);
    this.picture.replaceChildren(...columns);
    this.picture.setAttribute("aria-label", `Load over time: ${total} traces, ${errors} with errors`);
    this.from.textContent = clock(String(load.since));
    this.to.textContent = clock(String(load.until));
  }

  /** @param {PointerEvent} event @returns {number} 0 to 1 */
  place(event) {
    const at = this.field.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - at.left) / at.width));
  }

  /** @param {PointerEvent} event */
  tell(event) {
    if (!this.load || event.buttons) return hideTooltip();
    const { buckets, since, until } = this.load;
    const at = Math.min(buckets.length - 1, Math.floor(this.place(event) * buckets.length));
    const [all, failed] = buckets[at] ?? [0, 0];
    const begins = since + ((until - since) * BigInt(at)) / BigInt(buckets.length);
    const words = `${grouped(all)} ${all === 1 ? "trace" : "traces"}${failed ? `, ${grouped(failed)} with errors` : ""}`;
    const column = this.picture.querySelectorAll(".spark-slot")[at];
    if (column) showTooltip(column, h("strong", {}, words), h("div", { class: "dim" }, clock(String(begins))));
  }

  /** @param {PointerEvent} event */
  draw(event) {
    if (!this.load || event.button) return;
    event.preventDefault();
    const begin = this.place(event);
    this.field.setPointerCapture(event.pointerId);
    const moved = (/** @type {PointerEvent} */ it) => {
      const [low, high] = [begin, this.place(it)].sort((a, b) => a - b);
      this.brush.hidden = false;
      this.brush.style.left = `${(low ?? 0) * 100}%`;
      this.brush.style.width = `${((high ?? 0) - (low ?? 0)) * 100}%`;
    };
    const done = (/** @type {PointerEvent} */ it) => {
      this.field.removeEventListener("pointermove", moved);
      this.brush.hidden = true;
      this.chosen(begin, this.place(it));
    };
    this.field.addEventListener("pointermove", moved);
    this.field.addEventListener("pointerup", done, { once: true });
  }

  /** @param {number} one @param {number} other */
  chosen(one, other) {
    if (!this.load || Math.abs(one - other) < 0.005) return;
    const { since, until } = this.load;
    const at = (/** @type {number} */ part) => since + ((until - since) * BigInt(Math.round(part * 1e6))) / 1000000n;
    this.choose(at(Math.min(one, other)), at(Math.max(one, other)));
  }
}

/**
 * @param {number} at
 * @param {number} all
 * @param {number} failed
 * @param {number} highest
 */
function column(at, all, failed, highest) {
  const tall = all ? Math.max(2, (all / highest) * (HEIGHT - 2)) : 0;
  const red = all ? tall * (failed / all) : 0;
  return [
    svg("rect", { x: at * 10, y: 0, width: 10, height: HEIGHT, class: "spark-slot" }),
    svg("rect", { x: at * 10 + 1, y: HEIGHT - tall, width: 8, height: tall - red, class: "spark-good" }),
    svg("rect", { x: at * 10 + 1, y: HEIGHT - red, width: 8, height: red, class: "spark-bad" }),
  ];
}
