/** A mouse, a finger or a stylus on the page. */

export interface PenPoint {
  /** Fraction of the page's width, from the left; beyond 0..1 beside it. */
  readonly x: number;
  readonly y: number;
  /** 0..1, of a stylus; null of what knows no pressure. */
  readonly pressure: number | null;
  /** The right button, or the other end of a stylus. */
  readonly erases: boolean;
}

interface Follower {
  begin(point: PenPoint): void;
  extend(points: readonly PenPoint[]): void;
  wheel(steps: number): void;
}

const ERASER = 32; // of `PointerEvent.buttons`
const NOTCH = 60; // pixels of the wheel that are a step

export class Pen {
  readonly #canvas: HTMLCanvasElement;
  readonly #follower: Follower;
  readonly #listening = new AbortController();
  #pointer: { id: number; type: string; erases: boolean } | null = null;
  #wheeled = 0;

  constructor(canvas: HTMLCanvasElement, follower: Follower) {
    this.#canvas = canvas;
    this.#follower = follower;
    const { signal } = this.#listening;
    const end = (event: PointerEvent): void => {
      if (event.pointerId === this.#pointer?.id) this.lift();
    };
    canvas.addEventListener("pointerdown", (event) => this.#down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#move(event), { signal });
    canvas.addEventListener("pointerup", end, { signal });
    canvas.addEventListener("pointercancel", end, { signal });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    canvas.addEventListener("wheel", (event) => this.#turn(event), { signal, passive: false });
  }

  /** The movement is over. */
  lift(): void {
    if (this.#pointer !== null && this.#canvas.hasPointerCapture(this.#pointer.id)) {
      this.#canvas.releasePointerCapture(this.#pointer.id);
    }
    this.#pointer = null;
  }

  dispose(): void {
    this.lift();
    this.#listening.abort();
  }

  #down(event: PointerEvent): void {
    const isStylus = event.pointerType === "pen" && this.#pointer?.type === "touch"; // the hand came down before it
    if ((this.#pointer !== null && !isStylus) || event.button === 1) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    const erases = event.button === 2 || (event.buttons & ERASER) !== 0;
    this.#pointer = { id: event.pointerId, type: event.pointerType, erases };
    this.#follower.begin(this.#point(event, erases));
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer?.id) return;
    const { erases } = this.#pointer;
    const all = event.getCoalescedEvents();
    this.#follower.extend((all.length > 0 ? all : [event]).map((one) => this.#point(one, erases)));
  }

  #turn(event: WheelEvent): void {
    event.preventDefault();
    this.#wheeled -= event.deltaMode === 0 ? event.deltaY / NOTCH : event.deltaY;
    const steps = Math.trunc(this.#wheeled);
    this.#wheeled -= steps;
    if (steps !== 0) this.#follower.wheel(Math.sign(steps));
  }

  #point(event: PointerEvent, erases: boolean): PenPoint {
    const place = this.#canvas.getBoundingClientRect();
    return {
      x: (event.clientX - place.left) / place.width,
      y: (event.clientY - place.top) / place.height,
      pressure: event.pointerType === "pen" && event.pressure > 0 ? event.pressure : null,
      erases,
    };
  }
}
