/** What a link says of a place in latent space. */
import type { Generator } from "../../generator/models.ts";
import type { Params, Recipe } from "../../mode.ts";
import { fromText, stateOf, toText } from "./codec.ts";
import { VIEWS, type LatentState } from "./state.ts";

const APART = ["mode", "seed", "range", "first_label"]; // keys of a recipe that have a parameter of their own
const MOST_POINTS = 1e5;

export function paramsOf({ view, seed, reach, classes }: LatentState, recipe: Recipe): Params {
  const label = classes.count > 0 ? { class: String(classes.label) } : {};
  const whole = Object.entries(recipe).filter(([key]) => !APART.includes(key));
  return { seed: String(seed), view, range: String(reach), ...label, place: toText(Object.fromEntries(whole)) };
}

/** Page and count of the random latents that a link's scatter is of; null: it says nothing of them. Throws. */
export function randomPoints(params: Params): [bigint, number] | null {
  const random = fromText(params["place"] ?? "")?.["random"];
  if (!Array.isArray(random)) return null;
  const [first, count] = random as unknown[];
  const most = typeof count === "number" ? Math.min(Math.max(Math.floor(count), 2), MOST_POINTS) : 2;
  return [BigInt(first as number | bigint), most];
}

/** The state that a link stands for. `plain`: the one to begin with; `points`: of the scatter. Throws. */
export function stateOfLink(params: Params, plain: LatentState, generator: Generator, points: number): LatentState {
  const place = fromText(params["place"] ?? "");
  if (place === null) {
    const view = VIEWS.find((one) => one === params["view"]) ?? "plane";
    return { ...plain, view, seed: /^\d{1,18}$/.test(params["seed"] ?? "") ? BigInt(params["seed"]!) : 0n };
  }
  const [seed, range] = [BigInt(params["seed"] ?? "0"), Number(params["range"] ?? "4")];
  const recipe = { ...place, mode: `latent ${params["view"]}`, seed, range, first_label: Number(params["class"] ?? "0") };
  return stateOf(recipe, plain, generator.height, generator.width, points);
}
