/**
 * What a saved image of the latent mode was made from, and the state that it leads back to; links carry the same. The
 * keys are those of `viewer/modes/latent/recipe.py`.
 */
import { PlayerError } from "../../engine/error.ts";
import { numberOf, plainSeed, seedOf } from "../../generator/recipes.ts";
import type { Recipe } from "../../mode.ts";
import { spaceOf, type Point, type Space } from "../../pure/space.ts";
import { makeLayout } from "./layout.ts";
import { METHODS, VIEWS, type Group, type LatentState } from "./state.ts";

const FARTHEST = 1e9; // that a saved point moves along an axis
const MOST_NAMED = 256; // directions
const LONGEST_NAME = 64; // characters
const LARGEST_FRAME = 2 ** 24; // pixels of the viewer's

/** What a state is made again from. */
export function recipeOf(state: LatentState): Recipe {
  const { space, groups } = state;
  const named = usedNames(state);
  return {
    mode: `latent ${state.view}`,
    seed: plainSeed(state.seed),
    rows: state.layout.rows,
    cols: state.layout.columns,
    scale: state.layout.scale,
    range: state.reach,
    axes: state.axes.map((axis) => space.ref(axis)),
    point: plainPoint(state.point, space),
    line: state.line.map((point) => plainPoint(point, space)),
    stop: state.stop,
    straight: state.straight,
    always_straight: state.alwaysStraight,
    slider: space.ref(state.chosen),
    ...(named.length > 0
      ? { directions: Object.fromEntries(named.map((name) => [name, Array.from(space.named.get(name) ?? [])])) }
      : {}),
    ...(groups.some((group) => group.size > 0)
      ? { groups: groups.map((group) => [...group].sort((one, other) => one - other)), method: state.method }
      : {}),
    ...(state.classes.count > 0 ? { first_label: state.classes.label } : {}),
  };
}

function plainPoint(point: Point, space: Space): Recipe {
  const seed = point.seed === null ? null : plainSeed(point.seed);
  return { seed, moves: point.moves.map(([axis, far]) => [space.ref(axis), far]) };
}

/** The named directions that a state needs: those of its axes and moves, or all where all of them are shown. */
function usedNames(state: LatentState): string[] {
  const names = [...state.space.named.keys()];
  if (state.view === "plane" || state.view === "sliders" || state.groups.some((group) => group.size > 0)) return names;
  const points = [state.point, ...state.line];
  const axes = new Set([...state.axes, state.chosen, ...points.flatMap(({ moves }) => moves.map(([axis]) => axis))]);
  return names.filter((_, axis) => axes.has(axis));
}

/** The space that a recipe means: that of the model, with the named directions of the recipe. Throws `PlayerError`. */
export function spaceFor(recipe: Recipe, own: Space): Space {
  const found = recipe["directions"] ?? {};
  if (typeof found !== "object" || Array.isArray(found)) throw damaged("directions");
  const entries = Object.entries(found as Record<string, unknown>);
  if (entries.length > MOST_NAMED) throw damaged("directions");
  const named = entries.map(([name, vector]) => {
    const numbers = Array.isArray(vector) && vector.length === own.latent.size && vector.every(Number.isFinite);
    if (!numbers || name.length < 1 || Array.from(name).length > LONGEST_NAME) throw damaged("directions");
    return [name, vector as number[]] as const;
  });
  const exact = recipe["mode"] === "latent plane" || recipe["mode"] === "latent sliders" || "groups" in recipe;
  const others = exact ? [] : [...own.named].filter(([name]) => !named.some(([known]) => known === name));
  return spaceOf(own.latent, own.directions, new Map<string, ArrayLike<number>>([...named, ...others]));
}

/**
 * The state that a recipe leads to. `usual`: what is as it is in any recipe. `points`: of the scatter. Throws
 * `PlayerError`.
 */
