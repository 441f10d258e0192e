/** Which stretch of the trace is seen, and where a time is in it. Times are ns after the trace's base. */

const NARROWEST_NS = 50;
// Room beside the whole trace, in px: for half a mark, and for the duration behind the longest bar.
const LEFT = 16;
const RIGHT = 70;

export class Timeline {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.whole = { from: 0, to: 1 };
    this.from = 0;
    this.to = 1;
    this.width = 1;
  }

  /** @returns {boolean} whether all of the trace is seen */
  isWhole() {
    return this.from <= this.whole.from && this.to >= this.whole.to;
  }

  /** @param {{ from: number, to: number }} whole the trace's extent, which may have grown */
  grow(whole) {
    const all = this.isWhole();
    const pixel = (whole.to - whole.from) / Math.max(100, this.width - LEFT - RIGHT);
    this.whole = { from: whole.from - pixel * LEFT, to: whole.to + pixel * RIGHT };
    if (all) [this.from, this.to] = [this.whole.from, this.whole.to];
  }

  /** @param {number} time @returns {number} px */
  x(time) {
    return ((time - this.from) / (this.to - this.from)) * this.width;
  }

  /** @param {number} x px @returns {number} */
  time(x) {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  /** @param {number} from @param {number} to */
  see(from, to) {
    const room = this.whole.to - this.whole.from;
    const long = Math.max(NARROWEST_NS, to - from);
    if (long >= room) return this.fit();
    this.from = Math.max(this.whole.from, Math.min((from + to - long) / 2, this.whole.to - long));
    this.to = this.from + long;
    this.onChange();
  }

  /** @param {number} factor below 1 comes nearer @param {number} [at] the time that stays in its place */
  zoom(factor, at = (this.from + this.to) / 2) {
    this.see(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  /** @param {number} part of what is seen; below 0 goes back */
  pan(part) {
    const by = (this.to - this.from) * part;
    const room = by < 0 ? Math.max(by, this.whole.from - this.from) : Math.min(by, this.whole.to - this.to);
    this.see(this.from + room, this.to + room);
  }

  fit() {
    [this.from, this.to] = [this.whole.from, this.whole.to];
    this.onChange();
  }

  /** @param {number} time is brought into sight */
  reveal(time) {
    if (time >= this.from && time <= this.to) return;
    const half = (this.to - this.from) / 2;
    this.see(time - half, time + half);
  }
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} most
 * @returns {number[]} round times
 */
export function ticks(from, to, most) {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough) ?? rough;
  const found = [];
  for (let at = Math.ceil(from / step); at * step <= to; at += 1) found.push(at * step);
  return found;
}
