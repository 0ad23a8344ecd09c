/** Mouse, fingers and wheel over the image: the divider, the view, and zooming. */

interface Hands {
  /** Whether a place, in pixels of the page from the left, is on the divider, within reach of a finger. */
  onDivider(x: number): boolean;
  /** Whether there is more of the image than is seen. */
  isPartial(): boolean;
  divide(x: number): void;
  pan(x: number, y: number): void;
  zoom(factor: number, x: number, y: number): void;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

const WHEEL = 400; // pixels of the wheel that zoom by e

export class Pointers {
  readonly #element: HTMLElement;
  readonly #hands: Hands;
  readonly #listening = new AbortController();
  readonly #down = new Map<number, Place>();
  #does: "divide" | "pan" = "divide";

  constructor(element: HTMLElement, hands: Hands) {
    this.#element = element;
    this.#hands = hands;
    const { signal } = this.#listening;
    element.addEventListener("pointerdown", (event) => this.#begin(event), { signal });
    element.addEventListener("pointermove", (event) => this.#move(event), { signal });
    element.addEventListener("pointerup", (event) => this.#down.delete(event.pointerId), { signal });
    element.addEventListener("pointercancel", (event) => this.#down.delete(event.pointerId), { signal });
    element.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    element.addEventListener("wheel", (event) => this.#wheel(event), { signal, passive: false });
  }

  dispose(): void {
    this.#listening.abort();
  }

  #begin(event: PointerEvent): void {
    this.#element.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.#down.set(event.pointerId, place);
    if (this.#down.size > 1) return;
    const isMouse = event.pointerType === "mouse";
    const pans = isMouse ? event.button !== 0 : this.#hands.isPartial() && !this.#hands.onDivider(place.x);
    this.#does = pans ? "pan" : "divide";
    if (!pans && (isMouse || this.#hands.onDivider(place.x))) this.#hands.divide(place.x);
  }

  #move(event: PointerEvent): void {
    const before = this.#down.get(event.pointerId);
    if (before === undefined) return;
    const place = this.#place(event);
    const other = [...this.#down].find(([id]) => id !== event.pointerId)?.[1];
    this.#down.set(event.pointerId, place);
    if (other !== undefined) {
      const [old, now] = [apart(before, other), apart(place, other)];
      const middle = { x: (place.x + other.x) / 2, y: (place.y + other.y) / 2 };
      this.#hands.pan((before.x - place.x) / 2, (before.y - place.y) / 2);
      if (old > 0) this.#hands.zoom(now / old, middle.x, middle.y);
    } else if (this.#does === "divide") this.#hands.divide(place.x);
    else this.#hands.pan(before.x - place.x, before.y - place.y);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const { x, y } = this.#place(event);
    const lines = event.deltaMode === 0 ? 1 : 30; // pixels
    this.#hands.zoom(Math.exp((-event.deltaY * lines) / WHEEL), x, y);
  }

  #place(event: MouseEvent): Place {
    const { left, top } = this.#element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

function apart(one: Place, other: Place): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
