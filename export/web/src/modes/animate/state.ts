/** The state of a walk through latent space. As `viewer/modes/animate/session.py`. */
import { sheetAfter, type SheetState } from "../../generator/gridState.ts";
import { sameClasses } from "../../pure/classes.ts";
import type { Event } from "../../pure/events.ts";
import { nextSeed, type Latent, type Prior } from "../../pure/latents.ts";
import { countOf, moved } from "../../pure/sheet.ts";
import { walkAt } from "../../pure/walk.ts";

export const LEG_TICKS = 480; // ticks in a leg of a walk: a number that every speed divides
export const SLOWEST = 2; // ticks a frame
export const FASTEST = 128;
export const LEG_FRAMES = 30; // of a walk at its first speed
export const FIRST_SPEED = LEG_TICKS / LEG_FRAMES;

/** Images that move, one or a sheet of them. */
export interface AnimateState extends SheetState {
  /** Ticks from the start of the walk. */
  readonly position: number;
  /** Ticks a frame. */
  readonly speed: number;
  readonly paused: boolean;
  /** lerp instead of slerp */
  readonly straight: boolean;
  /** Of a closed walk; 0: an endless one. */
  readonly legs: number;
}

/** The state after an event. */
export function animateAfter(state: AnimateState, event: Event): AnimateState {
  const common = sheetAfter(state, event);
  if (common !== null) return common;
  const key = event.action === "NEW" ? event.key : undefined;
  if (event.action === "PAUSE") return { ...state, paused: !state.paused };
  if (event.action === "MORE" || key === "]") return { ...state, speed: Math.min(state.speed * 2, FASTEST) };
  if (event.action === "LESS" || key === "[") {
    return { ...state, speed: Math.max(Math.floor(state.speed / 2), SLOWEST) };
  }
  if (event.action === "NEW" || event.action === "RANDOM") {
    return { ...state, seed: nextSeed(state.seed), position: 0 };
  }
  return { ...state, cursor: moved(state.sheet, state.cursor, event) };
}

/** The state so many frames later. */
export function advance(state: AnimateState, frames = 1): AnimateState {
  return state.paused ? state : { ...state, position: state.position + frames * state.speed };
}

/** Whether an event has led to another walk, so that Backspace returns to where this one was left. */
export function leavesWalk(before: AnimateState, after: AnimateState): boolean {
  return before.seed !== after.seed || !sameClasses(before.classes, after.classes);
}

/** The latents of the images of a sheet at a position in ticks. */
export function walkLatents(prior: Prior, state: AnimateState, position = state.position): Latent[] {
  const { seed, straight, legs } = state;
  return Array.from({ length: countOf(state.sheet) }, (_, number) => {
    return walkAt({ prior, seed, straight, legs, number }, position / LEG_TICKS);
  });
}
