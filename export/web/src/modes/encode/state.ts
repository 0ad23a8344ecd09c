/** Where one is on the way from a photograph to elsewhere, and how the image there is edited. */
import type { Input } from "../../mode.ts";
import { draw, nextSeed, slerp, type Latent } from "../../pure/latents.ts";
import type { Space } from "../../pure/space.ts";

export interface EncodeState {
  /** Of the photograph; null: there is none yet. */
  readonly start: Latent | null;
  /** Of a second photograph; null: the way leads to the random latent of `seed`. */
  readonly end: Latent | null;
  readonly seed: bigint;
  /** 0 at the photograph, 1 at the other end. */
  readonly position: number;
  readonly playing: boolean;
  /** 1 away from the photograph, -1 back to it. */
  readonly direction: 1 | -1;
  /** How far the image is moved along axes. */
  readonly edits: ReadonlyMap<number, number>;
}

export const FIRST: EncodeState = {
  start: null,
  end: null,
  seed: 0n,
  position: 0,
  playing: false,
  direction: 1,
  edits: new Map(),
};

const STEP = 1 / 20; // of an arrow key
export const FRAMES = 60; // from one end to the other

/** The state after an event. */
export function encodeAfter(state: EncodeState, { action }: Input): EncodeState {
  switch (action) {
    case "PAUSE":
      return { ...state, playing: state.start !== null && !state.playing };
    case "LEFT":
    case "DOWN":
      return { ...state, position: Math.max(state.position - STEP, 0), playing: false };
    case "RIGHT":
    case "UP":
      return { ...state, position: Math.min(state.position + STEP, 1), playing: false };
    case "HOME":
    case "END":
      return { ...state, position: action === "HOME" ? 0 : 1, playing: false };
    case "UNDO":
      return { ...state, edits: new Map() };
    case "RANDOM":
    case "NEW":
      return { ...state, end: null, seed: nextSeed(state.seed) };
    default:
      return state;
  }
}

/** A frame later: to one end and back. */
export function walked(state: EncodeState): EncodeState {
  const position = state.position + state.direction / FRAMES;
  if (position >= 1) return { ...state, position: 1, direction: -1 };
  if (position <= 0) return { ...state, position: 0, direction: 1 };
  return { ...state, position };
}

/** The latent of the image at a position; `null` without a photograph. */
export function latentAt(state: EncodeState, space: Space, position = state.position): Latent | null {
  if (state.start === null) return null;
  const end = state.end ?? draw(space.latent, state.seed, 0);
  const latent = Float64Array.from(position === 0 ? state.start : slerp(state.start, end, ease(position)));
  for (const [axis, far] of state.edits) {
    const direction = space.direction(axis);
    for (let index = 0; index < latent.length; index += 1) latent[index]! += far * direction[index]!;
  }
  return Float32Array.from(latent);
}

/** Slower at both ends. */
function ease(position: number): number {
  return position * position * (3 - 2 * position);
}
