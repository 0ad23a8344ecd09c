/** What diffused images follow from, in saved files and links: viewer/modes/diffuse/replay.py. */
import { PlayerError } from "../../engine/error.ts";
import {
  checkModel, classesParam, classParams, kindOf, LARGEST_SIDE, numberOf, numberParam, plainSeed, recipeClasses, seedOf,
  seedParam, signed, wholeParam,
} from "../../generator/recipes.ts";
import type { Denoiser } from "../../images/denoiser.ts";
import { USUAL_STEPS, usualStart } from "../../images/sampling.ts";
import type { ModelFile, Params, Recipe } from "../../mode.ts";
import { labelOfRow, labelsOfSheet } from "../../pure/classes.ts";
import { SAMPLERS, type SamplerName } from "../../pure/samplers.ts";
import { ORIGINS, type DiffuseState } from "./state.ts"; // prettier-ignore

const MOST_STEPS = 10_000;
const NAME = 200; // characters of a file's name

/** Of a page, or of one of its images. `init`: names of the photographs that it was made from. */
export function recipeOf(
  denoiser: Denoiser,
  generator: ModelFile | null,
  state: DiffuseState,
  init: readonly string[],
  number: number | null,
): Recipe {
  const isPhotos = state.origin === "photographs";
  const alone = isPhotos && number !== null; // it is the same among any others
  const { rows, columns } = alone ? { rows: 1, columns: 1 } : state.sheet;
  const classes = isPhotos ? { ...state.classes, byRow: false } : state.classes;
  const recipe: Record<string, unknown> = {
    mode: `diffuse ${state.origin}`,
    seed: plainSeed(state.seed),
    rows,
    cols: columns,
    interpolated: state.interpolated && !isPhotos,
    sampler: state.sampler,
    steps: Math.min(state.steps, state.mostSteps),
  };
  if (state.sampler !== "ddpm") recipe["eta"] = state.eta;
  if (state.origin !== "noise") {
    Object.assign(recipe, { start: state.start, strength: state.strength, noise: state.noise });
  }
  if (state.origin === "generator" && generator !== null) {
    Object.assign(recipe, { init: generator.name, init_sha256: generator.sha256 });
  }
  if (isPhotos) recipe["init"] = number === null ? init : [init[number]];
  if (number !== null) recipe["image"] = alone ? 0 : number;
  if (classes.count > 0) {
    Object.assign(recipe, { guidance: state.guidance, first_label: classes.label, by_class: classes.byRow });
    if (number === null) recipe["labels"] = labelsOfSheet(classes, rows, columns);
    else {
      const label = labelOfRow(classes, Math.floor(number / columns));
      Object.assign(recipe, { label, class: denoiser.names[label] });
    }
  }
  if (state.before) recipe["before"] = true;
  return signed({ file: denoiser.file }, recipe);
}

/** The parameters that a recipe stands for; null where it is another mode's. Throws `PlayerError`. */
export function readRecipe(recipe: Recipe, files: readonly ModelFile[]): Params | null {
  const origin = kindOf(recipe, "diffuse", ORIGINS);
  const file = files[0];
  if (origin === null || file === undefined) return null;
  checkModel(recipe, file);
  const { sampler, init } = recipe;
  if (typeof sampler !== "string" || !(sampler in SAMPLERS)) {
    throw new PlayerError(`what it was made from is damaged: sampler is ${String(sampler)}`);
  }
  if (origin === "generator" && !files.some(({ sha256 }) => sha256 === recipe["init_sha256"])) {
    throw new PlayerError(`made with --init ${String(init).slice(0, NAME)}, expected that generator beside the model`);
  }
  const whole = (name: string, low: number, high: number, usual?: number): string =>
    String(Math.round(numberOf(recipe, name, low, high, usual)));
  const classes = (file.card.classes.length || -1) + 1;
  return {
    seed: String(seedOf(recipe["seed"])),
    rows: whole("rows", 1, LARGEST_SIDE),
    cols: whole("cols", 1, LARGEST_SIDE),
    ...(recipe["interpolated"] === true ? { interpolated: "1" } : {}),
    sampler,
    steps: whole("steps", 1, MOST_STEPS),
    eta: String(numberOf(recipe, "eta", 0, 1, 0)),
    ...(classes > 0 ? recipeClasses(recipe, classes) : {}),
    guidance: String(numberOf(recipe, "guidance", 0, 100, 0)),
    cursor: whole("image", 0, LARGEST_SIDE ** 2, 0),
    ...(origin === "noise" ? {} : {
      from: origin,
      start: whole("start", 1, MOST_STEPS),
      strength: String(numberOf(recipe, "strength", 0, 4, 1)),
      ...(recipe["noise"] === false ? { noise: "0" } : {}),
    }),
    ...(origin === "photographs" ? { image: namesOf(init).join("|") } : {}),
    ...(recipe["before"] === true ? { before: "1" } : {}),
  }; // prettier-ignore
}

