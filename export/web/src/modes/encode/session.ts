/** A photograph, made again by the model: what it makes of it, walks from it, and edits along directions. */
import { classControls } from "../../generator/controls.ts";
import { Decoder } from "../../generator/decoder.ts";
import { encodeImage } from "../../generator/encoding.ts";
import { findEncoder, generatorOf, type Generator } from "../../generator/models.ts";
import { toPixels, type Rgb } from "../../generator/pixels.ts";
import { classParams, classesParam, exactNumbers, latentParam, numberParam, paramLatent, seedParam, signed, stemOf } from "../../generator/recipes.ts";
import { Sliders } from "../../generator/sliders.ts";
import type { Control, DroppedImage, Film, Host, Input, ModelFile, Params, Pixels, SavedImage, Session } from "../../mode.ts";
import { element } from "../../page/dom.ts";
import { classesAfter, type Classes } from "../../pure/classes.ts";
import type { Latent } from "../../pure/latents.ts";
import { MIDDLE, spaceOf, type Space } from "../../pure/space.ts";
import { encodeAfter, FIRST, FRAMES, latentAt, walked, type EncodeState } from "./state.ts";

const MOST_SLIDERS = 8;
const REACH = 4; // stds, of the sliders
const FRAME_MS = 1000 / 30;
const GAP = 2; // pixels between the images of a saved pair

export class EncodeSession implements Session {
  readonly element = element("div", { class: "encode" });
  readonly #host: Host;
  readonly #generator: Generator;
  readonly #encoder: ModelFile;
  readonly #decoder: Decoder;
  readonly #space: Space;
  readonly #photo = element("canvas", { role: "img" });
  readonly #image = element("canvas", { role: "img" });
  readonly #invitation: HTMLElement;
  readonly #sliders: Sliders;
  #state: EncodeState = FIRST;
  #seen: Pixels | null = null; // the photograph as the encoder saw it
  #name = "";
  #making = false;
  #classes: Classes;
  #shown = ""; // what the image on the screen follows from
  #timer = 0;

