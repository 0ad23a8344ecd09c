/**
 * The values of PNG files, exactly as they are stored: a canvas has 8 bits, and keeps colours multiplied by alpha, which
 * loses them where there is little of it (Portable Network Graphics specification, clauses 7 to 9).
 */

import { inflate } from "./inflate.ts";

const HEADER = 8; // bytes of the signature
const GREY_ALPHA = 4; // colour types
const CHANNELS = new Map([[0, 1], [2, 3], [GREY_ALPHA, 2], [6, 4]]); // prettier-ignore

/** Pixels of one pass over an image: one of every `stepX` columns from `left`, of every `stepY` rows from `top`. */
const WHOLE = { left: 0, top: 0, stepX: 1, stepY: 1 };
const PASSES = [
  { left: 0, top: 0, stepX: 8, stepY: 8 }, { left: 4, top: 0, stepX: 8, stepY: 8 },
  { left: 0, top: 4, stepX: 4, stepY: 8 }, { left: 2, top: 0, stepX: 4, stepY: 4 },
  { left: 0, top: 2, stepX: 2, stepY: 4 }, { left: 1, top: 0, stepX: 2, stepY: 2 },
  { left: 0, top: 1, stepX: 1, stepY: 2 },
]; // prettier-ignore

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colours: number;
  readonly interlaced: boolean;
}

/** What a PNG's first chunk says; null where it is none. */
export function pngHeader(bytes: Uint8Array): Header | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 29 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452) return null;
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    depth: view.getUint8(24),
    colours: view.getUint8(25),
    interlaced: view.getUint8(28) !== 0,
  };
}

/** Values as they are stored. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha. */
  readonly channels: number;
  /** Of 8 bits, or of 16. */
  readonly values: Uint8Array | Uint16Array;
}

/**
 * The values of a PNG of 8 or 16 bits a channel; null of one with a palette, with a colour that stands for clear, or
 * that is to be turned, and of what is damaged.
 */
export async function pngSamples(bytes: Uint8Array<ArrayBuffer>): Promise<Samples | null> {
  const header = pngHeader(bytes);
  const channels = CHANNELS.get(header?.colours ?? -1);
  if (header === null || channels === undefined || (header.depth !== 8 && header.depth !== 16)) return null;
  if (chunks(bytes, "tRNS").length + chunks(bytes, "eXIf").length > 0) return null;
  const { width, height } = header;
  const step = (channels * header.depth) / 8;
  const passes = header.interlaced ? PASSES.length : 1;
  const most = height * (width * step + passes) + passes; // and a filter a row of each pass
  const lines = await inflate(chunks(bytes, "IDAT"), "deflate", most).catch(() => null);
  if (lines === null) return null;
  const pixels = new Uint8Array(height * width * step);
  let at = 0;
  for (const pass of header.interlaced ? PASSES : [WHOLE]) {
    const across = Math.ceil((width - pass.left) / pass.stepX);
    const down = Math.ceil((height - pass.top) / pass.stepY);
    if (across <= 0 || down <= 0) continue;
    const row = across * step;
    const part = new Uint8Array(down * row);
    if (at + down * (row + 1) > lines.length) return null;
    for (let y = 0; y < down; y += 1, at += row + 1) {
      if (!unfilter(lines, at, part, y * row, row, step)) return null;
      for (let x = 0; x < across; x += 1) {
        const to = ((pass.top + y * pass.stepY) * width + pass.left + x * pass.stepX) * step;
        for (let byte = 0; byte < step; byte += 1) pixels[to + byte] = part[y * row + x * step + byte]!;
      }
    }
  }
  if (at !== lines.length) return null;
  if (header.depth === 8) return { width, height, channels, values: pixels };
  const values = Uint16Array.from({ length: pixels.length / 2 }, (_, number) => (pixels[2 * number]! << 8) | pixels[2 * number + 1]!);
  return { width, height, channels, values };
}

/** Levels of 1 to 4 channels as RGBA. */
export function layersOf(levels: Uint8Array, channels: number): Uint8ClampedArray<ArrayBuffer> {
  const data = new Uint8ClampedArray((4 * levels.length) / channels);
  const isGrey = channels < 3;
  for (let at = 0, to = 0; to < data.length; at += channels, to += 4) {
    data[to] = levels[at]!;
    data[to + 1] = levels[isGrey ? at : at + 1]!;
    data[to + 2] = levels[isGrey ? at : at + 2]!;
    data[to + 3] = channels % 2 === 0 ? levels[at + channels - 1]! : 255;
  }
  return data;
}

/** The contents of the chunks of a kind. */
export function chunks(bytes: Uint8Array<ArrayBuffer>, kind: string): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array<ArrayBuffer>[] = [];
  for (let at = HEADER; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === kind) found.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return found;
}

/** One row back from what its filter made of it; false where there is no such filter. */
function unfilter(from: Uint8Array, at: number, to: Uint8Array, start: number, row: number, step: number): boolean {
  const filter = from[at]!;
  if (filter > 4) return false;
  for (let x = 0; x < row; x += 1) {
    const left = x < step ? 0 : to[start + x - step]!;
    const above = start === 0 ? 0 : to[start + x - row]!;
    const corner = start === 0 || x < step ? 0 : to[start + x - row - step]!;
    const expected = [0, left, above, (left + above) >> 1, filter === 4 ? paeth(left, above, corner) : 0][filter]!;
    to[start + x] = from[at + 1 + x]! + expected;
  }
  return true;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/** Whether a file of this beginning is stored without colours: PNG and JPEG say so. */
export function isStoredGrey(bytes: Uint8Array): boolean {
  const png = pngHeader(bytes);
  if (png !== null) return png.colours === 0 || png.colours === GREY_ALPHA;
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; at += 2 + 256 * bytes[at + 2]! + bytes[at + 3]!) {
    const marker = bytes[at + 1]!;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9] === 1; // components
  }
  return false;
}
