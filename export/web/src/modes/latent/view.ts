/** What the latent mode looks like: a plane, a strip of images, sliders; and beside them the image of the point. */
import { toPixels, type Rgb } from "../../generator/pixels.ts";
import { Sliders, type Slider } from "../../generator/sliders.ts";
import { element } from "../../page/dom.ts";
import { slidersScreen } from "./screen.ts";
import type { Place, View } from "./state.ts";

const GROUP_COLOURS = ["#ffffff", "#28f0ff"]; // of A and B
const TRACK_PX = 40;

export interface ViewEvents {
  point(action: "MOVE" | "CLICK" | "DRAG" | "RELEASE", at: Place): void;
  area(action: "SECOND_CLICK" | "SECOND_DRAG", at: Place): void;
  /** A slider was moved, to a coordinate along its axis. */
  readonly slide: (axis: number, value: number) => void;
  readonly choose: (axis: number) => void;
}

/** A scatter to be drawn; places are 0..1 from the left and the top. */
export interface Dots {
  readonly places: readonly (readonly [number, number])[];
  readonly groups: readonly [ReadonlySet<number>, ReadonlySet<number>];
  readonly rectangle: readonly [number, number, number, number] | null;
  readonly arrow: readonly (readonly [number, number])[];
}

export class LatentView {
  readonly element = element("div", { class: "latent" });
  readonly plane = element("canvas", { class: "latent-plane" });
  readonly image = element("canvas", { class: "latent-image", role: "img" });
  readonly strip = element("canvas", { class: "latent-strip" });
  readonly #ring = element("div", { class: "latent-ring" });
  readonly #stop = element("div", { class: "latent-stop" });
  readonly #frame = element("div", { class: "latent-frame" }, this.plane, this.#ring);
  readonly #stripFrame = element("div", { class: "latent-strip-frame" }, this.strip, this.#stop);
  readonly #across = element("div", { class: "latent-across" });
  readonly #up = element("div", { class: "latent-up" });
  readonly #sliders: Sliders;
  readonly #words = element("p", { class: "latent-words" });
  readonly #ends = element("div", { class: "latent-ends" });
  readonly #side = element("div", { class: "latent-side" }, this.image, this.#words, this.#ends);
  readonly #place = element("div", { class: "latent-place" });
  readonly #main = element("div", { class: "latent-main" }, this.#place, this.#stripFrame);
  readonly #scratch = element("canvas");
  readonly #events: ViewEvents;
  #selecting = false;

