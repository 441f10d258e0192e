/** What the list says when it has nothing to show. */

import { copyButton } from "../clipboard.js";
import { h } from "../dom.js";
import { notice } from "../notice.js";

/** @returns {HTMLElement} */
export function nothingYet() {
  return notice(
    "No traces yet",
    "They show up here the moment something runs. Three ways to begin:",
    h(
      "ol",
      { class: "ways" },
      way("See a pipeline at work", "otelbridge demo"),
      way("Run a program of yours, traced", "otelbridge run your_program.py"),
      way("Or set it up in your own code", "import otelbridge.export\n\notelbridge.export.configure()"),
    ),
    h("p", { class: "dim" }, "Any OpenTelemetry app can send here too: set OTEL_EXPORTER_OTLP_ENDPOINT to ", h("code", {}, location.origin), " with the protocol http/protobuf."),
  );
}

/**
 * @param {string} title
 * @param {string} code
 */
function way(title, code) {
  return h("li", {}, h("span", {}, title), h("div", { class: "code" }, h("pre", {}, h("code", {}, code)), copyButton(() => code, `Copy: ${title}`)));
}

/**
 * @param {() => void} clear
 * @returns {HTMLElement}
 */
export function nothingMatches(clear) {
  return notice(
    "No trace matches",
    "Nothing in the store has all that these filters ask for. A word matches the beginning of words in names, events, attributes and errors.",
    h("div", { class: "actions" }, h("button", { type: "button", class: "button primary", onclick: clear }, "Clear the filters")),
  );
}
