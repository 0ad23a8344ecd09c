/** Draw latents from seeds, and interpolate between them. The same numbers as `viewer/latents.py` makes. */
import { normal, uniform } from "./random.ts";

/** The numbers of one image, [size]. Not to be written to where they come from `draw`. */
export type Latent = Float32Array;

/** What the latents of a model look like: the part of a card that drawing them needs. */
export interface Prior {
  readonly size: number;
  readonly prior: "normal" | "uniform";
  /** [size] of the training images' latents; empty where it is not known. */
  readonly mean: ArrayLike<number>;
}

export const LAST_SEED = 2n ** 63n - 1n;
const PARALLEL = 1e-3; // radians from 0 or pi at which the great circle is not well defined
const KEPT = 512; // latents that need not be drawn again

const drawn = new Map<string, Latent>();
const { fround } = Math;

/** Latent number `index` of page `seed`, from the prior of the model. */
export function draw(prior: Prior, seed: bigint, index: number): Latent {
  const key = `${prior.size} ${prior.prior} ${seed} ${index}`;
  const known = drawn.get(key);
  if (known !== undefined) return known;
  const latent = drawAnew(prior, `${seed} ${index}`);
  if (drawn.size >= KEPT) drawn.delete(drawn.keys().next().value!);
  drawn.set(key, latent);
  return latent;
}

function drawAnew(prior: Prior, text: string): Latent {
  if (prior.prior === "normal") return normal(text, prior.size);
  const source = uniform(text, prior.size + (prior.size % 2));
  return Float32Array.from({ length: prior.size }, (_, index) => 2 * source[index]! - 1);
}

/** The latents of page `seed` with these numbers. */
export function drawMany(prior: Prior, seed: bigint, indices: Iterable<number>): Latent[] {
  return Array.from(indices, (index) => draw(prior, seed, index));
}

/**
 * Points within triangles of three latents each, drawn from at least three; all weights of sum 1 are as likely
 * (Dirichlet's distribution).
 */
export function mix(samples: readonly Latent[], seed: bigint, count: number): Latent[] {
  return Array.from({ length: count }, (_, index) => {
    const source = uniform(`mix ${seed} ${index}`, 3 + samples.length);
    const weights = Array.from(source.subarray(0, 3), (value) => -Math.log(value));
    const sum = weights[0]! + weights[1]! + weights[2]!;
    const order = samples.map((_, number) => number).sort((a, b) => source[3 + a]! - source[3 + b]! || a - b);
    const [first, second, third] = [samples[order[0]!]!, samples[order[1]!]!, samples[order[2]!]!];
    return Float32Array.from(first, (value, k) => {
      return (weights[0]! / sum) * value + (weights[1]! / sum) * second[k]! + (weights[2]! / sum) * third[k]!;
    });
  });
}

/** Bring a latent nearer to the mean of the training images (below 1) or further from it (above 1). */
export function truncate(prior: Prior, latent: Latent, truncation: number): Latent {
  if (truncation === 1) return latent;
  const factor = fround(truncation);
  return latent.map((value, index) => {
    const mean = fround(prior.mean[index] ?? 0);
    const moved = fround(mean + fround(factor * fround(value - mean)));
    return prior.prior === "uniform" ? Math.min(Math.max(moved, -1), 1) : moved;
  });
}

/** The point at `fraction` (0..1) on the straight line between two latents. */
export function lerp(start: Latent, end: Latent, fraction: number): Latent {
  const [fromStart, fromEnd] = [fround(1 - fraction), fround(fraction)];
  return start.map((value, index) => fround(fromStart * value) + fround(fromEnd * end[index]!));
}

/**
 * The point at `fraction` (0..1) on a great circle (Shoemake 1985): lengths stay as a normal prior of many dimensions
 * expects. Straight where there is no single one: latents that are zero, parallel or opposite.
 */
export function slerp(start: Latent, end: Latent, fraction: number): Latent {
  const angle = angleBetween(start, end);
  if (angle === null) return lerp(start, end, fraction);
  const [fromStart, fromEnd] = [Math.sin((1 - fraction) * angle), Math.sin(fraction * angle)];
  return start.map((value, index) => (fromStart * value + fromEnd * end[index]!) / Math.sin(angle));
}

/** In radians; `null` where the great circle is not well defined. */
export function angleBetween(start: Latent, end: Latent): number | null {
  const length = norm(start) * norm(end);
  if (length < 1e-12) return null;
  const angle = Math.acos(Math.min(Math.max(dot(start, end) / length, -1), 1));
  return angle > PARALLEL && angle < Math.PI - PARALLEL ? angle : null;
}

/** Latents row by row between four corners, which are exact: top left, top right, bottom left, bottom right. */
export function bilinear(corners: readonly Latent[], rows: number, columns: number): Latent[] {
  const between = (start: Latent, end: Latent, fraction: number): Latent =>
    start.map((value, index) => fround(fround(1 - fraction) * value) + fround(fraction * end[index]!));
  const [topLeft, topRight, bottomLeft, bottomRight] = corners as [Latent, Latent, Latent, Latent];
  const latents: Latent[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const along = fraction(column, columns);
      const top = between(topLeft, topRight, along);
      const bottom = between(bottomLeft, bottomRight, along);
      latents.push(between(top, bottom, fraction(row, rows)));
    }
  }
  return latents;
}

/** Where number `index` of `count` lies between 0 and 1, both included. */
function fraction(index: number, count: number): number {
  return count === 1 ? 0 : fround(index / (count - 1));
}

/** The images at the corners of a page: top left, top right, bottom left, bottom right. */
export function cornerNumbers(rows: number, columns: number): [number, number, number, number] {
  return [0, columns - 1, (rows - 1) * columns, rows * columns - 1];
}

/** The seed after another; 0 comes after the last one. */
export function nextSeed(seed: bigint): bigint {
  return seed < LAST_SEED ? seed + 1n : 0n;
}

export function dot(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < one.length; index += 1) sum += one[index]! * other[index]!;
  return sum;
}

export function norm(vector: ArrayLike<number>): number {
  return Math.sqrt(dot(vector, vector));
}

/** `lerp` in double precision up to the last step, as NumPy has it for fractions that are its own numbers. */
export function lerp64(start: Latent, end: Latent, fraction: number): Latent {
  return start.map((value, index) => (1 - fraction) * value + fraction * end[index]!);
}
