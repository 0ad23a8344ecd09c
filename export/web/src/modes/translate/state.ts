/** An image of several beside what a model makes of it: `TranslateState` of viewer/modes/translate/session.py. */
import type { Input } from "../../mode.ts";
import { draw, lerp, nextSeed, slerp, type Latent, type Prior } from "../../pure/latents.ts";

/** Results on the line between two latents, both ends included. */
export const STOPS = 5;
const SIGMA_STEP = 5; // hundredths
const LARGEST_SIGMA = 100;

export interface TranslateState {
  /** Images there are. */
  readonly count: number;
  /** Of the one that is shown. */
  readonly index: number;
  /** Hundredths, of the edges' thresholds; null: edges are not made here. */
  readonly sigma: number | null;
  readonly hasLatent: boolean;
  /** Of the latent. */
  readonly seed: bigint;
  /** Results between this latent and the next one. */
  readonly line: boolean;
  /** Of the line, the chosen one. */
  readonly stop: number;
}

/** The state after an input. */
export function after(state: TranslateState, { action }: Input): TranslateState {
  const { count, index, stop, line, sigma, hasLatent } = state;
  const moved = (by: number): TranslateState => ({ ...state, index: (index + by + count) % Math.max(count, 1) });
  switch (action) {
    case "RIGHT":
    case "PAGE_DOWN":
      return moved(1);
    case "LEFT":
    case "PAGE_UP":
      return moved(-1);
    case "HOME":
      return { ...state, index: 0 };
    case "END":
      return { ...state, index: Math.max(count - 1, 0) };
    case "MORE":
    case "LESS": {
      if (sigma === null) return state;
      const next = sigma + (action === "MORE" ? SIGMA_STEP : -SIGMA_STEP);
      return { ...state, sigma: Math.min(Math.max(next, 0), LARGEST_SIGMA) };
    }
    case "DOWN":
    case "UP":
      return line ? { ...state, stop: (stop + (action === "DOWN" ? 1 : STOPS - 1)) % STOPS } : state;
    case "INTERPOLATE":
    case "RANDOM":
    case "NEW":
    case "PAUSE":
    case "LEAVE":
      if (!hasLatent) return state;
      if (action === "INTERPOLATE" && !line) return { ...state, line: true, stop: 0 };
      if (action === "RANDOM" && line) return { ...state, line: false, stop: 0 };
      return { ...state, seed: nextSeed(state.seed) };
    default:
      return state;
  }
}

/** From the latent of a seed to that of the next, both included. */
export function latentsBetween(prior: Prior, seed: bigint): Latent[] {
  const between = prior.prior === "normal" ? slerp : lerp;
  const [first, last] = [draw(prior, seed, 0), draw(prior, nextSeed(seed), 0)];
  return Array.from({ length: STOPS }, (_, at) => between(first, last, at / (STOPS - 1)));
}
