/**
 * PNG files with the recipe of an image in a text chunk, as trainer/contract/recipe.py has it.
 *
 * Format: https://www.w3.org/TR/png-3/
 */

import { parseJson, writeJson } from "./json.ts";
import type { Pixels, Recipe } from "../mode.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const KEYWORD = "utsuroi\0";
const MOST_BYTES = 1 << 24; // of a recipe
const UP = 2; // filter: what lies above is taken off

type Bytes = Uint8Array<ArrayBuffer>;

/** A PNG of pixels, RGB where all of them are opaque, else RGBA; every pixel as it is. */
export async function encodePng(pixels: Pixels, recipe: Recipe | null): Promise<Bytes> {
  const { width, height, data } = pixels;
  const opaque = isOpaque(data);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, opaque ? 2 : 6, 0, 0, 0], 8); // depth, colour type, compression, filter, interlace
  const body = await deflate(filtered(pixels, opaque ? 3 : 4));
  const texts = recipe === null ? [] : [chunk("tEXt", latin("Software\0utsuroi")), chunk("tEXt", recipeBytes(recipe))];
  return join([SIGNATURE, chunk("IHDR", header), ...texts, chunk("IDAT", body), chunk("IEND", new Uint8Array(0))]);
}

/** The recipe in the bytes of a file; null where there is none. Throws where it is damaged. */
export function findRecipe(data: Uint8Array): Record<string, unknown> | null {
  if (!isPng(data)) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = SIGNATURE.length; at + 12 <= data.length; ) {
    const size = view.getUint32(at);
    const end = at + 12 + size;
    const kind = String.fromCharCode(...data.subarray(at + 4, at + 8));
    if (end > data.length || kind === "IEND") break;
    const from = at + 8;
    if (kind === "tEXt" && String.fromCharCode(...data.subarray(from, from + KEYWORD.length)) === KEYWORD) {
      const whole = size <= MOST_BYTES && crc32(data.subarray(at + 4, end - 4)) === view.getUint32(end - 4);
      if (!whole) throw new Error("damaged");
      return parseRecipe(data.subarray(from + KEYWORD.length, end - 4));
    }
    at = end;
  }
  return null;
}

export function isPng(data: Uint8Array): boolean {
  return SIGNATURE.every((byte, at) => data[at] === byte);
}

function parseRecipe(bytes: Uint8Array): Record<string, unknown> {
  const found: unknown = parseJson(new TextDecoder("latin1").decode(bytes));
  if (typeof found !== "object" || found === null || Array.isArray(found)) throw new Error("damaged");
  const { picture, ...rest } = found as Record<string, unknown>;
  return picture === undefined ? rest : { ...rest, image: picture }; // the key of version 0.1
}

/** ASCII, as Python's json writes it with ensure_ascii. */
function recipeBytes(recipe: Recipe): Bytes {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return latin(KEYWORD + writeJson(recipe).replace(/[\u007f-\uffff]/g, escape));
}

function filtered({ width, height, data }: Pixels, channels: number): Bytes {
  const stride = width * channels;
  const lines = new Uint8Array(height * (stride + 1));
  for (let row = 0, to = 0; row < height; row += 1) {
    lines[to++] = UP;
    for (let column = 0, at = row * width * 4; column < width; column += 1, at += 4) {
      for (let channel = 0; channel < channels; channel += 1) {
        const above = row > 0 ? (data[at + channel - width * 4] ?? 0) : 0;
        lines[to++] = (data[at + channel] ?? 0) - above;
      }
    }
  }
  return lines;
}

function isOpaque(data: Uint8ClampedArray): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

/** A chunk: length, kind, body, CRC. */
function chunk(kind: string, body: Bytes): Bytes {
  const made = new Uint8Array(12 + body.length);
  const view = new DataView(made.buffer);
  view.setUint32(0, body.length);
  made.set(latin(kind), 4);
  made.set(body, 8);
  view.setUint32(8 + body.length, crc32(made.subarray(4, 8 + body.length)));
  return made;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

async function deflate(data: Bytes): Promise<Bytes> {
  const packed = new Blob([data]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

function latin(text: string): Bytes {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function join(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
