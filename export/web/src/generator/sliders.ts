/** Sliders along axes of latent space, with room for images behind each. */
import { element } from "../page/dom.ts";

export interface Slider {
  readonly axis: number;
  readonly name: string;
  readonly value: number;
  readonly chosen: boolean;
}

const STEPS = 200; // from the middle of a slider to its end

export class Sliders {
  readonly element = element("div", { class: "axis-sliders" });
  readonly #slide: (axis: number, value: number) => void;
  readonly #choose: (axis: number) => void;
  #rows: HTMLElement[] = [];

  /** `slide`: to a coordinate along an axis. `choose`: a slider has the focus. */
  constructor(slide: (axis: number, value: number) => void, choose: (axis: number) => void = (): void => undefined) {
    this.#slide = slide;
    this.#choose = choose;
  }

  /** Show these; those that stay keep the focus. */
  show(sliders: readonly Slider[], reach: number): void {
    const names = sliders.map((one) => `${one.axis} ${one.name}`);
    if (names.length !== this.#rows.length || names.some((name, row) => this.#rows[row]?.dataset["axis"] !== name)) {
      this.#rows = sliders.map((one) => this.#row(one));
      this.#rows.forEach((row, number) => (row.dataset["axis"] = names[number]));
      this.element.replaceChildren(...this.#rows);
    }
    sliders.forEach((one, number) => {
      const row = this.#rows[number]!;
      const input = row.querySelector("input")!;
      [input.min, input.max, input.step] = [String(-reach), String(reach), String(reach / STEPS)];
      if (Math.abs(Number(input.value) - one.value) > reach / STEPS) input.value = String(one.value);
      row.classList.toggle("chosen", one.chosen);
      row.querySelector("output")!.textContent = one.value.toFixed(2);
    });
  }

  #row(slider: Slider): HTMLElement {
    const input = element("input", { type: "range", "aria-label": slider.name });
    input.addEventListener("input", () => this.#slide(slider.axis, Number(input.value)));
    input.addEventListener("focus", () => this.#choose(slider.axis));
    const track = element("div", { class: "axis-track" }, element("canvas"), input);
    return element("div", { class: "axis-slider" }, element("span", {}, slider.name), track, element("output"));
  }

  /** The canvas behind a slider. */
  track(row: number): HTMLCanvasElement | null {
    return this.#rows[row]?.querySelector("canvas") ?? null;
  }
}
