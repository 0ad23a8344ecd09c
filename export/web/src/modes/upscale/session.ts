/** One image of several at a time. Tiles nearest to the middle of the view are enlarged first. */
import { PlayerError } from "../../engine/error.ts";
import { signed, wholeParam } from "../../generator/recipes.ts";
import { invitation } from "../../images/invitation.ts";
import { paint } from "../../images/panels.ts";
import { photoOf, stemOf, type Photo } from "../../images/photo.ts";
import { Superseded } from "../../images/translator.ts";
import { putTile, Upscaler } from "../../images/upscaler.ts";
import type {
  Control, DroppedImage, Host, Input, ModelFile, Params, Recipe, SavedImage, Session,
} from "../../mode.ts"; // prettier-ignore
import { element } from "../../page/dom.ts";
import { icon } from "../../page/icons.ts";
import { blank, cut, rgba, withAlpha, type Raster } from "../../pure/raster.ts";
import { TILE, type Tile } from "../../pure/tiles.ts";
import { upscaleControls } from "./controls.ts";
import { canvasOf, drawDivided } from "./painting.ts";
import { Pointers } from "./pointers.ts";
import { isPartial, nearestTile, panned, placeOf, resized, shown, whole, zoomed, type View } from "./view.ts";

const MOST_PIXELS = 2 ** 27; // of a result: it is in memory three times
const MOST_SIDE = 16_384; // pixels, of a canvas
const DIVIDER_STEP = 0.05;
const PAN = 1 / 8; // of the page, that an arrow moves it
const REACH = 28; // pixels from the divider, that take hold of it
const KEPT = 100;

/** An image, its result so far, and what is missing of it. */
interface Opened {
  readonly photo: Photo;
  readonly result: Raster;
  readonly source: HTMLCanvasElement;
  readonly canvas: HTMLCanvasElement;
  readonly count: number;
  readonly missing: Tile[];
}

export class UpscaleSession implements Session {
  readonly element = element("div", { class: "upscale" });
  readonly #host: Host;
  readonly #file: ModelFile;
  readonly #canvas = element("canvas", { role: "img" });
  readonly #divider: HTMLElement;
  readonly #pointers: Pointers;
  readonly #chips: HTMLElement[];
  #upscaler: Upscaler;
  #photos: readonly Photo[] = [];
  #index = 0;
  #history: number[] = [];
  #wanted = "";
  #opened: Opened | null = null;
  #view: View = { width: 0, height: 0, imageWidth: 1, imageHeight: 1, scale: 1, across: 0.5, down: 0.5 };
  #at = 0.5; // of the divider, between the ends of what is seen
  #pixelated = false;
  #stopped = false;
  #version = 0; // of the image that is enlarged
  #working: Promise<void> = Promise.resolve();
  #frame = 0;

