/** Images twice as large or more, beside plain enlargements: viewer/modes/upscale. */
import { checkModel, wholeParam } from "../../generator/recipes.ts";
import { enlarges } from "../../images/translator.ts";
import type { Mode, ModelFile, Params, Recipe } from "../../mode.ts";
import { UpscaleSession } from "./session.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "upscale",
  rank: 10,
  texts,
  bindings: [
    { keys: "ESC", does: "kStop", actions: ["QUIT"] },
    { keys: "h ? F1", does: "kHelp", actions: ["HELP"] },
    { keys: "left button", does: "kLeft", actions: ["CLICK", "DRAG"] },
    { keys: "right button", does: "kRight", actions: ["SECOND_CLICK", "SECOND_DRAG"] },
    { keys: "wheel", does: "kWheel", actions: ["WHEEL_UP", "WHEEL_DOWN"] },
    { keys: "arrows, click", does: "kArrows", actions: ["LEFT", "RIGHT", "UP", "DOWN", "CLICK"] },
    { keys: "[ ]", does: "kSlide", actions: ["NEW"] },
    { keys: "PageUp PageDown Home End", does: "kPages", actions: ["PAGE_UP", "PAGE_DOWN", "HOME", "END"] },
    { keys: "s", does: "kSave", actions: ["SAVE"] },
    { keys: "S", does: "kSaveAll", actions: ["SAVE_ALL"] },
    { keys: "+ -", does: "kZoom", actions: ["MORE", "LESS"] },
    { keys: "Backspace u", does: "kBack", actions: ["BACK"] },
    { keys: "Space", does: "kPlain", actions: ["PAUSE"] },
    { keys: "any other key", does: "kPlain", actions: ["NEW"] },
  ],
  opens: (files) => files[0] !== undefined && enlarges(files[0].card),
  readRecipe,
  create: (host, files) => Promise.resolve(new UpscaleSession(host, files[0]!)),
};

function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  if (recipe["mode"] !== "upscale") return null;
  checkModel(recipe, files[0]!);
  const { image, tile } = recipe;
  return {
    ...(typeof image === "string" ? { image: image.slice(0, 200) } : {}),
    tile: String(wholeParam({ tile: String(tile) }, "tile", 16, 8192, 128)),
  };
}
