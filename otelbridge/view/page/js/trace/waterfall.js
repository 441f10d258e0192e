/** The waterfall: a tree of spans beside their times, drawn only where it is seen. */

import { h, setAttribute } from "../dom.js";
import { hideTooltip, showTooltip } from "../tooltip.js";
import { VirtualRows } from "../virtual.js";
import { Axis } from "./axis.js";
import { eventTip } from "./event_tip.js";
import { panAndZoom } from "./gestures.js";
import { resizer } from "./resizer.js";
import { Row } from "./row.js";

/** @import { TraceModel } from "./model.js" */
/** @import { Node } from "./node.js" */
/** @import { Timeline } from "./timeline.js" */

export const ROW = 28; // px

/**
 * @typedef {{ span: string | null, event: number | null }} Selection
 */

export class Waterfall {
  /**
   * @param {TraceModel} model
   * @param {Timeline} timeline
   * @param {(node: Node, event: number | null) => void} onSelect
   */
  constructor(model, timeline, onSelect) {
    this.model = model;
    this.timeline = timeline;
    this.onSelect = onSelect;
    this.now = 0;
    this.showsCritical = true;
    /** @type {Selection} */
    this.selection = { span: null, event: null };
    /** @type {WeakMap<HTMLElement, Row>} */
    this.drawn = new WeakMap();
    this.axis = new Axis(timeline);
    this.lines = h("div", { class: "tick-lines", "aria-hidden": "true" });
    const head = h(
      "div",
      { class: "waterfall-head", role: "row", "aria-rowindex": "1" },
      h("div", { class: "cell tree", role: "columnheader" }, "Span"),
      h("div", { class: "cell axis-cell", role: "columnheader", "aria-label": "Time" }, this.axis.element),
    );
    this.scroller = h("div", { class: "waterfall-scroll", role: "treegrid", tabindex: "0", "aria-label": "Spans" }, head);
    this.rows = new VirtualRows({ scroller: this.scroller, height: ROW, create: () => this.createRow(), update: (element, index) => this.updateRow(element, index) });
    this.scroller.append(this.rows.element);
    this.element = h("div", { class: "waterfall" }, this.lines, this.scroller);
    this.element.append(resizer(this.element));
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.axis.element);
    this.scroller.addEventListener("click", (event) => this.click(event));
    this.scroller.addEventListener("dblclick", (event) => this.doubleClick(event));
    this.scroller.addEventListener("pointerover", (event) => this.hover(event));
    this.scroller.addEventListener("scroll", hideTooltip, { passive: true });
    this.scroller.addEventListener("pointerleave", hideTooltip);
    panAndZoom(this.scroller, this.axis.element, timeline);
  }

  dispose() {
    this.rows.dispose();
    this.resized.disconnect();
    hideTooltip();
  }

  measure() {
    this.timeline.width = Math.max(1, this.axis.element.clientWidth);
    this.timeline.grow(this.model.extent(this.now));
    this.redraw();
  }

  /** The spans or their order are others. */
  rebuild() {
    setAttribute(this.scroller, "aria-rowcount", String(this.model.tree.rows().length + 1));
    this.axis.show(this.lines);
    this.rows.setCount(this.model.tree.rows().length);
    this.markActive();
  }

  /** The times seen are others, or what is selected. */
  redraw() {
    this.axis.show(this.lines);
    this.rows.refresh();
    this.markActive();
  }

  createRow() {
    const row = new Row();
    this.drawn.set(row.element, row);
    return row.element;
  }

  /** @param {HTMLElement} element @param {number} index */
  updateRow(element, index) {
    const node = this.model.tree.rows()[index];
    if (!node) return;
    const selected = node.span.span_id === this.selection.span;
    const known = this.showsCritical && !this.model.isRunning(); // it is told when all has ended
    const critical = (known && this.model.critical?.get(node.span.span_id)) || [];
    const event = selected ? this.selection.event : null;
    this.drawn.get(element)?.show(node, this.timeline, { index, now: this.now, selected, event, critical });
  }

  markActive() {
    const at = this.selectedIndex();
    const seen = at >= 0 && document.getElementById(`row-${at}`);
    setAttribute(this.scroller, "aria-activedescendant", seen ? `row-${at}` : null);
  }

  /** @returns {number} place of the selected row; -1 without */
  selectedIndex() {
    return this.model.tree.rows().findIndex((node) => node.span.span_id === this.selection.span);
  }

  /**
   * @param {Node} node
   * @param {number | null} event
   * @param {"nearest" | "center"} [where]
   */
  select(node, event, where = "nearest") {
    this.selection = { span: node.span.span_id, event };
    this.model.tree.unfoldTo(node);
    this.rebuild();
    this.rows.reveal(this.selectedIndex(), where);
    this.markActive();
  }

  unselect() {
    this.selection = { span: null, event: null };
    this.redraw();
  }

  /** @param {Node} node @param {boolean} folded */
  fold(node, folded) {
    this.model.tree.fold(node, folded);
    this.rebuild();
  }

  /** @param {Event} event @returns {Row | undefined} */
  rowOf(event) {
    const element = event.target instanceof Element ? event.target.closest(".span-row") : null;
    return element ? this.drawn.get(/** @type {HTMLElement} */ (element)) : undefined;
  }

  /** @param {Event} event @returns {HTMLElement | null} */
  markOf(event) {
    return event.target instanceof Element ? event.target.closest(".mark") : null;
  }

  /** @param {MouseEvent} event */
  click(event) {
    const node = this.rowOf(event)?.node;
    if (!node) return;
    if (event.target instanceof Element && event.target.closest(".fold")) {
      this.fold(node, !node.folded);
      return;
    }
    const mark = this.markOf(event);
    const place = mark ? (node.order()[Number(mark.dataset.first)] ?? null) : null;
    this.onSelect(node, place);
  }

  /** @param {MouseEvent} event a group of marks is opened; a span fills the width */
  doubleClick(event) {
    const node = this.rowOf(event)?.node;
    if (!node) return;
    const mark = this.markOf(event);
    if (!mark) {
      if (event.target instanceof Element && event.target.closest(".tree")) this.fold(node, !node.folded);
      else this.timeline.see(node.start - node.until(this.now) * 0.001, node.until(this.now));
      return;
    }
    const order = node.order();
    const first = Number(mark.dataset.first);
    const times = [first, first + Number(mark.dataset.count) - 1].map((at) => node.times[order[at] ?? 0] ?? 0);
    const [from = 0, to = 0] = times;
    const margin = Math.max(100, (to - from) * 0.2);
    this.timeline.see(from - margin, to + margin);
  }

  /** @param {Event} event */
  hover(event) {
    const mark = this.markOf(event);
    const node = this.rowOf(event)?.node;
    if (!mark || !node) return hideTooltip();
    showTooltip(mark, ...eventTip(node, Number(mark.dataset.first), Number(mark.dataset.count)));
  }
}