  constructor(events: ViewEvents) {
    this.#events = events;
    this.#sliders = new Sliders(events.slide, events.choose);
    this.#place.append(this.#up, this.#frame, this.#across);
    this.element.append(this.#main, this.#side);
    this.#listen();
  }

  /** The next drag on the scatter draws a rectangle. */
  set selecting(on: boolean) {
    this.#selecting = on;
    this.element.classList.toggle("selecting", on);
  }

  #listen(): void {
    const at = (event: PointerEvent): Place => {
      const { left, top, width, height } = this.plane.getBoundingClientRect();
      const [across, down] = [(event.clientX - left) / width, (event.clientY - top) / height];
      const inside = across >= 0 && across < 1 && down >= 0 && down < 1;
      const clamp = (value: number): number => Math.min(Math.max(value, 0), 1);
      return { part: "plane", across: clamp(across), down: clamp(down), inside };
    };
    let drag: "point" | "area" | null = null;
    this.#frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 && event.button !== 2) return;
      this.#frame.setPointerCapture(event.pointerId);
      drag = event.button === 2 || this.#selecting ? "area" : "point";
      if (drag === "area") this.#events.area("SECOND_CLICK", at(event));
      else this.#events.point("CLICK", at(event));
    });
    this.#frame.addEventListener("pointermove", (event) => {
      if (drag === "area") this.#events.area("SECOND_DRAG", at(event));
      else if (drag === "point" || event.pointerType === "mouse") {
        this.#events.point(drag === null ? "MOVE" : "DRAG", at(event));
      }
    });
    const end = (event: PointerEvent): void => {
      if (drag === "point") this.#events.point("RELEASE", at(event));
      drag = null;
    };
    this.#frame.addEventListener("pointerup", end);
    this.#frame.addEventListener("pointercancel", end);
    this.#frame.addEventListener("contextmenu", (event) => event.preventDefault());
    const along = (event: PointerEvent): void => {
      const { left, width } = this.strip.getBoundingClientRect();
      this.#events.point("MOVE", { part: "line", across: (event.clientX - left) / width });
    };
    this.#stripFrame.addEventListener("pointerdown", along);
    this.#stripFrame.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" || event.buttons > 0) along(event);
    });
  }

  show(view: View): void {
    this.element.dataset["view"] = view;
  }

  /** Bring the parts to the size of their places. `across`, `up`: width and height of the plane in its own units. */
  fit(across: number, up: number, stops: number, imageWidth: number, imageHeight: number): void {
    const ratio = pixelRatio();
    const { clientWidth, clientHeight } = this.#place;
    const scale = Math.max(Math.min((clientWidth - 28) / across, (clientHeight - 28) / up), 0.01);
    const [width, height] = [Math.max(Math.floor(across * scale), 32), Math.max(Math.floor(up * scale), 32)];
    this.#frame.style.width = `${width}px`;
    this.#frame.style.height = `${height}px`;
    this.#across.style.width = `${width}px`;
    this.#up.style.height = `${height}px`;
    resizeTo(this.plane, Math.round(width * ratio), Math.round(height * ratio));
    resizeTo(this.image, imageWidth, imageHeight);
    const wide = Math.max(Math.floor(this.#main.clientWidth / stops), 8);
    const high = Math.round((wide * imageHeight) / imageWidth);
    resizeTo(this.strip, Math.round(wide * stops * ratio), Math.round(high * ratio));
    this.#stripFrame.style.width = `${wide * stops}px`;
    this.#stripFrame.style.height = `${high}px`;
  }

  /** Images row by row into a canvas, as rows and columns that fill it. */
  mosaic(canvas: HTMLCanvasElement, images: Rgb, first: number, count: number, rows: number, columns: number, height: number, width: number): void {
    const [context, scratch] = [canvas.getContext("2d"), this.#scratch.getContext("2d")];
    if (context === null || scratch === null) return;
    resizeTo(this.#scratch, width, height);
    context.imageSmoothingQuality = "high";
    for (let number = 0; number < count; number += 1) {
      const [row, column] = [Math.floor((first + number) / columns), (first + number) % columns];
      const edge = (place: number, of: number, side: number): number => Math.round((place * side) / of);
      const [left, top] = [edge(column, columns, canvas.width), edge(row, rows, canvas.height)];
      const [right, bottom] = [edge(column + 1, columns, canvas.width), edge(row + 1, rows, canvas.height)];
      scratch.putImageData(new ImageData(toPixels(images, height, width, number).data, width, height), 0, 0);
      context.drawImage(this.#scratch, left, top, right - left, bottom - top);
    }
  }

  /** The large image. */
  large(images: Rgb, height: number, width: number): void {
    resizeTo(this.image, width, height);
    const pixels = toPixels(images, height, width).data;
    this.image.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  /** Images beside the point along a direction, with their captions; none: they go. */
  ends(images: Rgb | null, captions: readonly string[], height: number, width: number): void {
    this.#ends.replaceChildren();
    if (images === null) return;
    captions.forEach((caption, number) => {
      const canvas = element("canvas", { role: "img", "aria-label": caption });
      resizeTo(canvas, width, height);
      canvas.getContext("2d")?.putImageData(new ImageData(toPixels(images, height, width, number).data, width, height), 0, 0);
      this.#ends.append(element("figure", {}, canvas, element("figcaption", {}, caption)));
    });
  }

  /** The scatter, on the plane's canvas. */
  dots(dots: Dots): void {
    const context = this.plane.getContext("2d");
    if (context === null) return;
    const { width, height } = this.plane;
    const style = getComputedStyle(this.element);
    const ink = style.color;
    context.clearRect(0, 0, width, height);
    context.strokeStyle = ink;
    context.globalAlpha = 0.18;
    context.beginPath();
    for (const at of [0.25, 0.5, 0.75]) {
      context.moveTo(at * width, 0);
      context.lineTo(at * width, height);
      context.moveTo(0, at * height);
      context.lineTo(width, at * height);
    }
    context.stroke();
    const radius = (dots.places.length > 200 ? 3 : 5) * Math.max(width / 640, 0.7);
    const circle = (place: readonly [number, number], size: number): void => {
      context.beginPath();
      context.arc(place[0] * width, place[1] * height, size, 0, 2 * Math.PI);
    };
    context.fillStyle = style.getPropertyValue("--accent") || "#c97b2a";
    context.globalAlpha = 0.75;
    for (const place of dots.places) {
      circle(place, radius);
      context.fill();
    }
    context.globalAlpha = 1;
    dots.groups.forEach((group, number) => {
      for (const point of group) {
        const place = dots.places[point];
        if (place === undefined) continue;
        circle(place, radius * 2);
        context.lineWidth = radius * 1.4;
        context.strokeStyle = "#000";
        context.stroke();
        context.lineWidth = radius * 0.8;
        context.strokeStyle = GROUP_COLOURS[number] ?? ink;
        context.stroke();
      }
    });
    context.lineWidth = Math.max(width / 320, 1.5);
    context.strokeStyle = ink;
    const [start, end] = dots.arrow;
    if (start !== undefined && end !== undefined) {
      context.beginPath();
      context.moveTo(start[0] * width, start[1] * height);
      context.lineTo(end[0] * width, end[1] * height);
      context.stroke();
      circle(end, radius * 1.5);
      context.fillStyle = ink;
      context.fill();
    }
    if (dots.rectangle !== null) {
      const [left, top, right, bottom] = dots.rectangle;
      context.setLineDash([6, 4]);
      context.strokeRect(left * width, top * height, (right - left) * width, (bottom - top) * height);
      context.setLineDash([]);
    }
  }

  /** Where the point lies, 0..1; a line from A to B instead, where there is one. */
  ring(across: number, down: number): void {
    this.#ring.hidden = across < -0.01 || across > 1.01 || down < -0.01 || down > 1.01;
    this.#ring.style.left = `${across * 100}%`;
    this.#ring.style.top = `${down * 100}%`;
  }

  stop(number: number, count: number): void {
    this.#stop.style.left = `${(number / count) * 100}%`;
    this.#stop.style.width = `${100 / count}%`;
  }

  words(lines: readonly string[], across: string, up: string, described: string): void {
    this.#words.textContent = lines.join(" · ");
    this.#across.textContent = `${across} →`;
    this.#up.textContent = `${up} →`;
    this.image.setAttribute("aria-label", described);
    this.plane.setAttribute("aria-label", described);
    this.plane.setAttribute("role", "img");
  }

  /** Sliders. `beside`: they stand beside the plane. */
  sliders(sliders: readonly Slider[], reach: number, beside: boolean): void {
    const target = beside ? this.#side : this.#main;
    if (this.#sliders.element.parentElement !== target) target.append(this.#sliders.element);
    this.#sliders.show(sliders, reach);
  }

  /** The canvas behind a slider, in the size that it is shown. */
  track(row: number): HTMLCanvasElement | null {
    const canvas = this.#sliders.track(row);
    if (canvas === null) return null;
    const ratio = pixelRatio();
    resizeTo(canvas, Math.round(canvas.clientWidth * ratio), Math.round(TRACK_PX * ratio));
    return canvas;
  }

  /** What is on the screen, of the views but the line, as one image. */
  screen(view: View, sliders: readonly Slider[], reach: number): ImageData {
    if (view !== "sliders") return this.plane.getContext("2d")!.getImageData(0, 0, this.plane.width, this.plane.height);
    const rows = sliders.map((one, row) => ({ ...one, track: this.track(row)! }));
    const style = getComputedStyle(this.element);
    const paper = getComputedStyle(document.body).backgroundColor;
    const accent = style.getPropertyValue("--accent") || "#1f5fbf";
    const look = { ink: style.color, paper, accent, family: style.fontFamily };
    return slidersScreen(this.image, rows, reach, pixelRatio(), look);
  }
}

function pixelRatio(): number {
  return Math.min(window.devicePixelRatio || 1, 2);
}

/** A canvas loses its content only where its size is another one. */
function resizeTo(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = Math.max(width, 1);
  if (canvas.height !== height) canvas.height = Math.max(height, 1);
}
