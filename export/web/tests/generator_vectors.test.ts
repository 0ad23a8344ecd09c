/** The copies of the viewer's functions give what those give: tests/export/player/generator_vectors.py. */
import { describe, expect, test } from "vitest";

import { gridAfter, pageLatents, type GridMode, type GridState } from "../src/generator/gridState.ts";
import { advance, animateAfter, walkLatents, type AnimateState } from "../src/modes/animate/state.ts";
import { separate } from "../src/modes/latent/groups.ts";
import { makeLayout } from "../src/modes/latent/layout.ts";
import { begin, latentAfter, marked, type LatentEvent, type LatentState } from "../src/modes/latent/state.ts";
import type { Event } from "../src/pure/events.ts";
import { DETAIL, gainAt, SHARPENING, valueOf, type Gain } from "../src/pure/gain.ts";
import { bilinear, draw, drawMany, lerp, mix, slerp, truncate, type Latent, type Prior } from "../src/pure/latents.ts";
import { cellAt } from "../src/pure/sheet.ts";
import { spaceOf, type Point, type Space } from "../src/pure/space.ts";
import { walkAt } from "../src/pure/walk.ts";
import vectors from "./vectors/generator.json" with { type: "json" };

const SINGLE = 2e-6; // between numbers of single precision that were added up in another order
const NORMAL: Prior = { size: 5, prior: "normal", mean: vectors.interpolation.mean };
const SAMPLES = vectors.interpolation.samples.map((row) => Float32Array.from(row));

function near(found: unknown, wanted: unknown, tolerance = SINGLE, where = ""): void {
  if (typeof wanted === "number" && typeof found === "number") {
    const far = Math.abs(found - wanted) / Math.max(1, Math.abs(wanted));
    if (!(far <= tolerance)) throw new Error(`${where}: ${found}, expected ${wanted}`);
  } else if (typeof wanted === "object" && wanted !== null) {
    expect(found, where).toBeTypeOf("object");
    const values = wanted as Record<string, unknown>;
    if (Array.isArray(wanted)) expect((found as ArrayLike<unknown>).length, where).toBe(wanted.length);
    for (const key of Object.keys(values)) {
      near((found as Record<string, unknown>)[key], values[key], tolerance, `${where}.${key}`);
    }
  } else {
    expect(found, where).toEqual(wanted);
  }
}

describe("latents", () => {
  test.each(vectors.random)("of seed $seed, number $index, size $size, $prior prior", (one) => {
    const prior: Prior = { size: one.size, prior: one.prior as Prior["prior"], mean: [] };
    near(draw(prior, BigInt(one.seed), one.index), one.latent, 1e-12);
  });

  test("between others", () => {
    const { lerp: straight, slerp: round, bilinear: pages, mixes, truncated } = vectors.interpolation;
    const corners = drawMany(NORMAL, 3n, [0, 1, 2, 3]);
    const [start, end] = corners as [Latent, Latent];
    for (const [fraction, wanted] of Object.entries(straight)) near(lerp(start, end, Number(fraction)), wanted, 1e-12);
    for (const [fraction, wanted] of Object.entries(round)) near(slerp(start, end, Number(fraction)), wanted);
    near(slerp(start, start.map((value) => -value), 0.25), vectors.interpolation.slerp_opposite);
    for (const [shape, wanted] of Object.entries(pages)) {
      const [rows, columns] = shape.split(" ").map(Number) as [number, number];
      near(bilinear(corners, rows, columns), wanted, 1e-12);
    }
    for (const [seed, wanted] of Object.entries(mixes)) near(mix(SAMPLES, BigInt(seed), 6), wanted, 1e-7);
    for (const [amount, wanted] of Object.entries(truncated)) {
      near(corners.map((latent) => truncate(NORMAL, latent, Number(amount))), wanted, 1e-12);
    }
    const prior: Prior = { size: 4, prior: "uniform", mean: [] };
    const moved = drawMany(prior, 3n, [0, 1, 2, 3]).map((latent) => truncate(prior, latent, 1.7));
    near(moved, vectors.interpolation.truncated_uniform, 1e-12);
  });

  test.each(vectors.walks)("along walk $number of seed $seed", (one) => {
    const prior: Prior = { size: one.size, prior: one.prior as Prior["prior"], mean: [] };
    const walk = { prior, seed: BigInt(one.seed), straight: one.straight, legs: one.legs, number: one.number };
    near(one.positions.map((position) => walkAt(walk, position)), one.latents);
  });
});

test("the image under a point", () => {
  const sheet = { rows: 3, columns: 4, cellWidth: 30, cellHeight: 20, gap: 2 };
  for (const [x, y, wanted] of vectors.cells) expect(cellAt(sheet, x!, y!) ?? -1, `${x} ${y}`).toBe(wanted);
});

interface Said {
  readonly seed: string;
  readonly gain: number | null;
}

/** A state as the vectors have it. */
function said(state: GridState | AnimateState): object {
  return { ...state, seed: String(state.seed), gain: state.gain === null ? null : valueOf(state.gain) };
}

function first(from: { first: Said; gainName: string | null; sheet: object }, more: object = {}): object {
  const scale: Gain = from.gainName === "sharpening" ? SHARPENING : DETAIL;
  const gain = from.first.gain === null ? null : gainAt(scale, from.first.gain);
  return { ...from.first, ...more, sheet: from.sheet, seed: BigInt(from.first.seed), gain };
}

