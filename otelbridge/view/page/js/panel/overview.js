/** What a span is: its error, its run, its model's tokens, its attributes, its links. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { jsonView } from "../json_view.js";
import { traceAddress } from "../router.js";
import { short } from "../text.js";
import { readable } from "../values.js";
import { tokensView } from "./conversation.js";
import { exceptionView } from "./exception.js";
import { properties, section } from "./section.js";

/** @import { Attributes, LinkRecord, SpanRecord } from "../types.js" */
/** @import { TraceModel } from "../trace/model.js" */
/** @import { Node as SpanNode } from "../trace/node.js" */

const METADATA = "otelbridge.run.metadata.";
// They have a place of their own: in the run's section, or as a conversation.
const PLACED = /^otelbridge\.run\.(id|type|tags|outcome|input|output|metadata\.)|^gen_ai\.(input\.messages|output\.messages|system_instructions|tool\.definitions|tool\.call\.(arguments|result)|retrieval\.(documents|query\.text))$/;

/**
 * @param {TraceModel} model
 * @param {SpanNode} node
 * @returns {HTMLElement[]}
 */
export function overview(model, node) {
  const { span } = node;
  const { attributes } = span;
  const rest = Object.fromEntries(Object.entries(attributes).filter(([key]) => !PLACED.test(key)));
  const tokens = tokensView(attributes);
  const found = [
    ...failures(node),
    ...run(span),
    ...(tokens ? [section("Tokens", tokens)] : []),
    ...content(attributes, "otelbridge.run.input", "Input"),
    ...content(attributes, "otelbridge.run.output", "Output"),
    ...(Object.keys(rest).length ? [section("Attributes", properties(rest))] : []),
    ...(span.links.length ? [section("Links", h("ul", { class: "links" }, ...span.links.map(link)))] : []),
    ...dropped(span),
    section("Where it comes from", properties(origin(span)), more("Resource", model.resourceOf(node))),
  ];
  return found;
}

/** @param {SpanNode} node */
function failures({ span, events }) {
  const records = events.filter((it) => it.name === "exception");
  const views = records.slice(-3).map((it) => exceptionView(it.attributes));
  if (span.status === "error" && views.length === 0) {
    views.push(exceptionView({ "exception.type": span.attributes["error.type"] ?? "Error", "exception.message": span.status_message || "No reason was given." }));
  }
  return views.length ? [section(span.status === "error" ? "Error" : "Exception", ...views)] : [];
}

/** @param {SpanRecord} span */
function run({ run_id, run_type, outcome, attributes }) {
  if (run_id === null) return [];
  const tags = attributes["otelbridge.run.tags"];
  const metadata = Object.fromEntries(
    Object.entries(attributes).filter(([key]) => key.startsWith(METADATA)).map(([key, value]) => [key.slice(METADATA.length), readable(value)]),
  );
  const id = h("div", { class: "run-line" }, h("span", { class: "dim" }, "Run id"), h("code", {}, short(run_id, 80)), copyButton(() => run_id, "Copy the run id"));
  const kind = run_type ? h("div", { class: "run-line" }, h("span", { class: "dim" }, "Type"), h("span", {}, short(run_type, 60))) : null;
  const ended = outcome ? h("div", { class: "run-line" }, h("span", { class: "dim" }, "Outcome"), h("span", {}, short(outcome, 60))) : null;
  const list = Array.isArray(tags) && tags.length ? h("div", { class: "run-line" }, h("span", { class: "dim" }, "Tags"), h("div", { class: "tags" }, ...tags.map(tag))) : null;
  const data = Object.keys(metadata).length ? h("div", { class: "run-metadata" }, h("span", { class: "dim" }, "Metadata"), jsonView(metadata, "Copy the metadata as JSON")) : null;
  return [section("Run", h("div", { class: "run" }, id, kind, ended, list, data))];
}

/** @param {unknown} it */
function tag(it) {
  const text = String(it);
  return h("a", { class: "tag", href: `/?tag=${encodeURIComponent(text)}`, title: "Traces with this tag" }, short(text, 60));
}

/** @param {Attributes} attributes @param {string} key @param {string} title */
function content(attributes, key, title) {
  return attributes[key] === undefined ? [] : [section(title, jsonView(readable(attributes[key])))];
}

/** @param {LinkRecord} it */
function link({ trace_id, span_id, attributes }) {
  const kind = attributes["otelbridge.link.type"];
  const text = h("span", {}, typeof kind === "string" ? `${short(kind, 40)} ` : "", h("code", {}, `${trace_id.slice(0, 8)} / ${span_id.slice(0, 8)}`));
  return h("li", {}, h("a", { href: traceAddress(trace_id, span_id) }, text), Object.keys(attributes).length ? properties(attributes) : null);
}

/** @param {SpanRecord} span */
function dropped({ dropped_attributes, dropped_events, dropped_links }) {
  const parts = [[dropped_attributes, "attributes"], [dropped_events, "events"], [dropped_links, "links"]].filter(([count]) => count);
  if (parts.length === 0) return [];
  return [h("p", { class: "dim" }, `Dropped before it was stored: ${parts.map((it) => it.join(" ")).join(", ")}.`)];
}

/** @param {SpanRecord} span @returns {Attributes} */
function origin({ service, scope, scope_version, kind, span_id, parent_id, trace_id }) {
  return { service, scope: scope_version ? `${scope} ${scope_version}` : scope, kind, span_id, ...(parent_id ? { parent_id } : {}), trace_id };
}

/** @param {string} title @param {Attributes} values */
function more(title, values) {
  return Object.keys(values).length ? h("details", { class: "more" }, h("summary", {}, title), properties(values)) : null;
}
