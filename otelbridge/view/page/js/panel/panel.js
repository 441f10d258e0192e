/** All about the selected span, beside the waterfall. */

import { chip, standing } from "../chips.js";
import { copyButton } from "../clipboard.js";
import { h, setText } from "../dom.js";
import { EventTable } from "../events/table.js";
import { icon } from "../icons.js";
import { jsonView } from "../json_view.js";
import { traceAddress } from "../router.js";
import { CATEGORY_WORDS, category } from "../trace/category.js";
import { nameOf } from "../text.js";
import { clock, duration, grouped, whole } from "../time.js";
import { conversationView } from "./conversation.js";
import { overview } from "./overview.js";
import { Tabs } from "./tabs.js";

/** @import { TraceModel } from "../trace/model.js" */
/** @import { Node } from "../trace/node.js" */

export class Panel {
  /**
   * @param {TraceModel} model
   * @param {{ close: () => void, select: (node: Node, event: number) => void }} actions
   */
  constructor(model, actions) {
    this.model = model;
    this.actions = actions;
    /** @type {Node | null} */
    this.node = null;
    this.drawn = "";
    this.title = h("h2", {});
    this.facts = h("p", { class: "panel-facts dim" });
    this.table = new EventTable({ withSpan: false, name: () => `${model.id.slice(0, 8)}-${this.node?.span.span_id ?? ""}-events`, onSelect: (node, place) => actions.select(node, place) });
    this.tabs = new Tabs([["overview", "Overview"], ["messages", "Messages"], ["events", "Events"], ["json", "JSON"]], () => this.drawBody());
    this.body = this.tabs.body;
    const close = h("button", { type: "button", class: "button icon-only quiet", "aria-label": "Close the details", title: "Close (Esc)", onclick: actions.close }, icon("close"));
    const link = copyButton(() => location.origin + traceAddress(model.id, this.node?.span.span_id), "Copy a link to this span");
    this.element = h("aside", { class: "panel", "aria-label": "Details of the span", hidden: true }, h("header", { class: "panel-head" }, h("div", { class: "panel-title" }, this.title, link, close), this.facts), this.tabs.list, this.body);
  }

  dispose() {
    this.table.dispose();
  }

  isOpen() {
    return !this.element.hidden;
  }

  open() {
    this.element.hidden = false;
  }

  close() {
    this.element.hidden = true;
  }

  /**
   * @param {Node} node
   * @param {number | null} event that is selected
   */
  show(node, event) {
    const changed = node !== this.node;
    this.node = node;
    if (!this.isOpen()) {
      this.drawn = "";
      return;
    }
    this.drawHead();
    if (event !== null) this.tabs.choose("events");
    else if (changed && this.tabs.chosen === "events") this.tabs.choose("overview");
    if (changed) this.table.search.value = "";
    this.drawn = "";
    this.drawBody();
    if (this.tabs.chosen === "events") this.table.select(node, event);
  }

  /** Bring up to date what is shown; what the reader has opened stays open. */
  refresh() {
    if (!this.node || !this.isOpen()) return;
    this.drawHead();
    this.drawBody();
  }

  drawHead() {
    const node = /** @type {Node} */ (this.node);
    const { span } = node;
    const took = node.end === null ? (node.isRunning() ? "running" : "no end known") : duration(node.end - node.start);
    this.title.replaceChildren(h("bdi", {}, nameOf(span.name)), chip(standing(span)));
    this.facts.title = whole(span.start_ns);
    setText(this.facts, `${CATEGORY_WORDS[category(span)]} · ${took} · began ${clock(span.start_ns)}, ${duration(node.start)} into the trace`);
    this.tabs.label("events", `Events ${grouped(node.eventCount)}`);
    this.tabs.allow("messages", conversationView(span.attributes).length > 0);
  }

  drawBody() {
    const { node } = this;
    if (!node) return;
    const { span } = node;
    const key = [this.tabs.chosen, span.span_id, span.state, span.status, Object.keys(span.attributes).length, span.links.length].join(" ");
    if (this.tabs.chosen === "events") {
      if (!this.table.element.isConnected) this.body.replaceChildren(this.table.element);
      this.table.show([node]);
    } else if (key !== this.drawn) {
      this.body.replaceChildren(...this.content(node));
      this.body.scrollTop = 0;
    }
    this.drawn = key;
  }

  /** @param {Node} node @returns {HTMLElement[]} */
  content(node) {
    if (this.tabs.chosen === "messages") return conversationView(node.span.attributes);
    if (this.tabs.chosen === "json") return [jsonView({ ...node.span, resource: this.model.resourceOf(node), events: node.events.slice(0, 1000) })];
    return overview(this.model, node);
  }
}
