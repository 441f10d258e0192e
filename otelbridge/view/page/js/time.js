/**
 * Times and durations. The API has ns as decimal strings, since a number would lose them; within a
 * trace they are numbers of ns after its beginning.
 */

/**
 * @param {string} ns since the epoch
 * @param {bigint} base
 * @returns {number} ns after `base`
 */
export function after(ns, base) {
  return Number(BigInt(ns) - base);
}

/**
 * @param {string} ns since the epoch
 * @returns {number} ms since the epoch
 */
export function milliseconds(ns) {
  return Number(BigInt(ns) / 1000n) / 1000;
}

/**
 * @param {number} ns
 * @returns {string} such as `1.24 s`, `12.3 ms`, `2 m 05 s`
 */
export function duration(ns) {
  if (ns < 0) return `−${duration(-ns)}`;
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 999.5e3) return `${three(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${three(ns / 1e6)} ms`;
  if (ns < 59.95e9) return `${three(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} m`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/**
 * @param {number} ns
 * @returns {string} to the microsecond, for events that are close together
 */
export function precise(ns) {
  return Math.abs(ns) < 1e9 ? `${(ns / 1e6).toFixed(3)} ms` : `${(ns / 1e9).toFixed(6)} s`;
}

/** @param {number} value three digits of it, without zeros at the end */
function three(value) {
  return String(Number(value.toPrecision(3)));
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/**
 * @param {string} ns since the epoch
 * @returns {string} local time; with the day unless it is today
 */
export function clock(ns) {
  const date = new Date(milliseconds(ns));
  const today = date.toDateString() === new Date().toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

/**
 * @param {string} ns since the epoch
 * @returns {string} the whole local time with its zone, for a title
 */
export function whole(ns) {
  return WHOLE.format(new Date(milliseconds(ns)));
}

/**
 * @param {string} ns since the epoch
 * @param {number} now ms since the epoch
 * @returns {string} such as `now`, `12 s ago`, `3 d ago`
 */
export function ago(ns, now) {
  const seconds = Math.floor((now - milliseconds(ns)) / 1000);
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/**
 * @param {number} count
 * @returns {string} such as `12,345`
 */
export function grouped(count) {
  return COUNT.format(count);
}

const COUNT = new Intl.NumberFormat();
