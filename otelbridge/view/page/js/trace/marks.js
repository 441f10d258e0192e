/** Which events of a span can be told apart where they are drawn; those that overlap are one mark. */

/**
 * @typedef {object} Mark
 * @property {number} x px, of its first event
 * @property {number} first place in the order of time
 * @property {number} count
 */

/**
 * @param {ArrayLike<number>} order places of the events in `times`, the earliest first
 * @param {number[]} times
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} apart px between two marks
 * @returns {Mark[]} of what is seen; it costs as much as there are marks, however many events
 */
export function groupMarks(order, times, timeline, apart) {
  const at = (/** @type {number} */ n) => times[order[n] ?? 0] ?? 0;
  const found = [];
  const slack = ((timeline.to - timeline.from) / timeline.width) * (apart / 2);
  const end = firstNot(order.length, (n) => at(n) <= timeline.to + slack, 0);
  let next = firstNot(end, (n) => at(n) < timeline.from - slack, 0);
  while (next < end) {
    const x = timeline.x(at(next));
    const beyond = firstNot(end, (n) => at(n) < timeline.time(x + apart), next + 1);
    found.push({ x, first: next, count: beyond - next });
    next = beyond;
  }
  return found;
}

/**
 * @param {number} count
 * @param {(n: number) => boolean} isBefore true for the first ones, then false
 * @param {number} from
 * @returns {number} the first, `from` or later, that is not before
 */
function firstNot(count, isBefore, from) {
  let low = from;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
