/** The page of one trace: it reads it, keeps it up to date, and says so where there is none. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { listen } from "../live/client.js";
import { failure, notice } from "../notice.js";
import { note } from "../router.js";
import { TraceModel } from "./model.js";
import { readRest } from "./rest.js";
import { TraceView } from "./view.js";

/** @import { Message } from "../live/client.js" */
/** @import { TraceAnswer } from "../types.js" */

const SETTLE_MS = 400;

class TracePage {
  /** @param {HTMLElement} root @param {string} id whole, its beginning, or `last` */
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.disposed = false;
    /** @type {TraceView | null} */
    this.view = null;
    /** @type {Message[]} those that came while the trace was being read */
    this.early = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
    this.end = listen((message) => this.hear(message));
    this.root.append(h("p", { class: "loading", role: "status" }, "Reading the trace …"));
    void this.read();
  }

  dispose() {
    this.disposed = true;
    this.end();
    clearTimeout(this.soon);
    this.view?.dispose();
  }

  async read() {
    const answer = await api.trace(this.id).catch((error) => this.missing(error));
    if (!answer || this.disposed) return;
    if (this.view) this.again(answer);
    else this.begin(answer);
    const early = this.early;
    this.early = [];
    early.forEach((message) => this.hear(message));
  }

  /** @param {unknown} error */
  missing(error) {
    if (this.disposed || this.view) return null;
    document.title = "Trace · otelbridge";
    const known = error instanceof api.ApiError && error.status === 404;
    const text = error instanceof Error ? error.message : "";
    const next = h("div", { class: "actions" }, h("a", { href: "/", class: "button primary" }, "All traces"));
    this.root.replaceChildren(known ? notice("This trace is not here", `${text} As soon as something of it arrives, it is shown.`, next) : failure(error));
    return null;
  }

  /** @param {TraceAnswer} answer */
  begin(answer) {
    this.id = answer.summary.trace_id;
    note(`/trace/${this.id}${location.search}`);
    this.root.replaceChildren();
    const asked = new URLSearchParams(location.search);
    this.view = new TraceView(this.root, new TraceModel(answer));
    const node = this.view.model.nodes.get(asked.get("span") ?? "");
    const event = asked.get("event");
    if (node) this.view.select(node, event === null || !/^\d+$/.test(event) ? null : Number(event), true, "center");
  }

  /** @param {TraceAnswer} answer */
  again(answer) {
    const view = this.view;
    if (!view) return;
    view.model.replace(answer);
    view.later({ rows: true, panel: true });
    void readRest(view.model, view.gone.signal, () => view.later({ rows: true, panel: true }));
  }

  readSoon() {
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      void this.read();
    }, SETTLE_MS);
  }

  /** @param {Message} message */
  hear(message) {
    if (message.type === "reset") void this.read();
    else if (message.type === "state") {
      if (message.state === "live") void this.read();
    } else if (!this.view) {
      this.hearEarly(message);
    } else if (message.type === "traces") {
      const summary = message.data.traces.find((it) => it.trace_id === this.id);
      if (!summary) return;
      this.view.model.summary = summary;
      this.view.later({ rows: true });
    } else if (message.data.trace_id === this.id) {
      const changed = this.view.model.apply(message.data, message.cursor);
      if (changed) this.view.later({ rows: true, panel: true });
      if (!this.view.model.isRunning()) this.readSoon(); // for the critical path and the sums
    }
  }

  /** @param {Message} message */
  hearEarly(message) {
    if (message.type !== "change") return;
    const same = message.data.trace_id.startsWith(this.id) || this.id === "last";
    if (!same) return;
    this.early.push(message);
    this.readSoon();
  }
}

/**
 * @param {HTMLElement} root
 * @param {string} id
 * @returns {import("../router.js").Mounted}
 */
export function tracePage(root, id) {
  return new TracePage(root, id);
}
