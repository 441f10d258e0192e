/** The frame of every page: top bar, live connection, and the page that the address names. */

import { comparePage } from "./compare/page.js";
import { h } from "./dom.js";
import { helpButton, startKeys } from "./keys.js";
import { listPage } from "./list/page.js";
import { badge } from "./live/badge.js";
import { start } from "./live/client.js";
import { notice } from "./notice.js";
import { route, startRouter } from "./router.js";
import { themeButton } from "./theme.js";
import { brand } from "./top.js";
import { tracePage } from "./trace/page.js";

const main = /** @type {HTMLElement} */ (document.getElementById("page"));
const top = /** @type {HTMLElement} */ (document.getElementById("top"));

/** @type {import("./router.js").Mounted | null} */
let mounted = null;

/** @returns {import("./router.js").Mounted | null} */
function mount() {
  const found = route(location.pathname);
  switch (found.page) {
    case "list":
      return listPage(main);
    case "trace":
      return tracePage(main, found.id);
    case "compare":
      return comparePage(main, found.a, found.b);
    default:
      document.title = "Not found · otelbridge";
      main.append(notice("No page here", "The address leads nowhere.", h("a", { href: "/", class: "button" }, "All traces")));
      return null;
  }
}

function show() {
  mounted?.dispose();
  main.replaceChildren();
  main.className = "";
  mounted = mount();
}

start();
startKeys();
top.append(brand(), h("div", { class: "spring" }), badge(), helpButton(), themeButton());
startRouter(() => {
  show();
  main.focus({ preventScroll: true });
});
show();
