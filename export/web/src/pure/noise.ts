/** The noise that images of a page begin with and that steps add: `Page.noise` of viewer/sessions/sampling.py. */
import { cornerNumbers, slerp } from "./latents.ts";
import { normal } from "./random.ts";

/** What the noise of a page follows from. */
export interface NoisePage {
  readonly seed: bigint;
  readonly rows: number;
  readonly columns: number;
  readonly interpolated: boolean;
}

const KEPT = 8; // fields of noise: those of the corners, of two steps
const fields = new Map<string, Float32Array>();

/** The noise of images of `size` numbers each, one after another. `stage`: 0: to begin with; k: of the kth step. */
export function pageNoise(page: NoisePage, size: number, numbers: readonly number[], stage: number): Float32Array {
  const { seed, rows, columns } = page;
  const made = new Float32Array(size * numbers.length);
  if (!page.interpolated) {
    numbers.forEach((number, at) => made.set(field(seed, number, stage, size), at * size));
    return made;
  }
  const corners = cornerNumbers(rows, columns).map((number) => field(seed, number, stage, size));
  numbers.forEach((number, at) => {
    const [row, column] = [Math.floor(number / columns), number % columns];
    const along = column / Math.max(columns - 1, 1);
    const [top, bottom] = [slerp(corners[0]!, corners[1]!, along), slerp(corners[2]!, corners[3]!, along)];
    made.set(slerp(top, bottom, row / Math.max(rows - 1, 1)), at * size);
  });
  return made;
}

function field(seed: bigint, number: number, stage: number, size: number): Float32Array {
  const key = `noise ${seed} ${number} ${stage}`;
  const kept = `${key} ${size}`;
  const known = fields.get(kept);
  if (known !== undefined) return known;
  const drawn = normal(key, size);
  if (fields.size >= KEPT) fields.delete(fields.keys().next().value!);
  fields.set(kept, drawn);
  return drawn;
}
