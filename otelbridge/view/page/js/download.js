/** Saving what the page has made as a file. */

import { h } from "./dom.js";

/**
 * @param {string} name of the file
 * @param {string} type such as `text/csv`
 * @param {string} text
 */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
