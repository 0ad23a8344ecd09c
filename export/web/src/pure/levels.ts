/**
 * What the numbers of pixels mean where a file does not say it: 16 bits that hold 10 or 12, and masks whose grey values
 * are numbers of classes. As trainer/contract/levels.py, of one file alone.
 */

const BITS = [10, 12]; // that 16-bit files are known to hold
const NEARLY_BLACK = 40; // of 255: what an image's brightest pixel reaches at least, if it is not too dark to be seen
const MOST_IDS = 64; // classes; an image whose values are all below is as good as black
const MOST_IN_ONE = 24; // classes of one mask
const LEAST_FLAT = 0.85; // fraction of neighbours that are of one class; noise and gradients have fewer
const NO_CLASS = 255; // in masks: borders, and what nobody labelled

/** What had to be converted, or is to be known of an image. */
export type Note =
  | { readonly kind: "classes" }
  | { readonly kind: "deep"; readonly bits: number }
  | { readonly kind: "dark"; readonly brightest: number };

/** Levels of a width, row by row. */
export interface Grey {
  readonly width: number;
  readonly data: Uint8Array;
}

/** The bits that 16-bit values hold, by the brightest of them: 10, 12 or 16. */
export function bitsOf(brightest: number): number {
  const found = BITS.find((bits) => brightest >= 1 << (bits - 1) && brightest < 1 << bits);
  return found ?? (brightest >= 16 && brightest < 1 << 12 ? 12 : 16); // low even for 10: 16 of 4095 can be seen
}

/** 16-bit values as 8. */
export function eightBits(values: Uint16Array, bits: number): Uint8Array {
  const most = (1 << bits) - 1;
  return Uint8Array.from(values, (value) => Math.round((value * 255) / most)); // no half is met: `most` is odd
}

/** Whether grey values are numbers of classes. */
export function areClasses(grey: Grey): boolean {
  const verdict = classesIn(grey);
  const brightest = grey.data.reduce((most, level) => Math.max(most, level), 0);
  return verdict === true || (verdict === false && brightest > 0 && brightest < MOST_IDS);
}

/** Whether values are those of several classes; false: of one, which could be anything; null: they are none. */
function classesIn({ width, data }: Grey): boolean | null {
  const counts = new Float64Array(256);
  for (const level of data) counts[level]! += 1;
  const values = Array.from(counts.keys()).filter((level) => counts[level]! > 0);
  const classes = values.filter((level) => level !== NO_CLASS);
  const highest = classes.at(-1);
  if (highest === undefined || highest >= MOST_IDS || classes.length > MOST_IN_ONE) return null;
  if (values.length === 1) return false;
  if (highest === 0) return null; // black and white
  const white = counts[NO_CLASS]!;
  if (white > 0 && (classes.length === 1 || 2 * white > data.length)) return false; // dark ink on white paper looks the same
  return flatness(width, data) >= LEAST_FLAT ? true : null;
}

/** The fraction of neighbours that are equal. */
function flatness(width: number, data: Uint8Array): number {
  let [same, pairs] = [0, 0];
  data.forEach((level, at) => {
    if (at >= width) {
      pairs += 1;
      if (data[at - width] === level) same += 1;
    }
    if (at % width > 0) {
      pairs += 1;
      if (data[at - 1] === level) same += 1;
    }
  });
  return same / Math.max(1, pairs);
}

/**
 * The colour of a class, RGB; 0 is black. Those that Pascal VOC's masks have: bits of the number are spread over the
 * three channels, highest first (Everingham et al. 2010).
 */
export function colourOf(number: number): [number, number, number] {
  const spread = (channel: number): number => {
    let level = 0;
    for (let place = 0; place < 8; place += 1) level |= ((number >> (3 * place + channel)) & 1) << (7 - place);
    return level;
  };
  return [spread(0), spread(1), spread(2)];
}

/** Opaque pixels RGBA whose channels are equal, as levels; null where there are colours or alpha. */
export function greyIn(pixels: ArrayLike<number>): Uint8Array | null {
  const grey = new Uint8Array(pixels.length / 4);
  for (let at = 0; at < pixels.length; at += 4) {
    const level = pixels[at]!;
    if (pixels[at + 1] !== level || pixels[at + 2] !== level || pixels[at + 3] !== 255) return null;
    grey[at / 4] = level;
  }
  return grey;
}

/** Numbers of classes in colours, RGBA. */
export function coloured(numbers: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const palette = Array.from({ length: 256 }, (_, number) => [...colourOf(number), 255]);
  const pixels = new Uint8ClampedArray(4 * numbers.length);
  numbers.forEach((number, at) => pixels.set(palette[number]!, 4 * at));
  return pixels;
}

/** The brightest value of an image RGBA, if all that is seen of it is as dark as black. */
export function darkness(pixels: ArrayLike<number>): number | null {
  let brightest = -1;
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3]! > 0) brightest = Math.max(brightest, pixels[at]!, pixels[at + 1]!, pixels[at + 2]!);
  }
  return brightest >= 0 && brightest < NEARLY_BLACK ? brightest : null;
}
