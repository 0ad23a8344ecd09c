/** The images that a view of latent space needs: the most urgent first, what is coarse before what is fine. */
import type { Decoder } from "../../generator/decoder.ts";
import type { Rgb } from "../../generator/pixels.ts";
import type { Latent } from "../../pure/latents.ts";
import { lerp64, slerp } from "../../pure/latents.ts";
import { without } from "../../pure/space.ts";
import { sliderAxes } from "./shownSliders.ts";
import type { LatentState } from "./state.ts";

const COARSER = [4, 2, 1]; // a plane has first a quarter of its images along each side, then half, then all

/** Some images that are made together. */
export interface Wanted {
  /** What the images follow from. */
  readonly key: string;
  readonly label: number;
  latents(): Latent[];
}

/** A plane, or a part of a slider's track. */
export interface Grid extends Wanted {
  readonly rows: number;
  readonly columns: number;
}

const spaces = new WeakMap<object, number>();
let spaceCount = 0;

/** Spaces are equal only if they are the same one. */
function spaceKey(state: LatentState): number {
  let number = spaces.get(state.space);
  if (number === undefined) spaces.set(state.space, (number = spaceCount += 1));
  return number;
}

function keyOf(state: LatentState, ...parts: unknown[]): string {
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
  return JSON.stringify([spaceKey(state), state.classes.label, ...parts], plain);
}

/** The image at the point. */
export function pointImage(state: LatentState): Wanted {
  return {
    key: keyOf(state, "point", state.point),
    label: state.classes.label,
    latents: () => [state.space.latentAt(state.point)],
  };
}

/** The same plane, coarse to fine. */
function planes(state: LatentState): Grid[] {
  const { rows, columns } = state.layout;
  const sizes = COARSER.map((factor) => [Math.ceil(rows / factor), Math.ceil(columns / factor)] as const);
  const different = sizes.filter(([down, across], index) => {
    return sizes.findIndex((one) => one[0] === down && one[1] === across) === index;
  });
  return different.map(([down, across]) => grid(state, state.axes, down, across));
}

/** What is made after the image of the point: the plane, or what is behind the sliders. */
export function restOf(state: LatentState): Grid[] {
  if (state.view === "plane" || state.view === "line") return planes(state);
  return state.view === "sliders" ? sliderAxes(state).map((axis) => track(state, axis)) : [];
}

/** The images behind the slider of an axis. */
export function track(state: LatentState, axis: number): Grid {
  return grid(state, [axis], 1, state.layout.track);
}

/** Images in the middles of equal parts of one axis, or of the plane of two, row by row from the top left. */
function grid(state: LatentState, axes: readonly number[], rows: number, columns: number): Grid {
  const middle = (index: number, count: number): number => ((2 * index + 1) / count - 1) * state.reach;
  return {
    key: keyOf(state, "grid", axes, rows, columns, without(state.point, axes), state.reach),
    label: state.classes.label,
    rows,
    columns,
    latents: () => {
      const values = Array.from({ length: rows * columns }, (_, index) => {
        const place = [middle(index % columns, columns), -middle(Math.floor(index / columns), rows)];
        return place.slice(0, axes.length);
      });
      return state.space.spread(state.point, axes, values);
    },
  };
}

/** The images of the line, its ends included. */
export function lineImages(state: LatentState): Grid {
  const count = state.layout.stops;
  return {
    key: keyOf(state, "line", state.line, state.straight, count),
    label: state.classes.label,
    rows: 1,
    columns: count,
    latents: () => {
      const [start, end] = [state.space.latentAt(state.line[0]), state.space.latentAt(state.line[1])];
      const between = state.straight ? lerp64 : slerp;
      return Array.from({ length: count }, (_, number) => between(start, end, number / (count - 1)));
    },
  };
}

/** Images that were made, by key; those made longest ago go first. */
export class Kept {
  readonly #images = new Map<string, { images: Rgb; made: number }>();
  #bytes = 0;

  get(key: string): { images: Rgb; made: number } | undefined {
    return this.#images.get(key);
  }

  /** Room for the images of a key. */
  begin(key: string, bytes: number): { images: Rgb; made: number } {
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const entry = { images: new Uint8Array(bytes), made: 0 };
    this.#images.set(key, entry);
    this.#bytes += bytes;
    for (const [old, { images }] of this.#images) {
      if (this.#bytes <= MOST_BYTES || old === key) break;
      this.#images.delete(old);
      this.#bytes -= images.length;
    }
    return entry;
  }
}

const MOST_BYTES = 96_000_000;

/** Makes what is wanted, one after another; what is asked for anew takes the place of what was not begun. */
export class Maker {
  readonly #decoder: Decoder;
  readonly #size: number; // bytes of an image
  readonly #channel: string;
  readonly #kept: Kept;
  readonly #classes: number;
  readonly #progress: (wanted: Wanted, first: number, count: number) => void;
  readonly #fail: (error: unknown) => void;
  #asked: readonly Wanted[] = [];
  #running: Promise<void> | null = null;
  #failed = "";

  constructor(
    decoder: Decoder,
    size: number,
    channel: string,
    kept: Kept,
    classes: number,
    progress: (wanted: Wanted, first: number, count: number) => void,
    fail: (error: unknown) => void,
  ) {
    this.#decoder = decoder;
    this.#size = size;
    this.#channel = channel;
    this.#kept = kept;
    this.#classes = classes;
    this.#progress = progress;
    this.#fail = fail;
  }

  ask(wanted: readonly Wanted[]): void {
    this.#asked = wanted;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** Until all that is asked for is made, or has failed. */
  async done(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // so that whoever asks has it as running
    try {
      for (;;) {
        const next = this.#asked.find(({ key }) => !this.#finished(key));
        if (next === undefined || next.key === this.#failed) return;
        await this.#make(next);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  readonly #counts = new Map<string, number>();

  #finished(key: string): boolean {
    const entry = this.#kept.get(key);
    return entry !== undefined && entry.made === this.#counts.get(key);
  }

  async #make(wanted: Wanted): Promise<void> {
    const latents = wanted.latents();
    this.#counts.set(wanted.key, latents.length);
    const entry = this.#kept.begin(wanted.key, latents.length * this.#size);
    entry.made = 0;
    const labels = this.#classes > 0 ? latents.map(() => wanted.label) : [];
    try {
      for await (const part of this.#decoder.parts({ latents, labels }, this.#channel)) {
        entry.images.set(part.images, part.first * this.#size);
        entry.made = part.first + part.count;
        this.#progress(wanted, part.first, part.count);
        if (!this.#asked.some(({ key }) => key === wanted.key)) return; // something else is looked at now
        const urgent = this.#asked.find(({ key }) => !this.#finished(key));
        if (urgent !== undefined && urgent.key !== wanted.key) return;
      }
    } catch (error) {
      this.#failed = wanted.key; // the same would fail once more
      throw error;
    }
  }
}
