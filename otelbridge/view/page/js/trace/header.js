/** What the trace is, in a few words, above its waterfall. */

import * as api from "../api.js";
import { chip, standing } from "../chips.js";
import { copyButton } from "../clipboard.js";
import { h, setText } from "../dom.js";
import { icon } from "../icons.js";
import { lasted } from "../list/row.js";
import { line, nameOf } from "../text.js";
import { ago, clock, duration, grouped, whole } from "../time.js";

/** @import { TraceModel } from "./model.js" */

export class TraceHeader {
  /** @param {TraceModel} model */
  constructor(model) {
    this.model = model;
    this.title = h("h1", {});
    this.facts = h("dl", { class: "facts" });
    const { id } = model;
    const compare = h("a", { class: "button", href: `/?name=${encodeURIComponent(line(model.summary.name))}&compare=${id}` }, icon("compare"), "Compare");
    const save = h(
      "details",
      { class: "menu" },
      h("summary", { class: "button" }, icon("download"), "Export"),
      h("div", { class: "menu-items" }, h("a", { href: `/api/export/${id}`, download: `${id}.jsonl` }, "OTLP JSON lines"), h("a", { href: `/api/export/${id}?format=perfetto`, download: `${id}.perfetto.json` }, "Chrome trace, for Perfetto")),
    );
    save.addEventListener("focusout", (event) => {
      if (!save.contains(/** @type {globalThis.Node | null} */ (event.relatedTarget))) save.open = false;
    });
    this.element = h(
      "header",
      { class: "trace-header" },
      h("div", { class: "trace-title" }, h("a", { href: "/", class: "crumb", "aria-label": "All traces" }, icon("back")), this.title),
      h("div", { class: "trace-actions" }, compare, save),
      this.facts,
    );
    this.show();
  }

  show() {
    const { summary, id } = this.model;
    const counts = this.model.counts();
    const name = nameOf(summary.name);
    this.title.replaceChildren(h("bdi", {}, name), chip(standing(summary)));
    document.title = `${name} · otelbridge`;
    this.took = h("span", { class: "took" });
    this.age = h("span", { class: "dim" });
    this.facts.replaceChildren(
      ...fact("Duration", this.took),
      ...fact("Started", h("span", { title: whole(summary.start_ns) }, clock(summary.start_ns), " ", this.age)),
      ...fact("Service", h("bdi", {}, line(summary.service, 60))),
      ...fact("Spans", grouped(counts.spans)),
      ...fact("Events", grouped(counts.events)),
      ...(counts.errors ? fact("Errors", h("span", { class: "bad" }, grouped(counts.errors))) : []),
      ...(summary.input_tokens !== null || summary.output_tokens !== null ? fact("Tokens", `${grouped(summary.input_tokens ?? 0)} in, ${grouped(summary.output_tokens ?? 0)} out`) : []),
      ...fact("Trace", h("span", { class: "id" }, id.slice(0, 8), copyButton(() => id, "Copy the trace id"))),
    );
    this.tick();
  }

  tick() {
    const took = lasted(this.model.summary);
    if (this.took) setText(this.took, took === null ? "–" : duration(took));
    if (this.age) setText(this.age, ago(this.model.summary.start_ns, api.now()));
  }
}

/**
 * @param {string} name
 * @param {import("../dom.js").Child} value
 */
function fact(name, value) {
  return [h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value))];
}
