/** The one small box that tells what is under the pointer. */

import { h } from "./dom.js";

const box = h("div", { class: "tooltip", role: "tooltip", id: "tooltip", hidden: true });

/**
 * @param {Element} target
 * @param {...Node} content
 */
export function showTooltip(target, ...content) {
  if (!box.isConnected) document.body.append(box);
  box.replaceChildren(...content);
  box.hidden = false;
  const at = target.getBoundingClientRect();
  const own = box.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left + at.width / 2 - own.width / 2, innerWidth - own.width - 8));
  const below = at.bottom + 8 + own.height < innerHeight;
  box.style.left = `${Math.round(left)}px`;
  box.style.top = `${Math.round(below ? at.bottom + 8 : Math.max(8, at.top - own.height - 8))}px`;
}

export function hideTooltip() {
  box.hidden = true;
}
