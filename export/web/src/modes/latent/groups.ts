/**
 * From two groups of latents to the direction that leads from one to the other, and how well it tells them apart. As
 * `viewer/modes/latent/groups.py`; only the halves of the test are other ones.
 */
import { dot, norm } from "../../pure/latents.ts";
import { uniform } from "../../pure/random.ts";
import type { Method } from "./state.ts";

type Row = ArrayLike<number>;

/** What was found of two groups. */
export interface Separation {
  /** Of unit length, from the first group to the second. */
  readonly direction: Float64Array;
  /** On held-out halves, the mean of both groups, 0..1; null: a group is too small for halves. */
  readonly accuracy: number | null;
}

const REPEATS = 3; // times that both groups are split into halves at random
const LEAST_WEIGHT = 1e-6; // of the identity in a covariance: numbers may never vary

/**
 * The direction from one group of latents to another; `null`: they have the same mean.
 *
 * `means`: the difference of both means. `LDA`: the normal of Fisher's linear discriminant, S⁻¹ (m₂ - m₁), where S is
 * the covariance within the groups. It leaves out what varies in both groups alike and only happens to differ between
 * their means.
 */
export function separate(first: readonly Row[], second: readonly Row[], method: Method): Separation | null {
  const direction = directionOf(first, second, method);
  return direction === null ? null : { direction, accuracy: accuracyOf(first, second, method) };
}

function directionOf(first: readonly Row[], second: readonly Row[], method: Method): Float64Array | null {
  const [one, other] = [meanOf(first), meanOf(second)];
  const difference = other.map((value, index) => value - one[index]!);
  const within = [...centred(first, one), ...centred(second, other)];
  const varies = within.some((row) => row.some((value) => value !== 0));
  const found = method === "LDA" && varies ? solveShrunk(within, difference) : difference;
  const length = norm(found);
  return Number.isFinite(length) && length > 0 ? found.map((value) => value / length) : null;
}

function meanOf(rows: readonly Row[]): Float64Array {
  return Float64Array.from(rows[0]!, (_, index) => rows.reduce((sum, row) => sum + row[index]!, 0) / rows.length);
}

function centred(rows: readonly Row[], mean: Float64Array): Float64Array[] {
  return rows.map((row) => mean.map((value, index) => row[index]! - value));
}

/**
 * S⁻¹ b for the covariance S of centred rows, not all zero, drawn towards a multiple of the identity as far as there
 * are too few of them (Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices").
 * By conjugate gradients: S itself, which may be large, is never written down.
 */
function solveShrunk(rows: readonly Float64Array[], b: Float64Array): Float64Array {
  const [count, size] = [rows.length, b.length];
  const squares = rows.map((row) => dot(row, row));
  const mean = squares.reduce((sum, value) => sum + value, 0) / count / size;
  const squared = frobenius(rows) / count ** 2; // of the sample covariance
  const spread = squared / size - mean ** 2; // δ² of the paper
  const error = (squares.reduce((sum, value) => sum + value ** 2, 0) / count - squared) / size / count; // β²
  const weight = Math.max(spread > 0 ? Math.min(Math.max(error / spread, 0), 1) : 1, LEAST_WEIGHT);

  const times = (vector: Float64Array): Float64Array => {
    const product = vector.map((value) => weight * mean * value);
    for (const row of rows) {
      const factor = ((1 - weight) * dot(row, vector)) / count;
      row.forEach((value, index) => (product[index]! += factor * value));
    }
    return product;
  };
  const [found, rest] = [new Float64Array(size), b.slice()];
  let [step, left] = [b.slice(), dot(b, b)];
  const enough = left * 1e-24;
  for (let turn = 0; turn < 4 * size && left > enough; turn += 1) {
    const product = times(step);
    const far = left / dot(step, product);
    step.forEach((value, index) => {
      found[index]! += far * value;
      rest[index]! -= far * product[index]!;
    });
    const before = left;
    left = dot(rest, rest);
    step = step.map((value, index) => rest[index]! + (left / before) * value);
  }
  return found;
}

/** The sum of the squares of XᵀX, which is that of XXᵀ: the smaller of both is worked out. */
function frobenius(rows: readonly Float64Array[]): number {
  const size = rows[0]!.length;
  const vectors =
    rows.length <= size
      ? rows
      : Array.from({ length: size }, (_, index) => Float64Array.from(rows, (row) => row[index]!));
  let sum = 0;
  vectors.forEach((one, number) => {
    for (let other = 0; other < number; other += 1) sum += 2 * dot(one, vectors[other]!) ** 2;
    sum += dot(one, one) ** 2;
  });
  return sum;
}

/** How often the direction of one half of both groups tells the other halves apart, at the middle of its means. */
function accuracyOf(first: readonly Row[], second: readonly Row[], method: Method): number | null {
  if (Math.min(first.length, second.length) < 2) return null;
  const right: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const halves = [halved(first, `halves A ${repeat}`), halved(second, `halves B ${repeat}`)] as const;
    for (const fit of [0, 1] as const) {
      const [one, other] = [halves[0][fit], halves[1][fit]];
      const direction = directionOf(one, other, method);
      if (direction === null) {
        right.push(0.5, 0.5);
        continue;
      }
      const border = (dot(meanOf(one), direction) + dot(meanOf(other), direction)) / 2;
      const [heldOne, heldOther] = [halves[0][fit === 0 ? 1 : 0], halves[1][fit === 0 ? 1 : 0]];
      right.push(share(heldOne, (row) => dot(row, direction) < border));
      right.push(share(heldOther, (row) => dot(row, direction) > border));
    }
  }
  return right.reduce((sum, value) => sum + value, 0) / right.length;
}

function halved(rows: readonly Row[], text: string): [Row[], Row[]] {
  const keys = uniform(text, rows.length);
  const order = rows.map((_, index) => index).sort((one, other) => keys[one]! - keys[other]!);
  const middle = Math.floor(rows.length / 2);
  return [order.slice(0, middle).map((index) => rows[index]!), order.slice(middle).map((index) => rows[index]!)];
}

function share(rows: readonly Row[], holds: (row: Row) => boolean): number {
  return rows.filter(holds).length / rows.length;
}
