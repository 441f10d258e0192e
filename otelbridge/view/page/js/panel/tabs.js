/** Tabs as the ARIA practices have them: arrow keys move between them. */

import { h, setAttribute, setText } from "../dom.js";

export class Tabs {
  /**
   * @param {[string, string][]} tabs names and labels
   * @param {() => void} onChoose
   */
  constructor(tabs, onChoose) {
    this.onChoose = onChoose;
    this.chosen = tabs[0]?.[0] ?? "";
    this.body = h("div", { class: "panel-body", role: "tabpanel", id: "panel-body", tabindex: "0" });
    this.buttons = new Map(tabs.map(([name, text]) => [name, h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel-body", onclick: () => this.pick(name) }, text)]));
    this.list = h("div", { class: "tabs", role: "tablist", "aria-label": "Details" }, ...this.buttons.values());
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.choose(this.chosen);
  }

  /** @param {string} name */
  choose(name) {
    this.chosen = name;
    for (const [each, button] of this.buttons) {
      setAttribute(button, "aria-selected", String(each === name));
      button.tabIndex = each === name ? 0 : -1;
    }
    setAttribute(this.body, "aria-labelledby", `tab-${name}`);
  }

  /** @param {string} name */
  pick(name) {
    this.choose(name);
    this.onChoose();
  }

  /** @param {string} name @param {string} text */
  label(name, text) {
    const button = this.buttons.get(name);
    if (button) setText(button, text);
  }

  /** @param {string} name @param {boolean} allowed else it is not there */
  allow(name, allowed) {
    const button = this.buttons.get(name);
    if (button) button.hidden = !allowed;
    if (!allowed && this.chosen === name) this.choose(this.buttons.keys().next().value ?? "");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const names = [...this.buttons].filter(([, button]) => !button.hidden).map(([name]) => name);
    const next = names[(names.indexOf(this.chosen) + by + names.length) % names.length];
    if (!next) return;
    this.pick(next);
    this.buttons.get(next)?.focus();
  }
}
