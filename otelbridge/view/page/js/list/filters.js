/** The row of filters above the list. */

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { short } from "../text.js";

/** @import { Query } from "./query.js" */

const TYPING_MS = 250;

/**
 * @param {Query} query
 * @param {(change: Partial<Query>) => void} change
 * @returns {{ element: HTMLElement, search: HTMLInputElement }}
 */
export function filters(query, change) {
  const search = field("text", "Search names, events, attributes, errors", "search");
  const services = h("select", { "aria-label": "Service" }, option("", "Any service"));
  const statuses = h(
    "select",
    { "aria-label": "Status" },
    ...[["", "Any status"], ["well", "Finished, no error"], ["error", "Error"], ["running", "Running"], ["ended", "Finished"], ["lost", "Lost"]].map(([value, text]) => option(value ?? "", text ?? "")),
  );
  const times = h(
    "select",
    { "aria-label": "Time" },
    ...[["", "All time"], ["15m", "Last 15 minutes"], ["1h", "Last hour"], ["6h", "Last 6 hours"], ["24h", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"]].map(([value, text]) => option(value ?? "", text ?? "")),
  );
  const known = h("datalist", { id: "event-names" });
  const event = field("event", "Event name");
  event.setAttribute("list", known.id);
  const tag = field("tag", "Tag");
  const metadata = field("metadata", "Metadata key=value");
  const name = field("name", "Span name");

  /** @param {"text" | "event" | "tag" | "metadata" | "name"} key @param {string} label @param {string} [type] */
  function field(key, label, type = "text") {
    const input = h("input", { type, placeholder: label, "aria-label": label, value: query[key], autocomplete: "off", spellcheck: "false", name: key });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let typing;
    input.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => input.isConnected && change({ [key]: input.value.trim() }), TYPING_MS);
    });
    return input;
  }
  services.addEventListener("change", () => change({ service: services.value }));
  statuses.addEventListener("change", () => change({ status: statuses.value }));
  times.addEventListener("change", () => change({ since: times.value, from: "", to: "" }));
  if (query.service) services.append(option(query.service, query.service));
  services.value = query.service;
  statuses.value = query.status;
  times.value = query.since;

  api.menus().then((menu) => fill(services, known, menu), () => {});
  const more = h("details", { class: "more-filters" }, h("summary", { class: "button" }, icon("filter"), "Filters"), h("div", { class: "filter-fields" }, services, statuses, times, event, tag, metadata, name, known));
  more.open = matchMedia("(min-width: 760px)").matches;
  const element = h("form", { class: "filters", role: "search" }, h("div", { class: "search" }, icon("search"), search), more);
  element.addEventListener("submit", (submitted) => submitted.preventDefault());
  return { element, search };
}

/**
 * @param {HTMLSelectElement} services
 * @param {HTMLDataListElement} known
 * @param {{ services: string[], events: string[] }} menu
 */
function fill(services, known, menu) {
  const there = new Set([...services.options].map((it) => it.value));
  services.append(...menu.services.filter((it) => !there.has(it)).map((it) => option(it, it)));
  known.append(...menu.events.filter((it) => it.length <= 200).map((it) => h("option", { value: it })));
}

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  return h("option", { value }, short(text, 80));
}
