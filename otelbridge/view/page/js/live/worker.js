/** A shared worker: it holds the stream for every tab of this browser, as long as there is one. */

import { Source } from "./source.js";

/** @type {Set<MessagePort>} */
const tabs = new Set();

/** @type {Source | null} */
let source = null;

/** @param {import("./source.js").Message} message */
function tell(message) {
  for (const tab of tabs) tab.postMessage(message);
}

/** @param {MessagePort} tab */
function join(tab) {
  tabs.add(tab);
  source ??= new Source(tell);
  tab.postMessage({ type: "state", state: source.state });
}

/** @param {MessagePort} tab */
function leave(tab) {
  tabs.delete(tab);
  if (tabs.size > 0) return;
  source?.close();
  source = null;
}

const scope = /** @type {{ onconnect: ((event: MessageEvent) => void) | null }} */ (
  /** @type {unknown} */ (globalThis)
);

scope.onconnect = (event) => {
  const tab = event.ports[0];
  if (!tab) return;
  tab.onmessage = ({ data }) => (data === "leave" ? leave(tab) : join(tab));
  join(tab);
};
