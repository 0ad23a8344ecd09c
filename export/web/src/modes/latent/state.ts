/**
 * What the latent mode shows, as plain values, and how an event changes it. As `viewer/modes/latent/state.py`.
 *
 * There are four views of one point: the plane through it along two axes, a line between two points, the scatter of
 * latents, and a slider for every axis.
 */
import { classesAfter, NO_CLASSES, sameClasses, type Classes } from "../../pure/classes.ts";
import type { Event } from "../../pure/events.ts";
import { nextSeed } from "../../pure/latents.ts";
import { STEPS } from "../../pure/sheet.ts";
import { MIDDLE, type Point, type Space } from "../../pure/space.ts";
import type { Layout } from "./layout.ts";

export const VIEWS = ["plane", "line", "scatter", "sliders"] as const;
export type View = (typeof VIEWS)[number];
export const METHODS = ["LDA", "means"] as const;
export type Method = (typeof METHODS)[number];
export type Group = ReadonlySet<number>;
/** Coordinates across and up of two corners of a rectangle on the scatter, the first where it was begun. */
export type Rectangle = readonly [number, number, number, number];

export const REACHES = [0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16]; // that + and - lead through
const SLIDE_STEPS = 40; // of an arrow key, from one end of a slider to the other

/** Where the pointer is. */
export type Place =
  /** On the plane or the scatter, 0..1 from the left and the top; what is dragged outside counts as at the edge. */
  | { readonly part: "plane"; readonly across: number; readonly down: number; readonly inside: boolean }
  /** On the images of a line, 0..1 from the left. */
  | { readonly part: "line"; readonly across: number };

export interface LatentEvent extends Omit<Event, "x" | "y"> {
  readonly at?: Place;
}

/** A point in latent space, and how one looks at it. */
export interface LatentState {
  readonly space: Space;
  readonly layout: Layout;
  /** Across and up. */
  readonly axes: readonly [number, number];
  readonly line: readonly [Point, Point];
  /** That there are. */
  readonly views: readonly View[];
  readonly view: View;
  /** Of the next random point. */
  readonly seed: bigint;
  readonly point: Point;
  /** Of the plane and the sliders, in both directions. */
  readonly reach: number;
  /** The image of the line that is looked at. */
  readonly stop: number;
  /** lerp along the line instead of slerp */
  readonly straight: boolean;
  /** lerp between random points too */
  readonly alwaysStraight: boolean;
  /** Axis of the slider that the keys move. */
  readonly chosen: number;
  /** Where the pointer is being dragged from. */
  readonly pressed: Point | null;
  /** Points of the scatter in group A, and in B. */
  readonly groups: readonly [Group, Group];
  /** By which a direction is found between the groups. */
  readonly method: Method;
  readonly rectangle: Rectangle | null;
  readonly classes: Classes;
}

/**
 * The first state: a plane along the first principal directions, or along the numbers of a latent of two.
 *
 * Its point is the mean of the training images; where that is unknown a random one, since the mean of a prior of many
 * dimensions is like none of its draws.
 */
export function begin(space: Space, layout: Layout, views: readonly View[], seed = 0n): LatentState {
  const { prior, size } = space.latent;
  const first = space.directions.length >= 2 && size > 2 ? space.named.size : space.firstRaw;
  const axes = [first, first + 1] as const;
  const reach = prior === "uniform" ? 1 : 4;
  const inMiddle = size === 2 || space.latent.mean.length > 0;
  return {
    space,
    layout,
    axes,
    line: [
      space.move(MIDDLE, axes, [-0.5 * reach, -0.5 * reach]),
      space.move(MIDDLE, axes, [0.5 * reach, 0.5 * reach]),
    ],
    views,
    view: "plane",
    seed: inMiddle ? seed : nextSeed(seed),
    point: inMiddle ? MIDDLE : { seed, moves: [] },
    reach,
    stop: 0,
    straight: true,
    alwaysStraight: prior === "uniform" || size === 2,
    chosen: 0,
    pressed: null,
    groups: [new Set(), new Set()],
    method: METHODS[0],
    rectangle: null,
    classes: NO_CLASSES,
  };
}

