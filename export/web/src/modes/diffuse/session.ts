/** All images of a page take their steps together, and are shown as they come. */
import { PlayerError } from "../../engine/error.ts";
import { Decoder } from "../../generator/decoder.ts";
import { History } from "../../generator/history.ts";
import type { Generator } from "../../generator/models.ts";
import { toSheet } from "../../generator/pixels.ts";
import { stemOf } from "../../generator/recipes.ts";
import { fittingSheet, SheetView } from "../../generator/sheetView.ts";
import { Denoiser } from "../../images/denoiser.ts";
import { photoOf, type Photo } from "../../images/photo.ts";
import { Run, USUAL_STEPS, type Page } from "../../images/sampling.ts";
import { Superseded } from "../../images/translator.ts";
import type { Control, DroppedImage, Host, Input, ModelFile, Params, SavedImage, Session } from "../../mode.ts";
import { labelOfRow } from "../../pure/classes.ts";
import { rgba, type Raster } from "../../pure/raster.ts";
import { controlsOf } from "./controls.ts";
import { paramsOf, recipeOf, stateOf } from "./recipes.ts";
import { cellsOf, generated, generatorBeside, photographed } from "./sources.ts";
import { after, count, usualState, type DiffuseState, type Origin } from "./state.ts";

const SAVED_GAP = 2; // pixels round each image of a saved sheet
const SHEET = { rows: 3, columns: 4, cellWidth: 1, cellHeight: 1, gap: 0 };

