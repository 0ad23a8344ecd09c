/** What generator modes write into recipes and links, and read from them; `trainer/contract/recipe.py` explains. */
import { PlayerError } from "../engine/error.ts";
import type { ModelFile, Params, Recipe } from "../mode.ts";
import type { Classes } from "../pure/classes.ts";
import { LAST_SEED, type Latent } from "../pure/latents.ts";
import type { Generator } from "./models.ts";

const LARGEST_RECIPE = 65_536; // latent numbers that a saved sheet carries
export const LARGEST_SIDE = 64; // images in a row or column

/** A recipe with the model that it is for. */
export function signed(generator: Pick<Generator, "file">, recipe: Recipe): Recipe {
  const { file } = generator;
  return { model: file.card.name || stemOf(file.name), file: file.name, ...recipe, sha256: file.sha256 };
}

/** A file's name without its ending. */
export function stemOf(name: string): string {
  return name.replace(/\.onnx$/i, "");
}

/** What a recipe says of a mode: the word that follows the mode's; `null`: it is another mode's. */
export function kindOf(recipe: Recipe, mode: string, kinds: readonly string[]): string | null {
  const said = recipe["mode"];
  const [word, ...rest] = (typeof said === "string" ? said : "").split(" ");
  const kind = rest.join(" ");
  return word === mode && kinds.includes(kind) ? kind : null;
}

/** Throws `PlayerError` where a recipe is another model's. */
export function checkModel(recipe: Recipe, file: ModelFile): void {
  if (recipe["sha256"] === file.sha256) return;
  const other = typeof recipe["file"] === "string" ? recipe["file"] : "none";
  throw new PlayerError(`made by another model (${other}), expected this one: ${file.name}`);
}

/** A number of a recipe within bounds. Throws `PlayerError`. */
export function numberOf(recipe: Recipe, name: string, low: number, high: number, usual?: number): number {
  const value = recipe[name] ?? usual;
  if (typeof value !== "number" || !(value >= low && value <= high)) {
    const found = typeof value === "number" ? value : typeof value;
    throw new PlayerError(`what it was made from is damaged: ${name} is ${found}, expected ${low}..${high}`);
  }
  return value;
}

/** A seed of a recipe. Throws `PlayerError`. */
export function seedOf(value: unknown): bigint {
  const seed = typeof value === "bigint" ? value : Number.isSafeInteger(value) ? BigInt(value as number) : -1n;
  if (seed < 0n || seed > LAST_SEED) {
    throw new PlayerError(`what it was made from is damaged: its seed is no whole number below 2^63`);
  }
  return seed;
}

/** A seed as JSON has it: a number, and where that would not be exact a whole number of any size. */
export function plainSeed(seed: bigint): number | bigint {
  return seed <= Number.MAX_SAFE_INTEGER ? Number(seed) : seed;
}

/** A latent as plain numbers, the shortest that are exact. */
export function exactNumbers(latent: Latent): number[] {
  return Array.from(latent, (number) => {
    for (let digits = 6; digits < 9; digits += 1) {
      const short = Number(number.toPrecision(digits));
      if (Math.fround(short) === number) return short;
    }
    return Number(number.toPrecision(9));
  });
}

/** The latents in a recipe, unless they are too many. */
export function latentEntry(latents: readonly Latent[], whole: boolean): Recipe {
  const count = latents.reduce((sum, latent) => sum + latent.length, 0);
  if (count > LARGEST_RECIPE) return {};
  return whole ? { latents: latents.map(exactNumbers) } : { latent: exactNumbers(latents[0]!) };
}

/** The labels in a recipe. */
export function labelEntry(generator: Generator, classes: Classes, labels: readonly number[], whole: boolean): Recipe {
  if (classes.count === 0) return {};
  const own = whole ? { labels } : { label: labels[0], class: generator.classes[labels[0]!] };
  return { ...own, first_label: classes.label, by_class: classes.byRow };
}

// Links: words in the place of numbers.

/** A whole number in a link; `usual` where there is none, or none within bounds. */
export function wholeParam(params: Params, name: string, low: number, high: number, usual: number): number {
  const text = params[name] ?? "";
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return value >= low && value <= high ? value : usual;
}

/** A number in a link; `usual` where there is none, or none within bounds. */
export function numberParam(params: Params, name: string, low: number, high: number, usual: number): number {
  const text = params[name] ?? "";
  const value = text.length > 0 && text.length < 40 ? Number(text) : NaN;
  return value >= low && value <= high ? value : usual;
}

/** The seed of a link. */
export function seedParam(params: Params, usual = 0n): bigint {
  const text = params["seed"] ?? "";
  if (!/^\d{1,19}$/.test(text)) return usual;
  const seed = BigInt(text);
  return seed <= LAST_SEED ? seed : usual;
}

export function classParams(classes: Classes): Record<string, string> {
  return {
    ...(classes.count > 0 ? { class: String(classes.label) } : {}),
    ...(classes.byRow ? { by: "class" } : {}),
  };
}

export function classesParam(params: Params, count: number): Classes {
  return {
    count,
    label: wholeParam(params, "class", 0, Math.max(count - 1, 0), 0),
    byRow: count > 0 && params["by"] === "class",
  };
}

/** The classes of a recipe, as a link has them. */
export function recipeClasses(recipe: Recipe, count: number): Record<string, string> {
  const label = numberOf(recipe, "first_label", 0, Math.max(count - 1, 0), 0);
  return classParams({ count, label, byRow: recipe["by_class"] === true });
}

/** A latent in a link: base64url of its bytes. */
export function latentParam(latent: Latent): string {
  const bytes = new Uint8Array(latent.buffer, latent.byteOffset, latent.byteLength);
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The same back; `null` where it is none of `size` finite numbers. */
export function paramLatent(text: string | undefined, size: number): Latent | null {
  if (text === undefined || !/^[\w-]*$/.test(text) || text.length !== Math.ceil((size * 16) / 3)) return null;
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const latent = new Float32Array(bytes.buffer);
  return latent.length === size && latent.every(Number.isFinite) ? latent : null;
}
