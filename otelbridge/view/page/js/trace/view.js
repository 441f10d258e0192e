/** The trace page once its trace is here: header, tools, waterfall or table of events, and the panel. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { EventTable } from "../events/table.js";
import { addKeys } from "../keys.js";
import { Panel } from "../panel/panel.js";
import { note, traceAddress } from "../router.js";
import { TraceHeader } from "./header.js";
import { traceKeys } from "./keys.js";
import { Overview } from "./overview.js";
import { readRest } from "./rest.js";
import { Timeline } from "./timeline.js";
import { toolbar } from "./toolbar.js";
import { Waterfall } from "./waterfall.js";

/** @import { TraceModel } from "./model.js" */
/** @import { Node } from "./node.js" */

const FRAME_MS = 66; // between two drawings of what grows
const STILL_MS = 500; // for readers who want little motion
const OVERVIEW_MS = 500; // and of its overview

export class TraceView {
  /**
   * @param {HTMLElement} root
   * @param {TraceModel} model
   */
  constructor(root, model) {
    this.model = model;
    this.gone = new AbortController();
    this.pending = { rows: false, panel: false };
    this.overviewAt = 0;
    /** @type {number | null} */
    this.frame = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.growth = undefined;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.timeline = new Timeline(() => this.moved());
    this.header = new TraceHeader(model);
    this.overview = new Overview(this.timeline);
    this.waterfall = new Waterfall(model, this.timeline, (node, event) => this.select(node, event, true));
    this.table = new EventTable({ withSpan: true, name: () => `${model.id.slice(0, 8)}-events`, onSelect: (node, event) => this.select(node, event, false) });
    this.panel = new Panel(model, { close: () => this.closePanel(), select: (node, event) => this.select(node, event, true) });
    this.tools = toolbar({
      view: (view) => this.show(view),
      nextError: () => this.nextError(),
      errorsFirst: (on) => this.errorsFirst(on),
      critical: (on) => this.showCritical(on),
      zoom: (factor) => this.timeline.zoom(factor),
      fit: () => this.timeline.fit(),
      foldAll: (folded) => this.foldAll(folded),
    });
    this.main = h("section", { class: "trace-main", "aria-label": "Waterfall" }, this.overview.element, this.waterfall.element);
    this.events = h("section", { class: "trace-events", "aria-label": "Events", hidden: true }, this.table.element);
    this.body = h("div", { class: "trace-body" }, h("div", { class: "trace-views" }, this.main, this.events), this.panel.element);
    root.className = "trace-page";
    root.append(this.header.element, this.tools.element, this.body);
    this.tools.shows("waterfall");
    this.keys = addKeys(traceKeys(this));
    this.resized = new ResizeObserver(() => this.overview.show(model.tree.rows(), this.now()));
    this.resized.observe(this.overview.element);
    document.addEventListener("themechange", () => this.rebuild(), { signal: this.gone.signal });
    this.waterfall.measure();
    this.rebuild();
    this.later({ rows: true });
    void readRest(model, this.gone.signal, () => this.later({ rows: true, panel: true }));
  }

  dispose() {
    this.gone.abort();
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    clearTimeout(this.growth);
    this.keys();
    this.resized.disconnect();
    this.waterfall.dispose();
    this.table.dispose();
    this.panel.dispose();
  }

  now() {
    return this.model.at(api.now());
  }

  /** @param {{ rows?: boolean, panel?: boolean }} what is to be drawn with the next frame */
  later(what) {
    this.pending.rows ||= what.rows ?? false;
    this.pending.panel ||= what.panel ?? false;
    this.frame ??= requestAnimationFrame((time) => this.draw(time));
  }

  /** @param {number} time */
  draw(time) {
    const { rows, panel } = this.pending;
    this.pending = { rows: false, panel: false };
    this.frame = null;
    if (rows) this.rebuild();
    else this.grow(time);
    if (panel) this.panel.refresh();
    clearTimeout(this.growth);
    if (this.model.isRunning()) this.growth = setTimeout(() => this.later({}), this.still.matches ? STILL_MS : FRAME_MS);
  }