function namesOf(init: unknown): string[] {
  return Array.isArray(init) ? init.slice(0, LARGEST_SIDE).map((name) => String(name).slice(0, NAME)) : [];
}

/** What a link says of a state. */
export function paramsOf(state: DiffuseState, init: readonly string[]): Params {
  const { origin, sheet, sampler } = state;
  return {
    seed: String(state.seed),
    rows: String(sheet.rows),
    cols: String(sheet.columns),
    ...(state.interpolated ? { interpolated: "1" } : {}),
    sampler,
    steps: String(state.steps),
    ...(state.eta > 0 && sampler !== "ddpm" ? { eta: String(state.eta) } : {}),
    ...classParams(state.classes),
    ...(state.guidance > 0 ? { guidance: String(state.guidance) } : {}),
    ...(state.cursor > 0 ? { cursor: String(state.cursor) } : {}),
    ...(origin === "noise" ? {} : {
      from: origin, start: String(state.start), strength: String(state.strength), ...(state.noise ? {} : { noise: "0" }),
    }),
    ...(origin === "photographs" ? { image: init.join("|") } : {}),
    ...(state.before ? { before: "1" } : {}),
  }; // prettier-ignore
}

/** The state that a link stands for. `can`: where images can begin on this page. */
export function stateOf(params: Params, usual: DiffuseState, denoiser: Denoiser, can: (origin: string) => boolean): DiffuseState {
  const origin = ORIGINS.find((one) => one === params["from"] && can(one)) ?? "noise";
  const sampler = (["ddim", "ddpm", "dpm"] as const).find((one): one is SamplerName => one === params["sampler"]) ?? "ddim";
  const start = wholeParam(params, "start", 1, denoiser.steps, usualStart(denoiser));
  const mostSteps = origin === "noise" ? denoiser.steps : start;
  const [rows, columns] = [
    wholeParam(params, "rows", 1, LARGEST_SIDE, usual.sheet.rows),
    wholeParam(params, "cols", 1, LARGEST_SIDE, usual.sheet.columns),
  ];
  return {
    ...usual,
    sheet: { ...usual.sheet, rows, columns },
    seed: seedParam(params),
    cursor: wholeParam(params, "cursor", 0, rows * columns - 1, 0),
    classes: denoiser.names.length > 0 ? withUsual(classesParam(params, denoiser.names.length), params, usual) : usual.classes,
    steps: wholeParam(params, "steps", 1, mostSteps, Math.min(USUAL_STEPS[sampler], mostSteps)),
    mostSteps,
    origin,
    interpolated: params["interpolated"] === "1" && origin !== "photographs",
    before: params["before"] === "1" && origin === "generator",
    sampler,
    eta: sampler === "ddpm" ? 0 : numberParam(params, "eta", 0, 1, 0),
    guidance: denoiser.names.length > 0 ? numberParam(params, "guidance", 0, 100, 0) : 0,
    start,
    strength: numberParam(params, "strength", 0, 4, 1),
    noise: params["noise"] !== "0",
  };
}

function withUsual(classes: DiffuseState["classes"], params: Params, usual: DiffuseState): DiffuseState["classes"] {
  return Object.keys(classParams(classes)).some((name) => name in params) ? classes : usual.classes;
}
