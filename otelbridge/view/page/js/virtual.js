/**
 * A list of which only what is seen is in the page: rows of one height in a scroller. Their elements
 * are used again, and stay in the order of the list, as those who hear the page need it.
 */

import { h } from "./dom.js";

const BEYOND = 6; // rows drawn above and below what is seen

/** @template {HTMLElement} E */
export class VirtualRows {
  /**
   * @param {object} parts
   * @param {HTMLElement} parts.scroller what scrolls; it has a height of its own
   * @param {number} parts.height of a row, in px
   * @param {() => E} parts.create makes an empty row
   * @param {(row: E, index: number) => void} parts.update fills a row
   * @param {string} [parts.role] of the element around the rows
   */
  constructor({ scroller, height, create, update, role = "rowgroup" }) {
    this.scroller = scroller;
    this.height = height;
    this.create = create;
    this.update = update;
    this.count = 0;
    this.first = 0;
    /** @type {E[]} */
    this.rows = [];
    /** @type {WeakMap<E, number>} */
    this.filled = new WeakMap();
    this.block = h("div", { class: "virtual-rows", role });
    this.element = h("div", { class: "virtual", role: "presentation" }, this.block);
    this.sight = 0;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(scroller);
  }

  dispose() {
    this.resized.disconnect();
  }

  measure() {
    this.sight = this.scroller.clientHeight;
    this.draw(false);
  }

  /** @param {number} count of rows; all that are seen are filled again */
  setCount(count) {
    if (count !== this.count) {
      this.count = count;
      this.element.style.height = `${count * this.height}px`;
    }
    this.draw(true);
  }

  /** Fill again what is seen. */
  refresh() {
    this.draw(true);
  }

  scrolled() {
    this.draw(false);
  }

  /** @param {boolean} all fill rows that were there already, too */
  draw(all) {
    const above = Math.floor(this.scroller.scrollTop / this.height) - BEYOND;
    const size = Math.min(Math.ceil(this.sight / this.height) + 2 * BEYOND, this.count);
    const first = Math.max(0, Math.min(above, this.count - size));
    this.turn(first - this.first);
    this.first = first;
    this.resize(size);
    this.block.style.transform = `translateY(${first * this.height}px)`;
    this.rows.forEach((row, slot) => {
      if (!all && this.filled.get(row) === first + slot) return;
      this.filled.set(row, first + slot);
      this.update(row, first + slot);
    });
  }

  /** @param {number} moved rows that leave the sight at one end go to the other */
  turn(moved) {
    const count = this.rows.length;
    if (Math.abs(moved) >= count) return;
    if (moved > 0) {
      const left = this.rows.splice(0, moved);
      this.block.append(...left);
      this.rows.push(...left);
    } else if (moved < 0) {
      const left = this.rows.splice(count + moved, -moved);
      this.block.prepend(...left);
      this.rows.unshift(...left);
    }
  }

  /** @param {number} size */
  resize(size) {
    while (this.rows.length > size) this.rows.pop()?.remove();
    while (this.rows.length < size) {
      const row = this.create();
      this.rows.push(row);
      this.block.append(row);
    }
  }

  /**
   * @param {number} index
   * @param {"nearest" | "center"} [where]
   */
  reveal(index, where = "nearest") {
    const top = index * this.height;
    const seen = this.scroller.scrollTop;
    const head = this.element.offsetTop;
    const room = this.scroller.clientHeight - head;
    if (where === "center" && (top < seen || top + this.height > seen + room)) {
      this.scroller.scrollTop = top - (room - this.height) / 2;
    } else if (top < seen) this.scroller.scrollTop = top;
    else if (top + this.height > seen + room) this.scroller.scrollTop = top + this.height - room;
    this.draw(false);
  }
}