  /** Draw all anew: spans came or changed. */
  rebuild() {
    this.waterfall.now = this.now();
    this.timeline.grow(this.model.extent(this.waterfall.now));
    this.waterfall.rebuild();
    this.overview.show(this.model.tree.rows(), this.waterfall.now);
    this.header.show();
    this.tools.count(this.model.counts());
    if (!this.events.hidden) this.table.show([...this.model.nodes.values()]);
  }

  /** @param {number} time when what goes on with time is drawn */
  grow(time) {
    this.waterfall.now = this.now();
    this.timeline.grow(this.model.extent(this.waterfall.now));
    this.waterfall.redraw();
    this.header.tick();
    if (time - this.overviewAt < OVERVIEW_MS) return;
    this.overviewAt = time;
    this.overview.show(this.model.tree.rows(), this.waterfall.now);
  }

  moved() {
    this.waterfall.redraw();
    this.overview.showWindow();
  }

  /** @param {"waterfall" | "events"} view */
  show(view) {
    this.main.hidden = view !== "waterfall";
    this.events.hidden = view !== "events";
    this.tools.shows(view);
    if (view === "events") this.table.show([...this.model.nodes.values()]);
    else this.waterfall.measure();
  }

  /**
   * @param {Node} node
   * @param {number | null} event its place among the span's events
   * @param {boolean} opens the panel
   * @param {"nearest" | "center"} [where]
   */
  select(node, event, opens, where) {
    this.waterfall.select(node, event, where);
    const time = event === null ? undefined : node.times[event];
    if (time !== undefined) this.timeline.reveal(time);
    note(traceAddress(this.model.id, node.span.span_id, event ?? undefined));
    if (opens) this.panel.open();
    this.panel.show(node, event);
  }

  /** @returns {Node | undefined} */
  selected() {
    return this.model.nodes.get(this.waterfall.selection.span ?? "");
  }

  /** @param {number} by rows */
  step(by) {
    const rows = this.model.tree.rows();
    const at = this.waterfall.selectedIndex();
    const to = at < 0 && Number.isFinite(by) ? 0 : at + by;
    const node = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (node) this.select(node, null, false);
  }

  inward() {
    const node = this.selected();
    if (!node) return this.step(1);
    if (node.folded) this.waterfall.fold(node, false);
    else if (node.children[0]) this.select(node.children[0], null, false);
  }

  outward() {
    const node = this.selected();
    if (node && !node.folded && node.children.length) this.waterfall.fold(node, true);
    else if (node?.parent) this.select(node.parent, null, false);
  }

  /** @param {number} by */
  stepEvent(by) {
    const node = this.selected();
    if (!node || node.events.length === 0) return;
    const order = node.order();
    const at = this.waterfall.selection.event === null ? (by > 0 ? -1 : order.length) : order.indexOf(this.waterfall.selection.event);
    const next = order[Math.max(0, Math.min(order.length - 1, at + by))];
    if (next !== undefined) this.select(node, next, true);
  }

  nextError() {
    this.show("waterfall");
    const all = this.model.tree.all((node) => node.children);
    const from = all.findIndex((node) => node.span.span_id === this.waterfall.selection.span);
    const next = [...all.slice(from + 1), ...all.slice(0, from + 1)].find((node) => node.span.status === "error");
    if (next) this.select(next, null, true, "center");
  }

  /** @param {boolean} on */
  errorsFirst(on) {
    this.model.tree.order = on ? "errors" : "time";
    this.model.tree.settle();
    this.rebuild();
    this.waterfall.scroller.scrollTop = 0;
  }

  /** @param {boolean} on */
  showCritical(on) {
    this.waterfall.showsCritical = on;
    this.waterfall.redraw();
  }

  /** @param {boolean} folded */
  foldAll(folded) {
    this.model.tree.foldAll(folded);
    this.rebuild();
  }

  pressEnter() {
    const active = document.activeElement;
    if (active instanceof HTMLButtonElement || active instanceof HTMLAnchorElement || active?.tagName === "SUMMARY") {
      /** @type {HTMLElement} */ (active).click();
      return;
    }
    const node = this.selected();
    if (!node) return this.step(1);
    if (this.panel.isOpen()) this.closePanel();
    else this.select(node, this.waterfall.selection.event, true);
  }

  escape() {
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
    else if (this.panel.isOpen()) this.closePanel();
    else this.timeline.fit();
  }

  closePanel() {
    this.panel.close();
    this.waterfall.scroller.focus({ preventScroll: true });
  }
}
