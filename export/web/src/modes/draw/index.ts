/** A page to draw on, and beside it what a model makes of it, as one draws: viewer/modes/translate/draw. */
import { isPlain } from "../../images/translator.ts";
import { PlayerError } from "../../engine/error.ts";
import { checkModel, plainSeed, seedOf } from "../../generator/recipes.ts";
import type { Mode, ModelFile, Params, Recipe } from "../../mode.ts";
import { checkedStrokes, strokesText, type Stroke } from "../../pure/strokes.ts";
import { pageSize } from "./recipe.ts";
import { DrawSession } from "./session.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "draw",
  rank: 20,
  texts,
  bindings: [
    { keys: "ESC", does: "kLeave", actions: ["QUIT"] },
    { keys: "h ? F1", does: "kHelp", actions: ["HELP"] },
    { keys: "left button", does: "kDraw", actions: ["CLICK", "DRAG", "RELEASE"] },
    { keys: "right button", does: "kErase", actions: ["SECOND_CLICK", "SECOND_DRAG", "SECOND_RELEASE"] },
    { keys: "wheel", does: "kWheel", actions: ["WHEEL_UP", "WHEEL_DOWN"] },
    { keys: "z, Ctrl+Z", does: "kUndo", actions: ["NEW", "UNDO"] },
    { keys: "y", does: "kRedo", actions: ["NEW"] },
    { keys: "c", does: "kClear", actions: ["NEW"] },
    { keys: "0-9", does: "kColour", actions: ["NEW"] },
    { keys: "s", does: "kSave", actions: ["SAVE"] },
    { keys: "d", does: "kDrawing", actions: ["NEW"] },
    { keys: "S", does: "kSaveAll", actions: ["SAVE_ALL"] },
    { keys: "+ -", does: "kBrush", actions: ["MORE", "LESS"] },
    { keys: "Backspace u", does: "kBack", actions: ["BACK"] },
    { keys: "Space", does: "kLatent", actions: ["PAUSE"] },
    { keys: "any other key", does: "kLatent", actions: ["NEW"] },
  ],
  opens: (files) => {
    const card = files[0]?.card;
    return card?.kind === "translator" && card.scale === 1 && !isPlain(card);
  },
  readRecipe,
  create: (host, files) => Promise.resolve(new DrawSession(host, files[0]!)),
};

function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  if (recipe["mode"] !== "draw" && recipe["mode"] !== "drawing") return null;
  checkModel(recipe, files[0]!);
  const params: Record<string, string> = {};
  if (recipe["seed"] !== undefined) params["seed"] = String(plainSeed(seedOf(recipe["seed"])));
  const { strokes, palette, width, height } = recipe;
  const [tall, wide] = pageSize(files[0]!);
  if (width !== wide || height !== tall) {
    throw new PlayerError(`drawn on a page of ${Number(width)}x${Number(height)} (--size); this one is ${wide}x${tall}`);
  }
  if (!Array.isArray(strokes) || !Array.isArray(palette)) {
    throw new PlayerError("this image carries no strokes: there were too many of them");
  }
  const found = checkedStrokes((strokes as unknown[]).map(strokeOf), palette.length);
  if (found === null) throw new PlayerError("what it was made from is damaged: strokes of no page");
  return { ...params, strokes: strokesText(found) };
}

function strokeOf(value: unknown): Stroke {
  const [colour, size, points] = Array.isArray(value) ? (value as unknown[]) : [];
  const isPoints = Array.isArray(points) && points.every((point) => Array.isArray(point));
  return { colour: Number(colour), size: Number(size), points: isPoints ? (points as [number, number][]) : [] };
}
