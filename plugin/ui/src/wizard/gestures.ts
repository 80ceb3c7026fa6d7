/** Follows one pointer from press to release, beyond the element it began on. */
export interface Gesture {
  start(event: PointerEvent): void;
  move(event: PointerEvent): void;
  end(event: PointerEvent, cancelled: boolean): void;
  tap?(event: PointerEvent): void;
}

const THRESHOLD_PX = { mouse: 4, pen: 4, touch: 8 } as Record<string, number>;

/** Below the threshold it is a tap, not a drag. Esc cancels. */
export function follow(down: PointerEvent, gesture: Gesture): void {
  if (down.button !== 0) return;
  const reach = THRESHOLD_PX[down.pointerType] ?? 4;
  let begun = false;
  const move = (event: PointerEvent) => {
    if (event.pointerId !== down.pointerId) return;
    if (!begun && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < reach) return;
    if (!begun) {
      begun = true;
      gesture.start(event);
    }
    event.preventDefault();
    gesture.move(event);
  };
  const stop = (event: PointerEvent, cancelled: boolean) => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", up);
    window.removeEventListener("pointercancel", lost);
    window.removeEventListener("keydown", escape, true);
    if (begun) gesture.end(event, cancelled);
    else if (!cancelled) gesture.tap?.(event);
  };
  const up = (event: PointerEvent) => event.pointerId === down.pointerId && stop(event, false);
  const lost = (event: PointerEvent) => event.pointerId === down.pointerId && stop(event, true);
  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    stop(down, true);
  };
  window.addEventListener("pointermove", move, { passive: false });
  window.addEventListener("pointerup", up);
  window.addEventListener("pointercancel", lost);
  window.addEventListener("keydown", escape, true);
}
