/** The sparkline with the stretch of time that it shows. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { clock } from "../time.js";
import { stretch, toApi } from "./query.js";
import { BUCKETS, Sparkline } from "./sparkline.js";

/** @import { Query } from "./query.js" */
/** @import { TraceSummary } from "../types.js" */

const SOON_MS = 1000;
const SHORTEST_NS = 60_000_000_000n;

export class LoadView {
  /**
   * @param {(from: string, to: string) => void} choose
   * @param {() => void} forget the stretch that was chosen
   */
  constructor(choose, forget) {
    this.spark = new Sparkline((from, to) => choose(String(from), String(to)));
    this.words = h("span", {});
    this.chosen = h("div", { class: "stretch", hidden: true }, this.words, h("button", { type: "button", class: "text-button", onclick: forget }, "Show all time"));
    this.element = h("section", { class: "load-section", "aria-label": "Load" }, this.spark.element, this.chosen);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.waiting = undefined;
  }

  /**
   * @param {Query} query
   * @param {TraceSummary[]} traces that are shown
   * @param {AbortSignal} [signal]
   */
  async refresh(query, traces, signal) {
    const now = BigInt(Math.ceil(api.now())) * 1_000_000n;
    const { since, until } = stretch(query, api.now());
    const oldest = traces.at(-1)?.start_ns;
    const to = until ? BigInt(until) : now;
    let from = since ? BigInt(since) : oldest ? BigInt(oldest) : to - SHORTEST_NS;
    if (!since && to - from < SHORTEST_NS) from = to - SHORTEST_NS;
    this.chosen.hidden = !query.from;
    this.words.textContent = query.from ? `${clock(query.from)} to ${clock(query.to)}` : "";
    const asked = toApi(query, api.now(), false);
    asked.set("since_ns", String(from));
    asked.set("until_ns", String(to));
    asked.set("buckets", String(BUCKETS));
    const { buckets } = await api.load(asked, signal);
    this.spark.show({ buckets, since: from, until: to });
  }

  /**
   * @param {Query} query
   * @param {() => TraceSummary[]} traces
   */
  soon(query, traces) {
    this.waiting ??= setTimeout(() => {
      this.waiting = undefined;
      if (this.element.isConnected) this.refresh(query, traces()).catch(() => {});
    }, SOON_MS);
  }
}
