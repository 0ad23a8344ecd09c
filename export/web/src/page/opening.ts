/** What becomes of files that the user gives: models are opened, recipes are followed, images go to the mode. */

import { PlayerError } from "../engine/error.ts";
import type { KindName } from "../engine/kinds.ts";
import { text } from "../i18n/index.ts";
import type { DroppedImage, Mode, ModelFile } from "../mode.ts";
import type { Place } from "./hash.ts";
import { sort, type Incoming } from "./incoming.ts";
import { readImage } from "./photographs.ts";

const BESIDE: readonly KindName[] = ["detail", "encoder"]; // files that modes of others use
const MOST_NOTES = 3; // images whose conversion is said
// What a page is about, of several files; as export/player/models.py has it.
const ORDER: readonly KindName[] = ["denoiser", "generator", "translator", "detail", "encoder"];

/** What the page does with files. */
export interface Opener {
  readonly files: readonly ModelFile[];
  readonly modes: readonly Mode[];
  open(file: File): Promise<ModelFile>;
  /** It is not used. */
  close(file: ModelFile): void;
  /** Of these, the ones that some mode works with where the first is what the page is about. */
  used(files: readonly ModelFile[]): readonly ModelFile[];
  /** Show these models, and forget those that were shown but are not among them. */
  use(files: readonly ModelFile[]): Promise<void>;
  go(place: Place): Promise<void>;
  images(images: readonly DroppedImage[]): boolean;
  say(words: string): void;
  fail(error: unknown): void;
}

export async function openFiles(page: Opener, given: readonly File[]): Promise<void> {
  const found: Incoming[] = [];
  for (const file of given) {
    try {
      found.push(await sort(file));
    } catch {
      page.fail(new PlayerError(text("unreadable", { name: file.name }))); // a folder, or a file that went away
    }
  }
  await openModels(page, found.flatMap((one) => (one.kind === "model" ? [one.file] : []))); // prettier-ignore
  const images: DroppedImage[] = [];
  for (const one of found) {
    if (one.kind !== "image") continue;
    try {
      if (one.damaged) page.fail(new PlayerError(text("damagedRecipe", { name: one.file.name })));
      if (await followRecipe(page, one)) continue;
      images.push(await readImage(one.file, one.file.name));
    } catch (error) {
      page.fail(error);
    }
  }
  if (images.length === 0) return;
  if (!page.images(images)) page.fail(unused(images, found));
  else if (images.some(({ note }) => note !== "")) page.say(notesOf(images));
}

/** What had to be converted, with the names of some of the images. */
function notesOf(images: readonly DroppedImage[]): string {
  const noted = images.filter(({ note }) => note !== "");
  const lines = noted.slice(0, MOST_NOTES).map(({ name, note }) => text("note", { name, note }));
  const others = noted.length - lines.length;
  return [...lines, ...(others > 0 ? [text("noteOthers", { count: others })] : [])].join("; ");
}

async function openModels(page: Opener, given: readonly File[]): Promise<void> {
  const opened: ModelFile[] = [];
  for (const file of given) {
    page.say(text("loading", { name: file.name }));
    try {
      opened.push(await page.open(file));
    } catch (error) {
      page.fail(error);
    }
  }
  if (opened.length === 0) {
    if (given.length > 0) page.say(""); // what went wrong stands there
    return;
  }
  const main = page.files[0];
  const joins = main !== undefined && opened.every((file) => BESIDE.includes(file.card.kind));
  const sorted = opened.sort((one, other) => rank(one) - rank(other));
  let files: readonly ModelFile[] = joins ? page.files : sorted.slice(0, 1);
  for (const file of joins ? sorted : sorted.slice(1)) {
    const same = files.find((other, at) => at > 0 && other.card.kind === file.card.kind);
    if (same !== undefined && sorted.includes(same)) continue; // the first of two that were given
    const others = files.filter((other) => other !== same);
    if (page.used([...others, file]).includes(file)) files = [...others, file];
  }
  const added = sorted.filter((file) => files.includes(file));
  if (added.length > 0) await page.use(files);
  const name = added.map((file) => file.name).join(", ");
  const other = files[0]!.name;
  page.say(added.length === 0 ? "" : joins ? text("besides", { name, other }) : text("opened", { name }));
  for (const file of sorted.filter((one) => !added.includes(one))) {
    const isSecond = added.some(({ card }) => card.kind === file.card.kind);
    const key = BESIDE.includes(file.card.kind) && files[0]!.card.kind === "generator" && !isSecond ? "misfit" : "unfit";
    page.fail(new PlayerError(text(key, { name: file.name, other })));
    page.close(file);
  }
}

/** Of these files, the ones that some of the modes works with. */
export function usedOf(modes: readonly Mode[], files: readonly ModelFile[]): readonly ModelFile[] {
  const open = modes.filter((mode) => mode.opens(files));
  return files.filter((file, at) => open.some((mode) => at === 0 || mode.beside?.(files).includes(file)));
}

function rank(file: ModelFile): number {
  return ORDER.indexOf(file.card.kind);
}

/** Whether the file holds a recipe of a model that is open: then what it made is on the screen. */
async function followRecipe(page: Opener, one: Extract<Incoming, { kind: "image" }>): Promise<boolean> {
  if (one.recipe === null) return false;
  if (!signers(one.recipe).some((sha256) => page.files.some((file) => file.sha256 === sha256))) return false;
  for (const mode of page.modes) {
    const params = mode.readRecipe?.(one.recipe, page.files) ?? null;
    if (params === null) continue;
    await page.go({ mode: mode.name, params });
    return true;
  }
  return false;
}

/** SHA-256 of the models that made an image. */
function signers(recipe: Readonly<Record<string, unknown>>): readonly unknown[] {
  const models = Array.isArray(recipe["models"]) ? (recipe["models"] as unknown[]) : [];
  const others = models.map((one) => (one as { sha256?: unknown } | null)?.sha256);
  return [recipe["sha256"], ...others].filter((one) => one !== undefined);
}

function unused(images: readonly DroppedImage[], found: readonly Incoming[]): PlayerError {
  const name = images[0]?.name ?? "";
  const recipe = found.flatMap((one) => (one.kind === "image" && one.file.name === name ? [one.recipe] : []))[0];
  const file = recipe?.["file"];
  return new PlayerError(typeof file === "string" ? text("otherModel", { name, file }) : text("noUse", { name }));
}
