/** Images side by side, or one below the other where that makes them larger; all of them as large as fits. */
import { element } from "../page/dom.ts";
import { rgba, type Raster } from "../pure/raster.ts";

export interface Panel {
  readonly caption: string;
  /** Null: there is none yet, but it will have this size. */
  readonly image: Raster | null;
  readonly width: number;
  readonly height: number;
  /** Every pixel is shown as a square: of lines and areas, which are drawn in pixels. */
  readonly sharp?: boolean;
  /** One of several, chosen. */
  readonly marked?: boolean;
}

const GAP = 12; // pixels of the page
const CAPTION = 26; // pixels, below an image

export class Panels {
  readonly element = element("div", { class: "panels" });
  readonly canvases: HTMLCanvasElement[] = [];
  readonly #shown: (Raster | null)[] = [];
  #panels: readonly Panel[] = [];

  /** `pick`: an image was clicked. */
  constructor(pick?: (number: number) => void) {
    if (pick === undefined) return;
    this.element.addEventListener("click", (event) => {
      const number = this.canvases.findIndex((canvas) => canvas === event.target);
      if (number >= 0) pick(number);
    });
  }

  show(panels: readonly Panel[]): void {
    const relaid = panels.length !== this.#panels.length || panels.some((panel, at) => differs(panel, this.#panels[at]));
    this.#panels = panels;
    while (this.canvases.length < panels.length) this.#add();
    this.canvases.length = panels.length;
    this.#shown.length = panels.length;
    while (this.element.children.length > panels.length) this.element.lastElementChild?.remove();
    panels.forEach((panel, at) => this.#draw(panel, at));
    if (relaid) this.layOut();
  }

  /** The element has another size. */
  layOut(): void {
    const first = this.#panels[0];
    const { clientWidth, clientHeight } = this.element;
    if (first === undefined || clientWidth === 0 || clientHeight === 0) return;
    const count = this.#panels.length;
    let best = { scale: 0, columns: 1 };
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const across = (clientWidth - GAP * (columns + 1)) / columns / first.width;
      const down = (clientHeight - GAP * (rows + 1) - CAPTION * rows) / rows / first.height;
      const scale = Math.min(across, down);
      if (scale > best.scale) best = { scale, columns };
    }
    const scale = Math.max(best.scale, 0.01);
    const [width, height] = [Math.floor(first.width * scale), Math.floor(first.height * scale)];
    this.element.style.gridTemplateColumns = `repeat(${best.columns}, ${width}px)`;
    this.canvases.forEach((canvas, at) => {
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      canvas.classList.toggle("sharp", this.#panels[at]?.sharp === true);
    });
  }

  #add(): void {
    const canvas = element("canvas");
    this.canvases.push(canvas);
    this.#shown.push(null);
    this.element.append(element("figure", {}, canvas, element("figcaption")));
  }

  #draw(panel: Panel, at: number): void {
    const canvas = this.canvases[at]!;
    const figure = canvas.parentElement!;
    const { width, height } = panel.image ?? panel;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.#shown[at] = null;
    }
    const caption = figure.querySelector("figcaption")!;
    if (caption.textContent !== panel.caption) caption.textContent = panel.caption;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", panel.caption);
    figure.classList.toggle("marked", panel.marked === true);
    figure.classList.toggle("empty", panel.image === null);
    if (panel.image === null || this.#shown[at] === panel.image) return;
    this.#shown[at] = panel.image;
    paint(canvas, panel.image);
  }
}

function differs(one: Panel, other: Panel | undefined): boolean {
  return one.width !== other?.width || one.height !== other.height;
}

/** An image onto a canvas of its size. */
export function paint(canvas: HTMLCanvasElement, image: Raster, left = 0, top = 0): void {
  const { width, height, data } = rgba(image);
  canvas.getContext("2d")?.putImageData(new ImageData(data, width, height), left, top);
}