/** The state after an event. */
export function latentAfter(state: LatentState, event: LatentEvent): LatentState {
  const classes = classesAfter(state.classes, event);
  if (classes !== null) return { ...state, classes: { ...classes, byRow: false } };
  const onSliders = state.view === "sliders";
  switch (event.action) {
    case "MOVE":
    case "CLICK":
    case "DRAG":
      return event.at === undefined || onSliders ? state : pointAt(state, event.action, event.at);
    case "RELEASE":
      return { ...state, pressed: null };
    case "SECOND_CLICK":
    case "SECOND_DRAG":
      return event.at === undefined ? state : rectangleAt(state, event.action, event.at);
    case "NEXT_VIEW": {
      const view = state.views[(state.views.indexOf(state.view) + 1) % state.views.length]!;
      return inView(state, view);
    }
    case "LEFT":
    case "RIGHT":
    case "UP":
    case "DOWN":
      return step(state, event.action);
    case "MORE":
      return onSliders ? slide(state, 1) : { ...state, reach: nearer(state.reach) };
    case "LESS":
      return onSliders ? slide(state, -1) : { ...state, reach: further(state.reach) };
    case "HOME":
      return state.view === "line" ? { ...state, stop: 0 } : { ...state, point: MIDDLE, chosen: 0 };
    case "END":
      if (state.view === "line") return { ...state, stop: state.layout.stops - 1 };
      return onSliders ? { ...state, chosen: state.space.count - 1 } : state;
    case "PAGE_UP":
    case "PAGE_DOWN": {
      if (!onSliders) return state;
      const page = state.layout.sliders * (event.action === "PAGE_DOWN" ? 1 : -1);
      return { ...state, chosen: Math.min(Math.max(state.chosen + page, 0), state.space.count - 1) };
    }
    case "NEW":
      return newKey(state, event.key ?? "");
    case "INTERPOLATE":
      return randomLine(state);
    case "RANDOM":
    case "PAUSE":
      return elsewhere(state);
    default:
      return state;
  }
}

/** The same in another view. */
export function inView(state: LatentState, view: View): LatentState {
  return { ...state, view, pressed: null, rectangle: null };
}

function newKey(state: LatentState, key: string): LatentState {
  const letter = key.toLowerCase();
  if (letter === "l") return { ...state, straight: !state.straight };
  if (letter === "x" || letter === "y") return { ...state, axes: otherAxes(state, key) };
  if (state.view === "scatter" && letter === "e") return { ...state, groups: [new Set(), new Set()], rectangle: null };
  if (state.view === "scatter" && letter === "m") {
    return { ...state, method: METHODS[(METHODS.indexOf(state.method) + 1) % METHODS.length]! };
  }
  return elsewhere(state);
}

/** At a random point, or on a line between two. */
function elsewhere(state: LatentState): LatentState {
  if (state.view === "line") return randomLine(state);
  return { ...state, point: { seed: state.seed, moves: [] }, seed: nextSeed(state.seed) };
}

function randomLine(state: LatentState): LatentState {
  const second = nextSeed(state.seed);
  return {
    ...state,
    view: "line",
    line: [
      { seed: state.seed, moves: [] },
      { seed: second, moves: [] },
    ],
    straight: state.alwaysStraight,
    seed: nextSeed(second),
  };
}

function nearer(reach: number): number {
  return REACHES.filter((one) => one < reach).at(-1) ?? reach;
}

function further(reach: number): number {
  return REACHES.find((one) => one > reach) ?? reach;
}

/** The axes after x, y (the next one) or X, Y (the one before); two axes are never the same one. */
function otherAxes(state: LatentState, key: string): [number, number] {
  const across = key === "x" || key === "X";
  const [old, other] = across ? state.axes : ([state.axes[1], state.axes[0]] as const);
  if (state.view === "sliders") {
    const kept = state.chosen === other ? old : other;
    return across ? [state.chosen, kept] : [kept, state.chosen];
  }
  const { count } = state.space;
  const by = key === key.toLowerCase() ? 1 : -1;
  let found = (old + by + count) % count;
  if (found === other) found = (found + by + count) % count;
  return across ? [found, other] : [other, found];
}

/** An arrow key. */
function step(state: LatentState, action: "LEFT" | "RIGHT" | "UP" | "DOWN"): LatentState {
  const [down, along] = STEPS[action]!;
  const { count } = state.space;
  const { stops, columns, rows } = state.layout;
  if (state.view === "line") return { ...state, stop: (state.stop + along + stops) % stops };
  if (state.view === "sliders") {
    return along === 0 ? { ...state, chosen: (state.chosen + down + count) % count } : slide(state, along);
  }
  const [x, y] = placeOf(state);
  return moveTo(state, state.axes, [
    x + (along * 2 * state.reach) / columns,
    y - (down * 2 * state.reach) / rows,
  ]);
}

/** Move the slider that is chosen. */
function slide(state: LatentState, steps: number): LatentState {
  const here = state.space.coordinate(state.space.exact(state.point), state.chosen);
  return moveTo(state, [state.chosen], [here + (steps * 2 * state.reach) / SLIDE_STEPS]);
}

