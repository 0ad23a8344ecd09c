/** A page of images that come out of noise: `DiffuseState` of viewer/modes/diffuse/session.py. */
import type { Denoiser } from "../../images/denoiser.ts";
import { fewerSteps, moreSteps, USUAL_STEPS, usualStart } from "../../images/sampling.ts";
import { classesAfter, type Classes } from "../../pure/classes.ts";
import type { Event } from "../../pure/events.ts";
import { nextSeed } from "../../pure/latents.ts";
import type { SamplerName } from "../../pure/samplers.ts";
import { moved, type Sheet } from "../../pure/sheet.ts";

export type Origin = "noise" | "generator" | "photographs";
export const ORIGINS: readonly Origin[] = ["noise", "generator", "photographs"];

export interface DiffuseState {
  readonly sheet: Sheet;
  readonly seed: bigint;
  /** The selected image, counted row by row. */
  readonly cursor: number;
  readonly classes: Classes;
  readonly steps: number;
  /** As many as there are from the start to no noise. */
  readonly mostSteps: number;
  readonly origin: Origin;
  readonly interpolated: boolean;
  /** The images that a generator made are shown, not what became of them. */
  readonly before: boolean;
  /** Photographs that there are. */
  readonly photos: number;
  /** Photograph of the page. */
  readonly first: number;
  readonly sampler: SamplerName;
  readonly eta: number;
  readonly guidance: number;
  /** Steps of noise, with images to begin with. */
  readonly start: number;
  readonly strength: number;
  /** Put on images to begin with. */
  readonly noise: boolean;
}

/** Images of the page. */
export function count({ origin, sheet, photos, first }: DiffuseState): number {
  const places = sheet.rows * sheet.columns;
  return origin === "photographs" ? Math.min(places, photos - first) : places;
}

/** The state after an input, or after a click on the sheet. */
export function after(state: DiffuseState, event: Event): DiffuseState {
  const isPhotos = state.origin === "photographs";
  const classes = classesAfter(state.classes, event);
  if (classes !== null) return { ...state, classes };
  const renewed = (): DiffuseState => ({ ...state, seed: nextSeed(state.seed) });
  switch (event.action) {
    case "INTERPOLATE":
      if (isPhotos) return state;
      return state.interpolated ? renewed() : { ...state, interpolated: true };
    case "RANDOM":
      return state.interpolated ? { ...state, interpolated: false } : renewed();
    case "MORE":
      return { ...state, steps: moreSteps(state.steps, state.mostSteps) };
    case "LESS":
      return { ...state, steps: fewerSteps(state.steps) };
    case "NEXT_VIEW":
      return state.origin === "generator" ? { ...state, before: !state.before } : state;
    case "PAGE_UP":
    case "PAGE_DOWN": {
      const by = event.action === "PAGE_DOWN" ? 1 : -1;
      if (isPhotos) return turned(state, by);
      return by > 0 ? renewed() : { ...state, seed: state.seed > 0n ? state.seed - 1n : 0n };
    }
    case "NEW":
    case "PAUSE":
    case "LEAVE":
      return renewed();
    default:
      return { ...state, cursor: Math.min(moved(state.sheet, state.cursor, event), count(state) - 1) };
  }
}

/** To another page of photographs. */
function turned(state: DiffuseState, pages: number): DiffuseState {
  const each = state.sheet.rows * state.sheet.columns;
  const all = Math.max(Math.ceil(state.photos / each), 1);
  const first = ((Math.floor(state.first / each) + pages + all) % all) * each;
  const next = { ...state, first };
  return { ...next, cursor: Math.min(state.cursor, count(next) - 1) };
}

/** What one begins with. */
export function usualState(denoiser: Denoiser, sheet: DiffuseState["sheet"]): DiffuseState {
  const { names, steps } = denoiser;
  return {
    sheet, seed: 0n, cursor: 0, steps: Math.min(USUAL_STEPS.ddim, steps),
    classes: { count: names.length, label: Math.max(names.length - 1, 0), byRow: false },
    mostSteps: steps, origin: "noise", interpolated: false, before: false, photos: 0, first: 0,
    sampler: "ddim", eta: 0, guidance: 0, start: usualStart(denoiser), strength: 1, noise: true,
  }; // prettier-ignore
}
