/** What the two traces are, and in a sentence how they differ. */

import * as api from "../api.js";
import { chip, standing } from "../chips.js";
import { h } from "../dom.js";
import { lasted } from "../list/row.js";
import { traceAddress } from "../router.js";
import { nameOf } from "../text.js";
import { ago, clock, duration, grouped, whole } from "../time.js";

/** @import { CompareAnswer, CompareRow, TraceSummary } from "../types.js" */

/** @param {CompareAnswer} answer */
export function cards({ a, b }) {
  return h("div", { class: "cards" }, card("A", a), card("B", b));
}

/** @param {string} letter @param {TraceSummary} trace */
function card(letter, trace) {
  const took = lasted(trace);
  return h(
    "a",
    { class: "card", href: traceAddress(trace.trace_id), "data-side": letter },
    h("span", { class: "letter" }, letter),
    h("span", { class: "card-name" }, h("bdi", {}, nameOf(trace.name)), chip(standing(trace))),
    h("span", { class: "card-duration" }, took === null ? "–" : duration(took)),
    h("span", { class: "dim", title: whole(trace.start_ns) }, `${trace.trace_id.slice(0, 8)} · ${clock(trace.start_ns)}, ${ago(trace.start_ns, api.now())} · ${grouped(trace.spans)} spans · ${grouped(trace.events)} events`),
  );
}

/** @param {CompareRow[]} rows */
export function verdict(rows) {
  const count = (/** @type {(row: CompareRow) => boolean} */ test) => rows.filter(test).length;
  const slower = count((it) => it.differs.includes("duration") && Number(it.delta_ns) > 0);
  const faster = count((it) => it.differs.includes("duration") && Number(it.delta_ns) < 0);
  const parts = [
    [slower, "slower"],
    [faster, "faster"],
    [count((it) => it.b === null), "only in A"],
    [count((it) => it.a === null), "only in B"],
    [count((it) => it.differs.includes("status")), "with another status"],
    [count((it) => it.differs.includes("events")), "with other events"],
  ].filter(([many]) => many);
  const text = parts.length ? `Of ${grouped(rows.length)} steps: ${parts.map(([many, words]) => `${grouped(Number(many))} ${words}`).join(", ")}.` : `All ${grouped(rows.length)} steps are alike.`;
  return h("p", { class: "verdict", role: "status" }, text);
}
