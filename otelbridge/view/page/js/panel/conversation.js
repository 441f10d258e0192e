/** What a model, tool or retriever was given and gave, as a conversation. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { jsonView } from "../json_view.js";
import { longText } from "../long_text.js";
import { short } from "../text.js";
import { grouped } from "../time.js";
import { isMap, json, readable } from "../values.js";
import { conversation, tokens } from "./messages.js";
import { section } from "./section.js";

/** @import { Attributes } from "../types.js" */
/** @import { Message, Part } from "./messages.js" */

/**
 * @param {Attributes} attributes of a span
 * @returns {HTMLElement[]} nothing where nothing was captured
 */
export function conversationView(attributes) {
  const messages = conversation(attributes);
  const found = [];
  if (messages.length) found.push(h("ol", { class: "messages" }, ...messages.map(bubble)));
  if (attributes["gen_ai.tool.call.arguments"] !== undefined) found.push(section("Arguments", jsonView(readable(attributes["gen_ai.tool.call.arguments"]))));
  if (attributes["gen_ai.tool.call.result"] !== undefined) found.push(section("Result", jsonView(readable(attributes["gen_ai.tool.call.result"]))));
  if (attributes["gen_ai.retrieval.query.text"] !== undefined) found.push(section("Query", longText(String(attributes["gen_ai.retrieval.query.text"]), "prose")));
  const documents = readable(attributes["gen_ai.retrieval.documents"]);
  if (Array.isArray(documents)) found.push(section(`Documents (${documents.length})`, ...documents.map(document_)));
  const definitions = readable(attributes["gen_ai.tool.definitions"]);
  if (Array.isArray(definitions)) found.push(section(`Tools offered (${definitions.length})`, jsonView(definitions)));
  return found;
}

/** @param {Attributes} attributes @returns {HTMLElement | null} */
export function tokensView(attributes) {
  const counts = tokens(attributes);
  if (counts.length === 0) return null;
  return h("dl", { class: "token-counts" }, ...counts.map(([name, count]) => h("div", {}, h("dt", {}, name), h("dd", {}, grouped(count)))));
}

/** @type {Record<string, string>} */
const ROLES = { user: "User", assistant: "Assistant", system: "System", tool: "Tool" };

/** @param {Message} message */
function bubble({ role, name, finish, answer, parts }) {
  const text = () => parts.map((it) => (typeof it.value === "string" ? it.value : json(it.value))).join("\n\n");
  return h(
    "li",
    { class: "message", "data-role": ROLES[role] ? role : "other", "data-answer": answer },
    h("header", {}, h("strong", {}, ROLES[role] ?? short(role, 40)), name ? h("span", { class: "dim" }, short(name, 60)) : null, finish && finish !== "stop" ? h("span", { class: "finish" }, short(finish, 40)) : null, copyButton(text, "Copy the message")),
    ...parts.map(drawPart),
  );
}

/** @param {Part} part */
function drawPart({ kind, title, value }) {
  switch (kind) {
    case "text":
      return prose(value);
    case "reasoning":
      return h("details", { class: "reasoning" }, h("summary", {}, "Reasoning"), prose(value));
    case "call":
      return h("div", { class: "tool-part" }, h("div", { class: "tool-title" }, "calls ", h("code", {}, short(title, 80))), jsonView(readable(value)));
    case "response":
      return h("div", { class: "tool-part" }, typeof value === "string" && typeof readable(value) === "string" ? prose(value) : jsonView(readable(value)));
    default:
      return h("div", { class: "tool-part" }, h("div", { class: "tool-title" }, short(title, 80)), jsonView(value));
  }
}

/** @param {unknown} value */
function prose(value) {
  return typeof value === "string" ? h("div", { class: "prose" }, longText(value)) : jsonView(value ?? null);
}

/** @param {unknown} it */
function document_(it) {
  if (!isMap(it)) return jsonView(it);
  const { content, id, score, ...rest } = it;
  const title = h("header", {}, h("code", {}, short(String(id ?? ""), 120)), typeof score === "number" ? h("span", { class: "dim" }, `score ${Number(score.toPrecision(4))}`) : null);
  return h("article", { class: "document" }, title, prose(content), Object.keys(rest).length ? jsonView(rest) : null);
}
