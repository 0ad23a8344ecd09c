/**
 * Images at other sizes, by the arithmetic of OpenCV's `resize`, and how they are brought to a size of other
 * proportions: viewer/files/resizing.py and trainer/contract/images.py.
 */
import { blank, cut, rint, type Raster } from "./raster.ts";

const { fround, floor, ceil, min, max } = Math;
const BITS = 11; // of the weights of linear and cubic interpolation

/** At another size: averaged when it shrinks, smooth when it grows (`resize` of viewer/files/resizing.py). */
export function resize(image: Raster, height: number, width: number): Raster {
  if (image.height === height && image.width === width) return image;
  return height < image.height ? area(image, height, width) : linear(image, height, width);
}

/** Area average where a side shrinks, cubic where it grows (`resize` of trainer/contract/images.py). */
export function resizeSides(image: Raster, height: number, width: number): Raster {
  const small = area(image, min(height, image.height), min(width, image.width));
  return cubic(small, height, width);
}

/** With no new colours. */
export function nearest(image: Raster, height: number, width: number): Raster {
  const { channels } = image;
  const made = blank(width, height, channels);
  const [down, across] = [1 / (height / image.height), 1 / (width / image.width)];
  for (let y = 0, to = 0; y < height; y += 1) {
    const row = min(floor(y * down), image.height - 1) * image.width;
    for (let x = 0; x < width; x += 1) {
      const at = (row + min(floor(x * across), image.width - 1)) * channels;
      for (let c = 0; c < channels; c += 1, to += 1) made.data[to] = image.data[at + c]!;
    }
  }
  return made;
}

export type Scaler = (image: Raster, height: number, width: number) => Raster;

/** The middle of an image, cut to the proportions and scaled to the size. */
export function centre(image: Raster, height: number, width: number, scaler: Scaler = resizeSides): Raster {
  const scale = min(image.height / height, image.width / width);
  const tall = min(image.height, max(1, rint(height * scale)));
  const wide = min(image.width, max(1, rint(width * scale)));
  const [top, left] = [floor((image.height - tall) / 2), floor((image.width - wide) / 2)];
  return scaler(cut(image, { left, top, width: wide, height: tall }), height, width);
}

/** All of an image in its own proportions, its edges repeated outwards. */
export function pad(image: Raster, height: number, width: number): Raster {
  const scale = min(height / image.height, width / image.width);
  const [tall, wide] = [max(1, rint(image.height * scale)), max(1, rint(image.width * scale))];
  const inner = resizeSides(image, tall, wide);
  const [top, left] = [floor((height - tall) / 2), floor((width - wide) / 2)];
  const { channels } = image;
  const made = blank(width, height, channels);
  for (let y = 0, to = 0; y < height; y += 1) {
    const row = min(max(y - top, 0), tall - 1) * wide;
    for (let x = 0; x < width; x += 1) {
      const at = (row + min(max(x - left, 0), wide - 1)) * channels;
      for (let c = 0; c < channels; c += 1, to += 1) made.data[to] = inner.data[at + c]!;
    }
  }
  return made;
}

/** Each pixel the mean of those that it covers (`INTER_AREA`, of sides that do not grow). */
export function area(image: Raster, height: number, width: number): Raster {
  if (image.height === height && image.width === width) return image;
  const [down, across] = [1 / (height / image.height), 1 / (width / image.width)];
  const whole = Math.abs(down - rint(down)) < Number.EPSILON && Math.abs(across - rint(across)) < Number.EPSILON;
  return whole ? blocks(image, height, width, rint(down), rint(across)) : fractions(image, height, width);
}

function blocks(image: Raster, height: number, width: number, down: number, across: number): Raster {
  const { channels, data } = image;
  const made = blank(width, height, channels);
  const share = fround(1 / (down * across));
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < channels; c += 1, to += 1) {
        let sum = 0;
        for (let row = 0; row < down; row += 1) {
          let at = ((y * down + row) * image.width + x * across) * channels + c;
          for (let column = 0; column < across; column += 1, at += channels) sum += data[at]!;
        }
        made.data[to] = down === 2 && across === 2 ? (sum + 2) >> 2 : rint(fround(sum * share));
      }
    }
  }
  return made;
}

interface Share {
  readonly to: number;
  readonly from: number;
  readonly weight: number;
}

/** Which pixels of a row make each of fewer new ones, and how much of each. */
function shares(length: number, newLength: number): Share[] {
  const scale = 1 / (newLength / length);
  const found: Share[] = [];
  for (let to = 0; to < newLength; to += 1) {
    const begin = to * scale;
    const end = begin + scale;
    const cell = min(scale, length - begin);
    const last = min(floor(end), length - 1);
    const first = min(ceil(begin), last);
    if (first - begin > 1e-3) found.push({ to, from: first - 1, weight: fround((first - begin) / cell) });
    for (let from = first; from < last; from += 1) found.push({ to, from, weight: fround(1 / cell) });
    if (end - last > 1e-3) found.push({ to, from: last, weight: fround(min(min(end - last, 1), cell) / cell) });
  }
  return found;
}

