/** A sheet of images on the page: a canvas, a cursor, captions; and where a pointer is on it. */
import { countOf, cornerOf, sizeOf, type Sheet } from "../pure/sheet.ts";
import { toPixels, type Rgb } from "./pixels.ts";

const SWIPE_PX = 48; // that a finger moves across for another page
const GAP_PX = 4;
const LEAST_CELL_PX = 66; // that an image is wide or high at least, where there is room for a few
const USUAL_CELL_PX = 128;
const MOST_IMAGES = 48;

/** Rows and columns that fill a place well with images of this size: as many as suit it, 48 at most. */
export function fittingCounts(width: number, height: number, imageWidth: number, imageHeight: number): [number, number] {
  const side = Math.max(imageWidth, imageHeight);
  const cell = Math.min(Math.max(Math.sqrt((width * height) / MOST_IMAGES), LEAST_CELL_PX), USUAL_CELL_PX);
  const wanted = Math.min(Math.max((width * height) / cell ** 2, 1), MOST_IMAGES);
  let best: [number, number] = [1, 1];
  let most = -Infinity;
  for (let rows = 1; rows <= 12; rows += 1) {
    for (let columns = 1; columns <= 12; columns += 1) {
      if (rows * columns > MOST_IMAGES) continue;
      const scale = Math.min(width / (columns * imageWidth), height / (rows * imageHeight));
      const filled = (rows * columns * imageWidth * imageHeight * scale ** 2) / (width * height);
      const small = scale * side < LEAST_CELL_PX ? 1 : 0;
      const score = filled - 0.2 * Math.abs(Math.log((rows * columns) / wanted)) - small;
      if (score > most) [most, best] = [score, [rows, columns]];
    }
  }
  return best;
}

/** A sheet of so many images in a place, as large as fits; whole multiples of their own pixels where they are small. */
export function fittingSheet(
  place: { width: number; height: number },
  rows: number,
  columns: number,
  imageWidth: number,
  imageHeight: number,
): Sheet {
  const gap = rows * columns === 1 ? 0 : GAP_PX;
  const inner = [place.width - gap * (columns + 1), place.height - gap * (rows + 1)] as const;
  const scale = Math.max(Math.min(inner[0] / (columns * imageWidth), inner[1] / (rows * imageHeight)), 1 / 64);
  const cellWidth = Math.max(Math.floor(imageWidth * scale), 1);
  return { rows, columns, cellWidth, cellHeight: Math.max(Math.floor(imageHeight * scale), 1), gap };
}

export interface SheetEvents {
  /** Pressed at a place of the sheet, in its pixels. */
  press(x: number, y: number): void;
  /** A finger moved across: 1 to the next page, -1 to the one before. */
  swipe(by: 1 | -1): void;
  /** Pressed twice. */
  open?(): void;
}

export class SheetView {
  readonly element = document.createElement("div");
  readonly #frame = document.createElement("div");
  readonly #canvas = document.createElement("canvas");
  readonly #cursor = document.createElement("div");
  readonly #captions = document.createElement("div");
  readonly #scratch = document.createElement("canvas");
  #sheet: Sheet = { rows: 1, columns: 1, cellWidth: 1, cellHeight: 1, gap: 0 };
  #ratio = 1;

  constructor(events: SheetEvents) {
    this.element.className = "sheet";
    this.#frame.className = "sheet-frame";
    this.#cursor.className = "sheet-cursor";
    this.#captions.className = "sheet-captions";
    this.#canvas.setAttribute("role", "img");
    this.#frame.append(this.#canvas, this.#captions, this.#cursor);
    this.element.append(this.#frame);
    this.#listen(events);
  }

  #listen(events: SheetEvents): void {
    let start: PointerEvent | null = null;
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.isPrimary) start = event;
      if (event.pointerType !== "touch" && event.button === 0) events.press(...this.#place(event));
    });
    this.element.addEventListener("pointerup", (event) => {
      if (start?.pointerId !== event.pointerId) return;
      const [across, down] = [event.clientX - start.clientX, event.clientY - start.clientY];
      const far = Math.abs(across) > SWIPE_PX && Math.abs(across) > 2 * Math.abs(down);
      if (event.pointerType === "touch") {
        if (far) events.swipe(across < 0 ? 1 : -1);
        else if (Math.hypot(across, down) < 12) events.press(...this.#place(event));
      }
      start = null;
    });
    this.element.addEventListener("pointercancel", () => (start = null));
    this.element.addEventListener("dblclick", () => events.open?.());
  }

  #place(event: PointerEvent): [number, number] {
    const { left, top } = this.#frame.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** How much room there is, in pixels of the page. */
  get room(): { width: number; height: number } {
    const style = getComputedStyle(this.element);
    const across = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) || 0;
    const down = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom) || 0;
    return {
      width: Math.max(this.element.clientWidth - across, 64),
      height: Math.max(this.element.clientHeight - down, 64),
    };
  }

  /** Lay a sheet out. What it showed is gone. */
  layOut(sheet: Sheet): void {
    this.#sheet = sheet;
    this.#ratio = Math.min(window.devicePixelRatio || 1, 3);
    const [width, height] = sizeOf(sheet);
    this.#canvas.width = Math.round(width * this.#ratio);
    this.#canvas.height = Math.round(height * this.#ratio);
    this.#frame.style.width = `${width}px`;
    this.#frame.style.height = `${height}px`;
  }

  /** Show images u8 [n, h, w, 3] from number `first` on. */
  draw(first: number, count: number, images: Rgb, height: number, width: number): void {
    const context = this.#canvas.getContext("2d");
    const scratch = this.#scratch.getContext("2d");
    if (context === null || scratch === null) return;
    if (this.#scratch.width !== width || this.#scratch.height !== height) {
      [this.#scratch.width, this.#scratch.height] = [width, height];
    }
    context.imageSmoothingQuality = "high";
    for (let number = 0; number < count && first + number < countOf(this.#sheet); number += 1) {
      const pixels = toPixels(images, height, width, number);
      scratch.putImageData(new ImageData(pixels.data, width, height), 0, 0);
      const [left, top] = cornerOf(this.#sheet, first + number).map((edge) => Math.round(edge * this.#ratio)) as [number, number];
      const [wide, high] = [this.#sheet.cellWidth, this.#sheet.cellHeight].map((side) => Math.round(side * this.#ratio));
      context.drawImage(this.#scratch, left, top, wide!, high!);
    }
  }

  /** Where the cursor is; null: there is none. `label`: of the whole sheet, for screen readers. */
  point(cursor: number | null, label: string): void {
    this.#canvas.setAttribute("aria-label", label);
    this.#cursor.hidden = cursor === null;
    if (cursor === null) return;
    const [left, top] = cornerOf(this.#sheet, cursor);
    this.#cursor.style.transform = `translate(${left}px, ${top}px)`;
    this.#cursor.style.width = `${this.#sheet.cellWidth}px`;
    this.#cursor.style.height = `${this.#sheet.cellHeight}px`;
  }

  /** Names over the first images of rows. */
  caption(names: readonly string[]): void {
    this.#captions.replaceChildren(
      ...names.map((name, row) => {
        const caption = document.createElement("span");
        caption.className = "sheet-caption";
        caption.textContent = name;
        const [left, top] = cornerOf(this.#sheet, row * this.#sheet.columns);
        caption.style.transform = `translate(${left}px, ${top}px)`;
        caption.style.maxWidth = `${this.#sheet.cellWidth}px`;
        return caption;
      }),
    );
  }
}
