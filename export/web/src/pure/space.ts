/**
 * The latent space of a model and its axes: named directions, then the principal ones of its card, then raw numbers.
 * As `viewer/modes/latent/space.py`.
 *
 * A `Point` is a few plain values, a start and moves along axes; the space turns it into a latent. Coordinates along a
 * direction count stds from the mean of the training images; along a raw axis they are the latent's own number.
 */
import { dot, draw, norm, type Latent, type Prior } from "./latents.ts";

/** Of an axis, whatever directions have been named: their name, or the number of the others from 0. */
export type Ref = string | number;
type Numbers = Float64Array;

/** A place in latent space. */
export interface Point {
  /** Of a random start; null: the middle. */
  readonly seed: bigint | null;
  /** Axis and how far from the start along it, by axis. */
  readonly moves: readonly (readonly [number, number])[];
}

export const MIDDLE: Point = { seed: null, moves: [] };

/** The latent of a model as its card has it. */
export interface Statistics extends Prior {
  /** [size, size] of the training images' latents; empty where it is not known. */
  readonly covariance: readonly ArrayLike<number>[];
}

const FLATTEST = 1e-3; // of the largest std: that of a direction in which the training images hardly differ
const SHORTEST = 1e-6; // that a direction may be; others say nothing
const LONGEST = 1e6;
const RANK = 1e-6; // of the larger singular value: below, two directions are the same one

/** Axes; converts between points, latents and coordinates. Two spaces are equal only if they are the same one. */
export class Space {
  readonly latent: Statistics;
  /** Principal ones, one std each. */
  readonly directions: readonly Numbers[];
  /** By name, one std long; the first axes. */
  readonly named: ReadonlyMap<string, Numbers>;
  /** [size] mean of the training images; zeros where it is not known. */
  readonly start: Numbers;
  /** Whether the mean of the training images is known. */
  readonly centred: boolean;
  private readonly steps: readonly Numbers[]; // of one along each direction

  constructor(latent: Statistics, directions: readonly Numbers[], named: ReadonlyMap<string, Numbers>) {
    this.latent = latent;
    this.directions = directions;
    this.named = named;
    const mean = Float64Array.from(latent.mean);
    this.centred = mean.length > 0 && norm(mean) < LONGEST;
    this.start = this.centred ? mean : new Float64Array(latent.size);
    this.steps = [...named.values(), ...directions];
  }

  /** How many axes there are. */
  get count(): number {
    return this.firstRaw + this.latent.size;
  }

  /** The axis that is the first number of the latent. */
  get firstRaw(): number {
    return this.steps.length;
  }

  /** Of an axis: its name; or which of the principal directions or raw numbers it is, from 1. */
  axis(number: number): { kind: "named"; name: string } | { kind: "principal" | "raw"; number: number } {
    if (number < this.named.size) return { kind: "named", name: [...this.named.keys()][number]! };
    if (number < this.firstRaw) return { kind: "principal", number: number - this.named.size + 1 };
    return { kind: "raw", number: number - this.firstRaw + 1 };
  }

  /** An axis as recipes know it. */
  ref(number: number): Ref {
    const axis = this.axis(number);
    return axis.kind === "named" ? axis.name : number - this.named.size;
  }

  /** The axis that a recipe means; `null`: there is none such. */
  axisOf(ref: unknown): number | null {
    if (typeof ref === "string") {
      const place = [...this.named.keys()].indexOf(ref);
      return place < 0 ? null : place;
    }
    const sound = Number.isInteger(ref) && (ref as number) >= 0 && (ref as number) < this.count - this.named.size;
    return sound ? this.named.size + (ref as number) : null;
  }

  /** A step of 1 along an axis. */
  direction(axis: number): Numbers {
    if (axis < this.firstRaw) return this.steps[axis]!;
    const step = new Float64Array(this.latent.size);
    step[axis - this.firstRaw] = 1;
    return step;
  }

  /**
   * A vector as a direction: one std of the training images long, where their covariance is known, or else one of the
   * prior. `null` where it leads nowhere.
   */
  scaled(vector: ArrayLike<number>): Numbers | null {
    const length = norm(vector);
    if (!(length > SHORTEST && length < LONGEST)) return null;
    const unit = Float64Array.from(vector, (value) => value / length);
    const { covariance } = this.latent;
    let std = 1;
    if (covariance.length > 0) {
      const variance = dot(unit, covariance.map((row) => dot(row, unit)));
      const mean = covariance.reduce((sum, row, index) => sum + row[index]!, 0) / covariance.length;
      std = Math.sqrt(variance > FLATTEST ** 2 * mean ? variance : mean);
    }
    const factor = std > SHORTEST && std < LONGEST ? std : 1;
    return unit.map((value) => value * factor);
  }

  /**
   * A point of another space of this model, as a point of this one. Moves along directions that are not the same here
   * become moves along the raw axes.
   */
  adopted(point: Point, old: Space): Point {
    const moves = new Map<number, number>();
    const add = (axis: number, far: number): unknown => moves.set(axis, (moves.get(axis) ?? 0) + far);
    for (const [axis, far] of point.moves) {
      const here = this.axisOf(old.ref(axis));
      const before = old.direction(axis);
      if (here !== null && this.direction(here).every((value, index) => value === before[index])) add(here, far);
      else before.forEach((value, index) => add(this.firstRaw + index, far * value));
    }
    return { ...point, moves: sorted(moves) };
  }

