/** A page of images with fine detail, of a detail network beside the generator; without one, sharpened. */
import { gridBindings } from "../../generator/bindings.ts";
import type { Layer } from "../../generator/decoder.ts";
import { readGridRecipe } from "../../generator/gridRecipe.ts";
import { GridSession } from "../../generator/gridSession.ts";
import { encoderOf, findDetail, findGenerator, generatorOf } from "../../generator/models.ts";
import type { Mode, ModelFile } from "../../mode.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "hpf",
  rank: 50,
  texts,
  bindings: gridBindings("keyGain"),
  opens: (files) => findGenerator(files) !== null,
  beside: (files) => [...encoderOf(files), ...files.filter((file) => file === layerOf(files))],
  readRecipe: (recipe, files) => readGridRecipe(recipe, "hpf", generatorOf(files), layerOf(files)),
  create: (host, files) => Promise.resolve(new GridSession(host, files, "hpf", layerOf(files))),
};

function layerOf(files: readonly ModelFile[]): Layer {
  return findDetail(files, generatorOf(files)) ?? "sharpening";
}
