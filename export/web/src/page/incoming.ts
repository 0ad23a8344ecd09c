/** Files that come from the user: dropped, pasted, or chosen. */

import { text } from "../i18n/index.ts";
import { findRecipe, isPng } from "../pure/png.ts";
import { element } from "./dom.ts";

const LARGEST_RECIPE_FILE = 1 << 28; // bytes of a PNG that is searched

/** What a file is, as far as its first bytes and its name say. */
export type Incoming =
  | { readonly kind: "model"; readonly file: File }
  | { readonly kind: "image"; readonly file: File; readonly recipe: Record<string, unknown> | null; readonly damaged: boolean };

export async function sort(file: File): Promise<Incoming> {
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (isPng(head) && file.size < LARGEST_RECIPE_FILE) {
    try {
      const recipe = findRecipe(new Uint8Array(await file.arrayBuffer()));
      return { kind: "image", file, recipe, damaged: false };
    } catch {
      return { kind: "image", file, recipe: null, damaged: true };
    }
  }
  const image = file.type.startsWith("image/") || /\.(png|jpe?g|webp|gif|bmp|avif|svg|heic|tiff?)$/i.test(file.name);
  return image ? { kind: "image", file, recipe: null, damaged: false } : { kind: "model", file };
}

/** Listens for files that are dropped onto the page, or pasted into it. */
export function listen(take: (files: readonly File[]) => void): HTMLElement {
  const veil = element("div", { class: "veil", hidden: true }, element("div", {}, text("dropHere")));
  let inside = 0; // elements that the pointer is in
  const carries = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") === true;
  const leave = (): void => {
    inside = 0;
    veil.hidden = true;
  };
  window.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    inside += 1;
    veil.hidden = false;
  });
  window.addEventListener("dragleave", () => {
    inside -= 1;
    if (inside <= 0) leave();
  });
  window.addEventListener("dragover", (event) => {
    if (carries(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    leave();
    take([...(event.dataTransfer?.files ?? [])]);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) take(files);
  });
  return veil;
}

/** Let the user choose files. */
export function choose(accept: string, multiple: boolean, take: (files: readonly File[]) => void): void {
  const input = element("input", { type: "file", accept, multiple });
  input.onchange = (): void => take([...(input.files ?? [])]);
  input.click();
}
