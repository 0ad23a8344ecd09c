/** The state of a page of images, and what its images follow from. As `viewer/sessions/generator_page/session.py`. */
import { classesAfter, sameClasses, type Classes } from "../pure/classes.ts";
import type { Event } from "../pure/events.ts";
import { gainAfter, type Gain } from "../pure/gain.ts";
import {
  bilinear,
  cornerNumbers,
  drawMany,
  mix,
  nextSeed,
  truncate,
  type Latent,
  type Prior,
} from "../pure/latents.ts";
import { moved, type Sheet } from "../pure/sheet.ts";

/** What pages and walks have in common: a sheet of images with a cursor. */
export interface SheetState {
  readonly sheet: Sheet;
  /** Of the page, or of the walk. */
  readonly seed: bigint;
  /** The selected image, counted row by row. */
  readonly cursor: number;
  readonly classes: Classes;
  /** Of what is added to the images; null: nothing is. */
  readonly gain: Gain | null;
}

export const GRID_MODES = ["random", "interpolation", "mix"] as const;
export type GridMode = (typeof GRID_MODES)[number];

export interface GridState extends SheetState {
  readonly mode: GridMode;
  readonly truncationSteps: number;
  /** Whether the model keeps enough latents of training images. */
  readonly canMix: boolean;
}

export const TRUNCATION_STEPS = 10; // steps in a truncation of 1
export const LARGEST_TRUNCATION = 20; // steps
export const LEAST_SAMPLES = 3; // latents of training images that a mix is made of

/** The classes or the gain after an event that chooses one of them; `null` where it has another meaning. */
export function sheetAfter<State extends SheetState>(state: State, event: Event): State | null {
  const classes = classesAfter(state.classes, event);
  if (classes !== null) return { ...state, classes };
  const gain = state.gain === null ? null : gainAfter(state.gain, event);
  return gain === null ? null : { ...state, gain };
}

/** The state after an event. */
export function gridAfter(state: GridState, event: Event): GridState {
  const common = sheetAfter(state, event);
  if (common !== null) return common;
  switch (event.action) {
    case "INTERPOLATE":
      return switched(state, "interpolation");
    case "RANDOM":
      return switched(state, "random");
    case "MORE":
      return { ...state, truncationSteps: Math.min(state.truncationSteps + 1, LARGEST_TRUNCATION) };
    case "LESS":
      return { ...state, truncationSteps: Math.max(state.truncationSteps - 1, 0) };
    case "NEW":
      if (state.canMix && (event.key === "m" || event.key === "M")) return switched(state, "mix");
      return { ...state, seed: nextSeed(state.seed) };
    case "PAUSE":
    case "PAGE_DOWN":
      return { ...state, seed: nextSeed(state.seed) };
    case "PAGE_UP":
      return { ...state, seed: state.seed > 0n ? state.seed - 1n : 0n };
    default:
      return { ...state, cursor: moved(state.sheet, state.cursor, event) };
  }
}

/** In another mode, where the corners stay; the one that is on already gets new images. */
function switched(state: GridState, mode: GridMode): GridState {
  return state.mode === mode ? { ...state, seed: nextSeed(state.seed) } : { ...state, mode };
}

/** Whether an event has led to another page, so that Backspace returns to the state before it. */
export function leavesPage(before: GridState, after: GridState): boolean {
  return before.seed !== after.seed || before.mode !== after.mode || !sameClasses(before.classes, after.classes);
}

/** 1: as the prior has it; less: more typical images; more: more varied ones. */
export function truncationOf(state: GridState): number {
  return state.truncationSteps / TRUNCATION_STEPS;
}

/**
 * The latents of a page, row by row. `samples`: of training images, for mixes. `encoded`: the first corner of an
 * interpolation, instead of a drawn one.
 */
export function pageLatents(
  prior: Prior,
  samples: readonly Latent[],
  state: GridState,
  encoded: Latent | null = null,
): Latent[] {
  const { rows, columns } = state.sheet;
  const numbers = Array.from({ length: rows * columns }, (_, index) => index);
  const drawn =
    state.mode === "mix"
      ? mix(samples, state.seed, numbers.length)
      : drawMany(prior, state.seed, state.mode === "random" ? numbers : cornerNumbers(rows, columns));
  const latents = drawn.map((latent) => truncate(prior, latent, truncationOf(state)));
  if (state.mode !== "interpolation") return latents;
  return bilinear(encoded === null ? latents : [encoded, ...latents.slice(1)], rows, columns);
}