function fractions(image: Raster, height: number, width: number): Raster {
  const { channels, data } = image;
  const made = blank(width, height, channels);
  const along = shares(image.width, width);
  const sums = new Float32Array(width * channels);
  const line = new Float32Array(width * channels);
  let current = 0;
  const finish = (): void => {
    for (let at = 0; at < sums.length; at += 1) made.data[current * sums.length + at] = min(max(rint(sums[at]!), 0), 255);
  };
  for (const { to, from, weight } of shares(image.height, height)) {
    if (to !== current) {
      finish();
      sums.fill(0);
      current = to;
    }
    line.fill(0);
    const row = from * image.width;
    for (const share of along) {
      for (let c = 0; c < channels; c += 1) {
        const at = share.to * channels + c;
        line[at] = line[at]! + fround(data[(row + share.from) * channels + c]! * share.weight);
      }
    }
    for (let at = 0; at < line.length; at += 1) sums[at] = sums[at]! + fround(weight * line[at]!);
  }
  finish();
  return made;
}

interface Taps {
  /** Of the source, `count` for each new pixel. */
  readonly places: Int32Array;
  /** In units of 2^-11. */
  readonly weights: Int32Array;
  readonly count: number;
}

function taps(length: number, newLength: number, count: 2 | 4): Taps {
  const scale = 1 / (newLength / length);
  const places = new Int32Array(newLength * count);
  const weights = new Int32Array(newLength * count);
  for (let to = 0; to < newLength; to += 1) {
    const middle = fround((to + 0.5) * scale - 0.5);
    let first = floor(middle);
    let rest = fround(middle - first);
    if (count === 2 && first < 0) [first, rest] = [0, 0];
    if (count === 2 && first >= length - 1) [first, rest] = [length - 1, 0];
    const values = count === 2 ? [fround(1 - rest), rest] : keys(rest);
    const begin = count === 2 ? first : first - 1;
    for (let k = 0; k < count; k += 1) {
      places[to * count + k] = min(max(begin + k, 0), length - 1);
      weights[to * count + k] = rint(fround(values[k]! * (1 << BITS)));
    }
  }
  return { places, weights, count };
}

/** Keys' kernel with a = -3/4, in single precision. */
function keys(x: number): number[] {
  const a = -0.75;
  const far = (t: number): number =>
    fround(fround(fround(fround(fround(fround(a * t) - 5 * a) * t) + 8 * a) * t) - 4 * a);
  const near = (t: number): number =>
    fround(fround(fround(fround(fround((a + 2) * t) - (a + 3)) * t) * t) + 1);
  const first = far(fround(x + 1));
  const second = near(x);
  const third = near(fround(1 - x));
  return [first, second, third, fround(fround(fround(1 - first) - second) - third)];
}

/** A straight line between neighbours (`INTER_LINEAR`). */
export function linear(image: Raster, height: number, width: number): Raster {
  return interpolated(image, height, width, 2);
}

/** A cubic curve through neighbours (`INTER_CUBIC`). */
export function cubic(image: Raster, height: number, width: number): Raster {
  return interpolated(image, height, width, 4);
}

function interpolated(image: Raster, height: number, width: number, count: 2 | 4): Raster {
  if (image.height === height && image.width === width) return image;
  const { channels, data } = image;
  const made = blank(width, height, channels);
  const [across, down] = [taps(image.width, width, count), taps(image.height, height, count)];
  const size = width * channels;
  const lines = new Map<number, Int32Array>(); // rows of the source, wide as the result
  const lineOf = (row: number): Int32Array => {
    const known = lines.get(row);
    if (known !== undefined) return known;
    const line = new Int32Array(size);
    for (let x = 0, to = 0; x < width; x += 1) {
      for (let c = 0; c < channels; c += 1, to += 1) {
        let sum = 0;
        for (let k = x * count; k < (x + 1) * count; k += 1) {
          sum += data[(row * image.width + across.places[k]!) * channels + c]! * across.weights[k]!;
        }
        line[to] = sum;
      }
    }
    if (lines.size > 8) lines.delete(lines.keys().next().value!);
    lines.set(row, line);
    return line;
  };
  for (let y = 0; y < height; y += 1) {
    const first = y * count;
    const rows = Array.from({ length: count }, (_, k) => lineOf(down.places[first + k]!));
    const weights = down.weights.subarray(first, first + count);
    for (let at = 0; at < size; at += 1) made.data[y * size + at] = blended(rows, weights, at);
  }
  return made;
}

function blended(rows: readonly Int32Array[], weights: Int32Array, at: number): number {
  if (rows.length === 2) {
    const above = (weights[0]! * (rows[0]![at]! >> 4)) >> 16;
    const below = (weights[1]! * (rows[1]![at]! >> 4)) >> 16;
    return min(max((above + below + 2) >> 2, 0), 255);
  }
  const unit = 1 / (1 << (2 * BITS));
  let sum = fround(rows[3]![at]! * fround(weights[3]! * unit));
  for (let k = 2; k >= 0; k -= 1) sum = fround(rows[k]![at]! * (weights[k]! * unit) + sum);
  return min(max(rint(sum), 0), 255);
}
