/** Zooming and panning with a wheel, a trackpad or by dragging. */

/** @import { Timeline } from "./timeline.js" */

const STILL = 4; // px that a click may move

/**
 * @param {HTMLElement} scroller
 * @param {HTMLElement} axis
 * @param {Timeline} timeline
 */
export function panAndZoom(scroller, axis, timeline) {
  scroller.addEventListener(
    "wheel",
    (event) => {
      const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const x = event.clientX - axis.getBoundingClientRect().left;
        timeline.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))), timeline.time(x));
      } else if (sideways && Math.abs(sideways) >= Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        event.preventDefault();
        timeline.pan(sideways / timeline.width);
      }
    },
    { passive: false },
  );
  scroller.addEventListener("pointerdown", (event) => drag(event, scroller, timeline));
}

/**
 * @param {PointerEvent} event
 * @param {HTMLElement} scroller
 * @param {Timeline} timeline
 */
function drag(event, scroller, timeline) {
  const onField = event.target instanceof Element && event.target.closest(".field");
  if (event.button || event.pointerType === "touch" || !onField || timeline.isWhole()) return;
  let last = event.clientX;
  let far = false;
  const moved = (/** @type {PointerEvent} */ it) => {
    far ||= Math.abs(it.clientX - event.clientX) > STILL;
    if (!far) return;
    timeline.pan((last - it.clientX) / timeline.width);
    last = it.clientX;
    scroller.classList.add("dragging");
  };
  const done = () => {
    removeEventListener("pointermove", moved);
    scroller.classList.remove("dragging");
    if (far) addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
  };
  addEventListener("pointermove", moved);
  addEventListener("pointerup", done, { once: true });
}
