/** The page, the pen, and the model that follows it. */
import type { Control, DroppedImage, Host, Input, ModelFile, Params, Recipe, SavedImage, Session } from "../../mode.ts";
import { seedParam, stemOf } from "../../generator/recipes.ts";
import { Panels } from "../../images/panels.ts";
import { paperOf, photoOf } from "../../images/photo.ts";
import { Superseded, Translator } from "../../images/translator.ts";
import { nextSeed } from "../../pure/latents.ts";
import { blank, put, rgba, visible, withChannels, type Raster } from "../../pure/raster.ts";
import { centre, nearest, resize } from "../../pure/resample.ts";
import {
  addStrokes, BRUSHES, COLOURS, FIRST_BRUSH, INKS, MOST_POINTS, MOST_STROKES, strokesText, textStrokes,
  type Colour, type Point,
} from "../../pure/strokes.ts"; // prettier-ignore
import { drawControls } from "./controls.ts";
import { movementsOf, toolOf, type Drawn, type Tool } from "./movements.ts";
import { Pen, type PenPoint } from "./pen.ts";
import { pageSize, recipeOf } from "./recipe.ts";

const LONGEST_LINK = 6000; // characters of strokes
const GAP = 12; // pixels, between the drawing and the result where both are saved

/** What a link does not carry. */
interface Kept {
  readonly start: Raster;
  readonly name: string;
  readonly strokes: Drawn[];
  readonly undone: Drawn[][];
  readonly seeds: { seed: bigint; strokes: number }[];
}

export class DrawSession implements Session {
  readonly element = document.createElement("div");
  readonly mostImages = 1;
  readonly #host: Host;
  readonly #translator: Translator;
  readonly #panels = new Panels();
  readonly #pen: Pen;
  readonly #palette: readonly Colour[];
  readonly #lines: boolean;
  readonly #height: number;
  readonly #width: number;
  #start: Raster;
  #startName = ""; // of the image that is drawn on
  #page: Raster;
  #strokes: Drawn[] = [];
  #undone: Drawn[][] = [];
  #brush: number;
  #colour = 1;
  #erasing = false;
  #seed = 0n;
  #seeds: { seed: bigint; strokes: number }[] = [];
  #result: Raster | null = null;
  #version = 0; // of what is to be translated
  #translated = -1;
  #running: Promise<void> | null = null;
  #disposed = false;

  constructor(host: Host, file: ModelFile) {
    this.#host = host;
    this.#translator = new Translator(host, file);
    [this.#height, this.#width] = pageSize(file);
    this.#lines = this.#translator.kind === "edges";
    const { palette, invert } = this.#translator;
    this.#palette = this.#lines ? (invert ? [...INKS].reverse() : INKS) : palette.length > 1 ? palette : COLOURS;
    this.#brush = this.#lines ? 0 : FIRST_BRUSH;
    this.#start = this.#paper();
    this.#page = this.#paper();
    this.element.className = "draw";
    this.element.append(this.#panels.element);
    this.#show();
    this.#pen = new Pen(this.#panels.canvases[0]!, {
      begin: (point) => this.#begin(point),
      extend: (points) => this.#extend(points),
      wheel: (steps) => this.#resizeBrush(steps),
    });
    this.#ask();
  }

  handle(input: Input): void {
    const key = (input.key ?? "").toLowerCase();
    switch (input.action) {
      case "QUIT":
        this.#pen.lift();
        break;
      case "MORE":
      case "WHEEL_UP":
        return this.#resizeBrush(1);
      case "LESS":
      case "WHEEL_DOWN":
        return this.#resizeBrush(-1);
      case "UNDO":
        return this.#undo();
      case "BACK":
        return this.#back();
      case "NEW":
      case "PAUSE":
      case "RANDOM":
      case "INTERPOLATE":
      case "LEAVE":
        if (key === "z") return this.#undo();
        if (key === "y") return this.#redo();
        if (key === "c") return this.#clear();
        if (key === "d") return this.#saveDrawing();
        if (key === "eraser") this.#erasing = !this.#erasing;
        else if (/^[0-9]$/.test(key)) this.#choose(Number(key));
        else if (this.#translator.hasLatent) {
          this.#seeds = [...this.#seeds.slice(-99), { seed: this.#seed, strokes: this.#strokes.length }];
          this.#seed = nextSeed(this.#seed);
          this.#ask();
        }
        break;
      default:
        return;
    }
    this.#host.changed();
  }

