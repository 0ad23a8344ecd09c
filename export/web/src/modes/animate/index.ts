/** A walk through latent space. */
import { ARROWS, BACK, CLASS, OTHERS, PAGES, ROWS_BY_CLASS, SAVE, SAVE_ALL } from "../../generator/bindings.ts";
import { checkLayer } from "../../generator/gridRecipe.ts";
import { findGenerator, generatorOf } from "../../generator/models.ts";
import { checkModel, kindOf, LARGEST_SIDE, numberOf, recipeClasses, seedOf } from "../../generator/recipes.ts";
import type { Mode, ModelFile, Params, Recipe } from "../../mode.ts";
import { AnimateSession, LAST_TICK } from "./session.ts";
import { LEG_TICKS } from "./state.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "animate",
  rank: 20,
  texts,
  bindings: [
    ARROWS,
    PAGES,
    { keys: "[ ]", does: "keyBrackets", actions: ["NEW"] },
    SAVE,
    SAVE_ALL,
    { keys: "r", does: "keyRandom", actions: ["RANDOM"] },
    CLASS,
    ROWS_BY_CLASS,
    { keys: "+ -", does: "keySpeed", actions: ["MORE", "LESS"] },
    BACK,
    { keys: "Space", does: "keyPause", actions: ["PAUSE"] },
    OTHERS,
  ],
  opens: (files) => findGenerator(files) !== null,
  readRecipe,
  create: (host, files) => Promise.resolve(new AnimateSession(host, files)),
};

function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  const kind = kindOf(recipe, "animate", ["slerp", "lerp"]);
  if (kind === null) return null;
  const generator = generatorOf(files);
  checkModel(recipe, generator.file);
  checkLayer(recipe, null);
  const rows = numberOf(recipe, "rows", 1, LARGEST_SIDE);
  const columns = numberOf(recipe, "cols", 1, LARGEST_SIDE);
  return {
    seed: String(seedOf(recipe["seed"])),
    rows: String(rows),
    cols: String(columns),
    at: String(Math.round(numberOf(recipe, "position", 0, LAST_TICK / LEG_TICKS, 0) * LEG_TICKS)),
    paused: "1",
    legs: String(numberOf(recipe, "legs", 0, LAST_TICK, 0)),
    image: String(numberOf(recipe, "image", 0, rows * columns - 1, 0)),
    ...(kind === "lerp" ? { straight: "1" } : {}),
    ...recipeClasses(recipe, generator.classes.length),
  };
}
