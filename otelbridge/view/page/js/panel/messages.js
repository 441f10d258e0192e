/**
 * What models were asked and answered, read from the attributes of the GenAI conventions
 * (https://github.com/open-telemetry/semantic-conventions/tree/v1.41.1/docs/gen-ai). Nothing of it is
 * trusted to have its shape.
 */

import { isMap, readable } from "../values.js";

/** @import { Attributes } from "../types.js" */

/**
 * @typedef {object} Part
 * @property {"text" | "reasoning" | "call" | "response" | "other"} kind
 * @property {string} title of a call or response: the tool's name or id; else the type
 * @property {unknown} value
 *
 * @typedef {object} Message
 * @property {string} role
 * @property {string} name
 * @property {string} finish why it ended
 * @property {boolean} answer of this span's model
 * @property {Part[]} parts
 */

/**
 * @param {Attributes} attributes of a span
 * @returns {Message[]}
 */
export function conversation(attributes) {
  const system = listOf(attributes["gen_ai.system_instructions"]);
  return [
    ...(system.length ? [{ role: "system", name: "", finish: "", answer: false, parts: system.map(part) }] : []),
    ...listOf(attributes["gen_ai.input.messages"]).map((it) => message(it, false)),
    ...listOf(attributes["gen_ai.output.messages"]).map((it) => message(it, true)),
  ];
}

/** @param {unknown} value @returns {unknown[]} */
function listOf(value) {
  const found = readable(value);
  if (Array.isArray(found)) return found;
  return found === undefined || found === null ? [] : [found];
}

/** @param {unknown} it @param {boolean} answer @returns {Message} */
function message(it, answer) {
  if (!isMap(it)) return { role: answer ? "assistant" : "user", name: "", finish: "", answer, parts: [{ kind: "text", title: "", value: it }] };
  const parts = Array.isArray(it.parts) ? it.parts : it.content === undefined ? [] : [{ type: "text", content: it.content }];
  return { role: word(it.role) || "user", name: word(it.name), finish: word(it.finish_reason), answer, parts: parts.map(part) };
}

/** @param {unknown} it @returns {Part} */
function part(it) {
  if (!isMap(it)) return { kind: "text", title: "", value: it };
  switch (it.type) {
    case "text":
    case "reasoning":
      return { kind: it.type, title: "", value: it.content };
    case "tool_call":
    case "server_tool_call":
      return { kind: "call", title: word(it.name), value: it.arguments ?? it.server_tool_call };
    case "tool_call_response":
    case "server_tool_call_response":
      return { kind: "response", title: word(it.id), value: plain(it.response ?? it.server_tool_call_response ?? it.result) };
    default:
      return { kind: "other", title: word(it.type) || "part", value: it };
  }
}

/** @param {unknown} value @returns {unknown} parts that are all text, as that text */
function plain(value) {
  if (!Array.isArray(value) || !value.every((it) => isMap(it) && it.type === "text" && typeof it.content === "string")) return value;
  return value.map((it) => it.content).join("\n");
}

/** @param {unknown} value */
function word(value) {
  return typeof value === "string" ? value : "";
}

/**
 * @param {Attributes} attributes
 * @returns {[string, number][]} kinds of tokens, with their counts
 */
export function tokens(attributes) {
  return TOKENS.flatMap(([key, name]) => {
    const count = attributes[`gen_ai.usage.${key}`];
    return typeof count === "number" ? [/** @type {[string, number]} */ ([name ?? "", count])] : [];
  });
}

const TOKENS = [
  ["input_tokens", "Input"],
  ["output_tokens", "Output"],
  ["cache_read.input_tokens", "Read from cache"],
  ["cache_creation.input_tokens", "Written to cache"],
  ["cache_write.input_tokens", "Written to cache"],
  ["reasoning.output_tokens", "Reasoning"],
];
