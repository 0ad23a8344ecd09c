/** The scatter of latents: the point that one is at, groups of points, and the direction between them. */
import type { Latent } from "../../pure/latents.ts";
import { separate, type Separation } from "./groups.ts";
import type { Wanted } from "./images.ts";
import { FOUND } from "./naming.ts";
import { nearestTo, placesOf, type Points } from "./points.ts";
import { moveTo, placeOf, selectionOf, type LatentState } from "./state.ts";
import type { Dots } from "./view.ts";

const ENDS = [-2, 2]; // stds that the images towards A and B are away from the point

type Place = readonly [number, number];

export class Scatter {
  readonly points: Points;
  #places: { readonly key: readonly unknown[]; readonly places: [number, number][] } | null = null;
  #separation: { readonly key: readonly unknown[]; readonly found: Separation | null } | null = null;

  constructor(points: Points) {
    this.points = points;
  }

  /** Where the points lie: coordinates along both axes. */
  places({ space, axes }: LatentState): [number, number][] {
    const key = [space, ...axes];
    if (this.#places === null || !sameParts(key, this.#places.key)) {
      this.#places = { key, places: placesOf(this.points, space, axes) };
    }
    return this.#places.places;
  }

  /** The point that one is at. */
  item(state: LatentState): number {
    return nearestTo(this.places(state), ...placeOf(state));
  }

  /** The state at just that point. */
  at(state: LatentState): LatentState {
    return moveTo({ ...state, reach: Infinity }, state.axes, this.places(state)[this.item(state)] ?? [0, 0]);
  }

  /** The state at the point so many further. */
  stepped(state: LatentState, by: number): LatentState {
    const count = this.points.latents.length;
    return moveTo(state, state.axes, this.places(state)[(this.item(state) + by + count) % count] ?? [0, 0]);
  }

  image(state: LatentState): Wanted {
    const item = this.item(state);
    const latent = this.points.latents[item]!;
    const { label } = state.classes;
    return { key: `item ${item} ${this.points.seed} ${label}`, label, latents: () => [latent] };
  }

  /** The two images further to A and to B, where there is a direction between the groups. */
  ends(state: LatentState): Wanted[] {
    const latents = this.#endLatents(state);
    if (latents.length === 0) return [];
    const { label } = state.classes;
    const direction = state.space.named.get(FOUND);
    return [{ key: `ends ${this.item(state)} ${label} ${direction?.join(" ")}`, label, latents: () => latents }];
  }

  #endLatents(state: LatentState): Latent[] {
    const direction = state.space.named.get(FOUND);
    const both = state.groups.every((group) => group.size > 0);
    const latent = this.points.latents[this.item(state)];
    if (state.view !== "scatter" || !both || direction === undefined || latent === undefined) return [];
    return ENDS.map((far) => latent.map((value, index) => value + far * direction[index]!));
  }

  /** The points in the rectangle; without one, that which one is at. */
  chosen(state: LatentState): number[] {
    const selection = selectionOf(state);
    if (selection === null) return [this.item(state)];
    const [left, right] = [Math.min(selection[0], selection[2]), Math.max(selection[0], selection[2])];
    const [low, high] = [Math.min(selection[1], selection[3]), Math.max(selection[1], selection[3])];
    const inside = ([x, y]: Place): boolean => x >= left && x <= right && y >= low && y <= high;
    return this.places(state).flatMap((place, index) => (inside(place) ? [index] : []));
  }

  /** The direction between the groups, where it is another one than before. */
  separate({ groups, method, space }: LatentState): Float64Array | null {
    if (groups.some((group) => group.size === 0)) return null;
    const key = [...groups, method];
    if (this.#separation !== null && sameParts(key, this.#separation.key)) return null;
    const [first, second] = groups.map((group) => [...group].sort((a, b) => a - b).map((point) => this.points.latents[point]!));
    const found = separate(first!, second!, method);
    this.#separation = { key, found };
    return found === null ? null : space.scaled(found.direction);
  }

  /** How well the groups are separated: null, where they are not; undefined, where there are none. */
  found(state: LatentState): Separation | null | undefined {
    return state.groups.every((group) => group.size > 0) ? this.#separation?.found : undefined;
  }

  /** To be drawn. */
  dots(state: LatentState): Dots {
    const { reach, groups, axes, space } = state;
    const place = ([x, y]: Place): [number, number] => [(x / reach + 1) / 2, (1 - y / reach) / 2];
    const selection = selectionOf(state);
    const rectangle = selection && ([...place([selection[0], selection[1]]), ...place([selection[2], selection[3]])] as const);
    const arrow = this.#endLatents(state).map((latent) => place([space.coordinate(latent, axes[0]), space.coordinate(latent, axes[1])]));
    return { places: this.places(state).map(place), groups, rectangle, arrow };
  }
}

function sameParts(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.every((part, index) => part === other[index]);
}
