/** Images that walk through latent space; they are made some frames ahead. */
import { classControls } from "../../generator/controls.ts";
import { Decoder } from "../../generator/decoder.ts";
import { History } from "../../generator/history.ts";
import { generatorOf, type Generator } from "../../generator/models.ts";
import { toPixels, toSheet, type Rgb } from "../../generator/pixels.ts";
import {
  classesParam,
  classParams,
  labelEntry,
  latentEntry,
  LARGEST_SIDE,
  numberParam,
  plainSeed,
  seedParam,
  signed,
  stemOf,
  wholeParam,
} from "../../generator/recipes.ts";
import { fittingSheet, SheetView } from "../../generator/sheetView.ts";
import type { Control, Film, Host, Input, ModelFile, Params, SavedImage, Session } from "../../mode.ts";
import { labelOfRow, labelsOfSheet, type Classes } from "../../pure/classes.ts";
import { countOf, type Sheet } from "../../pure/sheet.ts";
import {
  advance,
  animateAfter,
  FASTEST,
  FIRST_SPEED,
  leavesWalk,
  LEG_FRAMES,
  LEG_TICKS,
  SLOWEST,
  walkLatents,
  type AnimateState,
} from "./state.ts";

export const LAST_TICK = 2 ** 53;
const FRAME_MS = 1000 / 30;
const MOST_AHEAD = 12; // frames that are made before their time
const AHEAD_BYTES = 24_000_000;
const LOOP_LEGS = 4; // of a closed walk
const SPEEDS = Math.log2(FASTEST / SLOWEST); // steps from the slowest to the fastest
const SAVED_GAP = 2; // pixels round each image of a saved sheet

export class AnimateSession implements Session {
  readonly element: HTMLElement;
  readonly #host: Host;
  readonly #generator: Generator;
  readonly #decoder: Decoder;
  readonly #view: SheetView;
  readonly #history = new History<AnimateState>();
  readonly #frames = new Map<string, Rgb>(); // that are there, by what they follow from
  #state: AnimateState;
  #making = false;
  #failed = false;
  #animation = 0; // request of the next frame
  #due = 0; // when the next frame is to be shown

