/** Files that the page gives: images with their recipes. */

import type { SavedImage } from "../mode.ts";
import { encodePng } from "../pure/png.ts";
import { element } from "./dom.ts";

const KEPT_MS = 60_000; // that a browser has to read a file after it was asked to save it

export interface SavedFile {
  readonly name: string;
  readonly contents: Blob;
}

/** Save an image as PNG with its recipe. */
export async function saveImage(image: SavedImage): Promise<SavedFile> {
  const name = `${image.stem}.png`;
  const contents = new Blob([await encodePng(image, image.recipe)], { type: "image/png" });
  download(contents, name);
  return { name, contents };
}

/** Have the browser save a file under a name of these characters: letters, digits and few others. */
export function download(contents: Blob, name: string): void {
  const href = URL.createObjectURL(contents);
  element("a", { href, download: name.replace(/[^\p{L}\p{N}._ -]+/gu, "_") }).click();
  window.setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
