/** The list of traces: live, filtered, newest first. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { addKeys } from "../keys.js";
import { listen } from "../live/client.js";
import { failure } from "../notice.js";
import { go, note, traceAddress } from "../router.js";
import { chooser } from "./chooser.js";
import { nothingMatches, nothingYet } from "./empty.js";
import { filters } from "./filters.js";
import { findWhere } from "./found.js";
import { LoadView } from "./load.js";
import { isFiltered, listAddress, readQuery, toApi } from "./query.js";
import { TraceTable } from "./table.js";

/** @import { Query } from "./query.js" */
/** @import { Mounted } from "../router.js" */

const PAGE = 50;
const SOON_MS = 400;

class ListPage {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.query = readQuery(location.search);
    this.asked = new AbortController();
    this.complete = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
    this.chooser = chooser(this.query.compare, () => this.change({ compare: "" }));
    this.table = new TraceTable((chosen) => this.chooser.show(chosen));
    this.load = new LoadView((from, to) => this.change({ from, to, since: "" }), () => this.change({ from: "", to: "" }));
    this.place = h("div", { class: "filters-place" });
    this.result = h("div", { class: "list-result" });
    this.end = h("div", { class: "list-end" });
    root.className = "list-page";
    root.append(h("h1", { class: "offscreen" }, "Traces"), this.place, this.load.element, this.result, this.end, this.chooser.element);
    document.title = "Traces · otelbridge";
    this.drawFilters();
    this.watchEnd = new IntersectionObserver((seen) => seen.some((it) => it.isIntersecting) && this.older(), { rootMargin: "400px" });
    this.ends = [listen((message) => this.hear(message)), addKeys(this.keys())];
    this.clock = setInterval(() => this.table.tick(), 1000);
    void this.refresh();
  }

  dispose() {
    this.asked.abort();
    this.ends.forEach((end) => end());
    this.watchEnd.disconnect();
    clearInterval(this.clock);
    clearTimeout(this.soon);
  }

  drawFilters() {
    const drawn = filters(this.query, (change) => this.change(change));
    this.search = drawn.search;
    this.place.replaceChildren(drawn.element);
  }

  /** @param {Partial<Query>} change */
  change(change) {
    this.query = { ...this.query, ...change };
    note(listAddress(this.query));
    void this.refresh();
  }

  clear() {
    this.query = readQuery("");
    note("/");
    this.drawFilters();
    void this.refresh();
  }

  /** Ask for the newest page again, and for the load. */
  async refresh() {
    this.asked.abort();
    const asked = (this.asked = new AbortController());
    clearTimeout(this.soon);
    this.soon = undefined;
    try {
      const { traces } = await api.traces(this.limited(), asked.signal);
      this.complete = traces.length < PAGE;
      this.table.replace(traces);
      this.show();
      await this.load.refresh(this.query, traces, asked.signal);
      await this.tellFound(asked.signal);
    } catch (error) {
      if (!asked.signal.aborted) this.result.replaceChildren(failure(error));
    }
  }

  /** @param {AbortSignal} signal */
  async tellFound(signal) {
    const found = await findWhere(this.query, [...this.table.shown.keys()], signal);
    if (!signal.aborted) this.table.tellFound(found, this.query.text);
  }

  limited() {
    const asked = toApi(this.query, api.now());
    asked.set("limit", String(PAGE));
    return asked;
  }

  show() {
    const empty = this.table.shown.size === 0;
    const none = isFiltered(this.query) ? nothingMatches(() => this.clear()) : nothingYet();
    // What is moved loses the focus, so a table that is there stays.
    if (empty) this.result.replaceChildren(none);
    else if (!this.table.element.isConnected) this.result.replaceChildren(this.table.element);
    this.load.element.hidden = empty && !isFiltered(this.query);
    this.end.textContent = empty || this.complete ? "" : "Loading older traces …";
    this.watchEnd.disconnect();
    if (!this.complete && !empty) this.watchEnd.observe(this.end);
  }

  async older() {
    const oldest = this.table.traces().at(-1);
    if (!oldest || this.complete) return;
    this.watchEnd.disconnect();
    const asked = this.limited();
    asked.set("before", oldest.trace_id);
    const signal = this.asked.signal;
    const answer = await api.traces(asked, signal).catch(() => null);
    if (!answer || signal.aborted) return;
    this.complete = answer.traces.length < PAGE;
    this.table.merge(answer.traces);
    this.show();
    await this.tellFound(signal).catch(() => {});
  }

  /** @param {import("../live/client.js").Message} message */
  hear(message) {
    if (message.type === "reset" || (message.type === "state" && message.state === "live")) void this.refresh();
    if (message.type !== "traces") return;
    if (isFiltered(this.query)) {
      this.soon ??= setTimeout(() => this.refresh(), SOON_MS);
      return;
    }
    const wasEmpty = this.table.shown.size === 0;
    const oldest = this.table.traces().at(-1);
    const known = message.data.traces.filter((it) => this.complete || !oldest || this.table.shown.has(it.trace_id) || BigInt(it.start_ns) >= BigInt(oldest.start_ns));
    this.table.merge(known, true);
    if (wasEmpty) this.show();
    this.load.soon(this.query, () => this.table.traces());
  }

  /** @returns {import("../keys.js").Shortcut[]} */
  keys() {
    const open = (/** @type {(id: string) => void} */ act) => {
      const id = this.table.focused();
      if (id) act(id);
    };
    return [
      { keys: ["j", "ArrowDown"], does: "Next trace", run: () => this.table.moveFocus(1) },
      { keys: ["k", "ArrowUp"], does: "Previous trace", run: () => this.table.moveFocus(-1) },
      { keys: ["Enter", "o"], does: "Open the trace", run: () => this.pressed(() => open((id) => go(traceAddress(id)))) },
      { keys: ["x"], does: "Choose it for comparing", run: () => open((id) => this.table.choose(id, !this.table.chosen.includes(id))) },
      { keys: ["c"], does: "Compare the two that are chosen", run: () => this.chooser.compare() },
      { keys: ["/"], does: "Search", run: () => this.search?.focus() },
      { keys: ["Escape"], does: "Leave the search, clear the filters", run: () => this.escape() },
    ];
  }

  /** @param {() => void} act unless a button has the focus, which is pressed then */
  pressed(act) {
    const active = document.activeElement;
    if (active instanceof HTMLButtonElement) active.click();
    else if (active instanceof HTMLAnchorElement) active.click();
    else act();
  }

  escape() {
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
    else if (isFiltered(this.query)) this.clear();
  }
}

/**
 * @param {HTMLElement} root
 * @returns {Mounted}
 */
export function listPage(root) {
  return new ListPage(root);
}
