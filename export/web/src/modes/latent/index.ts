/** Latent space itself: planes, lines, points, sliders. */
import { BACK, CLASS, OTHERS, PAGES, SAVE, SAVE_ALL, SPACE } from "../../generator/bindings.ts";
import { encoderOf, findGenerator, generatorOf } from "../../generator/models.ts";
import { checkModel, kindOf } from "../../generator/recipes.ts";
import { PlayerError } from "../../engine/error.ts";
import type { Mode, ModelFile, Params, Recipe } from "../../mode.ts";
import { toText } from "./codec.ts";
import { LatentSession } from "./session.ts";
import { VIEWS } from "./state.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "latent",
  rank: 30,
  texts,
  bindings: [
    { keys: "Tab", does: "keyTab", actions: ["NEXT_VIEW"] },
    { keys: "mouse", does: "keyMouse", actions: ["MOVE", "DRAG", "RELEASE"] },
    { keys: "arrows, click", does: "keyCursor", actions: ["LEFT", "RIGHT", "UP", "DOWN", "CLICK"] },
    PAGES,
    SAVE,
    SAVE_ALL,
    { keys: "d D", does: "keyName", actions: ["NEW"] },
    { keys: "i", does: "keyInterpolate", actions: ["INTERPOLATE"] },
    { keys: "r", does: "keyRandom", actions: ["RANDOM"] },
    CLASS,
    { keys: "x y, X Y", does: "keyAxes", actions: ["NEW"] },
    { keys: "a b, A B", does: "keyGroups", actions: ["NEW"] },
    { keys: "m e", does: "keyMethod", actions: ["NEW"] },
    { keys: "l", does: "keyLine", actions: ["NEW"] },
    { keys: "+ -", does: "keyZoom", actions: ["MORE", "LESS"] },
    BACK,
    SPACE,
    OTHERS,
  ],
  opens: (files) => (findGenerator(files)?.latent.size ?? 0) >= 2,
  beside: encoderOf,
  readRecipe,
  create: (host, files) => Promise.resolve(new LatentSession(host, files)),
};

function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  const view = kindOf(recipe, "latent", VIEWS);
  if (view === null) return null;
  checkModel(recipe, generatorOf(files).file);
  if (view === "scatter" && typeof recipe["data"] === "string") {
    throw new PlayerError(`a scatter of the images ${recipe["data"]}, which the page does not have: open it in the viewer`);
  }
  const keys = ["rows", "cols", "scale", "axes", "point", "line", "stop", "straight", "always_straight", "slider",
    "directions", "groups", "method", "random"]; // prettier-ignore
  const place = Object.fromEntries(keys.filter((key) => key in recipe).map((key) => [key, recipe[key]]));
  const text = (value: unknown, usual: string): string =>
    typeof value === "number" || typeof value === "bigint" ? String(value) : usual;
  return {
    seed: text(recipe["seed"], "0"),
    view,
    range: text(recipe["range"], "4"),
    class: text(recipe["first_label"], "0"),
    place: toText(place),
  };
}
