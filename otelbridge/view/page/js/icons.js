/** The few pictograms, drawn with the text's colour. */

import { svg } from "./dom.js";

/** @type {Record<string, string[]>} */
const PATHS = {
  sun: ["M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4", "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z"],
  search: ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Z", "m16 16 4.5 4.5"],
  close: ["M6 6l12 12M18 6 6 18"],
  copy: ["M9 9h10v11H9z", "M5 15V4h10"],
  check: ["m5 12.5 4.5 4.5L19 7.5"],
  down: ["m6 9 6 6 6-6"],
  right: ["m9 6 6 6-6 6"],
  back: ["M19 12H5m6-6-6 6 6 6"],
  error: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z", "M12 7.5v5.5m0 3.2v.3"],
  download: ["M12 4v11m-5-4.5 5 5 5-5", "M5 20h14"],
  compare: ["M9 4H4v16h5m6-16h5v16h-5", "M12 2v20"],
  plus: ["M12 5v14M5 12h14"],
  minus: ["M5 12h14"],
  fit: ["M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5"],
  keyboard: ["M3 6h18v12H3z", "M7 10h.1m3.3 0h.1m3.3 0h.1m3 0h.1M8 14h8"],
  link: ["M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7", "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17"],
  filter: ["M4 5h16l-6 8v6l-4-2v-4z"],
  swap: ["M7 4 3 8l4 4M3 8h14m0 4 4 4-4 4m4-4H7"],
  path: ["M5 5h6v7h8m-3-3 3 3-3 3"],
};

/**
 * @param {keyof typeof PATHS & string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    ...(PATHS[name] ?? []).map((d) => svg("path", { d })),
  );
}
