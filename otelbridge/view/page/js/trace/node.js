/** One span on the page: its record, its place in the tree, its times as numbers. */

import { after } from "../time.js";

/** @import { EventRecord, SpanRecord } from "../types.js" */

export class Node {
  /**
   * @param {SpanRecord} span
   * @param {bigint} base ns since the epoch that times count from
   */
  constructor(span, base) {
    this.span = span;
    this.start = 0;
    /** @type {number | null} */
    this.end = null;
    /** @type {Node | null} */
    this.parent = null;
    /** @type {Node[]} */
    this.children = [];
    this.depth = 0;
    /** Spans with an error, below it and itself. */
    this.failed = 0;
    this.folded = false;
    this.eventCount = 0;
    /** @type {EventRecord[]} as far as they are here, in the server's order */
    this.events = [];
    /** @type {number[]} their times */
    this.times = [];
    /** @type {Uint32Array | null} */
    this.byTime = null;
    this.become(span, base);
  }

  /**
   * @param {SpanRecord} span the same one, as it is now
   * @param {bigint} base
   */
  become(span, base) {
    this.span = span.resource === null ? { ...span, resource: this.span.resource } : span;
    this.start = after(span.start_ns, base);
    this.end = span.end_ns === null ? null : Math.max(this.start, after(span.end_ns, base));
    if (span.events.length >= this.events.length && span.events.length > 0) {
      this.events = span.events;
      this.times = span.events.map((it) => after(it.time_ns, base));
      this.byTime = null;
    }
    this.eventCount = Math.max(this.events.length, span.events_total ?? 0, this.eventCount);
  }

  /**
   * @param {EventRecord} event that came later than those here
   * @param {bigint} base
   */
  addEvent(event, base) {
    if (this.hasEvent(event)) return;
    const whole = this.events.length === this.eventCount;
    this.eventCount += 1;
    if (!whole) return; // those between are still to be read
    this.events.push(event);
    this.times.push(after(event.time_ns, base));
    this.byTime = null;
  }

  /** @param {EventRecord} event */
  hasEvent(event) {
    for (let at = this.events.length - 1; at >= 0 && at >= this.events.length - 256; at -= 1) {
      const known = this.events[at];
      if (known && known.time_ns === event.time_ns && known.name === event.name) return true;
    }
    return false;
  }

  /**
   * @param {EventRecord[]} events that follow those here
   * @param {bigint} base
   * @param {number} total
   */
  addRead(events, base, total) {
    for (const event of events) {
      this.events.push(event);
      this.times.push(after(event.time_ns, base));
    }
    this.eventCount = Math.max(total, this.events.length);
    this.byTime = null;
  }

  /** @returns {Uint32Array} places of the events, the earliest first */
  order() {
    if (this.byTime?.length !== this.times.length) {
      const { times } = this;
      this.byTime = Uint32Array.from(times.keys()).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b);
    }
    return /** @type {Uint32Array} */ (this.byTime);
  }

  isRunning() {
    return this.span.state === "running";
  }

  /** @param {number} now @returns {number} where it ends, or is now */
  until(now) {
    if (this.end !== null) return this.end;
    return this.isRunning() ? Math.max(this.start, now) : Math.max(this.start, this.lastEvent());
  }

  /** @returns {number} the time of its last event, else its start */
  lastEvent() {
    const last = this.times.length ? this.order()[this.times.length - 1] : undefined;
    return last === undefined ? this.start : (this.times[last] ?? this.start);
  }
}
