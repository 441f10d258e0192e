/**
 * A trace as the page holds it: spans as nodes of a tree, brought up to date by changes.
 * Times of nodes are ns after the trace's base, which is where its earliest span began when it was read.
 */

import { milliseconds } from "../time.js";
import { Node } from "./node.js";
import { Tree } from "./tree.js";

/** @import { Change, EventRecord, Segment, SpanRecord, TraceAnswer } from "../types.js" */

export class TraceModel {
  /** @param {TraceAnswer} answer */
  constructor(answer) {
    this.summary = answer.summary;
    this.id = answer.summary.trace_id;
    this.base = earliest(answer);
    this.tree = new Tree();
    /** @type {boolean | null} whether any span runs; null: to be found out */
    this.running = null;
    /** @type {Map<string, Node>} */
    this.nodes = new Map();
    this.replace(answer);
  }

  /** @param {TraceAnswer} answer the same trace, read again */
  replace(answer) {
    this.summary = answer.summary;
    this.cursor = answer.cursor;
    this.resources = answer.resources;
    for (const span of answer.spans) this.put(span);
    /** @type {Map<string, { from: number, to: number }[]>} */
    this.critical = new Map();
    for (const it of answer.critical_path) this.addCritical(it);
    this.tree.build([...this.nodes.values()]);
  }

  /** @param {Segment} segment */
  addCritical({ span_id, start_ns, end_ns }) {
    const place = { from: Number(BigInt(start_ns) - this.base), to: Number(BigInt(end_ns) - this.base) };
    const known = this.critical?.get(span_id);
    if (known) known.push(place);
    else this.critical?.set(span_id, [place]);
  }

  /**
   * @param {SpanRecord} span
   * @returns {Node}
   */
  put(span) {
    this.running = null;
    const known = this.nodes.get(span.span_id);
    if (known) {
      known.become(span, this.base);
      return known;
    }
    const node = new Node(span, this.base);
    this.nodes.set(span.span_id, node);
    return node;
  }

  /**
   * Take a change of this trace; one that the trace was read with already is left alone.
   *
   * @param {Change} change
   * @param {number} cursor
   * @returns {boolean} whether anything is new
   */
  apply({ span, event }, cursor) {
    if (cursor <= (this.cursor ?? 0)) return false;
    if (span.page !== null) return this.applyPage(span, event);
    const isNew = !this.nodes.has(span.span_id);
    const node = this.put(event ? { ...span, events: [] } : span);
    if (event) node.addEvent(event, this.base);
    if (isNew) this.tree.add(node, this.nodes);
    else this.tree.changed(node);
    return true;
  }

  /**
   * A page only carries events of the run above it.
   *
   * @param {SpanRecord} page
   * @param {EventRecord | null} event
   */
  applyPage(page, event) {
    const run = page.parent_id === null ? undefined : this.nodes.get(page.parent_id);
    if (!run) return false;
    for (const each of event ? [event] : page.events) run.addEvent(each, this.base);
    return true;
  }

  /**
   * @param {number} now ms since the epoch
   * @returns {number} ns after the base
   */
  at(now) {
    return now * 1e6 - milliseconds(String(this.base)) * 1e6;
  }

  /** @returns {boolean} */
  isRunning() {
    this.running ??= [...this.nodes.values()].some((node) => node.isRunning());
    return this.running;
  }

  /**
   * @param {number} now ns after the base
   * @returns {{ from: number, to: number }} from the first start to the last end
   */
  extent(now) {
    let [from, to] = [0, 1];
    for (const node of this.nodes.values()) {
      from = Math.min(from, node.start);
      to = Math.max(to, node.until(now), node.lastEvent());
    }
    return { from, to };
  }

  /** @returns {{ spans: number, events: number, errors: number }} */
  counts() {
    let [events, errors] = [0, 0];
    for (const { span, eventCount } of this.nodes.values()) {
      events += eventCount;
      if (span.status === "error") errors += 1;
    }
    return { spans: this.nodes.size, events, errors };
  }

  /**
   * @param {Node} node
   * @returns {import("../types.js").Attributes} of its resource
   */
  resourceOf({ span }) {
    const place = span.resource;
    return (typeof place === "number" ? this.resources?.[place] : place) ?? {};
  }
}

/** @param {TraceAnswer} answer */
function earliest({ summary, spans }) {
  return spans.reduce((least, { start_ns }) => (BigInt(start_ns) < least ? BigInt(start_ns) : least), BigInt(summary.start_ns));
}
