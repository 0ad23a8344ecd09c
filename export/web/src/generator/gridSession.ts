/** A page of images to choose from; with detail added, or without. */
import { PlayerError } from "../engine/error.ts";
import type { Control, DroppedImage, Host, Input, ModelFile, Params, Recipe, SavedImage, Session } from "../mode.ts";
import { labelOfRow, labelsOfSheet } from "../pure/classes.ts";
import { DETAIL, gainAt, SHARPENING, valueOf, type Gain } from "../pure/gain.ts";
import { draw, type Latent } from "../pure/latents.ts";
import { countOf, type Sheet } from "../pure/sheet.ts";
import { Decoder, type Layer, type Part } from "./decoder.ts";
import { encodeImage } from "./encoding.ts";
import { gridControls } from "./gridControls.ts";
import {
  GRID_MODES,
  gridAfter,
  LARGEST_TRUNCATION,
  LEAST_SAMPLES,
  leavesPage,
  pageLatents,
  TRUNCATION_STEPS,
  truncationOf,
  type GridMode,
  type GridState,
} from "./gridState.ts";
import { History } from "./history.ts";
import { findEncoder, generatorOf, type Generator } from "./models.ts";
import { toPixels, toSheet, withDetail, type Rgb } from "./pixels.ts";
import {
  classesParam,
  classParams,
  labelEntry,
  latentEntry,
  latentParam,
  LARGEST_SIDE,
  numberParam,
  paramLatent,
  plainSeed,
  seedParam,
  signed,
  stemOf,
  wholeParam,
} from "./recipes.ts";
import { fittingCounts, fittingSheet, SheetView } from "./sheetView.ts";

const MOST_BYTES = 1 << 28; // of the images of a page that a link may ask for
const SAVED_GAP = 2; // pixels round each image of a saved sheet

export class GridSession implements Session {
  readonly element: HTMLElement;
  readonly #host: Host;
  readonly #mode: string;
  readonly #generator: Generator;
  readonly #encoder: ModelFile | null;
  readonly #layer: Layer;
  readonly #decoder: Decoder;
  readonly #view: SheetView;
  readonly #history = new History<GridState>();
  #state: GridState;
  #fixed = false; // rows and columns are as a link or a recipe says
  #encoded: { readonly latent: Latent; readonly source: string } | null = null;
  #asked = ""; // the page that is being made, or is there
  #parts: Part[] = []; // of it
  #shown = false; // something is on the screen

