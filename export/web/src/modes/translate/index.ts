/** Images beside what a model makes of them: viewer/modes/translate. */
import { checkModel, numberOf, plainSeed, seedOf } from "../../generator/recipes.ts";
import { PlayerError } from "../../engine/error.ts";
import { enlarges, layoutOf, longestOf, trainedSizeOf } from "../../images/translator.ts";
import type { Card, Mode, ModelFile, Params, Recipe } from "../../mode.ts";
import { latentsBetween } from "./state.ts";
import { TranslateSession } from "./session.ts";
import texts from "./texts.ts";

const NEAR = 1e-4; // between numbers of a latent that was computed twice

export const mode: Mode = {
  name: "translate",
  rank: 30,
  texts,
  bindings: [
    { keys: "ESC", does: "kStop", actions: ["QUIT"] },
    { keys: "h ? F1", does: "kHelp", actions: ["HELP"] },
    { keys: "arrows, click", does: "kArrows", actions: ["LEFT", "RIGHT", "UP", "DOWN", "CLICK"] },
    { keys: "PageUp PageDown Home End", does: "kPages", actions: ["PAGE_UP", "PAGE_DOWN", "HOME", "END"] },
    { keys: "s", does: "kSave", actions: ["SAVE"] },
    { keys: "S", does: "kSaveAll", actions: ["SAVE_ALL"] },
    { keys: "i", does: "kLine", actions: ["INTERPOLATE"] },
    { keys: "r", does: "kOne", actions: ["RANDOM"] },
    { keys: "+ -", does: "kSigma", actions: ["MORE", "LESS"] },
    { keys: "Backspace u", does: "kBack", actions: ["BACK"] },
    { keys: "Space", does: "kLatent", actions: ["PAUSE"] },
    { keys: "any other key", does: "kLatent", actions: ["NEW"] },
  ],
  opens: (files) => {
    const card = files[0]?.card;
    return card?.kind === "translator" && !enlarges(card);
  },
  readRecipe,
  create: (host, files) => Promise.resolve(new TranslateSession(host, files[0]!)),
};

function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  if (recipe["mode"] !== "translate") return null;
  const file = files[0]!;
  checkModel(recipe, file);
  checkOptions(recipe, file);
  const { image, seed } = recipe;
  const sigma = recipe["sigma"] === undefined ? null : numberOf(recipe, "sigma", 0, 1);
  const stop = stopOf(recipe, file.card.latent);
  return {
    ...(typeof image === "string" ? { image: image.slice(0, 200) } : {}),
    ...(seed === undefined ? {} : { seed: String(plainSeed(seedOf(seed))) }),
    ...(sigma === null ? {} : { sigma: String(Math.round(100 * sigma)) }),
    ...(stop === null ? {} : { line: String(stop) }),
  };
}

/** Throws `PlayerError` where the viewer was told to do it otherwise than a page does. */
function checkOptions(recipe: Recipe, file: ModelFile): void {
  const own = file.card.condition?.kind ?? "given";
  const { condition, size } = recipe;
  if (condition !== undefined && condition !== own) {
    throw new PlayerError(`made with --condition ${told(condition)}; this page makes it with ${own}`);
  }
  const usual = longestOf(trainedSizeOf(file, layoutOf(file)));
  if (size !== undefined && size !== usual) {
    throw new PlayerError(`made with --size ${told(size)}; this page makes it with ${usual}`);
  }
}

function told(value: unknown): string {
  return (typeof value === "string" || typeof value === "number" ? String(value) : "another one").slice(0, 60);
}

/** Which of the results between two latents it is; 0 where it is all of them; null: of the seed's own latent. */
function stopOf(recipe: Recipe, prior: Card["latent"]): number | null {
  if (prior === null || recipe["seed"] === undefined) return null;
  const { latent } = recipe;
  if (!Array.isArray(latent)) return 0;
  const far = latentsBetween(prior, seedOf(recipe["seed"])).map((one) => {
    return one.reduce((most, value, at) => Math.max(most, Math.abs(value - Number(latent[at]))), 0);
  });
  const stop = far.indexOf(Math.min(...far));
  if (latent.length !== prior.size || !(far[stop]! < NEAR)) {
    throw new PlayerError("what it was made from is damaged: the latent is none of this seed");
  }
  return stop === 0 ? null : stop;
}
