/** The connection, as a word and a dot in the top bar; a break is also announced. */

import { h, setText } from "../dom.js";
import { connection, listen } from "./client.js";

const WORDS = {
  connecting: "Connecting …",
  live: "Live",
  lost: "Connection lost, trying again …",
  trouble: "The store cannot be read right now, trying again …",
};

/** @returns {HTMLElement} */
export function badge() {
  const word = h("span", { class: "word" });
  const element = h("div", { class: "live", role: "status" }, h("span", { class: "dot" }), word);
  const draw = () => {
    element.dataset.state = connection();
    element.title = WORDS[connection()];
    setText(word, WORDS[connection()]);
  };
  listen((message) => message.type === "state" && draw());
  draw();
  return element;
}
