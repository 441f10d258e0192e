/** What a span does, for its colour: known by its run's type or by the conventions' attributes. */

/** @import { SpanRecord } from "../types.js" */

/** @typedef {"model" | "tool" | "retriever" | "agent" | "remote" | "step"} Category */

/** @type {Record<string, Category>} */
const OPERATIONS = {
  chat: "model",
  text_completion: "model",
  generate_content: "model",
  embeddings: "model",
  execute_tool: "tool",
  retrieval: "retriever",
  invoke_agent: "agent",
  create_agent: "agent",
};

/** @type {Record<string, Category>} */
const RUN_TYPES = { llm: "model", chat_model: "model", tool: "tool", retriever: "retriever", agent: "agent" };

/** @type {Record<Category, string>} */
export const CATEGORY_WORDS = {
  model: "Model",
  tool: "Tool",
  retriever: "Retriever",
  agent: "Agent",
  remote: "Remote call",
  step: "Step",
};

/**
 * @param {SpanRecord} span
 * @returns {Category}
 */
export function category({ attributes, run_type, kind }) {
  const operation = attributes["gen_ai.operation.name"];
  const known = typeof operation === "string" ? OPERATIONS[operation] : undefined;
  if (known) return known;
  if (run_type && RUN_TYPES[run_type]) return RUN_TYPES[run_type];
  return kind === "client" || kind === "producer" ? "remote" : "step";
}
