/** Images as a generator makes them: u8 RGB, one after another; what is added to them, and what becomes of them. */
import type { Pixels } from "../mode.ts";
import { roundHalfEven } from "../pure/rounding.ts";
import { cornerOf, sizeOf, type Sheet } from "../pure/sheet.ts";

/** u8 [h, w, 3], or several of them one after another. */
export type Rgb = Uint8Array;

const PAPER = [21, 22, 24]; // behind the images of a saved sheet, as the viewer has it

/** Images with `gain` times their details, which are in 0..1. */
export function withDetail(images: Rgb, details: Float32Array, gain: number): Rgb {
  if (gain === 0) return images;
  return images.map((level, index) => clamped(level + details[index]! * 255 * gain));
}

// What a 3x3 kernel of sum 1 adds to an image: flat areas stay, and with a gain of 1 the image is the kernel's result.
const KERNEL = [-2, -4, -2, -4, 24, -4, -2, -4, -2];

/** What sharpening adds to images u8 [n, h, w, 3], in 0..1; beyond the edge they go on as in a mirror. */
export function sharpening(images: Rgb, height: number, width: number): Float32Array {
  const details = new Float32Array(images.length);
  const row = width * 3;
  const mirrored = (place: number, length: number): number => {
    const inside = place < 0 ? -place : place >= length ? 2 * length - 2 - place : place;
    return Math.min(Math.max(inside, 0), length - 1);
  };
  for (let start = 0; start < images.length; start += height * row) {
    for (let y = 0; y < height; y += 1) {
      const rows = [-1, 0, 1].map((by) => start + mirrored(y + by, height) * row);
      for (let x = 0; x < width; x += 1) {
        const columns = [-1, 0, 1].map((by) => mirrored(x + by, width) * 3);
        for (let channel = 0; channel < 3; channel += 1) {
          let sum = 0;
          for (let tap = 0; tap < 9; tap += 1) {
            sum += KERNEL[tap]! * images[rows[Math.floor(tap / 3)]! + columns[tap % 3]! + channel]!;
          }
          details[start + y * row + x * 3 + channel] = sum / 255;
        }
      }
    }
  }
  return details;
}

function clamped(level: number): number {
  return Math.min(Math.max(roundHalfEven(level), 0), 255);
}

/** One image of several, as a page shows it. */
export function toPixels(images: Rgb, height: number, width: number, number = 0): Pixels {
  const data = new Uint8ClampedArray(height * width * 4).fill(255);
  copyRgb(images, number * height * width * 3, width * 3, data, 0, width * 4, height, width);
  return { width, height, data };
}

/** A sheet of images as it is saved: each in its own size, on the viewer's ground. */
export function toSheet(images: Rgb, sheet: Sheet): Pixels {
  const [width, height] = sizeOf(sheet);
  const data = new Uint8ClampedArray(width * height * 4);
  for (let index = 0; index < data.length; index += 4) data.set([...PAPER, 255], index);
  const size = sheet.cellHeight * sheet.cellWidth * 3;
  for (let number = 0; number < sheet.rows * sheet.columns; number += 1) {
    const [left, top] = cornerOf(sheet, number);
    const start = (top * width + left) * 4;
    copyRgb(images, number * size, sheet.cellWidth * 3, data, start, width * 4, sheet.cellHeight, sheet.cellWidth);
  }
  return { width, height, data };
}

function copyRgb(
  from: Rgb,
  start: number,
  step: number,
  to: Uint8ClampedArray,
  first: number,
  stride: number,
  height: number,
  width: number,
): void {
  for (let y = 0; y < height; y += 1) {
    let [source, target] = [start + y * step, first + y * stride];
    for (let x = 0; x < width; x += 1) {
      to[target] = from[source]!;
      to[target + 1] = from[source + 1]!;
      to[target + 2] = from[source + 2]!;
      source += 3;
      target += 4;
    }
  }
}
