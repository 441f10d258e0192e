/** The traces as a table: newest first, each drawn again only when it has changed. */

import { h } from "../dom.js";
import { foundLine } from "./found.js";
import { tick, traceRow } from "./row.js";

/** @import { Found } from "./found.js" */
/** @import { TraceSummary } from "../types.js" */

const HEADS = [
  ["choose", ""],
  ["name", "Trace"],
  ["service", "Service"],
  ["status", "Status"],
  ["duration", "Duration"],
  ["spans", "Spans"],
  ["events", "Events"],
  ["tokens", "Tokens"],
  ["start", "Started"],
];
const NUMBERS = new Set(["duration", "spans", "events", "tokens", "start"]);

export class TraceTable {
  /** @param {(chosen: string[]) => void} onChoose ids of the (at most two) traces to compare */
  constructor(onChoose) {
    this.onChoose = onChoose;
    /** @type {Map<string, { trace: TraceSummary, row: HTMLTableRowElement }>} */
    this.shown = new Map();
    /** @type {string[]} */
    this.chosen = [];
    /** @type {Found} */
    this.found = new Map();
    this.text = "";
    this.body = h("tbody", {});
    const heads = HEADS.map(([key, text]) =>
      h("th", { scope: "col", class: `col-${key}${NUMBERS.has(key ?? "") ? " number" : ""}` }, text || h("span", { class: "offscreen" }, "Compare")),
    );
    this.element = h("table", { class: "traces" }, h("caption", { class: "offscreen" }, "Traces, newest first"), h("thead", {}, h("tr", {}, ...heads)), this.body);
  }

  /** @returns {TraceSummary[]} newest first */
  traces() {
    return [...this.shown.values()].map(({ trace }) => trace).sort(newestFirst);
  }

  /** @param {TraceSummary[]} traces in place of all that are shown */
  replace(traces) {
    const kept = new Set(traces.map((it) => it.trace_id));
    for (const [id, { row }] of this.shown) {
      if (kept.has(id)) continue;
      row.remove();
      this.shown.delete(id);
    }
    this.merge(traces);
  }

  /**
   * @param {TraceSummary[]} traces new ones, or ones that changed
   * @param {boolean} [arrived] live: they are marked for a moment
   */
  merge(traces, arrived = false) {
    for (const trace of traces) {
      const before = this.shown.get(trace.trace_id);
      if (before && JSON.stringify(before.trace) === JSON.stringify(trace)) continue;
      const row = traceRow(trace, this.chosen.includes(trace.trace_id), (it, on) => this.choose(it.trace_id, on));
      if (before) this.exchange(before.row, row);
      else if (arrived) row.classList.add("arrived");
      this.shown.set(trace.trace_id, { trace, row });
      this.showFound(trace.trace_id, row);
    }
    this.order();
  }

  /** @param {HTMLElement} old @param {HTMLElement} row */
  exchange(old, row) {
    const focused = old.contains(document.activeElement);
    old.replaceWith(row);
    if (focused) row.querySelector("a")?.focus();
  }

  order() {
    let next = this.body.firstElementChild;
    for (const { trace_id } of this.traces()) {
      const row = this.shown.get(trace_id)?.row;
      if (!row) continue;
      if (row === next) next = row.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
  }

  /**
   * @param {Found} found where the words are
   * @param {string} text that was searched for
   */
  tellFound(found, text) {
    this.found = found;
    this.text = text;
    for (const [id, { row }] of this.shown) this.showFound(id, row);
  }

  /** @param {string} id @param {HTMLElement} row */
  showFound(id, row) {
    const found = this.found.get(id);
    const before = row.querySelector(".found");
    const now = found ? foundLine(found, this.text) : null;
    row.classList.toggle("has-found", now !== null);
    if (before && now && before.isEqualNode(now)) return; // it may have the focus
    before?.remove();
    if (now) row.querySelector(".col-name")?.append(now);
  }

  /** @param {string} id @param {boolean} on */
  choose(id, on) {
    this.chosen = on ? [...this.chosen, id].slice(-2) : this.chosen.filter((it) => it !== id);
    for (const [each, { row }] of this.shown) {
      const box = row.querySelector("input");
      if (box) box.checked = this.chosen.includes(each);
      row.classList.toggle("chosen", this.chosen.includes(each));
    }
    this.onChoose(this.chosen);
  }

  tick() {
    for (const { trace, row } of this.shown.values()) tick(row, trace);
  }

  /** @param {number} by rows; to the first one where none has the focus */
  moveFocus(by) {
    const rows = /** @type {HTMLTableRowElement[]} */ ([...this.body.children]);
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
    next?.querySelector("a")?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /** @returns {string | null} id of the trace that has the focus */
  focused() {
    return document.activeElement?.closest("tr")?.dataset.trace ?? null;
  }
}

/**
 * @param {TraceSummary} a
 * @param {TraceSummary} b
 */
function newestFirst(a, b) {
  const [left, right] = [BigInt(a.start_ns), BigInt(b.start_ns)];
  if (left !== right) return left > right ? -1 : 1;
  return a.trace_id > b.trace_id ? -1 : 1;
}
