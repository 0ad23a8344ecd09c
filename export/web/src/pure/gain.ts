/** A place on a scale of strengths that begins with 0. As `Gain` of `viewer/sessions/sheet_state.py`. */
import type { Event } from "./events.ts";

export interface Gain {
  readonly scale: readonly number[];
  readonly place: number;
  /** What it is a gain of. */
  readonly name: "gain" | "sharpening";
}

// Eyes compare ratios: every step adds a fifth, four of them double. 1 adds the detail as it was trained.
const STRENGTHS = [0, ...Array.from({ length: 41 }, (_, step) => 2 ** ((step - 12) / 4))];

/** 0, then 1/8 to 128. */
export const DETAIL: Gain = { scale: STRENGTHS, place: STRENGTHS.indexOf(1), name: "gain" };

/** The fraction of the sharpened image, 0 to 1. */
export const SHARPENING: Gain = {
  scale: Array.from({ length: 11 }, (_, step) => step / 10),
  place: 2,
  name: "sharpening",
};

export function valueOf(gain: Gain): number {
  return gain.scale[gain.place]!;
}

/** The place nearest to a value. */
export function gainAt(gain: Gain, value: number): Gain {
  let place = 0;
  gain.scale.forEach((strength, index) => {
    if (Math.abs(strength - value) < Math.abs(gain.scale[place]! - value)) place = index;
  });
  return { ...gain, place };
}

/** The gain after an event; `null` where it has another meaning. */
export function gainAfter(gain: Gain, event: Event): Gain | null {
  const step = event.action === "MORE" ? 1 : event.action === "LESS" ? -1 : null;
  if (step === null) return null;
  return { ...gain, place: Math.min(Math.max(gain.place + step, 0), gain.scale.length - 1) };
}
