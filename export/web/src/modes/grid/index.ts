/** A page of images to choose from, random, interpolated between its corners, or mixed of training images. */
import { gridBindings } from "../../generator/bindings.ts";
import { readGridRecipe } from "../../generator/gridRecipe.ts";
import { GridSession } from "../../generator/gridSession.ts";
import { encoderOf, findGenerator, generatorOf } from "../../generator/models.ts";
import type { Mode } from "../../mode.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "grid",
  rank: 10,
  texts,
  bindings: gridBindings("keyTruncation"),
  opens: (files) => findGenerator(files) !== null,
  beside: encoderOf,
  readRecipe: (recipe, files) => readGridRecipe(recipe, "grid", generatorOf(files), null),
  create: (host, files) => Promise.resolve(new GridSession(host, files, "grid", null)),
};
