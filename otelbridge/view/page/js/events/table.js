/** Events as a table: searched, saved, and drawn only where they are seen. */

import { h, setAttribute, setText } from "../dom.js";
import { download } from "../download.js";
import { icon } from "../icons.js";
import { line, nameOf } from "../text.js";
import { grouped, precise } from "../time.js";
import { VirtualRows } from "../virtual.js";
import { eventData, json } from "../values.js";
import { eventDetail } from "./detail.js";
import { eventOf, listing, matching } from "./listing.js";
import { toCsv, toJson } from "./save.js";

/** @import { Node } from "../trace/node.js" */
/** @import { Entry } from "./listing.js" */

const ROW = 30; // px

/**
 * @typedef {object} Options
 * @property {boolean} withSpan a column for the span's name
 * @property {() => string} name of a file that is saved
 * @property {(node: Node, place: number) => void} onSelect
 */

export class EventTable {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    /** @type {Entry[]} */
    this.all = [];
    this.total = 0; // with those that are still being read
    /** @type {Entry[]} */
    this.shown = [];
    /** @type {{ node: Node, place: number } | null} */
    this.selected = null;
    this.search = h("input", { type: "search", placeholder: "Filter events", "aria-label": "Filter events", autocomplete: "off", spellcheck: "false" });
    this.count = h("span", { class: "dim count", role: "status" });
    const save = (/** @type {string} */ text, /** @type {() => void} */ act) => h("button", { type: "button", class: "button small", onclick: act, "aria-label": `Save as ${text}`, title: `Save as ${text}` }, icon("download"), text);
    const bar = h("div", { class: "events-bar" }, h("div", { class: "search" }, icon("search"), this.search), this.count, save("CSV", () => this.save("csv")), save("JSON", () => this.save("json")));
    const heads = ["Time", ...(options.withSpan ? ["Span"] : []), "Event", "Data"];
    const head = h("div", { class: "event-row head", role: "row", "aria-rowindex": "1" }, ...heads.map((text) => h("div", { role: "columnheader", class: `event-${text.toLowerCase()}` }, text)));
    this.scroller = h("div", { class: "events-scroll", role: "grid", tabindex: "0", "aria-label": "Events" }, head);
    this.rows = new VirtualRows({ scroller: this.scroller, height: ROW, create: () => this.createRow(), update: (row, at) => this.updateRow(row, at) });
    this.scroller.append(this.rows.element);
    this.detail = h("div", { class: "event-detail", hidden: true });
    this.empty = h("p", { class: "empty" });
    this.element = h("div", { class: `events${options.withSpan ? " with-span" : ""}` }, bar, this.empty, this.scroller, this.detail);
    this.search.addEventListener("input", () => this.filter());
    this.scroller.addEventListener("click", (event) => this.click(event));
    this.scroller.addEventListener("keydown", (event) => this.key(event));
  }

  dispose() {
    this.rows.dispose();
  }

  /** @param {Node[]} nodes whose events are listed */
  show(nodes) {
    this.all = listing(nodes);
    this.total = nodes.reduce((sum, node) => sum + node.eventCount, 0);
    this.filter();
  }

  filter() {
    this.shown = matching(this.all, this.search.value);
    const [many, all] = [grouped(this.shown.length), grouped(this.all.length)];
    const coming = this.all.length < this.total ? `, reading ${grouped(this.total)} …` : "";
    setText(this.count, `${many === all ? all : `${many} of ${all}`}${coming}`);
    setAttribute(this.scroller, "aria-rowcount", String(this.shown.length + 1));
    this.scroller.hidden = this.shown.length === 0;
    this.empty.hidden = this.shown.length > 0;
    this.empty.textContent = this.all.length ? "No event has these words." : "No events here. Dispatch one in your code: dispatch_custom_event(\"progress\", {\"done\": 3})";
    this.rows.setCount(this.shown.length);
  }

  /**
   * @param {Node} node
   * @param {number | null} place
   */
  select(node, place) {
    const entry = place === null ? undefined : node.events[place];
    this.selected = entry && place !== null ? { node, place } : null;
    this.detail.hidden = !this.selected;
    this.detail.replaceChildren();
    if (this.selected) this.detail.append(eventDetail(this.selected.node, this.selected.place));
    const at = this.at();
    if (at >= 0) this.rows.reveal(at, "center");
    this.rows.refresh();
  }

  /** @returns {number} the row that is selected; -1 without */
  at() {
    const { selected } = this;
    return selected ? this.shown.findIndex((it) => it.node === selected.node && it.place === selected.place) : -1;
  }

  createRow() {
    const cells = ["time", ...(this.options.withSpan ? ["span"] : []), "event", "data"];
    return h("div", { class: "event-row", role: "row" }, ...cells.map((kind) => h("div", { role: "gridcell", class: `event-${kind}` })));
  }

  /** @param {HTMLElement} row @param {number} at */
  updateRow(row, at) {
    const entry = this.shown[at];
    if (!entry) return;
    const event = eventOf(entry);
    const { data, rest } = eventData(event);
    const shown = data === undefined ? rest : data;
    const isEmpty = typeof shown === "object" && shown !== null && Object.keys(shown).length === 0;
    const texts = [`+${precise(entry.time - (this.options.withSpan ? 0 : entry.node.start))}`, ...(this.options.withSpan ? [nameOf(entry.node.span.name)] : []), nameOf(event.name), isEmpty ? "" : line(typeof shown === "string" ? shown : json(shown, 0), 240)];
    texts.forEach((text, n) => setText(/** @type {Element} */ (row.children[n]), text));
    row.dataset.at = String(at);
    row.classList.toggle("exception", event.name === "exception");
    setAttribute(row, "aria-rowindex", String(at + 2));
    setAttribute(row, "aria-selected", String(this.selected?.node === entry.node && this.selected.place === entry.place));
  }

  /** @param {MouseEvent} event */
  click(event) {
    const row = event.target instanceof Element ? event.target.closest(".event-row") : null;
    if (row instanceof HTMLElement && row.dataset.at) this.pick(Number(row.dataset.at));
  }

  /** @param {number} at */
  pick(at) {
    const entry = this.shown[at];
    if (!entry) return;
    this.select(entry.node, entry.place);
    this.options.onSelect(entry.node, entry.place);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.at();
    const to = at < 0 && Number.isFinite(by) ? 0 : at + by;
    this.pick(Math.max(0, Math.min(this.shown.length - 1, to)));
  }

  /** @param {"csv" | "json"} kind */
  save(kind) {
    const name = `${this.options.name()}.${kind}`;
    if (kind === "csv") download(name, "text/csv", toCsv(this.shown));
    else download(name, "application/json", toJson(this.shown));
  }
}