  constructor(host: Host, file: ModelFile) {
    this.#host = host;
    this.#file = file;
    this.#upscaler = new Upscaler(host, file);
    const handle = element("div", { class: "handle" }, icon("divide"));
    this.#divider = element("div", { class: "divider", "aria-hidden": "true" }, handle);
    this.#chips = ["before", "after"].map((name) => element("span", { class: `chip ${name}` }, host.text(name)));
    this.element.append(invitation(host, { scale: this.#upscaler.scale }));
    this.#pointers = new Pointers(this.#canvas, {
      onDivider: (x) => Math.abs(x - this.#dividerPlace()) < REACH,
      isPartial: () => isPartial(this.#view),
      divide: (x) => {
        const { left, width } = shown(this.#view);
        this.#slideTo((x - left) / width);
      },
      pan: (x, y) => this.#see(panned(this.#view, x, y)),
      zoom: (factor, x, y) => this.#see(zoomed(this.#view, factor, x, y)),
    });
  }

  handle(input: Input): void {
    const { width, height } = this.#view;
    const pan = (across: number, down: number): void => {
      if (isPartial(this.#view)) this.#see(panned(this.#view, across * width * PAN, down * height * PAN));
      else this.#slideTo(this.#at + across * DIVIDER_STEP);
    };
    const zoom = (factor: number): void => this.#see(zoomed(this.#view, factor, width / 2, height / 2));
    switch (input.action) {
      case "LEFT":
        return pan(-1, 0);
      case "RIGHT":
        return pan(1, 0);
      case "UP":
        return pan(0, -1);
      case "DOWN":
        return pan(0, 1);
      case "PAGE_UP":
        return this.#turn(-1);
      case "PAGE_DOWN":
        return this.#turn(1);
      case "HOME":
        this.#at = 0.5;
        return this.#see(whole(this.#view));
      case "MORE":
        return zoom(2);
      case "LESS":
        return zoom(0.5);
      case "BACK": {
        const before = this.#history.pop();
        if (before !== undefined) this.#open(before);
        return;
      }
      case "QUIT":
        return this.#toggle();
      case "NEW":
      case "PAUSE":
      case "LEAVE":
        if (input.key === "[" || input.key === "]") {
          return this.#slideTo(this.#at + (input.key === "[" ? -1 : 1) * DIVIDER_STEP);
        }
        this.#pixelated = !this.#pixelated;
        this.#draw();
        return this.#host.changed();
      default:
    }
  }

  controls(): readonly Control[] {
    return upscaleControls({
      text: (key) => this.#host.text(key),
      missing: this.#opened?.missing.length ?? null,
      stopped: this.#stopped,
      photos: this.#photos.length,
      divider: this.#at,
      pixelated: this.#pixelated,
      tile: this.#upscaler.tile,
      slideTo: (place) => this.#slideTo(place),
      retile: (tile) => this.#retile(tile),
    });
  }

  params(): Params {
    const image = this.#photos[this.#index]?.name ?? this.#wanted;
    return { ...(image === "" ? {} : { image }), tile: String(this.#upscaler.tile) };
  }

  restore(params: Params): void {
    this.#wanted = (params["image"] ?? "").slice(0, 200);
    const index = this.#photos.findIndex(({ name }) => name === this.#wanted);
    if (this.#wanted !== "" && index < 0) this.#host.say(this.#host.text("wanted", { name: this.#wanted }));
    this.#upscaler = new Upscaler(this.#host, this.#file, wholeParam(params, "tile", 16, 8192, TILE));
    if (this.#photos.length > 0) this.#open(Math.max(index, 0));
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.#see(resized(this.#view, clientWidth, clientHeight));
  }

  dispose(): void {
    this.#version += 1;
    cancelAnimationFrame(this.#frame);
    this.#pointers.dispose();
    this.#host.busy(null);
  }

  openImages(images: readonly DroppedImage[]): boolean {
    if (images.length === 0) return false;
    this.#photos = images.map(photoOf);
    this.#history = [];
    this.#open(Math.max(this.#photos.findIndex(({ name }) => name === this.#wanted), 0)); // prettier-ignore
    return true;
  }

  async image(): Promise<SavedImage | null> {
    if (this.#stopped) this.#toggle();
    await this.#working;
    const there = this.#opened;
    if (there === null || there.missing.length > 0) return null;
    const alpha = this.#upscaler.alphaOf(there.photo);
    const result = alpha === null ? there.result : withAlpha(there.result, alpha);
    return { ...rgba(result), recipe: this.#recipe(there), stem: stemOf(there.photo.name) };
  }

  sheet(): SavedImage | null {
    const [there, context] = [this.#opened, this.#canvas.getContext("2d")];
    if (there === null || context === null) return null;
    this.#paint();
    const { width, height } = this.#canvas;
    const place = placeOf(this.#view);
    const { left, width: across } = shown(this.#view);
    const ratio = width / this.#view.width;
    const top = Math.max(place.top, 0);
    const tall = Math.min(place.top + place.height, this.#view.height) - top;
    const part = [left, top, across, tall].map((length) => Math.max(Math.round(length * ratio), 0));
    const image = context.getImageData(part[0]!, part[1]!, Math.min(part[2]!, width), Math.min(part[3]!, height));
    return { width: image.width, height: image.height, data: image.data, recipe: this.#recipe(there),
             stem: stemOf(there.photo.name) }; // prettier-ignore
  }

  describe(): string {
    const there = this.#opened;
    if (there === null) return this.#host.text("empty");
    const { width, height } = there.result;
    const done = there.count - there.missing.length;
    return this.#host.text("described", { name: there.photo.name, width, height, done, count: there.count });
  }

  #recipe({ photo }: Opened): Recipe {
    const { scale, tile } = this.#upscaler;
    return signed({ file: this.#file }, { mode: "upscale", image: photo.name, scale, tile });
  }

  // Images.

  #turn(by: number): void {
    if (this.#photos.length < 2) return;
    this.#history = [...this.#history.slice(1 - KEPT), this.#index];
    this.#open((this.#index + by + this.#photos.length) % this.#photos.length);
  }

  #retile(tile: number): void {
    this.#upscaler = new Upscaler(this.#host, this.#file, tile);
    if (this.#photos.length > 0) this.#open(this.#index);
    else this.#host.changed();
  }

  #open(index: number): void {
    const photo = this.#photos[index];
    if (photo === undefined) return;
    this.#index = index;
    this.#stopped = false;
    const version = (this.#version += 1);
    const earlier = this.#working;
    this.#working = (async (): Promise<void> => {
      await earlier;
      if (version === this.#version) await this.#prepare(photo, version);
    })();
    this.#host.changed();
  }

  async #prepare(given: Photo, version: number): Promise<void> {
    try {
      const photo = this.#upscaler.prepared(given);
      const [height, width] = this.#upscaler.resultSize(photo);
      if (height * width > MOST_PIXELS || Math.max(height, width) > MOST_SIDE) {
        const most = Math.floor(MOST_PIXELS / 1e6);
        throw new PlayerError(this.#host.text("large", { name: photo.name, width, height, most }));
      }
      const source = canvasOf(photo.alpha === null ? photo.image : withAlpha(photo.image, photo.alpha));
      const canvas = element("canvas", { width: String(width), height: String(height) });
      const context = canvas.getContext("2d");
      if (context !== null) {
        context.imageSmoothingQuality = "high";
        context.drawImage(source, 0, 0, width, height);
      }
      const tiles = await this.#upscaler.plan(photo);
      if (version !== this.#version) return;
      const result = blank(width, height, this.#upscaler.givesAlpha(photo) ? 4 : 3);
      this.#opened = { photo, result, source, canvas, count: tiles.length, missing: [...tiles] };
      this.element.replaceChildren(this.#canvas, this.#divider, ...this.#chips);
      const { clientWidth, clientHeight } = this.element;
      this.#at = 0.5;
      this.#see(whole({ ...this.#view, width: clientWidth, height: clientHeight, imageWidth: width, imageHeight: height }));
      this.#host.changed();
      await this.#fill(this.#opened, version);
    } catch (error) {
      if (!(error instanceof Superseded)) this.#host.fail(error);
    } finally {
      this.#host.busy(null);
    }
  }

  async #fill(there: Opened, version: number): Promise<void> {
    const { scale } = this.#upscaler;
    const alpha = this.#upscaler.alphaOf(there.photo);
    while (there.missing.length > 0 && version === this.#version && !this.#stopped) {
      const tile = nearestTile(there.missing, scale, this.#view);
      const made = await this.#upscaler.enlarge(there.photo, tile);
      if (version !== this.#version) return;
      there.missing.splice(there.missing.indexOf(tile), 1);
      putTile(there.result, made, tile, scale);
      const [left, top] = [tile.kept.left * scale, tile.kept.top * scale];
      const part = { left, top, width: made.width, height: made.height };
      paint(there.canvas, alpha === null ? made : withAlpha(made, cut(alpha, part)), left, top);
      this.#host.busy((there.count - there.missing.length) / there.count);
      this.#draw();
    }
    this.#host.busy(null);
    this.#host.changed();
  }

  /** Stop, or go on. */
  #toggle(): void {
    const [there, version] = [this.#opened, this.#version];
    if (there === null || there.missing.length === 0) return;
    this.#stopped = !this.#stopped;
    if (!this.#stopped) {
      const earlier = this.#working;
      this.#working = earlier
        .then(() => this.#fill(there, version))
        .catch((error: unknown) => (error instanceof Superseded ? undefined : this.#host.fail(error)));
    }
    this.#host.changed();
  }

  // The view.

  #see(view: View): void {
    this.#view = view;
    this.#draw();
  }

  #slideTo(place: number): void {
    this.#at = Math.min(Math.max(Math.round(1000 * place) / 1000, 0), 1);
    this.#draw();
    this.#host.changed();
  }

  #dividerPlace(): number {
    const { left, width } = shown(this.#view);
    return left + this.#at * width;
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    const [there, context] = [this.#opened, this.#canvas.getContext("2d")];
    if (there === null || context === null) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(this.#view.width * ratio), Math.round(this.#view.height * ratio)];
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    const split = this.#dividerPlace();
    const { top, bottom } = drawDivided(context, this.#view, split, there, this.#pixelated, ratio);
    Object.assign(this.#divider.style, { left: `${split}px`, top: `${top}px`, height: `${Math.max(bottom - top, 0)}px` });
    const { left: begin, width: across } = shown(this.#view);
    const [before, after] = this.#chips as [HTMLElement, HTMLElement];
    Object.assign(before.style, { left: `${begin + 12}px`, top: `${top + 12}px` });
    Object.assign(after.style, { right: `${this.#view.width - begin - across + 12}px`, top: `${top + 12}px` });
    this.#canvas.setAttribute("aria-label", this.describe());
  }
}