  controls(): readonly Control[] {
    return drawControls({
      text: (key) => this.#host.text(key),
      palette: this.#lines ? [] : this.#palette,
      colour: this.#colour,
      brush: this.#brush,
      erasing: this.#erasing,
      canUndo: this.#strokes.length > 0,
      canRedo: this.#undone.length > 0,
      hasLatent: this.#translator.hasLatent,
      choose: (colour) => {
        this.#choose(colour);
        this.#host.changed();
      },
      resizeBrush: (steps) => this.#resizeBrush(steps),
    });
  }

  params(): Params {
    const strokes = strokesText(this.#strokes);
    return {
      ...(this.#translator.hasLatent ? { seed: String(this.#seed) } : {}),
      ...(strokes.length > 0 && strokes.length <= LONGEST_LINK ? { strokes } : {}),
    };
  }

  lost(): string | null {
    if (this.#startName !== "") return this.#host.text("lostImage");
    return strokesText(this.#strokes).length > LONGEST_LINK ? this.#host.text("lostStrokes") : null;
  }

  keep(): Kept {
    return { start: this.#start, name: this.#startName, strokes: this.#strokes, undone: this.#undone, seeds: this.#seeds };
  }

  resume(kept: unknown): void {
    const { start, name, strokes, undone, seeds } = kept as Kept;
    [this.#start, this.#startName, this.#strokes, this.#undone, this.#seeds] = [start, name, strokes, undone, seeds];
    this.#redraw();
  }

  restore(params: Params): void {
    const strokes = textStrokes(params["strokes"] ?? "", this.#palette.length);
    if (strokes === null) this.#host.say(this.#host.text("cut"));
    this.#seed = seedParam(params);
    this.#start = this.#paper();
    this.#startName = "";
    this.#strokes = strokes ?? [];
    this.#undone = [];
    this.#seeds = [];
    this.#redraw();
  }

  resize(): void {
    this.#panels.layOut();
  }

  dispose(): void {
    this.#disposed = true;
    this.#pen.dispose();
  }

  openImages(images: readonly DroppedImage[]): boolean {
    const photo = images[0];
    if (photo === undefined) return false;
    const { palette } = this.#translator;
    const scaler = palette.length > 0 ? nearest : resize; // no colour between two
    const fitted = centre(paperOf(photoOf(photo)), this.#height, this.#width, scaler);
    this.#start = this.#lines ? visible(this.#translator.edges(fitted, this.#translator.sigma)) : fitted;
    this.#startName = photo.name;
    this.#strokes = [];
    this.#undone = [];
    this.#seeds = [];
    this.#redraw();
    return true;
  }

  async image(): Promise<SavedImage | null> {
    const result = await this.#finished();
    if (result === null) return null;
    return { ...rgba(result), recipe: this.#recipe(), stem: this.#stem };
  }

  /** The page alone, which the viewer takes for --start too; the drawing goes on where it is dropped. */
  #saveDrawing(): void {
    const recipe = { ...this.#recipe(), mode: "drawing" };
    const drawing = { ...rgba(this.#page), recipe, stem: `${this.#stem}-drawing` };
    this.#host.save(drawing).catch((error: unknown) => this.#host.fail(error));
  }

  async sheet(): Promise<SavedImage | null> {
    const result = await this.#finished();
    if (result === null) return null;
    const both = blank(2 * this.#width + 3 * GAP, this.#height + 2 * GAP, 3);
    both.data.fill(255);
    put(both, this.#page, GAP, GAP);
    put(both, result, this.#width + 2 * GAP, GAP);
    return { ...rgba(both), recipe: this.#recipe(), stem: this.#stem };
  }

  describe(): string {
    return this.#host.text("described", { strokes: movementsOf(this.#strokes).length, brush: BRUSHES[this.#brush]! });
  }

  get #stem(): string {
    return stemOf(this.#translator.file.name);
  }

  #recipe(): Recipe {
    return recipeOf(this.#translator, this.#page, this.#palette, this.#strokes, this.#seed);
  }

  // Drawing.

  #paper(): Raster {
    const page = blank(this.#width, this.#height, 3);
    addStrokes(page, this.#palette, [{ colour: 0, size: 0, points: [] }]);
    return page;
  }

  #tool(point: PenPoint): Tool {
    return toolOf(point, { colour: this.#colour, size: BRUSHES[this.#brush]! }, this.#erasing, this.#lines);
  }

  #begin(point: PenPoint): void {
    if (this.#isFull()) return;
    this.#add({ ...this.#tool(point), points: [this.#place(point)] });
  }

  #extend(points: readonly PenPoint[]): void {
    for (const point of points) {
      const last = this.#strokes.at(-1);
      const [before, place] = [last?.points.at(-1), this.#place(point)];
      if (last === undefined || before === undefined || (before[0] === place[0] && before[1] === place[1])) continue;
      const { size } = this.#tool(point);
      if (size !== last.size || last.points.length >= MOST_POINTS) {
        if (this.#isFull()) return;
        this.#strokes.push({ colour: last.colour, size, points: [before, place], goesOn: true });
      } else {
        this.#strokes[this.#strokes.length - 1] = { ...last, points: [...last.points, place] };
      }
      addStrokes(this.#page, this.#palette, [{ colour: last.colour, size, points: [before, place] }]);
    }
    this.#drawn();
  }

  #isFull(): boolean {
    const full = this.#strokes.length >= MOST_STROKES;
    if (full) this.#host.say(this.#host.text("full", { count: MOST_STROKES }));
    return full;
  }

  #add(stroke: Drawn): void {
    this.#undone = [];
    this.#strokes.push(stroke);
    addStrokes(this.#page, this.#palette, [stroke]);
    this.#drawn();
  }

  #place(point: PenPoint): Point {
    return [Math.floor(point.x * this.#width), Math.floor(point.y * this.#height)];
  }

  #resizeBrush(steps: number): void {
    this.#brush = Math.min(Math.max(this.#brush + steps, 0), BRUSHES.length - 1);
    this.#host.changed();
  }

  #choose(colour: number): void {
    if (this.#lines || colour < 0 || colour >= this.#palette.length) return;
    this.#colour = colour;
    this.#erasing = false;
  }

  #undo(): void {
    this.#pen.lift();
    const last = movementsOf(this.#strokes).at(-1);
    if (last === undefined) return;
    this.#strokes.splice(this.#strokes.length - last.length);
    this.#undone.push(last);
    this.#redraw();
  }

  #redo(): void {
    const last = this.#undone.pop();
    if (last === undefined) return;
    this.#strokes.push(...last);
    this.#redraw();
  }

  #clear(): void {
    this.#pen.lift();
    this.#add({ colour: 0, size: 0, points: [] });
  }

  /** Undo what was done last: a new latent, or a stroke. */
  #back(): void {
    const last = this.#seeds.at(-1);
    if (last?.strokes !== this.#strokes.length) return this.#undo();
    this.#seeds.pop();
    this.#seed = last.seed;
    this.#drawn();
  }

  #redraw(): void {
    this.#page = { ...this.#start, data: this.#start.data.slice() };
    addStrokes(this.#page, this.#palette, this.#strokes);
    this.#drawn();
  }

  #drawn(): void {
    this.#page = { ...this.#page }; // another one, as panels tell images apart
    this.#show();
    this.#ask();
    this.#host.changed();
  }

  #show(): void {
    const size = { width: this.#width, height: this.#height };
    this.#panels.show([
      { caption: this.#host.text("page"), image: this.#page, sharp: true, ...size },
      { caption: this.#host.text("result"), image: this.#result, ...size },
    ]);
  }

  // The model follows: one run at a time, always of the newest page.

  #ask(): void {
    this.#version += 1;
    if (this.#running === null) this.#run();
  }

  #run(): void {
    this.#running = this.#follow().finally(() => {
      this.#running = null;
      if (this.#translated !== this.#version && !this.#isDisposed()) this.#run(); // drawn in the meantime
    });
  }

  async #follow(): Promise<void> {
    try {
      while (this.#translated !== this.#version && !this.#isDisposed()) {
        const version = this.#version;
        const condition = withChannels(this.#page, this.#translator.layout.channels);
        const latent = this.#translator.latent(this.#seed);
        this.#result = await this.#translator.translate(condition, latent, { keep: true });
        this.#translated = version;
        if (!this.#isDisposed()) this.#show();
      }
    } catch (error) {
      this.#translated = this.#version;
      if (!(error instanceof Superseded)) this.#host.fail(error);
    }
  }

  #isDisposed(): boolean {
    return this.#disposed;
  }

  /** The result of all that is drawn. */
  async #finished(): Promise<Raster | null> {
    while (this.#running !== null) await this.#running;
    return this.#result;
  }
}
