/**
 * Where there are no shared workers: the tab that gets the lock holds the stream and passes it on by
 * a broadcast channel; when it closes, the next tab gets the lock. Without locks each tab is its own.
 */

import { Source } from "./source.js";

const NAME = "otelbridge.live";

/**
 * @param {(message: import("./source.js").Message) => void} tell
 */
export function lead(tell) {
  if (!("locks" in navigator) || !("BroadcastChannel" in globalThis)) {
    new Source(tell);
    return;
  }
  const channel = new BroadcastChannel(NAME);
  /** @type {Source | null} */
  let source = null;
  channel.onmessage = ({ data }) => {
    if (data !== "hello") tell(data);
    else if (source) channel.postMessage({ type: "state", state: source.state });
  };
  channel.postMessage("hello");
  /** @param {import("./source.js").Message} message */
  const pass = (message) => {
    channel.postMessage(message);
    tell(message);
  };
  void navigator.locks.request(NAME, () => {
    pass({ type: "state", state: "connecting" }); // then "live": what came between is read again
    source = new Source(pass);
    return new Promise(() => {}); // held until the tab is gone
  });
}
