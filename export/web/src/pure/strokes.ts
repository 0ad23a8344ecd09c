/**
 * A page that is drawn on: strokes, and how they are put onto it, pixel for pixel as OpenCV's `polylines` and `circle`
 * do it in viewer/modes/translate/draw/session.py.
 */
import type { Raster } from "./raster.ts";

/** Red, green, blue. */
export type Colour = readonly [number, number, number];
export type Point = readonly [x: number, y: number];

/** What one movement of the pen left on the page. */
export interface Stroke {
  /** Of the palette. */
  readonly colour: number;
  /** Pixels across; 0: the whole page. */
  readonly size: number;
  readonly points: readonly Point[];
}

/** Paper and ink of edges. */
export const INKS: readonly Colour[] = [[0, 0, 0], [255, 255, 255]]; // prettier-ignore
/** For models that say no colours of their own; the first is the paper. */
export const COLOURS: readonly Colour[] = [
  [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 255, 255], [255, 0, 255], [0, 255, 255],
  [255, 128, 0], [128, 128, 128],
]; // prettier-ignore
/** Pixels of the page across. */
export const BRUSHES: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/** Of `BRUSHES`, for areas; lines begin with the thinnest. */
export const FIRST_BRUSH = 4;
export const MOST_STROKES = 100_000;
/** Of a stroke, and of all those that a saved image carries. */
export const MOST_POINTS = 20_000;

const SHIFT = 16; // bits behind the point
const ONE = 1 << SHIFT;

/** Strokes onto a page, one after another; every pixel gets one colour of the palette, and none between two. */
export function addStrokes(page: Raster, palette: readonly Colour[], strokes: readonly Stroke[]): void {
  for (const stroke of strokes) {
    const colour = palette[stroke.colour]!;
    if (stroke.size === 0) {
      for (let y = 0; y < page.height; y += 1) row(page, y, 0, page.width - 1, colour);
      continue;
    }
    const { points, size } = stroke;
    if (size <= 2 || points.length > 1) {
      for (let at = 1; at < points.length; at += 1) segment(page, points[at - 1]!, points[at]!, colour, size, at === 1);
    }
    if (size > 2) for (const point of [points[0]!, points.at(-1)!]) disc(page, point, size >> 1, colour);
    else if (points.length === 1) dot(page, points[0]!, colour, size);
  }
}

/** A line of a width with round ends; the first of several also begins with one. */
export function segment(page: Raster, from: Point, to: Point, colour: Colour, width: number, first: boolean): void {
  if (width <= 1) {
    line(page, from, to, colour);
    return;
  }
  const [x0, y0, x1, y1] = [from[0] * ONE, from[1] * ONE, to[0] * ONE, to[1] * ONE];
  const [dx, dy] = [from[0] - to[0], to[1] - from[1]];
  const squared = dx * dx + dy * dy;
  const half = width * (ONE >> 1);
  if (squared > 0) {
    const reach = (half + (width & 1) * ONE * 0.5) / Math.sqrt(squared);
    const [across, down] = [halfEven(dy * reach), halfEven(dx * reach)];
    polygon(page, [[x0 + across, y0 + down], [x0 - across, y0 - down], [x1 - across, y1 - down],
                   [x1 + across, y1 + down]], colour); // prettier-ignore
  }
  const radius = Math.floor((half + (ONE >> 1)) / ONE);
  if (first) disc(page, from, radius, colour);
  disc(page, to, radius, colour);
}

function halfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** A point that has no line: what a pen leaves that was put down and lifted. */
function dot(page: Raster, point: Point, colour: Colour, size: number): void {
  segment(page, point, point, colour, size, true);
}

/** A filled circle. */
export function disc(page: Raster, [x, y]: Point, radius: number, colour: Colour): void {
  let [error, dx, dy, plus, minus] = [0, radius, 0, 1, (radius << 1) - 1];
  while (dx >= dy) {
    row(page, y - dy, x - dx, x + dx, colour);
    row(page, y + dy, x - dx, x + dx, colour);
    row(page, y - dx, x - dy, x + dy, colour);
    row(page, y + dx, x - dy, x + dy, colour);
    dy += 1;
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      dx -= 1;
      minus -= 2;
    }
  }
}

