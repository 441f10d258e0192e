/** Two runs of the same thing side by side. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { addKeys } from "../keys.js";
import { failure, notice } from "../notice.js";
import { VirtualRows } from "../virtual.js";
import { CompareRowView, ROW } from "./row.js";
import { cards, verdict } from "./summary.js";

/** @import { CompareAnswer, CompareRow } from "../types.js" */

class ComparePage {
  /** @param {HTMLElement} root @param {string} a @param {string} b */
  constructor(root, a, b) {
    this.root = root;
    this.disposed = false;
    /** @type {CompareRow[]} */
    this.shown = [];
    /** @type {WeakMap<HTMLElement, CompareRowView>} */
    this.views = new WeakMap();
    this.keys = addKeys([
      { keys: ["d"], does: "Only what differs", run: () => this.only?.click() },
      { keys: ["s"], does: "Swap the two", run: () => this.swap?.click() },
    ]);
    document.title = "Compare · otelbridge";
    root.append(h("p", { class: "loading", role: "status" }, "Comparing …"));
    api.compare(a, b).then((answer) => this.disposed || this.show(answer), (error) => this.disposed || root.replaceChildren(this.missing(error)));
  }

  /** @param {unknown} error */
  missing(error) {
    if (!(error instanceof api.ApiError) || error.status !== 404) return failure(error);
    return notice("These two cannot be compared", error.message, h("div", { class: "actions" }, h("a", { class: "button primary", href: "/" }, "All traces")));
  }

  dispose() {
    this.disposed = true;
    this.keys();
    this.rows?.dispose();
  }

  /** @param {CompareAnswer} answer */
  show(answer) {
    this.answer = answer;
    this.longest = longest(answer.rows);
    this.swap = h("a", { class: "button", href: `/compare/${answer.b.trace_id}/${answer.a.trace_id}` }, icon("swap"), "Swap");
    const only = h("button", { type: "button", class: "button toggle", "aria-pressed": "false" }, "Only differences");
    only.addEventListener("click", () => {
      only.setAttribute("aria-pressed", String(only.getAttribute("aria-pressed") !== "true"));
      this.filter();
    });
    this.only = only;
    const head = h("div", { class: "compare-row head", role: "row" }, ...["Step", "A and B", "Change", "Differs in"].map((text) => h("div", { role: "columnheader", class: "cell" }, text)));
    const scroller = h("div", { class: "compare-scroll", role: "treegrid", tabindex: "0", "aria-label": "Steps of both traces" }, head);
    this.scroller = scroller;
    this.rows = new VirtualRows({ scroller, height: ROW, create: () => this.create(), update: (row, at) => this.update(row, at) });
    scroller.append(this.rows.element);
    this.root.className = "compare-page";
    this.root.replaceChildren(
      h("header", { class: "compare-header" }, h("div", { class: "trace-title" }, h("a", { href: "/", class: "crumb", "aria-label": "All traces" }, icon("back")), h("h1", {}, "Compare")), h("div", { class: "trace-actions" }, only, this.swap)),
      cards(answer),
      verdict(answer.rows),
      scroller,
    );
    this.filter();
  }

  filter() {
    const only = this.only?.getAttribute("aria-pressed") === "true";
    const all = this.answer?.rows ?? [];
    this.shown = only ? all.filter((row) => row.differs.length > 0) : all;
    this.scroller?.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.rows?.setCount(this.shown.length);
  }

  create() {
    const view = new CompareRowView();
    this.views.set(view.element, view);
    return view.element;
  }

  /** @param {HTMLElement} element @param {number} at */
  update(element, at) {
    const row = this.shown[at];
    if (row && this.answer) this.views.get(element)?.show(row, this.answer, this.longest ?? 1, at);
  }
}

/** @param {CompareRow[]} rows @returns {number} ns */
function longest(rows) {
  let most = 1;
  for (const { a, b } of rows) most = Math.max(most, Number(a?.duration_ns ?? 0), Number(b?.duration_ns ?? 0));
  return most;
}

/**
 * @param {HTMLElement} root
 * @param {string} a
 * @param {string} b
 * @returns {import("../router.js").Mounted}
 */
export function comparePage(root, a, b) {
  return new ComparePage(root, a, b);
}