describe("keys lead to the same states", () => {
  test.each(vectors.grids.map((grid, number) => ({ grid, number })))("grid $number", ({ grid }) => {
    let state = first(grid, { canMix: grid.canMix }) as GridState;
    let wanted: object = grid.first;
    for (const [event, changes] of grid.steps as [Event, object][]) {
      state = gridAfter(state, event);
      wanted = { ...wanted, ...changes };
      near(said(state), wanted, 1e-12, JSON.stringify(event));
    }
  });

  test.each(vectors.animations.map((walk, number) => ({ walk, number })))("animate $number", ({ walk }) => {
    let state = first(walk) as AnimateState;
    let wanted: object = walk.first;
    for (const [event, changes] of walk.steps as [Event, object][]) {
      state = advance(animateAfter(state, event), 2);
      wanted = { ...wanted, ...changes };
      near(said(state), wanted, 1e-12, JSON.stringify(event));
    }
    near(walkLatents(NORMAL, state)[1], walk.second);
  });

  test.each(vectors.latent.map((latent, number) => ({ latent, number })))("latent $number", ({ latent }) => {
    const space = readSpace(latent.space);
    const [rows, columns] = latent.number % 2 === 0 ? [null, null] : [5, 7];
    const layout = makeLayout(64, 64, rows, columns);
    expect([layout.rows, layout.columns]).toEqual(latent.layout);
    const views = ["plane", "line", "scatter", "sliders"] as const;
    let state = begin(space, layout, views, BigInt(latent.number));
    state = { ...state, classes: latent.first.classes };
    near(latentSaid(state), latent.first);
    let wanted: object = latent.first;
    for (const [event, changes] of latent.steps as [LatentEvent, object][]) {
      state = latentAfter(state, event);
      wanted = { ...wanted, ...changes };
      near(latentSaid(state), wanted, 1e-7, JSON.stringify(event));
    }
    state = marked(marked(marked({ ...state, view: "scatter" }, 0, new Set([1, 2, 3])), 1, new Set([3, 4])), 0, new Set([1]));
    near(latentSaid(state), latent.marked, 1e-7);
  });
});

test.each(vectors.pages)("the page of seed $seed in mode $mode", (page) => {
  const state = {
    sheet: { rows: page.rows, columns: page.columns },
    mode: page.mode as GridMode,
    seed: BigInt(page.seed),
    truncationSteps: page.truncationSteps,
  } as GridState;
  const encoded = page.encoded === null ? null : Float32Array.from(page.encoded);
  near(pageLatents(NORMAL, SAMPLES, state, encoded), page.latents, 1e-6);
});

test("layouts of the latent mode", () => {
  for (const one of vectors.layouts) {
    const [height, width, rows, columns, scale, ...wanted] = one as [number, number, number | null, number | null, number];
    const found = makeLayout(height, width, rows, columns, scale);
    expect([found.rows, found.columns, found.stops, found.sliders, found.track], String(one)).toEqual(wanted);
  }
});

interface SpaceSaid {
  readonly size: number;
  readonly prior: string;
  readonly mean: readonly number[];
  readonly covariance: readonly (readonly number[])[];
  readonly directions: readonly (readonly number[])[];
  readonly named: readonly (readonly (string | readonly number[])[])[];
}

function readSpace(one: SpaceSaid): Space {
  const named = one.named as unknown as readonly (readonly [string, readonly number[]])[];
  return spaceOf({ ...one, prior: one.prior as Prior["prior"] }, one.directions, new Map(named));
}

function readPoint(point: { seed: string | null; moves: readonly (readonly number[])[] }): Point {
  return { seed: point.seed === null ? null : BigInt(point.seed), moves: point.moves as Point["moves"] };
}

function pointSaid(point: Point | null): object | null {
  return point === null ? null : { seed: point.seed === null ? null : String(point.seed), moves: point.moves };
}

function latentSaid(state: LatentState): object {
  return {
    ...state,
    seed: String(state.seed),
    point: pointSaid(state.point),
    line: state.line.map(pointSaid),
    pressed: pointSaid(state.pressed),
    groups: state.groups.map((group) => [...group].sort((one, other) => one - other)),
  };
}

test.each(vectors.spaces.map((one, number) => ({ one, number })))("space $number", ({ one }) => {
  const space = readSpace(one);
  const point = readPoint(one.point);
  expect(one.refs.map((ref) => space.axisOf(ref))).toEqual(one.refs.map((_, axis) => axis));
  expect(one.refs.map((_, axis) => space.ref(axis))).toEqual(one.refs);
  expect(space.axisOf(space.count)).toBeNull();
  near(space.exact(point), one.exact);
  near(one.coordinates.map((_, axis) => space.coordinate(space.exact(point), axis)), one.coordinates);
  for (const [pair, wanted] of one.moves as [number[], number[]][]) {
    near(space.exact(space.move(point, pair, [1.5, -0.5].slice(0, pair.length))), wanted, 1e-9);
  }
  const values = [[-1, 0.5], [0, 2]]; // prettier-ignore
  for (const [pair, wanted] of one.spreads as [number[], number[][]][]) {
    near(space.spread(point, pair, values.map((row) => row.slice(0, pair.length))), wanted);
  }
  near(space.scaled(Array.from({ length: one.size }, (_, index) => index + 1)), one.scaled);
  const more = new Map([...space.named, ["new", new Float64Array(one.size).fill(1)]] as [string, Float64Array][]);
  const other = spaceOf(space.latent, space.directions, more);
  near(other.exact(other.adopted(point, space)), one.adopted);
});

test.each(vectors.groups)("the direction between two groups, by $method", (one) => {
  const found = separate(one.first, one.second, one.method as "LDA" | "means");
  near(found?.direction, one.direction, 1e-6);
});
