/** Images of the user, as pixels. */

import { PlayerError } from "../engine/error.ts";
import { text } from "../i18n/index.ts";
import type { DroppedImage } from "../mode.ts";
import type { Note } from "../pure/levels.ts";
import { onWhite, rgba } from "../pure/raster.ts";
import { pngHeader } from "../pure/pngLayers.ts";
import { readStored } from "../pure/stored.ts";

const MOST_PIXELS = 1 << 26;
const HEADER = 64; // bytes that have a PNG's size

/** Decode an image: turned as its EXIF says, sRGB. Rejects with `PlayerError`. */
export async function readImage(file: Blob, name: string): Promise<DroppedImage> {
  const header = pngHeader(new Uint8Array(await file.slice(0, HEADER).arrayBuffer()));
  if (header !== null) checkSize(name, header.width, header.height); // before gigabytes are made of some bytes
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new PlayerError(text("unknownFile", { name }));
  }
  try {
    const { width, height } = bitmap;
    checkSize(name, width, height);
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { layers, grey, notes } = await readStored(bytes, width, () => pixelsOf(bitmap, name));
    const note = notes.map(inWords).join(", ");
    const isOpaque = layers.every((level, at) => at % 4 !== 3 || level === 255);
    if (isOpaque) return { name, width, height, data: layers, grey, note };
    const { data } = rgba(onWhite({ width, height, channels: 4, data: new Uint8Array(layers.buffer) }));
    return { name, width, height, data, layers, grey, note };
  } finally {
    bitmap.close();
  }
}

function checkSize(name: string, width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new PlayerError(text("imageTooLarge", { name, width, height, most: Math.floor(MOST_PIXELS / 1e6) }));
}

function inWords(note: Note): string {
  if (note.kind === "classes") return text("noteClasses");
  if (note.kind === "dark") return text("noteDark", { brightest: note.brightest });
  return note.bits === 16 ? text("noteDeep") : text("noteStretched", { bits: note.bits });
}

function pixelsOf(bitmap: ImageBitmap, name: string): DroppedImage["data"] {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PlayerError(text("unknownFile", { name }));
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}
