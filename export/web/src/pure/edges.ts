/** Edge maps of images (Canny 1986), by the arithmetic of OpenCV: trainer/contract/edges.py. */
import { blank, greyOf, mirrored, rint, type Raster } from "./raster.ts";

export interface EdgeOptions {
  /** Of the thresholds: (1 ∓ sigma) times the median of the brightness. */
  readonly sigma: number;
  /** Pixels of the Gaussian kernel, odd; 0: not blurred. */
  readonly blur: number;
  /** Black on white. */
  readonly invert: boolean;
}

const TANGENT = 13573; // of 22.5 degrees, in units of 2^-15

/** Edges [h, w, 1], 255 on 0 (or 0 on 255), of an image of one or three channels. */
export function edgeMap(image: Raster, options: EdgeOptions): Raster {
  const grey = options.blur > 0 ? blurred(greyOf(image), options.blur) : greyOf(image);
  const middle = median(grey.data);
  const low = Math.max(0, (1 - options.sigma) * middle);
  const high = Math.min(255, (1 + options.sigma) * middle);
  const edges = canny(grey, low, high);
  if (options.invert) for (let at = 0; at < edges.data.length; at += 1) edges.data[at] = 255 - edges.data[at]!;
  return edges;
}

/** Of bytes. */
export function median(values: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const value of values) counts[value]! += 1;
  const ranked = (rank: number): number => {
    let seen = 0;
    for (let value = 0; value < 256; value += 1) {
      seen += counts[value]!;
      if (seen > rank) return value;
    }
    return 255;
  };
  const upper = values.length >> 1;
  return values.length % 2 === 1 ? ranked(upper) : (ranked(upper - 1) + ranked(upper)) / 2;
}

/** A Gaussian kernel of `size` pixels in units of 1/256, whose sum is 256: what rounding lost goes to the next one. */
export function kernel(size: number): number[] {
  const small: Record<number, number[]> = { 1: [1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1], 7: [2, 7, 14, 18, 14, 7, 2] };
  const exact = small[size] ?? gaussian(size);
  const sum = exact.reduce((total, value) => total + value, 0);
  const scaled = exact.map((value) => (value / sum) * 256);
  const half = size >> 1;
  const found = new Array<number>(size).fill(0);
  let lost = 0;
  let total = 0;
  for (let at = 0; at < half; at += 1) {
    const wanted = scaled[at]! + lost;
    const whole = rint(wanted);
    lost = wanted - whole;
    found[at] = found[size - 1 - at] = whole;
    total += 2 * whole;
  }
  found[half] = 256 - total;
  return found;
}

function gaussian(size: number): number[] {
  const sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8;
  return Array.from({ length: size }, (_, at) => Math.exp(-((at - (size - 1) / 2) ** 2) / (2 * sigma * sigma)));
}

/** Blurred by a Gaussian kernel of `size` pixels, the border mirrored. */
export function blurred(grey: Raster, size: number): Raster {
  const { width, height, data } = grey;
  const weights = kernel(size);
  const half = size >> 1;
  const lines = new Int32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let k = 0; k < size; k += 1) sum += weights[k]! * data[y * width + mirrored(x + k - half, width)]!;
      lines[y * width + x] = sum;
    }
  }
  const made = blank(width, height, 1);
  for (let y = 0; y < height; y += 1) {
    const rows = weights.map((_, k) => mirrored(y + k - half, height) * width);
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let k = 0; k < size; k += 1) sum += weights[k]! * lines[rows[k]! + x]!;
      made.data[y * width + x] = Math.min((sum + (1 << 15)) >> 16, 255);
    }
  }
  return made;
}

/** Canny's edges: Sobel derivatives, magnitudes as sums of absolute values, hysteresis between two thresholds. */
export function canny(grey: Raster, lowThreshold: number, highThreshold: number): Raster {
  const { width, height } = grey;
  const low = Math.floor(Math.min(lowThreshold, highThreshold));
  const high = Math.floor(Math.max(lowThreshold, highThreshold));
  const { across, down, magnitude } = derivatives(grey);
  const [none, weak, strong] = [0, 1, 2];
  const found = new Uint8Array(width * height);
  const open: number[] = [];
  const size = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : magnitude[y * width + x]!;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const here = magnitude[at]!;
      if (here <= low) continue;
      const [dx, dy] = [Math.abs(across[at]!), Math.abs(down[at]!) << 15];
      const flat = dx * TANGENT;
      let isRidge: boolean;
      if (dy < flat) isRidge = here > size(x - 1, y) && here >= size(x + 1, y);
      else if (dy > flat + dx * 65536) isRidge = here > size(x, y - 1) && here >= size(x, y + 1);
      else {
        const side = (across[at]! ^ down[at]!) < 0 ? -1 : 1;
        isRidge = here > size(x - side, y - 1) && here > size(x + side, y + 1);
      }
      if (!isRidge) continue;
      found[at] = here > high ? strong : weak;
      if (here > high) open.push(at);
    }
  }
  while (open.length > 0) {
    const at = open.pop()!;
    const [x, y] = [at % width, Math.floor(at / width)];
    for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row += 1) {
      for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column += 1) {
        const other = row * width + column;
        if (found[other] !== weak) continue;
        found[other] = strong;
        open.push(other);
      }
    }
  }
  const made = blank(width, height, 1);
  for (let at = 0; at < found.length; at += 1) made.data[at] = found[at] === strong ? 255 : none;
  return made;
}

function derivatives(grey: Raster): { across: Int16Array; down: Int16Array; magnitude: Int32Array } {
  const { width, height, data } = grey;
  const across = new Int16Array(width * height);
  const down = new Int16Array(width * height);
  const magnitude = new Int32Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const [above, here, below] = [Math.max(y - 1, 0) * width, y * width, Math.min(y + 1, height - 1) * width];
    for (let x = 0; x < width; x += 1, at += 1) {
      const [left, right] = [Math.max(x - 1, 0), Math.min(x + 1, width - 1)];
      const dx =
        data[above + right]! + 2 * data[here + right]! + data[below + right]!
        - data[above + left]! - 2 * data[here + left]! - data[below + left]!; // prettier-ignore
      const dy =
        data[below + left]! + 2 * data[below + x]! + data[below + right]!
        - data[above + left]! - 2 * data[above + x]! - data[above + right]!; // prettier-ignore
      across[at] = dx;
      down[at] = dy;
      magnitude[at] = Math.abs(dx) + Math.abs(dy);
    }
  }
  return { across, down, magnitude };
}
