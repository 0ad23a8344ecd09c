/** From the recipe of a saved page, or of an image of one, to the link that leads back to it. */
import { PlayerError } from "../engine/error.ts";
import type { Params, Recipe } from "../mode.ts";
import type { Layer } from "./decoder.ts";
import { GRID_MODES, LARGEST_TRUNCATION, TRUNCATION_STEPS } from "./gridState.ts";
import type { Generator } from "./models.ts";
import { checkModel, kindOf, LARGEST_SIDE, latentParam, numberOf, recipeClasses, seedOf } from "./recipes.ts";

/** `null`: the recipe is another mode's. Throws `PlayerError` where it does not fit the model. */
export function readGridRecipe(recipe: Recipe, mode: string, generator: Generator, layer: Layer): Params | null {
  const kind = kindOf(recipe, mode, GRID_MODES);
  if (kind === null) return null;
  checkModel(recipe, generator.file);
  checkLayer(recipe, layer);
  const rows = numberOf(recipe, "rows", 1, LARGEST_SIDE);
  const columns = numberOf(recipe, "cols", 1, LARGEST_SIDE);
  const truncation = numberOf(recipe, "truncation", 0, LARGEST_TRUNCATION / TRUNCATION_STEPS, 1);
  return {
    seed: String(seedOf(recipe["seed"])),
    page: kind,
    rows: String(rows),
    cols: String(columns),
    image: String(numberOf(recipe, "image", 0, rows * columns - 1, 0)),
    truncation: String(truncation),
    ...recipeClasses(recipe, generator.classes.length),
    ...(layer === null ? {} : { gain: String(numberOf(recipe, "gain", 0, 128)) }),
    ...photoOf(recipe, generator),
  };
}

/** Throws `PlayerError` where an image was made with another detail network. */
export function checkLayer(recipe: Recipe, layer: Layer): void {
  const found = recipe["detail"] as { sha256?: unknown; file?: unknown } | undefined;
  const wanted = typeof found?.sha256 === "string" ? found.sha256 : "";
  const own = layer === null || layer === "sharpening" ? "" : layer.sha256;
  if (wanted === own) return;
  const name = typeof found?.file === "string" && found.file !== "" ? found.file : "none";
  throw new PlayerError(`made with another detail network (${name}): put that one beside the model`);
}

/** The first corner of an interpolation, where it is a photograph's. */
function photoOf(recipe: Recipe, generator: Generator): Params {
  const source = recipe["encoded"];
  if (typeof source !== "string" || source === "") return {};
  const page = recipe["latents"];
  const first: unknown = recipe["encoded_latent"] ?? (Array.isArray(page) ? page[0] : null);
  const { size } = generator.latent;
  const numbers = Array.isArray(first) && first.length === size && first.every((one) => typeof one === "number");
  if (!numbers) throw new PlayerError(`made of the photograph ${source}: drop that onto the page instead`);
  return { encoded: latentParam(Float32Array.from(first)), photo: source };
}
