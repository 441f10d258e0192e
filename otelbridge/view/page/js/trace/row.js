/** One span in the waterfall: its name in the tree, its bar, its events as marks. */

import { WORDS, standing } from "../chips.js";
import { h, setAttribute, setText } from "../dom.js";
import { icon } from "../icons.js";
import { nameOf } from "../text.js";
import { duration, grouped } from "../time.js";
import { category } from "./category.js";
import { groupMarks } from "./marks.js";

/** @import { Node } from "./node.js" */
/** @import { Timeline } from "./timeline.js" */

const INDENT = 14; // px a level
const DEEPEST = 16; // levels that are indented
const BESIDE = 11; // px between a bar and its duration: there may be half a mark
const APART = 16; // px between marks, so that each can be seen and pressed
const APART_WIDE = 28; // where their counts have three digits

/**
 * @typedef {object} RowState
 * @property {number} index
 * @property {number} now ns after the base
 * @property {boolean} selected
 * @property {number | null} event place of the event that is selected, in the span's own order
 * @property {{ from: number, to: number }[]} critical
 */

export class Row {
  constructor() {
    this.fold = h("button", { class: "fold", type: "button", tabindex: "-1" }, icon("down"));
    this.indent = h("span", { class: "indent" });
    this.dot = h("span", { class: "category-dot" });
    this.name = h("bdi", { class: "span-name" });
    this.flag = h("span", { class: "span-flag" });
    this.bar = h("div", { class: "bar" });
    this.time = h("span", { class: "bar-time" });
    this.critical = h("div", { class: "critical-path" });
    this.marks = h("div", { class: "marks" });
    this.field = h("div", { class: "cell field", role: "gridcell" }, this.bar, this.critical, this.time, this.marks);
    this.element = h(
      "div",
      { class: "span-row", role: "row" },
      h("div", { class: "cell tree", role: "gridcell" }, this.indent, this.fold, this.dot, this.name, this.flag),
      this.field,
    );
    /** @type {Node | null} */
    this.node = null;
    this.drawn = "";
  }

  /**
   * @param {Node} node
   * @param {Timeline} timeline
   * @param {RowState} state
   */
  show(node, timeline, state) {
    this.node = node;
    this.showTree(node, state);
    this.showBar(node, timeline, state);
    this.showMarks(node, timeline, state.event);
  }

  /** @param {Node} node @param {RowState} state */
  showTree(node, { index, selected }) {
    const { element, fold } = this;
    const kind = standing(node.span);
    const many = node.children.length;
    element.id = `row-${index}`;
    setAttribute(element, "data-span", node.span.span_id);
    setAttribute(element, "data-standing", kind);
    setAttribute(element, "data-category", category(node.span));
    setAttribute(element, "aria-rowindex", String(index + 2));
    setAttribute(element, "aria-level", String(node.depth + 1));
    setAttribute(element, "aria-expanded", many ? String(!node.folded) : null);
    setAttribute(element, "aria-selected", String(selected));
    element.classList.toggle("folded", node.folded && many > 0);
    this.indent.style.width = `${Math.min(node.depth, DEEPEST) * INDENT}px`;
    fold.hidden = many === 0;
    setAttribute(fold, "aria-label", node.folded ? `Unfold ${grouped(many)}` : "Fold");
    setText(this.name, nameOf(node.span.name));
    setAttribute(this.name, "title", nameOf(node.span.name)); // deep in the tree little of it is seen
    setText(this.flag, flag(node, kind));
    this.flag.title = node.folded && node.failed && kind !== "error" ? `${node.failed} errors within` : "";
  }

  /** @param {Node} node @param {Timeline} timeline @param {RowState} state */
  showBar(node, timeline, { now, critical }) {
    const { bar, time } = this;
    const end = node.until(now);
    const [from, to] = [timeline.x(node.start), timeline.x(end)];
    const left = Math.max(-4, Math.min(from, timeline.width + 4));
    const right = Math.max(-4, Math.min(to, timeline.width + 4));
    bar.hidden = to < 0 || from > timeline.width;
    bar.style.transform = `translateX(${left}px)`;
    bar.style.width = `${Math.max(2, right - left)}px`;
    setText(time, node.end === null && !node.isRunning() ? "–" : duration(end - node.start));
    const room = 64;
    const inside = right + room > timeline.width && left < room;
    time.hidden = bar.hidden;
    time.classList.toggle("inside", inside);
    const x = right + room <= timeline.width ? right + BESIDE : inside ? right - BESIDE : left - BESIDE;
    time.classList.toggle("before", !inside && right + room > timeline.width);
    time.style.transform = `translateX(${x}px)`;
    this.showCritical(critical, timeline);
  }

  /** @param {{ from: number, to: number }[]} segments @param {Timeline} timeline */
  showCritical(segments, timeline) {
    const { critical } = this;
    while (critical.children.length > segments.length) critical.lastElementChild?.remove();
    segments.forEach(({ from, to }, at) => {
      const piece = /** @type {HTMLElement} */ (critical.children[at] ?? critical.appendChild(h("div", {})));
      const left = Math.max(0, timeline.x(from));
      piece.style.transform = `translateX(${left}px)`;
      piece.style.width = `${Math.max(0, Math.min(timeline.width, timeline.x(to)) - left)}px`;
    });
  }

  /** @param {Node} node @param {Timeline} timeline @param {number | null} selected */
  showMarks(node, timeline, selected) {
    const key = `${node.span.span_id} ${node.times.length} ${timeline.from} ${timeline.to} ${timeline.width} ${selected}`;
    if (key === this.drawn) return;
    this.drawn = key;
    const order = node.order();
    let groups = node.times.length ? groupMarks(order, node.times, timeline, APART) : [];
    if (groups.some((it) => it.count > 99)) groups = groupMarks(order, node.times, timeline, APART_WIDE);
    while (this.marks.children.length > groups.length) this.marks.lastElementChild?.remove();
    groups.forEach(({ x, first, count }, at) => {
      const mark = /** @type {HTMLElement} */ (this.marks.children[at] ?? this.marks.appendChild(newMark()));
      const place = order[first] ?? 0;
      const event = node.events[place];
      mark.dataset.first = String(first);
      mark.dataset.count = String(count);
      mark.style.transform = `translateX(${x}px)`;
      mark.classList.toggle("many", count > 1);
      mark.classList.toggle("wide", count > 99);
      mark.classList.toggle("exception", count === 1 && event?.name === "exception");
      mark.classList.toggle("chosen", selected !== null && isWithin(order, first, count, selected));
      setText(/** @type {Element} */ (mark.firstElementChild), count > 1 ? (count > 999 ? "1k+" : String(count)) : "");
    });
  }
}

function newMark() {
  return h("div", { class: "mark" }, h("span", { class: "mark-count" }));
}

/** @param {ArrayLike<number>} order @param {number} first @param {number} count @param {number} place */
function isWithin(order, first, count, place) {
  for (let at = first; at < first + count; at += 1) if (order[at] === place) return true;
  return false;
}

/** @param {Node} node @param {import("../chips.js").Standing} kind */
function flag(node, kind) {
  if (node.folded && node.failed && kind !== "error") return `${grouped(node.failed)} failed`;
  return kind === "ok" || kind === "running" ? "" : WORDS[kind];
}
