/** How a span or a trace stands, as a small labelled mark. */

import { h } from "./dom.js";

/**
 * @typedef {"running" | "lost" | "error" | "cancelled" | "closed" | "interrupted" | "ok"} Standing
 */

/**
 * @param {{ state: string, status: string, outcome: string | null }} it
 * @returns {Standing}
 */
export function standing({ state, status, outcome }) {
  if (state === "running") return "running";
  if (status === "error") return "error";
  if (state === "lost") return "lost";
  if (outcome === "cancelled" || outcome === "closed" || outcome === "interrupted") return outcome;
  return "ok";
}

/** @type {Record<Standing, string>} */
export const WORDS = {
  running: "Running",
  lost: "Lost",
  error: "Error",
  cancelled: "Cancelled",
  closed: "Closed early",
  interrupted: "Interrupted",
  ok: "OK",
};

/** @type {Partial<Record<Standing, string>>} */
const WHY = {
  lost: "Its process ended while it was running",
  closed: "Its consumer stopped reading before the end",
  interrupted: "It waits to be resumed",
};

/**
 * @param {Standing} kind
 * @returns {HTMLElement}
 */
export function chip(kind) {
  return h("span", { class: "chip", "data-standing": kind, title: WHY[kind] ?? null }, h("span", { class: "chip-dot" }), h("span", { class: "chip-word" }, WORDS[kind]));
}
