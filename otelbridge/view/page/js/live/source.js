/**
 * The one connection to the server's stream of changes, wherever it is held: in the shared worker,
 * or in the tab that leads. A break is mended from the last cursor seen, sooner at first, then less
 * often; a connection that is silent for longer than two pings is taken for broken.
 *
 * @typedef {"connecting" | "live" | "lost" | "trouble"} Connection
 * @typedef {{ type: "state", state: Connection }
 *   | { type: "reset" }
 *   | { type: "change", cursor: number, data: import("../types.js").Change }
 *   | { type: "traces", data: { traces: import("../types.js").TraceSummary[] } }} Message
 */

const SILENCE_MS = 25_000;
const SOONEST_MS = 250;
const LATEST_MS = 4_000;

export class Source {
  /** @param {(message: Message) => void} tell */
  constructor(tell) {
    this.tell = tell;
    /** @type {Connection} */
    this.state = "connecting";
    this.cursor = "";
    this.wait = SOONEST_MS;
    /** @type {EventSource | null} */
    this.stream = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.watch = undefined;
    this.open();
  }

  open() {
    const stream = new EventSource(this.cursor ? `/api/live?after=${this.cursor}` : "/api/live");
    this.stream = stream;
    stream.onopen = () => this.heard("");
    stream.onerror = () => this.broken();
    stream.addEventListener("ping", (event) => this.heard(event.lastEventId));
    stream.addEventListener("change", (event) => {
      this.heard(event.lastEventId);
      this.tell({ type: "change", cursor: Number(event.lastEventId), data: JSON.parse(event.data) });
    });
    stream.addEventListener("reset", (event) => {
      this.heard(event.lastEventId);
      this.tell({ type: "reset" });
    });
    stream.addEventListener("trouble", () => {
      this.become("trouble");
      this.watchAgain();
    });
    stream.addEventListener("traces", (event) => {
      this.heard(event.lastEventId);
      this.tell({ type: "traces", data: JSON.parse(event.data) });
    });
    this.watchAgain();
  }

  /** @param {string} cursor */
  heard(cursor) {
    if (cursor) this.cursor = cursor;
    this.wait = SOONEST_MS;
    this.become("live");
    this.watchAgain();
  }

  watchAgain() {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.broken(), SILENCE_MS);
  }

  broken() {
    this.stream?.close();
    clearTimeout(this.watch);
    this.become("lost");
    this.watch = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, LATEST_MS);
  }

  /** @param {Connection} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell({ type: "state", state });
  }

  close() {
    this.stream?.close();
    clearTimeout(this.watch);
  }
}