  constructor(host: Host, files: readonly ModelFile[]) {
    this.#host = host;
    this.#generator = generatorOf(files);
    this.#encoder = findEncoder(files, this.#generator)!;
    this.#classes = classesParam({}, this.#generator.classes.length);
    this.#decoder = new Decoder(host, this.#generator);
    const { card } = this.#generator.file;
    this.#space = spaceOf(this.#generator.latent, card.directions, card.namedDirections);
    this.#sliders = new Sliders((axis, value) => {
      this.#show({ ...this.#state, edits: new Map([...this.#state.edits, [axis, value]]) });
    });
    const choose = element("button", { type: "button", class: "encode-choose" }, host.text("photo"));
    choose.addEventListener("click", () => host.openFiles("image/*"));
    this.#invitation = element("div", { class: "encode-invitation" }, element("p", {}, host.text("drop")), choose);
    const figure = (canvas: HTMLCanvasElement, caption: string): HTMLElement =>
      element("figure", {}, canvas, element("figcaption", {}, host.text(caption)));
    const pair = element("div", { class: "encode-pair" }, figure(this.#photo, "original"), figure(this.#image, "made"));
    this.element.append(this.#invitation, pair, this.#sliders.element);
    this.#update();
  }

  handle(input: Input): void {
    const classes = classesAfter(this.#classes, input);
    if (classes !== null) return this.#choose(classes);
    this.#show(encodeAfter(this.#state, input));
  }

  #choose(classes: Classes): void {
    this.#classes = { ...classes, byRow: false };
    this.#show(this.#state);
  }

  #show(state: EncodeState): void {
    this.#state = state;
    this.#update();
    this.#host.changed();
  }

  resize(): void {
    this.#update();
  }

  #update(): void {
    const empty = this.#state.start === null;
    this.element.classList.toggle("empty", empty);
    this.element.classList.toggle("unseen", this.#seen === null); // a link carries no photograph
    const axes = Array.from({ length: Math.min(this.#space.firstRaw || this.#space.count, MOST_SLIDERS) }, (_, axis) => axis);
    const sliders = axes.map((axis) => {
      return { axis, name: this.#axisName(axis), value: this.#state.edits.get(axis) ?? 0, chosen: false };
    });
    this.#sliders.show(empty ? [] : sliders, REACH);
    if (this.#seen !== null) drawInto(this.#photo, this.#seen);
    this.#photo.setAttribute("aria-label", this.#name);
    this.#image.setAttribute("aria-label", this.describe());
    if (!this.#making) void this.#make();
    if (this.#state.playing && this.#timer === 0) this.#timer = window.setInterval(() => this.#tick(), FRAME_MS);
    if (!this.#state.playing) {
      window.clearInterval(this.#timer);
      this.#timer = 0;
    }
  }

  /** On to the next frame, once the last one is there. */
  #tick(): void {
    if (this.#making) return;
    this.#state = walked(this.#state);
    void this.#make();
    if (this.#state.position === 0 || this.#state.position === 1) this.#host.changed();
  }

  /** Make the image of the state, until it is the one that is on the screen. */
  async #make(): Promise<void> {
    this.#making = true;
    try {
      for (let latent = this.#latent; latent !== null && this.#keyOf(latent) !== this.#shown; latent = this.#latent) {
        const key = this.#keyOf(latent);
        const images = await this.#made([latent]);
        this.#shown = key;
        drawInto(this.#image, toPixels(images, this.#generator.height, this.#generator.width));
      }
    } catch (error) {
      this.#state = { ...this.#state, playing: false };
      this.#host.fail(error);
    } finally {
      this.#making = false;
    }
  }

  #keyOf(latent: Latent): string {
    return `${latentParam(latent)} ${this.#classes.label}`;
  }

  get #latent(): Latent | null {
    return latentAt(this.#state, this.#space);
  }

  async #made(latents: readonly Latent[]): Promise<Rgb> {
    const labels = this.#generator.classes.length > 0 ? latents.map(() => this.#classes.label) : [];
    return (await this.#decoder.all({ latents, labels })).images;
  }

  #axisName(axis: number): string {
    const found = this.#space.axis(axis);
    if (found.kind === "named") return found.name;
    return found.kind === "principal" ? this.#host.text("principal", { number: found.number }) : `z${found.number}`;
  }

  controls(): Control[] {
    const { start, end, playing, position, edits } = this.#state;
    const text = (key: string): string => this.#host.text(key);
    const disabled = start === null;
    const controls: Control[] = [
      { kind: "files", id: "photo", label: text(start === null || end !== null ? "photo" : "second"), icon: "image", accept: "image/*", group: "photo" },
      { kind: "button", id: "play", label: text(playing ? "pause" : "play"), icon: playing ? "pause" : "play", keys: "Space",
        input: { action: "PAUSE" }, primary: true, disabled, group: "walk" },
      { kind: "button", id: "other", label: text("other"), icon: "dice", keys: "r", input: { action: "RANDOM" }, disabled, group: "walk" },
      { kind: "slider", id: "position", label: text("position"), keys: "← →", min: 0, max: 1, step: 0.01, value: position,
        disabled, shown: `${Math.round(position * 100)} %`, group: "position",
        set: (value) => this.#show({ ...this.#state, position: value, playing: false }) },
      { kind: "button", id: "reset", label: text("reset"), icon: "undo", keys: "Ctrl+Z", input: { action: "UNDO" },
        disabled: edits.size === 0, group: "position" },
      ...classControls(this.#classes, this.#generator.classes, text, (classes) => this.#choose(classes), false),
    ]; // prettier-ignore
    return controls;
  }

  params(): Params {
    const { start, end, seed, position, edits } = this.#state;
    return {
      seed: String(seed),
      ...classParams(this.#classes),
      ...(start === null ? {} : { photo: this.#name, start: latentParam(start) }),
      ...(end === null ? {} : { end: latentParam(end) }),
      ...(position > 0 ? { at: String(position) } : {}),
      ...(edits.size > 0 ? { edits: [...edits].map(([axis, far]) => `${axis}:${far}`).join(" ") } : {}),
    };
  }

  restore(params: Params): void {
    const { size } = this.#generator.latent;
    const edits = (params["edits"] ?? "").split(" ").map((one) => one.split(":").map(Number));
    const sound = edits.filter(([axis = NaN, far = NaN]) => Number.isInteger(axis) && axis >= 0 && axis < this.#space.count && Math.abs(far) <= 1e6);
    this.#name = params["photo"] ?? "";
    this.#classes = classesParam(params, this.#generator.classes.length);
    this.#seen = null;
    this.#show({
      ...FIRST,
      start: paramLatent(params["start"], size),
      end: paramLatent(params["end"], size),
      seed: seedParam(params),
      position: numberParam(params, "at", 0, 1, 0),
      edits: new Map(sound as [number, number][]),
    });
  }

  readonly mostImages = 2;

  openImages(images: readonly DroppedImage[]): boolean {
    void this.#open(images);
    return images.length > 0;
  }

  /** The first photograph, or where there is one already the second; after both it begins anew. */
  async #open(images: readonly DroppedImage[]): Promise<void> {
    try {
      for (const image of images) {
        const found = await encodeImage(this.#host, this.#encoder, image);
        if (found === null) return;
        if (this.#state.start === null || this.#state.end !== null || images.length === 2) {
          const second = images.length === 2 && image === images[1];
          if (second) this.#show({ ...this.#state, end: found.latent });
          else {
            [this.#seen, this.#name] = [found.seen, image.name];
            this.#show({ ...FIRST, start: found.latent, seed: this.#state.seed });
          }
        } else this.#show({ ...this.#state, end: found.latent, playing: !this.#host.reducedMotion });
      }
    } catch (error) {
      this.#host.fail(error);
    }
  }

  /** The recipe is that of the viewer's latent mode, which opens it. */
  async image(): Promise<SavedImage | null> {
    const latent = this.#latent;
    if (latent === null) return null;
    const { height, width, file } = this.#generator;
    const images = await this.#made([latent]);
    return { ...toPixels(images, height, width), recipe: this.#recipe(latent), stem: stemOf(file.name) };
  }

  async sheet(): Promise<SavedImage | null> {
    const [image, seen] = [await this.image(), this.#seen];
    if (image === null || seen === null) return image;
    const canvas = element("canvas");
    [canvas.width, canvas.height] = [seen.width + GAP + image.width, Math.max(seen.height, image.height)];
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    context.putImageData(new ImageData(seen.data, seen.width, seen.height), 0, 0);
    context.putImageData(new ImageData(image.data, image.width, image.height), seen.width + GAP, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { ...image, width: canvas.width, height: canvas.height, data: new Uint8ClampedArray(data) };
  }

  #recipe(latent: Latent): SavedImage["recipe"] {
    const space = this.#space;
    const raw = space.firstRaw - space.named.size; // as recipes count axes
    const moves = Array.from(latent, (value, index) => [raw + index, value - space.start[index]!]);
    const point = { seed: MIDDLE.seed, moves };
    const axes = space.directions.length >= 2 ? [0, 1] : [raw, raw + 1];
    return signed(this.#generator, {
      mode: "latent sliders", seed: 0, rows: 8, cols: 8, scale: 1, range: REACH, axes, point, line: [point, point],
      stop: 0, straight: true, always_straight: false, slider: axes[0], encoded: this.#name, latent: exactNumbers(latent),
      ...(this.#classes.count > 0 ? { first_label: this.#classes.label } : {}),
      ...(space.named.size > 0 ? { directions: Object.fromEntries([...space.named].map(([name, row]) => [name, Array.from(row)])) } : {}),
    }); // prettier-ignore
  }

  film(): Film | null {
    const state = this.#state;
    if (state.start === null) return null;
    const { height, width, file } = this.#generator;
    return {
      frames: 2 * FRAMES,
      framesPerSecond: 30,
      stem: `${stemOf(file.name)}-photo`,
      frame: async (number) => {
        const position = (number <= FRAMES ? number : 2 * FRAMES - number) / FRAMES;
        return toPixels(await this.#made([latentAt(state, this.#space, position)!]), height, width);
      },
    };
  }

  describe(): string {
    if (this.#state.start === null) return this.#host.text("empty");
    return this.#host.text("described", { name: this.#name, percent: Math.round(this.#state.position * 100) });
  }

  dispose(): void {
    window.clearInterval(this.#timer);
    this.#state = FIRST;
  }
}

function drawInto(canvas: HTMLCanvasElement, pixels: Pixels): void {
  if (canvas.width !== pixels.width) canvas.width = pixels.width;
  if (canvas.height !== pixels.height) canvas.height = pixels.height;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels.data, pixels.width, pixels.height), 0, 0);
}
