/** One event whole: its data as JSON, or its exception with the stack. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { jsonView } from "../json_view.js";
import { exceptionView } from "../panel/exception.js";
import { traceAddress } from "../router.js";
import { nameOf } from "../text.js";
import { clock, duration } from "../time.js";
import { eventData } from "../values.js";

/** @import { Node } from "../trace/node.js" */

/**
 * @param {Node} node
 * @param {number} place
 * @returns {HTMLElement}
 */
export function eventDetail(node, place) {
  const event = node.events[place];
  if (!event) return h("div", {});
  const { data, rest } = eventData(event);
  const address = () => location.origin + traceAddress(node.span.trace_id, node.span.span_id, place);
  const head = h(
    "header",
    {},
    h("h3", {}, h("bdi", {}, nameOf(event.name))),
    copyButton(address, "Copy a link to this event"),
    h("span", { class: "dim" }, `${clock(event.time_ns)}, ${duration((node.times[place] ?? 0) - node.start)} after the span's start`),
  );
  const parts = [];
  if (event.name === "exception") parts.push(exceptionView(event.attributes));
  if (data !== undefined) parts.push(jsonView(data, "Copy the data as JSON"));
  if (Object.keys(rest).length && event.name !== "exception") parts.push(jsonView(rest, "Copy the attributes as JSON"));
  if (parts.length === 0) parts.push(h("p", { class: "dim" }, "It carries no data."));
  if (event.dropped_attributes) parts.push(h("p", { class: "dim" }, `${event.dropped_attributes} attributes were dropped before it was stored.`));
  return h("article", { class: "event-article", "aria-label": "Event" }, head, ...parts);
}
