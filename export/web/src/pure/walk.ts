/** An endless walk through random latents. The same as `Walk` of `viewer/latents.py`. */
import { angleBetween, draw, lerp, norm, slerp, type Latent, type Prior } from "./latents.ts";

/** Each leg of a walk begins exactly where the last one ended, and as fast, although legs differ in length. */
export interface Walk {
  readonly prior: Prior;
  readonly seed: bigint;
  /** lerp instead of slerp */
  readonly straight: boolean;
  /** closed after so many legs; 0: never comes back */
  readonly legs: number;
  /** of several walks with one seed */
  readonly number: number;
}

/** The latent at a position, in legs from the start. */
export function walkAt(walk: Walk, position: number): Latent {
  const leg = Math.floor(position);
  const entry = slope(pace(walk, leg), speed(walk, leg, false));
  const leave = slope(pace(walk, leg + 1), speed(walk, leg, true));
  const between = walk.straight ? lerp : slerp;
  return between(stop(walk, leg), stop(walk, leg + 1), ease(position - leg, entry, leave));
}

function stop(walk: Walk, number: number): Latent {
  const wrapped = walk.legs > 0 ? ((number % walk.legs) + walk.legs) % walk.legs : number;
  return draw(walk.prior, walk.seed, walk.number * 2 ** 32 + wrapped);
}

/** How fast a leg moves through latent space at its start or end, per leg: the length of the derivative. */
function speed(walk: Walk, leg: number, atEnd: boolean): number {
  const [start, end] = [stop(walk, leg), stop(walk, leg + 1)];
  const angle = walk.straight ? null : angleBetween(start, end);
  if (angle === null) return norm(end.map((value, index) => value - start[index]!));
  const [here, other] = atEnd ? [end, start] : [start, end];
  return (norm(Float64Array.from(other, (value, k) => value - here[k]! * Math.cos(angle))) * angle) / Math.sin(angle);
}

/** The speed at which a joint is passed: between those of its two legs. */
function pace(walk: Walk, joint: number): number {
  if (joint === 0 && walk.legs === 0) return speed(walk, 0, false);
  return Math.sqrt(speed(walk, joint - 1, true) * speed(walk, joint, false));
}

function slope(pace: number, speed: number): number {
  return speed > 0 ? Math.min(Math.max(pace / speed, 0), 3) : 1; // a cubic stays monotone up to a slope of 3
}

/** The cubic from 0 to 1 with these slopes at its ends (Fritsch and Carlson 1980 bound them). */
function ease(time: number, start: number, end: number): number {
  return (start + end - 2) * time ** 3 + (3 - 2 * start - end) * time ** 2 + start * time;
}