/** A line one pixel wide, from left to right whichever way it was drawn (Bresenham). */
function line(page: Raster, from: Point, to: Point, colour: Colour): void {
  const clipped = clip(page.width, page.height, from, to);
  if (clipped === null) return;
  let [[x, y], [endX, endY]] = clipped;
  if (endX < x) [x, y, endX, endY] = [endX, endY, x, y];
  let [dx, dy] = [endX - x, Math.abs(endY - y)];
  const down = endY < y ? -1 : 1;
  const steep = dy > dx;
  if (steep) [dx, dy] = [dy, dx];
  let error = dx - 2 * dy;
  for (let count = 0; count <= dx; count += 1) {
    pixel(page, x, y, colour);
    const turns = error < 0;
    error += (turns ? 2 * dx : 0) - 2 * dy;
    if (steep) {
      y += down;
      if (turns) x += 1;
    } else {
      x += 1;
      if (turns) y += down;
    }
  }
}

/** A convex polygon, filled, its border included; places in units of 2^-16 pixels. */
function polygon(page: Raster, corners: readonly Point[], colour: Colour): void {
  const count = corners.length;
  corners.forEach((corner, at) => fineLine(page, corners[(at + count - 1) % count]!, corner, colour));
  const rounded = (value: number): number => Math.floor((value + ONE / 2) / ONE);
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const lowest = ys.indexOf(Math.min(...ys));
  const [left, right, top] = [rounded(Math.min(...xs)), rounded(Math.max(...xs)), rounded(Math.min(...ys))];
  const below = rounded(Math.max(...ys));
  if (right < 0 || below < 0 || left >= page.width || top >= page.height) return;
  const bottom = Math.min(below, page.height - 1);
  const sides = [1, count - 1].map((step) => ({ at: lowest, step, x: -ONE, slope: 0, end: top }));
  let edges = count;
  for (let y = top; y <= bottom; y += 1) {
    for (const side of sides) {
      if (y < side.end) continue;
      let [before, at] = [side.at, (side.at + side.step) % count];
      while (edges > 0) {
        edges -= 1;
        const end = rounded(ys[at]!);
        if (end > y) {
          side.end = end;
          side.slope = Math.trunc(((xs[at]! - xs[before]!) * 2 + (end - y)) / (2 * (end - y)));
          side.x = xs[before]!;
          side.at = at;
          break;
        }
        before = at;
        at = (at + side.step) % count;
      }
    }
    const [one, other] = [sides[0]!, sides[1]!];
    const [begin, end] = one.x > other.x ? [other.x, one.x] : [one.x, other.x];
    row(page, y, rounded(begin), rounded(end), colour);
    one.x += one.slope;
    other.x += other.slope;
  }
}

/** A line one pixel wide between places in units of 2^-16 pixels. */
function fineLine(page: Raster, from: Point, to: Point, colour: Colour): void {
  const clipped = clip(page.width * ONE, page.height * ONE, from, to);
  if (clipped === null) return;
  let [[x, y], [endX, endY]] = clipped;
  const flat = Math.abs(endX - x) > Math.abs(endY - y);
  if (flat ? endX < x : endY < y) [x, y, endX, endY] = [endX, endY, x, y];
  const [dx, dy] = [endX - x, endY - y];
  const odd = (value: number): number => value + 1 - (value % 2); // value | 1, of more than 32 bits
  pixel(page, Math.floor((endX + ONE / 2) / ONE), Math.floor((endY + ONE / 2) / ONE), colour);
  const half = ONE / 2;
  if (flat) {
    const slope = Math.trunc((dy * ONE) / odd(dx));
    const first = Math.floor((x + half) / ONE);
    for (let count = Math.floor(dx / ONE), at = 0; at <= count; at += 1) {
      pixel(page, first + at, Math.floor((y + half + at * slope) / ONE), colour);
    }
  } else {
    const slope = Math.trunc((dx * ONE) / odd(dy));
    const first = Math.floor((y + half) / ONE);
    for (let count = Math.floor(dy / ONE), at = 0; at <= count; at += 1) {
      pixel(page, Math.floor((x + half + at * slope) / ONE), first + at, colour);
    }
  }
}

