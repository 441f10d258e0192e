/**
 * What a tab hears of the server's changes. Browsers allow six connections a host, so all tabs share
 * one stream.
 */

import { lead } from "./leader.js";

/** @typedef {import("./source.js").Message} Message */
/** @typedef {import("./source.js").Connection} Connection */

/** @type {Set<(message: Message) => void>} */
const listeners = new Set();

/** @type {Connection} */
let state = "connecting";

/** @param {Message} message */
function hear(message) {
  if (message.type === "state") {
    if (message.state === state) return;
    state = message.state;
  }
  for (const listener of [...listeners]) listener(message);
}

/** @returns {Connection} */
export function connection() {
  return state;
}

/**
 * @param {(message: Message) => void} listener
 * @returns {() => void} ends it
 */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Begin to hear; once a tab. */
export function start() {
  if (!("SharedWorker" in globalThis)) {
    lead(hear);
    return;
  }
  const worker = new SharedWorker("/static/js/live/worker.js", { type: "module", name: "otelbridge" });
  worker.port.onmessage = ({ data }) => hear(data);
  addEventListener("pagehide", () => worker.port.postMessage("leave"));
  addEventListener("pageshow", (event) => event.persisted && worker.port.postMessage("join"));
}