  constructor(host: Host, files: readonly ModelFile[]) {
    this.#host = host;
    this.#generator = generatorOf(files);
    this.#decoder = new Decoder(host, this.#generator);
    this.#view = new SheetView({
      press: (x, y) => {
        const single = countOf(this.#state.sheet) === 1;
        this.#become(animateAfter(this.#state, single ? { action: "PAUSE" } : { action: "CLICK", x, y }));
      },
      swipe: () => this.handle({ action: "RANDOM" }),
    });
    this.element = this.#view.element;
    this.#state = {
      sheet: { rows: 1, columns: 1, cellWidth: 1, cellHeight: 1, gap: 0 },
      seed: 0n,
      cursor: 0,
      classes: classesParam({}, this.#generator.classes.length),
      gain: null,
      position: 0,
      speed: FIRST_SPEED,
      paused: host.reducedMotion,
      straight: false,
      legs: 0,
    };
    this.#animation = requestAnimationFrame((now) => this.#tick(now));
  }

  handle(input: Input): void {
    if (input.action === "BACK") {
      const before = this.#history.back();
      if (before === null) this.#host.say(this.#host.text("noBack"));
      else this.#show({ ...before, sheet: this.#state.sheet, cursor: Math.min(before.cursor, countOf(this.#state.sheet) - 1) });
      return;
    }
    this.#become(animateAfter(this.#state, input));
  }

  #become(after: AnimateState): void {
    if (leavesWalk(this.#state, after)) this.#history.leave(this.#state);
    this.#show(after);
  }

  #show(state: AnimateState): void {
    this.#state = state;
    this.#failed = false;
    this.#draw();
    void this.#make();
    this.#host.changed();
  }

  /** What the images of a frame follow from. */
  #key(position: number): string {
    const { seed, straight, legs, classes, sheet } = this.#state;
    return [seed, straight, legs, classes.label, classes.byRow, sheet.rows, sheet.columns, position].join(" ");
  }

  #tick(now: number): void {
    this.#animation = requestAnimationFrame((later) => this.#tick(later));
    if (this.#state.paused || now < this.#due) return;
    const following = advance(this.#state);
    if (!this.#frames.has(this.#key(following.position))) return; // it is not there yet: the walk waits for it
    this.#due = Math.max(this.#due + FRAME_MS, now - FRAME_MS);
    this.#state = following;
    this.#draw();
    void this.#make();
  }

  get #ahead(): number {
    const size = this.#generator.height * this.#generator.width * 3 * countOf(this.#state.sheet);
    return Math.min(Math.max(Math.floor(AHEAD_BYTES / size), 1), MOST_AHEAD);
  }

  /** Positions of the frame that is shown and of those to come. */
  get #coming(): number[] {
    const { position, speed, paused } = this.#state;
    return Array.from({ length: paused ? 1 : this.#ahead + 1 }, (_, number) => position + number * speed);
  }

  /** Make what is missing, one frame after another; each alone, so that it is the same to the bit every time. */
  async #make(): Promise<void> {
    if (this.#making) return;
    this.#making = true;
    try {
      for (;;) {
        const coming = new Map(this.#coming.map((position) => [this.#key(position), position]));
        for (const key of this.#frames.keys()) if (!coming.has(key)) this.#frames.delete(key);
        const missing = [...coming].find(([key]) => !this.#frames.has(key));
        if (missing === undefined || this.#failed) return;
        this.#frames.set(missing[0], await this.#frame(this.#state, missing[1]));
        if (missing[0] === this.#key(this.#state.position)) this.#draw();
      }
    } catch (error) {
      this.#failed = true; // the same would fail once more
      this.#host.fail(error);
    } finally {
      this.#making = false;
    }
  }

  async #frame(state: AnimateState, position: number): Promise<Rgb> {
    const { rows, columns } = state.sheet;
    const latents = walkLatents(this.#generator.latent, state, position);
    const part = await this.#decoder.all({ latents, labels: labelsOfSheet(state.classes, rows, columns) });
    return part.images;
  }

  #draw(): void {
    const images = this.#frames.get(this.#key(this.#state.position));
    const { sheet, cursor, classes } = this.#state;
    const { height, width } = this.#generator;
    if (images !== undefined) this.#view.draw(0, countOf(sheet), images, height, width);
    this.#view.point(countOf(sheet) > 1 ? cursor : null, this.describe());
    const named = classes.byRow && classes.count > 0;
    this.#view.caption(
      named ? Array.from({ length: sheet.rows }, (_, row) => this.#generator.classes[labelOfRow(classes, row)] ?? "") : [],
    );
  }

  resize(): void {
    const { rows, columns } = this.#state.sheet;
    const { width, height } = this.#generator;
    const sheet: Sheet = fittingSheet(this.#view.room, rows, columns, width, height);
    this.#view.layOut(sheet);
    this.#show({ ...this.#state, sheet, cursor: Math.min(this.#state.cursor, countOf(sheet) - 1) });
  }

  controls(): Control[] {
    const { paused, speed, straight, legs, sheet, classes } = this.#state;
    const text = (key: string): string => this.#host.text(key);
    const toggle = (id: "straight" | "loop", pressed: boolean, set: () => void): Control => ({
      kind: "select",
      id,
      label: text(id),
      value: pressed ? "1" : "0",
      options: [
        { value: "0", label: this.#host.locale === "ja" ? "いいえ" : "no" },
        { value: "1", label: this.#host.locale === "ja" ? "はい" : "yes" },
      ],
      set,
      group: "path",
    });
    const count = `${sheet.rows}x${sheet.columns}`;
    return [
      { kind: "button", id: "pause", label: text(paused ? "go" : "pause"), icon: paused ? "play" : "pause",
        keys: "Space", input: { action: "PAUSE" }, primary: true, group: "page" },
      { kind: "button", id: "new", label: text("new"), icon: "dice", keys: "r", input: { action: "RANDOM" }, group: "page" },
      { kind: "slider", id: "speed", label: text("speed"), keys: "+ -", min: 0, max: SPEEDS, step: 1,
        value: Math.log2(speed / SLOWEST), shown: `${(speed * LEG_FRAMES) / LEG_TICKS}×`, group: "effect",
        set: (value) => this.#show({ ...this.#state, speed: SLOWEST * 2 ** Math.round(value) }) },
      ...classControls(classes, this.#generator.classes, text, (other: Classes) => {
        this.#become({ ...this.#state, classes: other });
      }),
      toggle("straight", straight, () => this.#show({ ...this.#state, straight: !straight })),
      toggle("loop", legs > 0, () => this.#show({ ...this.#state, legs: legs > 0 ? 0 : LOOP_LEGS })),
      { kind: "select", id: "count", label: text("count"), value: count, group: "count",
        options: [...new Set(["1x1", "2x2", "2x3", "3x4", count])].map((value) => ({ value, label: value.replace("x", " × ") })),
        set: (value) => this.#setCount(value) },
    ]; // prettier-ignore
  }

  #setCount(value: string): void {
    const [rows = 1, columns = 1] = value.split("x").map(Number);
    this.#state = { ...this.#state, sheet: { ...this.#state.sheet, rows, columns } };
    this.resize();
  }

  params(): Params {
    const { seed, sheet, cursor, classes, position, speed, paused, straight, legs } = this.#state;
    return {
      seed: String(seed),
      ...(countOf(sheet) > 1 ? { rows: String(sheet.rows), cols: String(sheet.columns), image: String(cursor) } : {}),
      // The address of a walk that moves would be another one thirty times a second.
      ...(paused ? { at: String(position), paused: "1" } : {}),
      ...(speed === FIRST_SPEED ? {} : { speed: String(speed) }),
      ...(straight ? { straight: "1" } : {}),
      ...(legs > 0 ? { legs: String(legs) } : {}),
      ...classParams(classes),
    };
  }

  /** A link to a walk that moves leads to where it is when it is copied. */
  link(): Params {
    return { ...this.params(), at: String(this.#state.position) };
  }

  restore(params: Params): void {
    const rows = wholeParam(params, "rows", 1, LARGEST_SIDE, 1);
    const columns = wholeParam(params, "cols", 1, LARGEST_SIDE, 1);
    const speed = wholeParam(params, "speed", SLOWEST, FASTEST, FIRST_SPEED);
    this.#state = {
      ...this.#state,
      sheet: { ...this.#state.sheet, rows, columns },
      seed: seedParam(params),
      cursor: wholeParam(params, "image", 0, rows * columns - 1, 0),
      classes: classesParam(params, this.#generator.classes.length),
      position: Math.round(numberParam(params, "at", 0, LAST_TICK, 0)),
      speed: Number.isInteger(Math.log2(speed)) ? speed : FIRST_SPEED,
      paused: params["paused"] === "1" || this.#host.reducedMotion,
      straight: params["straight"] === "1",
      legs: wholeParam(params, "legs", 0, 10 ** 6, 0),
    };
    this.resize();
  }

  image(): Promise<SavedImage> {
    return this.#saved(false);
  }

  sheet(): Promise<SavedImage> {
    return this.#saved(true);
  }

  async #saved(whole: boolean): Promise<SavedImage> {
    const state = this.#state;
    const { rows, columns } = state.sheet;
    const { height, width, latent, file } = this.#generator;
    const images = this.#frames.get(this.#key(state.position)) ?? (await this.#frame(state, state.position));
    const [latents, labels] = [walkLatents(latent, state), labelsOfSheet(state.classes, rows, columns)];
    const gap = countOf(state.sheet) > 1 ? SAVED_GAP : 0;
    const pixels = whole
      ? toSheet(images, { rows, columns, cellWidth: width, cellHeight: height, gap })
      : toPixels(images, height, width, state.cursor);
    const own = whole ? labels : labels.slice(state.cursor, state.cursor + 1);
    const recipe = signed(this.#generator, {
      seed: plainSeed(state.seed),
      rows,
      cols: columns,
      mode: `animate ${state.straight ? "lerp" : "slerp"}`,
      position: state.position / LEG_TICKS,
      legs: state.legs,
      ...(whole ? {} : { image: state.cursor }),
      ...latentEntry(whole ? latents : [latents[state.cursor]!], whole),
      ...labelEntry(this.#generator, state.classes, own, whole),
      ...(whole ? { gap } : {}),
    });
    return { ...pixels, recipe, stem: stemOf(file.name) };
  }

  /** The walk from its start, closed, so that it can be shown over and over. */
  film(): Film {
    const legs = this.#state.legs > 0 ? this.#state.legs : LOOP_LEGS;
    const state: AnimateState = { ...this.#state, legs };
    const { rows, columns } = state.sheet;
    const { height, width, file } = this.#generator;
    const frames = Math.round((legs * LEG_TICKS) / state.speed);
    const gap = countOf(state.sheet) > 1 ? SAVED_GAP : 0;
    return {
      frames,
      framesPerSecond: 30,
      stem: `${stemOf(file.name)}-walk`,
      frame: async (number) => {
        const images = await this.#frame(state, number * state.speed);
        return toSheet(images, { rows, columns, cellWidth: width, cellHeight: height, gap });
      },
    };
  }

  describe(): string {
    const { seed, paused, speed } = this.#state;
    const moving = this.#host.text("moving", { speed: (speed * LEG_FRAMES) / LEG_TICKS });
    return this.#host.text("described", { seed: String(seed), pace: paused ? this.#host.text("paused") : moving });
  }

  dispose(): void {
    cancelAnimationFrame(this.#animation);
    this.#failed = true;
    this.#frames.clear();
  }
}