/** The part of a line that lies inside `width` by `height`; `null` where there is none (Cohen and Sutherland). */
function clip(width: number, height: number, from: Point, to: Point): [[number, number], [number, number]] | null {
  const [right, bottom] = [width - 1, height - 1];
  let [[x1, y1], [x2, y2]] = [from, to] as [[number, number], [number, number]];
  const beside = (x: number): number => (x < 0 ? 1 : 0) + (x > right ? 2 : 0);
  const code = (x: number, y: number): number => beside(x) + (y < 0 ? 4 : 0) + (y > bottom ? 8 : 0);
  let [one, other] = [code(x1, y1), code(x2, y2)];
  if ((one & other) === 0 && (one | other) !== 0) {
    if (one & 12) {
      const edge = one < 8 ? 0 : bottom;
      x1 += Math.trunc(((edge - y1) * (x2 - x1)) / (y2 - y1));
      y1 = edge;
      one = beside(x1);
    }
    if (other & 12) {
      const edge = other < 8 ? 0 : bottom;
      x2 += Math.trunc(((edge - y2) * (x2 - x1)) / (y2 - y1));
      y2 = edge;
      other = beside(x2);
    }
    if ((one & other) === 0 && (one | other) !== 0) {
      if (one) {
        const edge = one === 1 ? 0 : right;
        y1 += Math.trunc(((edge - x1) * (y2 - y1)) / (x2 - x1));
        x1 = edge;
        one = 0;
      }
      if (other) {
        const edge = other === 1 ? 0 : right;
        y2 += Math.trunc(((edge - x2) * (y2 - y1)) / (x2 - x1));
        x2 = edge;
        other = 0;
      }
    }
  }
  return (one | other) === 0 ? [[x1, y1], [x2, y2]] : null; // prettier-ignore
}

function pixel(page: Raster, x: number, y: number, colour: Colour): void {
  if (x >= 0 && x < page.width && y >= 0 && y < page.height) page.data.set(colour, 3 * (y * page.width + x));
}

function row(page: Raster, y: number, from: number, to: number, colour: Colour): void {
  if (y < 0 || y >= page.height) return;
  const [first, last] = [Math.max(from, 0), Math.min(to, page.width - 1)];
  for (let x = first, at = 3 * (y * page.width + first); x <= last; x += 1, at += 3) {
    page.data[at] = colour[0];
    page.data[at + 1] = colour[1];
    page.data[at + 2] = colour[2];
  }
}

/** Strokes in a link: numbers of varying length, base64url. */
export function strokesText(strokes: readonly Stroke[]): string {
  const bytes: number[] = [];
  const put = (value: number): void => {
    let rest = value >= 0 ? 2 * value : -2 * value - 1; // small numbers of either sign are short
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  };
  for (const { colour, size, points } of strokes) {
    [colour, size, points.length].forEach(put);
    let [x, y] = [0, 0];
    for (const point of points) {
      put(point[0] - x);
      put(point[1] - y);
      [x, y] = point;
    }
  }
  const text = btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The same back; null where it is none. `colours`: of the palette. */
export function textStrokes(text: string, colours: number): Stroke[] | null {
  if (!/^[\w-]*$/.test(text)) return null;
  const bytes = Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  let at = 0;
  const take = (): number => {
    let [value, unit] = [0, 1];
    for (let byte = 128; byte >= 128 && unit < 2 ** 42; unit *= 128) {
      byte = bytes[at++] ?? NaN;
      value += (byte % 128) * unit;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const found: Stroke[] = [];
  while (at < bytes.length) {
    const [colour, size, count] = [take(), take(), take()];
    let [x, y] = [0, 0];
    const points = Array.from({ length: count <= MOST_POINTS ? count : 0 }, (): Point => [(x += take()), (y += take())]);
    found.push({ colour, size, points });
  }
  return checkedStrokes(found, colours);
}

/** Strokes that came from a link or a file; null where one of them is none. */
export function checkedStrokes(strokes: readonly Stroke[], colours: number): Stroke[] | null {
  const whole = (value: unknown, low: number, high: number): boolean =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
  const sound = strokes.every(({ colour, size, points }) => {
    const places = points.every(([x, y]) => whole(x, -20_000, 20_000) && whole(y, -20_000, 20_000));
    return whole(colour, 0, colours - 1) && whole(size, 0, 512) && places && (size === 0 || points.length > 0);
  });
  return sound && strokes.length <= MOST_STROKES ? [...strokes] : null;
}