export class DiffuseSession implements Session {
  readonly element: HTMLElement;
  readonly #host: Host;
  readonly #denoiser: Denoiser;
  readonly #generator: Generator | null;
  readonly #decoder: Decoder | null;
  readonly #view: SheetView;
  readonly #history = new History<DiffuseState>();
  readonly #usual: DiffuseState;
  #state: DiffuseState;
  #photos: readonly Photo[] = [];
  #fixed = false; // rows and columns are as a link or a recipe says
  #asked = ""; // the page that is being made, or is there
  #sources: readonly Raster[] | null = null; // of it
  #made: readonly Raster[] = []; // of it, as far as they are
  #stopped = false;
  #finished = false;
  #wake: (() => void) | null = null; // of a page that was stopped
  #making: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(host: Host, files: readonly ModelFile[]) {
    const file = files[0];
    if (file === undefined) throw new PlayerError("no model on the page");
    this.#host = host;
    this.#denoiser = new Denoiser(host, file);
    const beside = generatorBeside(this.#denoiser, files.slice(1));
    if (beside.misfit !== null) host.say(host.text("proportions", { name: beside.misfit }));
    this.#generator = beside.generator;
    this.#decoder = this.#generator === null ? null : new Decoder(host, this.#generator);
    this.#usual = this.#state = usualState(this.#denoiser, SHEET);
    this.#view = new SheetView({
      press: (x, y) => this.#press(x, y),
      swipe: (by) => this.handle({ action: by > 0 ? "PAGE_DOWN" : "PAGE_UP" }),
    });
    this.element = this.#view.element;
  }

  handle(input: Input): void {
    if (input.action === "QUIT") return this.#toggle();
    if (input.key === "noise") return this.#turnNoise();
    if (input.action === "BACK") {
      const before = this.#history.back();
      if (before !== null) this.become({ ...before, sheet: this.#state.sheet }, false);
      return;
    }
    this.become(after(this.#state, input));
  }

  controls(): readonly Control[] {
    const generator = this.#generator?.file.name ?? null;
    return controlsOf(this.#state, {
      text: (key, values) => this.#host.text(key, values),
      names: this.#denoiser.names,
      steps: this.#denoiser.steps,
      generator,
      running: !this.#finished,
      stopped: this.#stopped,
      become: (state) => this.become(state),
      begin: (origin) => this.#begin(origin),
    });
  }

  params(): Params {
    return paramsOf(this.#state, this.#photos.map(({ name }) => name)); // prettier-ignore
  }

  restore(params: Params): void {
    const can = (origin: string): boolean =>
      origin === "generator" ? this.#generator !== null : origin !== "photographs" || this.#photos.length > 0;
    if (params["from"] === "photographs" && !can("photographs")) {
      this.#wanted = params;
      this.#host.say(this.#host.text("wanted", { name: (params["image"] ?? "").replaceAll("|", ", ") }));
    }
    this.#fixed = params["rows"] !== undefined || params["cols"] !== undefined;
    const state = stateOf(params, this.#usual, this.#denoiser, can);
    this.#layOut({ ...state, photos: this.#photos.length });
  }

  #wanted: Params | null = null; // of a link that waits for its photographs

  resize(): void {
    this.#layOut(this.#state);
  }

  dispose(): void {
    this.#disposed = true;
    this.#asked = "";
    this.#wake?.();
    this.#host.busy(null);
  }

  openImages(images: readonly DroppedImage[]): boolean {
    if (images.length === 0) return false;
    this.#photos = images.slice(0, 4096).map(photoOf);
    this.#asked = "";
    const photos = this.#photos.length;
    if (this.#wanted !== null) {
      const params = this.#wanted;
      this.#wanted = null;
      this.restore(params);
    } else {
      this.#fixed = false;
      this.#layOut({ ...this.#beginning("photographs"), photos, first: 0, cursor: 0 });
    }
    return true;
  }

  async image(): Promise<SavedImage | null> {
    const state = await this.#whole();
    const made = this.#cells(state)[state.cursor];
    const sources = this.#sources;
    if (made === undefined) return null;
    const image = state.origin === "photographs" ? this.#made[state.cursor]! : state.before ? sources![state.cursor]! : made;
    return { ...rgba(image), recipe: this.#recipe(state, state.cursor), stem: this.#stem(state) };
  }

  async sheet(): Promise<SavedImage | null> {
    const state = await this.#whole();
    const cells = this.#cells(state);
    const first = cells[0];
    if (first === undefined) return null;
    const images = new Uint8Array(state.sheet.rows * state.sheet.columns * first.data.length).fill(21);
    cells.forEach((cell, at) => images.set(cell.data, at * first.data.length));
    const gap = cells.length > 1 ? SAVED_GAP : 0;
    const sheet = { ...state.sheet, cellWidth: first.width, cellHeight: first.height, gap };
    return { ...toSheet(images, sheet), recipe: this.#recipe(state, null), stem: stemOf(this.#denoiser.file.name) };
  }

  describe(): string {
    const { seed, sampler, steps, mostSteps } = this.#state;
    return this.#host.text("described", {
      count: count(this.#state), seed: String(seed), sampler, steps: Math.min(steps, mostSteps),
    }); // prettier-ignore
  }

  #recipe(state: DiffuseState, number: number | null): SavedImage["recipe"] {
    const names = this.#photos.slice(state.first, state.first + count(state)).map(({ name }) => name);
    return recipeOf(this.#denoiser, this.#generator?.file ?? null, state, names, number);
  }

  #stem(state: DiffuseState): string {
    const photo = state.origin === "photographs" ? this.#photos[state.first + state.cursor] : undefined;
    return stemOf(photo?.name.replace(/\.[^.]{1,5}$/, "") ?? this.#denoiser.file.name);
  }

  // States.

  /** A state comes after the one that there is. */
  become(state: DiffuseState, remembered = true): void {
    const before = this.#state;
    const other = before.seed !== state.seed || before.interpolated !== state.interpolated;
    if (remembered && (other || before.classes !== state.classes || before.first !== state.first)) this.#history.leave(before);
    this.#layOut(state);
  }

  /** Images begin elsewhere. */
  #begin(origin: Origin): void {
    if (origin === "photographs" && this.#photos.length === 0) this.#host.openFiles("image/*");
    else this.become(this.#beginning(origin));
    this.#host.changed();
  }

  #beginning(origin: Origin): DiffuseState {
    const mostSteps = origin === "noise" ? this.#denoiser.steps : this.#state.start;
    const steps = Math.min(Math.max(this.#state.steps, Math.min(USUAL_STEPS[this.#state.sampler], mostSteps)), mostSteps);
    const own = { origin, mostSteps, steps, before: false, first: 0, photos: this.#photos.length };
    return { ...this.#state, ...own, interpolated: this.#state.interpolated && origin !== "photographs" };
  }

  /** Noise is put on images to begin with, or they go in as they are: as faded as the network expects them to be. */
  #turnNoise(): void {
    const { noise, start } = this.#state;
    const faded = Math.sqrt(this.#denoiser.schedule.alphaBar[start - 1]!);
    this.become({ ...this.#state, noise: !noise, strength: noise ? faded : 1 });
  }

  #layOut(state: DiffuseState): void {
    const room = this.#view.room;
    const isPhotos = state.origin === "photographs";
    const across = this.#denoiser.width * (isPhotos ? 2 : 1);
    let { rows, columns } = state.sheet;
    if (!this.#fixed) {
      [rows, columns] = room.height > room.width ? [SHEET.columns, SHEET.rows] : [SHEET.rows, SHEET.columns];
      if (isPhotos) {
        columns = Math.min(room.height > room.width ? 1 : 2, state.photos);
        rows = Math.min(Math.ceil(state.photos / columns), SHEET.rows);
      }
    }
    const sheet = fittingSheet(room, rows, columns, across, this.#denoiser.height);
    const each = rows * columns;
    const shown = state.first + state.cursor;
    const first = isPhotos ? Math.min(Math.floor(shown / each) * each, state.first + each * state.photos) : 0;
    const next = { ...state, sheet, first };
    this.#state = { ...next, cursor: Math.min(isPhotos ? shown - first : state.cursor, Math.max(count(next) - 1, 0)) };
    this.#view.layOut(sheet);
    this.#ask();
    this.#drawAll();
    this.#host.changed();
  }

  #press(x: number, y: number): void {
    if (!this.#finished) return this.#toggle(); // a tap stops
    this.become(after(this.#state, { action: "CLICK", x, y }));
  }

  #toggle(): void {
    if (this.#finished) return;
    this.#stopped = !this.#stopped;
    if (!this.#stopped) this.#wake?.();
    this.#host.busy(null);
    this.#host.changed();
  }

  // Making.

  #page(): Page {
    const { seed, steps, sheet, interpolated, classes } = this.#state;
    const photos = this.#state.origin === "photographs" ? count(this.#state) : 0;
    return { seed, steps, rows: sheet.rows, columns: sheet.columns, interpolated, classes, photos };
  }

  /** Have the page of the state made, unless it is there. */
  #ask(): void {
    const { origin, sampler, eta, guidance, start, strength, noise, first, mostSteps } = this.#state;
    const page = this.#page();
    const own = origin === "noise" ? [] : [start, strength, noise, first];
    const steps = Math.min(page.steps, mostSteps);
    const { seed, rows, columns, interpolated, classes, photos } = page;
    const key = [seed, steps, rows, columns, interpolated, classes.label, classes.byRow, photos, origin, sampler, eta,
                 guidance, ...own].join(" "); // prettier-ignore
    if (key === this.#asked) return;
    this.#asked = key;
    this.#finished = this.#stopped = false;
    this.#wake?.();
    this.#sources = null;
    this.#made = [];
    const earlier = this.#making;
    this.#making = (async (): Promise<void> => {
      await earlier;
      if (key === this.#asked) await this.#make(key, page);
    })();
  }

  async #make(key: string, page: Page): Promise<void> {
    const state = this.#state;
    const { sampler, eta, guidance, strength, noise } = state;
    const start = state.origin === "noise" ? this.#denoiser.steps : state.start;
    try {
      const sources = state.origin === "noise" ? null : await this.#sourcesOf(state, page);
      if (key !== this.#asked) return;
      this.#sources = sources;
      const run = new Run(this.#denoiser, { sampler, eta, guidance, start, strength, noise }, page, sources);
      this.#made = run.images();
      this.#drawAll();
      while (!run.finished) {
        const numbers = await run.advance();
        if (!(await this.#goesOn(key))) return;
        this.#made = run.images();
        this.#draw(numbers);
        this.#host.busy(run.done < run.total ? run.done / run.total : null);
      }
      this.#finished = true;
      this.#point();
      this.#host.changed();
    } catch (error) {
      this.#finished = true;
      this.#made = []; // what is half made is not to be saved
      if (!(error instanceof Superseded) && !this.#disposed) this.#host.fail(error);
    } finally {
      if (key === this.#asked) this.#host.busy(null);
    }
  }

  /** Whether a page is still wanted; waits while it is stopped. */
  async #goesOn(key: string): Promise<boolean> {
    if (key !== this.#asked) return false;
    if (!this.#stopped) return true;
    await new Promise<void>((wake) => (this.#wake = wake));
    return this.#goesOn(key);
  }

  /** The images to begin with, of the denoiser's size. */
  async #sourcesOf(state: DiffuseState, page: Page): Promise<Raster[]> {
    if (state.origin === "photographs") {
      return photographed(this.#denoiser, this.#photos.slice(state.first, state.first + page.photos));
    }
    const [generator, decoder] = [this.#generator, this.#decoder];
    if (generator === null || decoder === null) throw new PlayerError("no generator beside the model");
    return await generated(this.#denoiser, generator, decoder, page);
  }

  /** The state whose page is there, whole. */
  async #whole(): Promise<DiffuseState> {
    if (this.#stopped) this.#toggle();
    await this.#making;
    return this.#state;
  }

  // Showing.

  #cells(state: DiffuseState): readonly Raster[] {
    return cellsOf(state, this.#sources, this.#made);
  }

  #drawAll(): void {
    this.#draw(this.#made.map((_, at) => at)); // prettier-ignore
    this.#point();
  }

  #draw(numbers: readonly number[]): void {
    const cells = this.#cells(this.#state);
    for (const number of numbers) {
      const cell = cells[number];
      if (cell !== undefined) this.#view.draw(number, 1, cell.data, cell.height, cell.width);
    }
  }

  #point(): void {
    const { sheet, cursor, classes, origin } = this.#state;
    this.#view.point(sheet.rows * sheet.columns > 1 ? cursor : null, this.describe());
    const named = classes.byRow && classes.count > 0 && origin !== "photographs";
    const rows = Array.from({ length: sheet.rows }, (_, row) => this.#denoiser.names[labelOfRow(classes, row)] ?? "");
    this.#view.caption(named ? rows : []);
  }
}
