/** Colours below alpha: what is wholly clear has the colours of what is seen nearest to it (trainer/contract/images.py). */
import { blank, type Raster } from "./raster.ts";

// Distances to neighbours in units of 2^-16 pixels: Borgefors 1986, "Distance transformations in digital images", as
// OpenCV's DIST_L2 with a mask of 5 pixels has them.
const STRAIGHT = 65536;
const DIAGONAL = 91750;
const KNIGHT = 143976;
const FAR = 2 ** 30;
const BEFORE = [
  [-1, -2, KNIGHT], [1, -2, KNIGHT], [-2, -1, KNIGHT], [-1, -1, DIAGONAL], [0, -1, STRAIGHT], [1, -1, DIAGONAL],
  [2, -1, KNIGHT], [-1, 0, STRAIGHT],
] as const; // prettier-ignore
const AFTER = [
  [1, 2, KNIGHT], [-1, 2, KNIGHT], [2, 1, KNIGHT], [1, 1, DIAGONAL], [0, 1, STRAIGHT], [-1, 1, DIAGONAL],
  [-2, 1, KNIGHT], [1, 0, STRAIGHT],
] as const; // prettier-ignore

/** An image in three colours whose clear pixels have the colour of the nearest other one; white where there is none. */
export function bled(image: Raster, alpha: Raster): Raster {
  const { width, height } = image;
  const clear = alpha.data.map((level) => (level === 0 ? 1 : 0));
  if (!clear.includes(1)) return image;
  if (!clear.includes(0)) return { ...image, data: new Uint8Array(image.data.length).fill(255) };
  const nearest = nearestSeen(clear, width, height);
  const made = blank(width, height, 3);
  for (let at = 0; at < nearest.length; at += 1) {
    made.data.set(image.data.subarray(3 * nearest[at]!, 3 * nearest[at]! + 3), 3 * at);
  }
  return made;
}

/** The place of the nearest pixel that is not clear, of each. */
function nearestSeen(clear: Uint8Array, width: number, height: number): Int32Array {
  const distance = new Uint32Array(width * height);
  const nearest = Int32Array.from(clear, (_, at) => at);
  const look = (x: number, y: number, neighbours: typeof BEFORE | typeof AFTER, first: number): void => {
    const at = y * width + x;
    let least = first;
    for (const [across, down, step] of neighbours) {
      const [column, row] = [x + across, y + down];
      if (column < 0 || column >= width || row < 0 || row >= height) continue;
      const other = row * width + column;
      if (distance[other]! + step >= least) continue;
      least = distance[other]! + step;
      nearest[at] = nearest[other]!;
    }
    distance[at] = least;
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) if (clear[y * width + x] === 1) look(x, y, BEFORE, FAR);
  }
  for (let y = height - 1; y >= 0; y -= 1) {
    for (let x = width - 1; x >= 0; x -= 1) {
      const least = distance[y * width + x]!;
      if (least > STRAIGHT) look(x, y, AFTER, least);
    }
  }
  return nearest;
}
