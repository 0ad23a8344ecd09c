/** What a drawing and its result follow from, in saved files: `_recipe` of viewer/modes/translate/draw. */
import { exactNumbers, plainSeed, signed } from "../../generator/recipes.ts";
import { layoutOf, trainedSizeOf, type Translator } from "../../images/translator.ts";
import type { ModelFile, Recipe } from "../../mode.ts";
import { accepted } from "../../pure/fitting.ts";
import { MOST_POINTS, type Colour, type Stroke } from "../../pure/strokes.ts";

const USUAL_SIDE = 256; // pixels, of models that do not say what they were trained with

/** Height and width of the page that is drawn on. */
export function pageSize(file: ModelFile): [number, number] {
  const layout = layoutOf(file);
  const [height, width] = trainedSizeOf(file, layout) ?? [USUAL_SIDE, USUAL_SIDE];
  return accepted(layout, height, width);
}

export function recipeOf(
  translator: Translator,
  { width, height }: { readonly width: number; readonly height: number },
  palette: readonly Colour[],
  strokes: readonly Stroke[],
  seed: bigint,
): Recipe {
  const recipe: Record<string, unknown> = { mode: "draw", width, height };
  if (strokes.reduce((sum, { points }) => sum + points.length, 0) <= MOST_POINTS) {
    recipe["palette"] = palette;
    recipe["strokes"] = strokes.map(({ colour, size, points }) => [colour, size, points]);
  }
  const latent = translator.latent(seed);
  if (latent !== null) Object.assign(recipe, { seed: plainSeed(seed), latent: exactNumbers(latent) });
  return signed({ file: translator.file }, recipe);
}
