/** Large images through a network tile by tile, so that no seam remains: viewer/sessions/translation.py. */
import { cut, greyOf, mirrored, rint, type Area, type Raster } from "./raster.ts";

/** A part of the result, in input pixels, and the window of the input that it is computed from. */
export interface Tile {
  readonly kept: Area;
  readonly window: Area;
}

/** Input pixels a side. Smaller than the viewer's: one core of WebAssembly needs a second for it with SRGAN. */
export const TILE = 128;
/** Pixels, of models that do not say how far they look. */
export const UNKNOWN_CONTEXT = 64;
/** Input pixels a side, of which it is measured how far a network looks. */
export const PROBED = 48;
/** Of the context, that may do. */
export const FRACTIONS: readonly number[] = [0.5, 0.75];
const SEARCHED = 1024; // pixels, in the middle of an image, where its busiest place is looked for

interface Span {
  readonly kept: number;
  readonly keptLength: number;
  readonly begin: number;
  readonly length: number;
}

/**
 * Overlapping windows that cover an image, row by row. Every pixel of the result depends on the input up to `context`
 * pixels away: windows overlap by twice that, and of each the middle is kept. All have one size. `tile`: input pixels a
 * side that a window may have besides its context on either side. `multiple`: of which the windows' lengths and places
 * are; the last ones may reach beyond the image for it.
 */
export function planTiles(height: number, width: number, tile: number, context: number, multiple = 1): Tile[] {
  const columns = spans(width, tile, context, multiple);
  return spans(height, tile, context, multiple).flatMap((row) =>
    columns.map((column) => ({
      kept: { left: column.kept, top: row.kept, width: column.keptLength, height: row.keptLength },
      window: { left: column.begin, top: row.begin, width: column.length, height: row.length },
    })),
  );
}

function spans(length: number, tile: number, context: number, multiple: number): Span[] {
  const cells = Math.ceil(length / multiple); // counted in multiples
  const most = Math.ceil(Math.max(tile, 1) / multiple);
  const overlap = 2 * Math.ceil(context / multiple);
  const count = cells <= most + overlap ? 1 : Math.ceil((cells - overlap) / most);
  const size = Math.ceil((cells + (count - 1) * overlap) / count); // the shortest windows that do
  const begins = Array.from({ length: count }, (_, at) => rint((at * (cells - size)) / Math.max(count - 1, 1)));
  const found: Span[] = [];
  let kept = 0;
  begins.forEach((begin, at) => {
    const next = begins[at + 1];
    const end = next === undefined ? length : Math.floor(((begin + size + next) * multiple) / 2);
    found.push({ kept, keptLength: end - kept, begin: begin * multiple, length: size * multiple });
    kept = end;
  });
  return found;
}

/**
 * Where an image is busiest: a square of `PROBED` pixels that has `context` pixels of the image on each side; null
 * where the image is too small for it.
 */
export function busiest(image: Raster, context: number): Area | null {
  const side = PROBED + 2 * context;
  if (Math.min(image.height, image.width, SEARCHED) < side) return null;
  const [left, top] = [image.width, image.height].map((length) => (length - Math.min(length, SEARCHED)) >> 1) as [
    number,
    number,
  ];
  const width = Math.min(image.width, SEARCHED);
  const height = Math.min(image.height, SEARCHED);
  const sums = integral(edginess(greyOf(cut(image, { left, top, width, height }))), width, height);
  // The mean round a place covers the 48 pixels from 24 before it on.
  const reach = side >> 1;
  const half = PROBED >> 1;
  let best = { sum: -1, row: 0, column: 0 };
  for (let y = reach; y <= height - reach; y += 1) {
    for (let x = reach; x <= width - reach; x += 1) {
      const [x0, y0, x1, y1] = [x - half, y - half, x + half, y + half];
      const at = (row: number, column: number): number => sums[row * (width + 1) + column]!;
      const sum = at(y1, x1) - at(y0, x1) - at(y1, x0) + at(y0, x0);
      if (sum > best.sum) best = { sum, row: y - reach, column: x - reach };
    }
  }
  return { left: left + best.column + context, top: top + best.row + context, width: PROBED, height: PROBED };
}

/** The absolute Laplacian. */
function edginess(grey: Raster): Int32Array {
  const { width, height, data } = grey;
  const found = new Int32Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const [above, below] = [mirrored(y - 1, height) * width, mirrored(y + 1, height) * width];
    for (let x = 0; x < width; x += 1, at += 1) {
      const [before, after] = [mirrored(x - 1, width), mirrored(x + 1, width)];
      const round = data[above + x]! + data[below + x]! + data[y * width + before]! + data[y * width + after]!;
      found[at] = Math.abs(round - 4 * data[at]!);
    }
  }
  return found;
}

function integral(values: Int32Array, width: number, height: number): Float64Array {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let line = 0;
    for (let x = 0; x < width; x += 1) {
      line += values[y * width + x]!;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1]! + line;
    }
  }
  return sums;
}