  constructor(host: Host, files: readonly ModelFile[], mode: string, layer: Layer) {
    this.#host = host;
    this.#mode = mode;
    this.#generator = generatorOf(files);
    this.#encoder = findEncoder(files, this.#generator);
    this.#layer = layer;
    this.#decoder = new Decoder(host, this.#generator, layer);
    this.#view = new SheetView({
      press: (x, y) => this.#become(gridAfter(this.#state, { action: "CLICK", x, y })),
      swipe: (by) => this.handle({ action: by > 0 ? "PAGE_DOWN" : "PAGE_UP" }),
    });
    this.element = this.#view.element;
    this.#state = {
      sheet: { rows: 1, columns: 1, cellWidth: 1, cellHeight: 1, gap: 0 },
      mode: "random",
      seed: 0n,
      cursor: 0,
      truncationSteps: TRUNCATION_STEPS,
      canMix: this.#generator.samples.length >= LEAST_SAMPLES,
      classes: classesParam({}, this.#generator.classes.length),
      gain: this.#firstGain,
    };
  }

  get #firstGain(): Gain | null {
    return this.#layer === null ? null : this.#layer === "sharpening" ? SHARPENING : DETAIL;
  }

  handle(input: Input): void {
    if (input.action === "BACK") {
      const before = this.#history.back();
      if (before === null) this.#host.say(this.#host.text("noBack"));
      else this.#show({ ...before, sheet: this.#state.sheet, cursor: Math.min(before.cursor, countOf(this.#state.sheet) - 1) });
      return;
    }
    this.#become(gridAfter(this.#state, input));
  }

  #become(after: GridState): void {
    if (leavesPage(this.#state, after)) this.#history.leave(this.#state);
    this.#show(after);
  }

  #show(state: GridState): void {
    const gainBefore = this.#state.gain;
    this.#state = state;
    this.#ask();
    if (gainBefore !== state.gain) this.#redraw();
    this.#point();
    this.#host.changed();
  }

  resize(): void {
    const { width, height } = this.#generator;
    const room = this.#view.room;
    const { rows, columns } = this.#state.sheet;
    const counts = this.#fixed ? ([rows, columns] as const) : fittingCounts(room.width, room.height, width, height);
    this.#layOut(fittingSheet(room, ...counts, width, height));
  }

  #layOut(sheet: Sheet): void {
    this.#state = { ...this.#state, sheet, cursor: Math.min(this.#state.cursor, countOf(sheet) - 1) };
    this.#view.layOut(sheet);
    this.#ask();
    this.#redraw();
    this.#point();
    this.#host.changed();
  }

  get #labels(): number[] {
    return labelsOfSheet(this.#state.classes, this.#state.sheet.rows, this.#state.sheet.columns);
  }

  #latents(): Latent[] {
    const { latent, samples } = this.#generator;
    return pageLatents(latent, samples, this.#state, this.#encoded?.latent ?? null);
  }

  /** Have the page of the state made, unless it is there. */
  #ask(): void {
    const { sheet, seed, mode, truncationSteps, classes } = this.#state;
    const key = [sheet.rows, sheet.columns, seed, mode, truncationSteps, classes.label, classes.byRow, this.#encoded?.source];
    const page = key.join(" ");
    if (page === this.#asked) return;
    this.#asked = page;
    const parts: Part[] = (this.#parts = []);
    this.element.ariaBusy = "true";
    void this.#make(page, parts);
  }

  async #make(page: string, parts: Part[]): Promise<void> {
    try {
      const wanted = { latents: this.#latents(), labels: this.#labels };
      for await (const part of this.#decoder.parts(wanted, `${this.#mode} page`)) {
        if (page !== this.#asked) return;
        parts.push(part);
        this.#drawPart(part);
        const made = part.first + part.count;
        this.#host.busy(made < wanted.latents.length ? made / wanted.latents.length : null);
      }
      if (page !== this.#asked) return;
      this.element.ariaBusy = "false";
      this.#host.changed();
    } catch (error) {
      if (page === this.#asked) this.#host.busy(null);
      this.#host.fail(error);
    }
  }

  #drawPart(part: Part): void {
    this.#view.draw(part.first, part.count, this.#mixed(part), this.#generator.height, this.#generator.width);
    this.#shown = true;
  }

  #redraw(): void {
    this.#parts.forEach((part) => this.#drawPart(part));
  }

  #mixed(part: Part): Rgb {
    const { gain } = this.#state;
    return part.details === null || gain === null ? part.images : withDetail(part.images, part.details, valueOf(gain));
  }

  #point(): void {
    const { sheet, cursor, classes } = this.#state;
    this.#view.point(countOf(sheet) > 1 ? cursor : null, this.describe());
    const named = classes.byRow && classes.count > 0;
    this.#view.caption(
      named ? Array.from({ length: sheet.rows }, (_, row) => this.#generator.classes[labelOfRow(classes, row)] ?? "") : [],
    );
  }

  controls(): Control[] {
    return gridControls({
      state: this.#state,
      classes: this.#generator.classes,
      text: (key) => this.#host.text(key),
      fixed: this.#fixed,
      encoder: this.#encoder !== null,
      show: (state) => this.#show(state),
      become: (state) => this.#become(state),
      setCount: (value) => this.#setCount(value),
    });
  }

  #setCount(value: string): void {
    this.#fixed = value !== "auto";
    const [rows = 1, columns = 1] = this.#fixed ? value.split("x").map(Number) : [];
    this.#state = { ...this.#state, sheet: { ...this.#state.sheet, rows, columns } };
    this.resize();
  }

  params(): Params {
    const { sheet, seed, mode, cursor, truncationSteps, classes, gain } = this.#state;
    return {
      seed: String(seed),
      ...(mode === "random" ? {} : { page: mode }),
      rows: String(sheet.rows),
      cols: String(sheet.columns),
      ...(cursor > 0 ? { image: String(cursor) } : {}),
      ...(truncationSteps === TRUNCATION_STEPS ? {} : { truncation: String(truncationSteps / TRUNCATION_STEPS) }),
      ...classParams(classes),
      ...(gain === null ? {} : { gain: String(valueOf(gain)) }),
      ...(this.#encoded === null || mode !== "interpolation"
        ? {}
        : { encoded: latentParam(this.#encoded.latent), photo: this.#encoded.source }),
    };
  }

  restore(params: Params): void {
    const rows = wholeParam(params, "rows", 1, LARGEST_SIDE, 0);
    const columns = wholeParam(params, "cols", 1, LARGEST_SIDE, 0);
    this.#fixed = rows > 0 && columns > 0;
    const bytes = 3 * rows * columns * this.#generator.height * this.#generator.width;
    if (bytes > MOST_BYTES) {
      this.#fixed = false;
      this.#host.fail(new PlayerError(this.#host.text("tooMany", { rows, columns })));
    }
    let mode: GridMode = GRID_MODES.find((one) => one === params["page"]) ?? "random";
    if (mode === "mix" && !this.#state.canMix) mode = "random";
    const encoded = paramLatent(params["encoded"], this.#generator.latent.size);
    this.#encoded = encoded === null ? null : { latent: encoded, source: params["photo"] ?? "" };
    const truncation = numberParam(params, "truncation", 0, LARGEST_TRUNCATION / TRUNCATION_STEPS, 1);
    const gain = this.#firstGain;
    const last = gain?.scale.at(-1) ?? 0;
    this.#state = {
      ...this.#state,
      sheet: this.#fixed ? { ...this.#state.sheet, rows, columns } : this.#state.sheet,
      mode,
      seed: seedParam(params),
      cursor: wholeParam(params, "image", 0, LARGEST_SIDE ** 2 - 1, 0),
      truncationSteps: Math.round(truncation * TRUNCATION_STEPS),
      classes: classesParam(params, this.#generator.classes.length),
      gain: gain && gainAt(gain, numberParam(params, "gain", 0, last, valueOf(gain))),
    };
    this.resize();
  }

  readonly mostImages = 1;

  openImages(images: readonly DroppedImage[]): boolean {
    const [image] = images;
    const encoder = this.#encoder;
    if (image === undefined) return false;
    if (encoder === null) {
      this.#host.say(this.#host.text("noEncoder"));
      return true;
    }
    encodeImage(this.#host, encoder, image).then(
      (found) => {
        if (found === null) return;
        this.#encoded = { latent: found.latent, source: image.name };
        this.#become({ ...this.#state, mode: "interpolation", cursor: 0 });
        this.#host.say(this.#host.text("encoded", { name: image.name }));
      },
      (error: unknown) => this.#host.fail(error),
    );
    return true;
  }

  async image(): Promise<SavedImage | null> {
    return this.#saved(false);
  }

  async sheet(): Promise<SavedImage | null> {
    return this.#saved(true);
  }

  async #saved(whole: boolean): Promise<SavedImage | null> {
    const { state } = { state: this.#state };
    const { height, width, file } = this.#generator;
    const [latents, labels, count] = [this.#latents(), this.#labels, countOf(state.sheet)];
    const recipe = this.#recipe(state, latents, labels, whole);
    const made = this.#parts.reduce((sum, part) => sum + part.count, 0);
    const parts = made === count ? [...this.#parts] : null;
    const images = new Uint8Array(count * height * width * 3);
    for (const part of parts ?? [await this.#decoder.all({ latents, labels })]) {
      const { gain } = state;
      const mixed = part.details && gain ? withDetail(part.images, part.details, valueOf(gain)) : part.images;
      images.set(mixed, part.first * height * width * 3);
    }
    const { rows, columns } = state.sheet;
    const gap = count > 1 ? SAVED_GAP : 0;
    const pixels = whole
      ? toSheet(images, { rows, columns, cellWidth: width, cellHeight: height, gap })
      : toPixels(images, height, width, state.cursor);
    return { ...pixels, recipe, stem: stemOf(file.name) };
  }

  #recipe(state: GridState, latents: readonly Latent[], labels: readonly number[], whole: boolean): Recipe {
    const own = whole ? [...labels] : labels.slice(state.cursor, state.cursor + 1);
    const file = this.#layer === null || this.#layer === "sharpening" ? null : this.#layer;
    const fromPhoto = this.#encoded !== null && state.mode === "interpolation" ? this.#encoded : null;
    return signed(this.#generator, {
      seed: plainSeed(state.seed),
      rows: state.sheet.rows,
      cols: state.sheet.columns,
      mode: `${this.#mode} ${state.mode}`,
      truncation: truncationOf(state),
      ...(fromPhoto === null ? {} : { encoded: fromPhoto.source, encoded_latent: Array.from(fromPhoto.latent) }),
      ...(state.gain === null
        ? {}
        : { gain: valueOf(state.gain), detail: { file: file?.name ?? "", sha256: file?.sha256 ?? "" } }),
      ...(whole ? {} : { image: state.cursor }),
      ...latentEntry(whole ? latents : [latents[state.cursor]!], whole),
      ...labelEntry(this.#generator, state.classes, own, whole),
      ...(whole ? { gap: countOf(state.sheet) > 1 ? SAVED_GAP : 0 } : {}),
    });
  }

  describe(): string {
    const { sheet, seed, mode, cursor, classes } = this.#state;
    const values = { count: countOf(sheet), seed: String(seed), number: cursor + 1, kind: this.#host.text(mode) };
    const label = labelOfRow(classes, Math.floor(cursor / sheet.columns));
    const name = classes.count > 0 ? `${this.#generator.classes[label] ?? label}. ` : "";
    return name + this.#host.text(this.#shown ? "described" : "making", values);
  }

  dispose(): void {
    this.#asked = "gone";
    this.#parts = [];
    this.#host.busy(null);
  }

  /** The latent of the selected image, for other modes. */
  get selected(): Latent {
    return this.#latents()[this.#state.cursor] ?? draw(this.#generator.latent, 0n, 0);
  }
}
