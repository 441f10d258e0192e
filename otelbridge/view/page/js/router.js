/** Addresses: which page a path is, and going there without loading everything again. */

/**
 * @typedef {{ page: "list" }
 *   | { page: "trace", id: string }
 *   | { page: "compare", a: string, b: string }
 *   | { page: "unknown" }} Route
 * @typedef {{ dispose: () => void }} Mounted
 */

/**
 * @param {string} path
 * @returns {Route}
 */
export function route(path) {
  const parts = path.split("/").filter(Boolean).map(decoded);
  if (parts.length === 0) return { page: "list" };
  if (parts.length === 2 && parts[0] === "trace") return { page: "trace", id: parts[1] ?? "" };
  if (parts.length === 3 && parts[0] === "compare") {
    return { page: "compare", a: parts[1] ?? "", b: parts[2] ?? "" };
  }
  return { page: "unknown" };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * @param {string} id
 * @param {string} [span]
 * @param {number} [event]
 */
export function traceAddress(id, span, event) {
  const query = new URLSearchParams();
  if (span) query.set("span", span);
  if (event !== undefined) query.set("event", String(event));
  return `/trace/${encodeURIComponent(id)}${query.size ? `?${query}` : ""}`;
}

/** @type {() => void} */
let changed = () => {};

/** @param {string} address */
export function go(address) {
  history.pushState(null, "", address);
  changed();
}

/**
 * Say in the address what is seen, without a new entry in the history.
 *
 * @param {string} address
 */
export function note(address) {
  if (address !== location.pathname + location.search) history.replaceState(null, "", address);
}

/** @param {() => void} onChange called when another page is to be shown */
export function startRouter(onChange) {
  changed = onChange;
  addEventListener("popstate", onChange);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.origin !== location.origin || link.target || link.download) return;
    if (link.hash || link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