/** Where the point lies on the plane: its coordinates along both axes. */
export function placeOf(state: LatentState): [number, number] {
  const latent = state.space.exact(state.point);
  return [state.space.coordinate(latent, state.axes[0]), state.space.coordinate(latent, state.axes[1])];
}

/** The point at these coordinates, or as near to them as what is shown goes. */
export function moveTo(state: LatentState, axes: readonly number[], values: readonly number[]): LatentState {
  const there = values.map((value) => Math.min(Math.max(value, -state.reach), state.reach));
  return { ...state, point: state.space.move(state.point, axes, there) };
}

/** The pointer moved or was pressed. */
function pointAt(state: LatentState, action: "MOVE" | "CLICK" | "DRAG", at: Place): LatentState {
  if (state.view === "line") return lineAt(state, action, at);
  if (at.part !== "plane") return state;
  const wanted = action !== "MOVE" || state.view === "plane";
  const after = action === "CLICK" ? { ...state, pressed: at.inside ? state.point : null } : state;
  const dragged = action === "DRAG" && after.pressed !== null;
  return wanted && (at.inside || dragged) ? moveTo(after, after.axes, coordinatesAt(after, at)) : after;
}

/** In the line view: a drag on the plane draws a line, the images of the line are pointed at. */
function lineAt(state: LatentState, action: "MOVE" | "CLICK" | "DRAG", at: Place): LatentState {
  const after = action === "CLICK" ? { ...state, pressed: null } : state;
  if (at.part === "line") {
    const stop = Math.floor(at.across * state.layout.stops);
    return { ...after, stop: Math.min(Math.max(stop, 0), state.layout.stops - 1) };
  }
  const here = state.space.move(state.point, state.axes, coordinatesAt(state, at));
  if (action === "CLICK" && at.inside) return { ...after, pressed: here };
  if (action === "DRAG" && state.pressed !== null) return { ...state, line: [state.pressed, here], straight: true };
  return after;
}

/** In the scatter: a rectangle is drawn; a click takes it away. */
function rectangleAt(state: LatentState, action: "SECOND_CLICK" | "SECOND_DRAG", at: Place): LatentState {
  if (state.view !== "scatter" || at.part !== "plane") return state;
  const [x, y] = coordinatesAt(state, at);
  if (action === "SECOND_CLICK") return { ...state, rectangle: at.inside ? [x, y, x, y] : null };
  return state.rectangle === null ? state : { ...state, rectangle: [state.rectangle[0], state.rectangle[1], x, y] };
}

/** Of the pointer, along the two axes of the plane. */
function coordinatesAt(state: LatentState, at: Place & { part: "plane" }): [number, number] {
  return [(2 * at.across - 1) * state.reach, (1 - 2 * at.down) * state.reach];
}

/** The rectangle, where it is more than a click. */
export function selectionOf(state: LatentState): Rectangle | null {
  const { rectangle } = state;
  return rectangle !== null && (rectangle[0] !== rectangle[2] || rectangle[1] !== rectangle[3]) ? rectangle : null;
}

/** With more points in group A (0) or B (1); with fewer where all of them are in it already. */
export function marked(state: LatentState, group: 0 | 1, points: Group): LatentState {
  const [old, other] = [state.groups[group], new Set(state.groups[1 - group])];
  const all = [...points].every((point) => old.has(point));
  const own = new Set(all ? [...old].filter((point) => !points.has(point)) : [...old, ...points]);
  points.forEach((point) => other.delete(point));
  return { ...state, groups: group === 0 ? [own, other] : [other, own], rectangle: null };
}

/** The same in another space of the model: it has all directions of this one, some perhaps with other steps. */
export function inSpace(state: LatentState, space: Space): LatentState {
  const axis = (number: number): number => space.axisOf(state.space.ref(number))!;
  return {
    ...state,
    space,
    axes: [axis(state.axes[0]), axis(state.axes[1])],
    line: [space.adopted(state.line[0], state.space), space.adopted(state.line[1], state.space)],
    point: space.adopted(state.point, state.space),
    chosen: axis(state.chosen),
    pressed: null,
  };
}

/** Whether a point or a line was left for another one; moving them, on the way, is none. */
export function leavesPoint(before: LatentState, after: LatentState): boolean {
  const otherLine = before.line[0] !== after.line[0]; // of one that is being drawn, only the end moves
  const home = after.point === MIDDLE && before.point !== MIDDLE;
  return before.seed !== after.seed || !sameClasses(before.classes, after.classes) || otherLine || home;
}
