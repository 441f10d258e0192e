/** One step in both traces: two bars on one scale, and what differs. */

import { h, setAttribute, setText } from "../dom.js";
import { traceAddress } from "../router.js";
import { nameOf } from "../text.js";
import { duration } from "../time.js";

/** @import { CompareAnswer, CompareRow, Side } from "../types.js" */

export const ROW = 44; // px
const INDENT = 14;
const DEEPEST = 16;

export class CompareRowView {
  constructor() {
    this.indent = h("span", { class: "indent" });
    this.name = h("bdi", { class: "span-name" });
    this.times = h("span", { class: "occurrence" });
    this.a = new SideView("A");
    this.b = new SideView("B");
    this.delta = h("div", { class: "cell delta", role: "gridcell" });
    this.differs = h("div", { class: "cell differs", role: "gridcell" });
    this.element = h("div", { class: "compare-row", role: "row" }, h("div", { class: "cell step", role: "gridcell" }, this.indent, this.name, this.times), h("div", { class: "cell pair", role: "gridcell" }, this.a.element, this.b.element), this.delta, this.differs);
  }

  /** @param {CompareRow} row @param {CompareAnswer} answer @param {number} longest ns @param {number} at */
  show(row, answer, longest, at) {
    setAttribute(this.element, "aria-rowindex", String(at + 2));
    setAttribute(this.element, "aria-level", String(row.depth + 1));
    this.element.dataset.only = row.a ? (row.b ? "" : "a") : "b";
    this.indent.style.width = `${Math.min(row.depth, DEEPEST) * INDENT}px`;
    setText(this.name, nameOf(row.path.at(-1) ?? ""));
    setText(this.times, row.occurrence > 1 ? `#${row.occurrence}` : "");
    this.a.show(row.a, answer.a.trace_id, longest);
    this.b.show(row.b, answer.b.trace_id, longest);
    this.showDelta(row);
    this.differs.replaceChildren(...row.differs.map((it) => h("span", { class: "difference", "data-kind": it }, words(it, row))));
  }

  /** @param {CompareRow} row */
  showDelta({ delta_ns, a }) {
    const delta = delta_ns === null ? null : Number(delta_ns);
    const before = Number(a?.duration_ns ?? 0);
    this.delta.classList.toggle("slower", delta !== null && delta > 0);
    this.delta.classList.toggle("faster", delta !== null && delta < 0);
    const part = delta !== null && before > 0 ? ` (${delta > 0 ? "+" : "−"}${percent(Math.abs(delta) / before)})` : "";
    setText(this.delta, delta === null ? "" : delta === 0 ? "same" : `${delta > 0 ? "+" : ""}${duration(delta)}${part}`);
  }
}

/** @param {number} part */
function percent(part) {
  return part >= 10 ? `${Math.round(part)}×` : `${Math.round(part * 100)} %`;
}

/** @param {string} kind @param {CompareRow} row */
function words(kind, { a, b }) {
  if (kind === "structure") return !a ? "only in B" : !b ? "only in A" : "structure";
  if (kind === "status") return `${a?.status ?? ""} → ${b?.status ?? ""}`;
  if (kind === "events") return `events ${a?.events.length ?? 0} → ${b?.events.length ?? 0}`;
  return kind;
}

class SideView {
  /** @param {string} letter */
  constructor(letter) {
    this.bar = h("span", { class: "side-bar" });
    this.time = h("span", { class: "side-time" });
    this.element = h("a", { class: "side", "data-side": letter, tabindex: "-1" }, h("span", { class: "letter", "aria-hidden": "true" }, letter), this.bar, this.time);
    this.letter = letter;
  }

  /** @param {Side | null} side @param {string} trace @param {number} longest ns */
  show(side, trace, longest) {
    const took = side?.duration_ns === null || side === null ? null : Number(side.duration_ns);
    this.element.classList.toggle("absent", side === null);
    this.element.classList.toggle("failed", side?.status === "error");
    setAttribute(this.element, "href", side ? traceAddress(trace, side.span_id) : null);
    this.bar.style.width = took === null ? "0" : `calc((100% - 110px) * ${Math.max(0.002, took / longest)})`;
    setText(this.time, side === null ? "not there" : took === null ? "no end" : duration(took));
  }
}
