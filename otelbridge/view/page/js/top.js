/** The name in the top bar, which leads home. */

import { h, svg } from "./dom.js";

/** @returns {HTMLElement} */
export function brand() {
  const mark = svg(
    "svg",
    { viewBox: "0 0 24 24", class: "brand-mark", "aria-hidden": "true" },
    svg("rect", { x: 2, y: 4, width: 20, height: 4, rx: 2, class: "one" }),
    svg("rect", { x: 6, y: 10.5, width: 13, height: 4, rx: 2, class: "two" }),
    svg("rect", { x: 10, y: 17, width: 6, height: 4, rx: 2, class: "three" }),
    svg("path", { d: "M15 2.2 18.8 6 15 9.8 11.2 6Z", class: "event" }),
  );
  return h("a", { href: "/", class: "brand" }, mark, h("span", {}, "otelbridge"));
}