export function stateOf(recipe: Recipe, usual: LatentState, height: number, width: number, points: number): LatentState {
  const space = spaceFor(recipe, usual.space);
  const view = VIEWS.find((one) => recipe["mode"] === `latent ${one}`);
  const [axes, line] = [recipe["axes"], recipe["line"]];
  const [across, up] = Array.isArray(axes) ? axes.map((ref) => space.axisOf(ref)) : [];
  const chosen = space.axisOf(recipe["slider"] ?? 0);
  const method = METHODS.find((one) => one === (recipe["method"] ?? METHODS[0]));
  if (view === undefined || method === undefined || !Array.isArray(line) || line.length !== 2) throw damaged("view");
  if (typeof across !== "number" || typeof up !== "number" || across === up || chosen === null) throw damaged("axes");
  const [rows, columns] = [numberOf(recipe, "rows", 1, 64), numberOf(recipe, "cols", 1, 64)];
  const scale = numberOf(recipe, "scale", 0.05, 64, 1);
  if ((rows * columns * height * width * scale ** 2) / 4 > LARGEST_FRAME * 64) throw damaged("scale");
  const layout = makeLayout(height, width, rows, columns, scale);
  return {
    ...usual,
    space,
    layout,
    axes: [across, up],
    line: [readPoint(line[0], space), readPoint(line[1], space)],
    view: usual.views.includes(view) ? view : "plane",
    seed: seedOf(recipe["seed"]),
    point: readPoint(recipe["point"], space),
    reach: numberOf(recipe, "range", 0.01, 100, 4),
    stop: Math.floor(numberOf(recipe, "stop", 0, layout.stops - 1, 0)),
    straight: recipe["straight"] === true,
    alwaysStraight: recipe["always_straight"] === true,
    chosen,
    pressed: null,
    rectangle: null,
    groups: readGroups(recipe["groups"], points),
    method,
    classes: { ...usual.classes, label: numberOf(recipe, "first_label", 0, Math.max(usual.classes.count - 1, 0), 0) },
  };
}

function readPoint(value: unknown, space: Space): Point {
  const { seed, moves } = (value ?? {}) as { seed?: unknown; moves?: unknown };
  if (!Array.isArray(moves)) throw damaged("point");
  const found = (moves as unknown[]).map((move): readonly [number, number] => {
    const [ref, far] = Array.isArray(move) ? (move as unknown[]) : [];
    const axis = space.axisOf(ref);
    if (axis === null || typeof far !== "number" || !(Math.abs(far) < FARTHEST)) throw damaged("point");
    return [axis, far];
  });
  return { seed: seed === null || seed === undefined ? null : seedOf(seed), moves: found };
}

function readGroups(value: unknown, points: number): readonly [Group, Group] {
  if (value === undefined) return [new Set(), new Set()];
  const sound =
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((group) => Array.isArray(group) && group.every((one) => Number.isInteger(one) && one >= 0 && one < points));
  if (!sound) throw damaged("groups");
  const [first, second] = value as [number[], number[]];
  return [new Set(first), new Set(second.filter((point) => !first.includes(point)))];
}

function damaged(what: string): PlayerError {
  return new PlayerError(`what it was made from is damaged, or of another model: ${what}`);
}

/** A recipe as the text of a link: seeds that are no exact numbers are words. */
export function toText(recipe: Recipe): string {
  return JSON.stringify(recipe, (_, value: unknown) => (typeof value === "bigint" ? `seed ${value}` : value));
}

/** The same back; `null` where it is none. */
export function fromText(text: string): Recipe | null {
  try {
    const value: unknown = JSON.parse(text, (_, one: unknown) => {
      return typeof one === "string" && /^seed \d{1,19}$/.test(one) ? BigInt(one.slice(5)) : one;
    });
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Recipe) : null;
  } catch {
    return null;
  }
}

/** An axis in words. */
export function axisName(space: Space, axis: number, text: (key: string, values: Record<string, number>) => string): string {
  const found = space.axis(axis);
  if (found.kind === "named") return found.name;
  return found.kind === "principal" ? text("principal", { number: found.number }) : `z${found.number}`;
}

