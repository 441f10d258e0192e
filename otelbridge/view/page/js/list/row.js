/** One trace in the list. */

import { now } from "../api.js";
import { chip, standing } from "../chips.js";
import { h, setText } from "../dom.js";
import { traceAddress } from "../router.js";
import { line, nameOf } from "../text.js";
import { after, ago, clock, duration, grouped, milliseconds, whole } from "../time.js";

/** @import { TraceSummary } from "../types.js" */

/**
 * @param {TraceSummary} trace
 * @param {boolean} chosen for comparison
 * @param {(trace: TraceSummary, chosen: boolean) => void} choose
 * @returns {HTMLTableRowElement}
 */
export function traceRow(trace, chosen, choose) {
  const name = nameOf(trace.name);
  const box = h("input", { type: "checkbox", "aria-label": `Choose ${name} to compare`, checked: chosen, tabindex: "-1" });
  box.addEventListener("change", () => choose(trace, box.checked));
  const kind = standing(trace);
  const row = h(
    "tr",
    { "data-trace": trace.trace_id, "data-standing": kind },
    h("td", { class: "col-choose" }, box),
    h("td", { class: "col-name" }, h("a", { class: "trace-link", href: traceAddress(trace.trace_id), title: name }, h("bdi", {}, name)), h("span", { class: "trace-id" }, trace.trace_id.slice(0, 8))),
    h("td", { class: "col-service" }, h("bdi", { title: line(trace.service) }, line(trace.service, 60))),
    h("td", { class: "col-status" }, chip(kind), also(trace)),
    h("td", { class: "col-duration number" }, h("span", { class: "duration" })),
    h("td", { class: "col-spans number" }, grouped(trace.spans)),
    h("td", { class: "col-events number" }, trace.events ? h("span", { class: "events-count" }, grouped(trace.events)) : h("span", { class: "none" }, "–")),
    h("td", { class: "col-tokens number" }, tokens(trace)),
    h("td", { class: "col-start number", title: whole(trace.start_ns) }, h("span", { class: "clock" }, clock(trace.start_ns)), h("span", { class: "ago" })),
  );
  tick(row, trace);
  return row;
}

/** @param {TraceSummary} trace */
function also(trace) {
  const handled = trace.status !== "error" && trace.errors > 0;
  return handled && h("span", { class: "also", title: "Spans that failed within" }, `${grouped(trace.errors)} failed`);
}

/** @param {TraceSummary} trace */
function tokens(trace) {
  if (trace.input_tokens === null && trace.output_tokens === null) return h("span", { class: "none" }, "–");
  const [into, out] = [trace.input_tokens ?? 0, trace.output_tokens ?? 0];
  return h("span", { title: `${grouped(into)} in, ${grouped(out)} out` }, `${grouped(into)} → ${grouped(out)}`);
}

/**
 * Bring what grows with time up to date.
 *
 * @param {HTMLElement} row
 * @param {TraceSummary} trace
 */
export function tick(row, trace) {
  const time = row.querySelector(".duration");
  const age = row.querySelector(".ago");
  const took = lasted(trace);
  if (time) setText(time, took === null ? "–" : duration(took));
  if (age) setText(age, ago(trace.start_ns, now()));
}

/**
 * @param {TraceSummary} trace
 * @returns {number | null} ns, until now while it runs; null where its end is not known
 */
export function lasted(trace) {
  if (trace.end_ns !== null) return after(trace.end_ns, BigInt(trace.start_ns));
  if (trace.state !== "running") return null;
  return Math.max(0, (now() - milliseconds(trace.start_ns)) * 1e6);
}
