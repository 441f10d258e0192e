/**
 * Text from strangers, made fit to be seen: what would be invisible or turn the line around is
 * written out, and what is very long is cut.
 */

// C0 and C1 controls but tab and newline, soft hyphens, zero-width and bidi marks, lone surrogates.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * @param {string} text
 * @returns {string} with what cannot be seen written as `\u202e`
 */
export function visible(text) {
  return text.replace(HIDDEN, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * @param {string} text
 * @param {number} [most] characters
 * @returns {string} its beginning, visible
 */
export function short(text, most = 200) {
  return text.length > most ? `${visible(cut(text, most))}…` : visible(text);
}

/**
 * @param {string} text
 * @returns {string} one line of it, short
 */
export function line(text, most = 200) {
  return short(cut(text, most * 4).replace(/\s+/g, " "), most);
}

/**
 * @param {string} name of a span, a trace or an event
 * @returns {string} something that can be seen and pressed, whatever it is
 */
export function nameOf(name) {
  return line(name, 160).trim() || "(no name)";
}

/**
 * @param {string} text
 * @param {number} most
 * @returns {string} its beginning, never half a character
 */
export function cut(text, most) {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}
