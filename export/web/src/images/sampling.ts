/** A page of images out of noise, one run of the network at a time: viewer/sessions/sampling.py. */
import { labelsOfSheet, type Classes } from "../pure/classes.ts";
import { pageNoise } from "../pure/noise.ts";
import type { Raster } from "../pure/raster.ts";
import { addNoise, predictX0, SAMPLERS, type SamplerName, type Steps } from "../pure/samplers.ts";
import type { Denoiser } from "./denoiser.ts";

/** How images are made, whatever page it is. */
export interface Settings {
  readonly sampler: SamplerName;
  /** Of DDIM and DPM-Solver++: how much new noise a step adds. */
  readonly eta: number;
  readonly guidance: number;
  /** Steps of noise that there are to begin with. */
  readonly start: number;
  /** What images to begin with are multiplied by, grey being 0. */
  readonly strength: number;
  /** Added to them, as much as the start has; else they go in as they are. */
  readonly noise: boolean;
}

/** What the images of a page follow from. */
export interface Page {
  readonly seed: bigint;
  readonly steps: number;
  readonly rows: number;
  readonly columns: number;
  readonly interpolated: boolean;
  readonly classes: Classes;
  /** Photographs on it; 0: it begins with noise or with images of a generator. */
  readonly photos: number;
}

const PIXELS_A_RUN = 4096; // more images at once gain little, and keep a key waiting
const LADDER = [1, 2, 3, 5, 8, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500, 1000]; // that + and - climb
const START = 0.3; // of all steps, where images begin

export const USUAL_STEPS: Readonly<Record<SamplerName, number>> = { ddim: 25, ddpm: 250, dpm: 25 };

/** The next number of steps that is worth trying, `most` at most. */
export function moreSteps(steps: number, most: number): number {
  return Math.min(LADDER.find((one) => one > steps) ?? most, most);
}

/** The one before. */
export function fewerSteps(steps: number): number {
  return LADDER.findLast((one) => one < steps) ?? 1;
}

/** The numbers of steps that `moreSteps` leads through. */
export function ladder(most: number): number[] {
  return [...LADDER.filter((steps) => steps < most), most];
}

/** The step whose noise is added to images to begin with, unless another is chosen. */
export function usualStart(denoiser: Denoiser): number {
  return Math.max(Math.round(START * denoiser.steps), 1);
}

export function countOf(page: Page): number {
  return page.photos > 0 ? page.photos : page.rows * page.columns;
}

/** Images being sampled, in groups that follow from their numbers alone. */
export class Run {
  readonly total: number;
  /** Runs of the network. */
  done = 0;
  readonly #groups: Group[];

  /** `sources`: the images to begin with, of the denoiser's size; null: noise. */
  constructor(denoiser: Denoiser, settings: Settings, page: Page, sources: readonly Raster[] | null) {
    const count = countOf(page);
    const size = page.photos > 0 ? 1 : Math.max(Math.floor(PIXELS_A_RUN / (denoiser.height * denoiser.width)), 1);
    this.#groups = [];
    for (let first = 0; first < count; first += size) {
      const numbers = Array.from({ length: Math.min(size, count - first) }, (_, at) => first + at);
      const own = sources === null ? null : numbers.map((number) => sources[number]!);
      this.#groups.push(new Group(denoiser, settings, page, numbers, own));
    }
    this.total = Math.min(page.steps, settings.start) * this.#groups.length;
  }

  get finished(): boolean {
    return this.done === this.total;
  }

  /** Run the network once; gives the numbers of the images that took a step. */
  async advance(): Promise<readonly number[]> {
    const group = this.#groups[this.done % this.#groups.length]!;
    await group.step();
    this.done += 1;
    return group.numbers;
  }

  /** The images as far as one can tell what becomes of them. */
  images(): Raster[] {
    return this.#groups.flatMap((group) => group.expected());
  }
}

class Group {
  readonly numbers: readonly number[];
  readonly #denoiser: Denoiser;
  readonly #steps: Steps;
  #x: Float32Array;
  #left: number;
  #last: { x: Float32Array; prediction: Float32Array; t: number } | null = null;
  #shown: Raster[] | null = null;

  constructor(
    denoiser: Denoiser,
    settings: Settings,
    page: Page,
    numbers: readonly number[],
    sources: readonly Raster[] | null,
  ) {
    const { start, sampler, eta, guidance } = settings;
    // A photograph's result is the same among any others.
    const drawn = page.photos > 0 ? numbers.map(() => 0) : numbers;
    const labels = page.photos > 0 ? labelsOfSheet(page.classes, 1, 1) : labelsOfSheet(page.classes, page.rows, page.columns);
    const own = page.classes.count === 0 ? [] : numbers.map((number) => labels[page.photos > 0 ? 0 : number]!);
    const noise = (stage: number): Float32Array => pageNoise(page, denoiser.size, drawn, stage);
    this.numbers = numbers;
    this.#denoiser = denoiser;
    this.#left = Math.min(page.steps, start);
    if (sources === null) this.#x = noise(0);
    else {
      const strength = Math.fround(settings.strength);
      const images = denoiser.array(sources).map((value) => strength * value);
      this.#x = settings.noise ? addNoise(denoiser.schedule, images, start, noise(0)) : images;
    }
    let stage = 0;
    const predict = async (x: Float32Array, t: number): Promise<Float32Array> => {
      const prediction = await denoiser.predict(x, t, own, guidance);
      this.#last = { x, prediction, t };
      return prediction;
    };
    this.#steps = SAMPLERS[sampler](predict, denoiser.schedule, this.#x, start, page.steps, {
      eta,
      noise: () => noise((stage += 1)),
    });
  }

  async step(): Promise<void> {
    const { value } = await this.#steps.next();
    if (value !== undefined) this.#x = value;
    this.#left -= 1;
    this.#shown = null;
  }

  expected(): readonly Raster[] {
    this.#shown ??= this.#denoiser.images(this.#expected());
    return this.#shown;
  }

  #expected(): Float32Array {
    if (this.#last === null || this.#left === 0) return this.#x;
    const { x, prediction, t } = this.#last;
    return predictX0(this.#denoiser.schedule, prediction, x, t);
  }
}
