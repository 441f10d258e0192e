/** The keys of the trace page. */

/** @import { TraceView } from "./view.js" */

/**
 * @param {TraceView} view
 * @returns {import("../keys.js").Shortcut[]}
 */
export function traceKeys(view) {
  return [
    { keys: ["ArrowDown", "j"], does: "Next span", run: () => view.step(1) },
    { keys: ["ArrowUp", "k"], does: "Previous span", run: () => view.step(-1) },
    { keys: ["ArrowRight"], does: "Unfold, or go to the first child", run: (event) => (event.shiftKey ? view.timeline.pan(0.2) : view.inward()) },
    { keys: ["ArrowLeft"], does: "Fold, or go to the parent", run: (event) => (event.shiftKey ? view.timeline.pan(-0.2) : view.outward()) },
    { keys: ["Home"], does: "First span", run: () => view.step(-Infinity) },
    { keys: ["End"], does: "Last span", run: () => view.step(Infinity) },
    { keys: ["PageDown"], does: "A page down", run: () => view.step(20) },
    { keys: ["PageUp"], does: "A page up", run: () => view.step(-20) },
    { keys: ["Enter"], does: "Open or close the details", run: () => view.pressEnter() },
    { keys: ["]"], does: "Next event of the span", run: () => view.stepEvent(1) },
    { keys: ["["], does: "Previous event of the span", run: () => view.stepEvent(-1) },
    { keys: ["e"], does: "Next error", run: () => view.nextError() },
    { keys: ["p"], does: "Critical path on or off", run: () => view.tools.critical.click() },
    { keys: ["+", "="], does: "Zoom in", run: () => view.timeline.zoom(1 / 1.6) },
    { keys: ["-"], does: "Zoom out", run: () => view.timeline.zoom(1.6) },
    { keys: ["0"], does: "Show the whole trace", run: () => view.timeline.fit() },
    { keys: ["w"], does: "Waterfall", run: () => view.show("waterfall") },
    { keys: ["t"], does: "Table of events", run: () => view.show("events") },
    { keys: ["Escape"], does: "Close the details", run: () => view.escape() },
  ];
}