  /** The coordinate of a latent along an axis. */
  coordinate(latent: ArrayLike<number>, axis: number): number {
    if (axis >= this.firstRaw) return latent[axis - this.firstRaw]!;
    return this.along(Float64Array.from(latent, (value, index) => value - this.start[index]!), axis);
  }

  /** How far a step goes along an axis. */
  private along(step: Numbers, axis: number): number {
    if (axis >= this.firstRaw) return step[axis - this.firstRaw]!;
    const direction = this.steps[axis]!;
    return dot(step, direction) / dot(direction, direction);
  }

  /** The latent of a point in double precision. */
  exact(point: Point): Numbers {
    const latent = Float64Array.from(point.seed === null ? this.start : draw(this.latent, point.seed, 0));
    for (const [axis, far] of point.moves) addTo(latent, far, this.direction(axis));
    return latent;
  }

  /** The latent of a point. */
  latentAt(point: Point): Latent {
    return Float32Array.from(this.exact(point));
  }

  /** The point with these coordinates along one or two axes, and otherwise as it was. */
  move(point: Point, axes: readonly number[], values: readonly number[]): Point {
    const moves = new Map(point.moves);
    this.solve(this.exact(point), axes)(values).forEach((far, place) => {
      moves.set(axes[place]!, (moves.get(axes[place]!) ?? 0) + far);
    });
    return { ...point, moves: sorted(moves) };
  }

  /** The latents that differ from a point in their coordinates along one or two axes alone. */
  spread(point: Point, axes: readonly number[], values: readonly (readonly number[])[]): Latent[] {
    const start = this.exact(without(point, axes));
    const solve = this.solve(start, axes);
    return values.map((wanted) => {
      const latent = start.slice();
      solve(wanted).forEach((far, place) => addTo(latent, far, this.direction(axes[place]!)));
      return Float32Array.from(latent);
    });
  }

  /** How far to go along each of the axes to have some coordinates; the axes need not be perpendicular. */
  private solve(start: Numbers, axes: readonly number[]): (values: readonly number[]) => number[] {
    const here = axes.map((axis) => this.coordinate(start, axis));
    const effect = axes.map((axis) => axes.map((other) => this.along(this.direction(other), axis)));
    const inverse = pseudoInverse(effect);
    return (values) => inverse.map((row) => dot(row, values.map((value, place) => value - here[place]!)));
  }
}

/** The same with no moves along some axes. */
export function without(point: Point, axes: readonly number[]): Point {
  return { ...point, moves: point.moves.filter(([axis]) => !axes.includes(axis)) };
}

/** The space that a card tells of. */
export function spaceOf(
  latent: Statistics,
  directions: readonly ArrayLike<number>[],
  named: ReadonlyMap<string, ArrayLike<number>>,
): Space {
  const rows = directions.map((row) => Float64Array.from(row)).filter(isDirection);
  const vectors = [...named].map(([name, row]) => [name, Float64Array.from(row)] as const);
  return new Space(latent, rows, new Map(vectors.filter(([, row]) => isDirection(row))));
}

function isDirection(vector: Numbers): boolean {
  const length = norm(vector);
  return length > SHORTEST && length < LONGEST;
}

function sorted(moves: ReadonlyMap<number, number>): [number, number][] {
  return [...moves].sort(([one], [other]) => one - other);
}

function addTo(latent: Numbers, far: number, step: Numbers): void {
  for (let index = 0; index < latent.length; index += 1) latent[index]! += far * step[index]!;
}

/** Moore and Penrose's inverse of a matrix of one or two rows and columns; singular values below `RANK` count as 0. */
export function pseudoInverse(matrix: readonly (readonly number[])[]): number[][] {
  const [[a, b = 0], [c = 0, d = 0] = []] = matrix as [[number, number?], [number?, number?]?];
  if (matrix.length === 1) return [[a === 0 ? 0 : 1 / a]];
  // Singular values of a 2x2 matrix: (|p| ± |q|) / 2 with p, q the lengths of its two parts that only turn or mirror.
  const [turn, mirror] = [Math.hypot(a + d, c - b), Math.hypot(a - d, c + b)];
  const [large, small] = [(turn + mirror) / 2, Math.abs(turn - mirror) / 2];
  if (large === 0) return [[0, 0], [0, 0]]; // prettier-ignore
  if (small > RANK * large) {
    const determinant = a * d - b * c;
    return [
      [d / determinant, -b / determinant],
      [-c / determinant, a / determinant],
    ];
  }
  const angle = Math.atan2(2 * (a * b + c * d), a * a + c * c - b * b - d * d) / 2;
  const right = [Math.cos(angle), Math.sin(angle)] as const; // of the larger singular value
  const left = [(a * right[0] + b * right[1]) / large, (c * right[0] + d * right[1]) / large] as const;
  return right.map((value) => left.map((other) => (value * other) / large));
}
