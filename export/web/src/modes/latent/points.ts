/** The points of the scatter: latents of training images that the card keeps, or random ones. */
import type { Generator } from "../../generator/models.ts";
import { drawMany, type Latent } from "../../pure/latents.ts";
import type { Space } from "../../pure/space.ts";

const RANDOM_POINTS = 1000;

export interface Points {
  readonly latents: readonly Latent[];
  /** Of the page that random latents are drawn from; null: they are of training images. */
  readonly seed: bigint | null;
}

/** Those of the card; where it keeps none, random ones of page `seed`. */
export function pointsOf(generator: Generator, seed = 0n, count = RANDOM_POINTS): Points {
  if (generator.samples.length > 0) return { latents: generator.samples, seed: null };
  const numbers = Array.from({ length: count }, (_, index) => index);
  return { latents: drawMany(generator.latent, seed, numbers), seed };
}

/** Where points lie on the plane of two axes: their coordinates, across and up. */
export function placesOf(points: Points, space: Space, axes: readonly [number, number]): [number, number][] {
  return points.latents.map((latent) => [space.coordinate(latent, axes[0]), space.coordinate(latent, axes[1])]);
}

/** The point nearest to a place. */
export function nearestTo(places: readonly (readonly [number, number])[], x: number, y: number): number {
  let [nearest, least] = [0, Infinity];
  places.forEach(([across, up], index) => {
    const far = (across - x) ** 2 + (up - y) ** 2;
    if (far < least) [nearest, least] = [index, far];
  });
  return nearest;
}
