/** An image of any size through a translator: viewer/sessions/fitting.py and viewer/graph/layout.py, of cards. */
import { cut, reflected, type Raster } from "./raster.ts";
import { blurred } from "./edges.ts";
import { uniform } from "./random.ts";

/** What fitting needs to know of a model: what its card and its ports say. */
export interface Layout {
  /** Of what goes in: 1, 3 or 4 with alpha. */
  readonly channels: number;
  /** 3, or 4 with alpha. */
  readonly outputChannels: number;
  /** Height and width of what goes in; null: any. */
  readonly size: readonly [number | null, number | null];
  /** Of height and width. */
  readonly multiple: number;
  /** Pixels of the result a pixel of the image, whole. */
  readonly scale: number;
}

/** Runs the network once on an image of a size and channels that it accepts. */
export type RunImage = (image: Raster) => Promise<Raster>;

const REACH = 64; // pixels round a part of an image, that a local network looks at at most
const PATCH = 8; // pixels a side, of such a part
const RING = 8; // pixels that are beyond the reach
const SMALLEST_REACH = 8; // pixels, that a fixed size leaves
const TOLERANCE = 1; // levels

/** Height and width that the network takes for an image of this size. */
export function accepted(layout: Layout, height: number, width: number): [number, number] {
  const grown = (length: number): number => Math.ceil(length / layout.multiple) * layout.multiple;
  return [layout.size[0] ?? grown(height), layout.size[1] ?? grown(width)];
}

/**
 * The whole result of an image that fits into the network. What the network needs to be of a size that it takes is
 * added as the image's own reflection: on all sides where it is `centred`, else below and to the right.
 */
export async function through(run: RunImage, layout: Layout, image: Raster, centred: boolean): Promise<Raster> {
  const [rows, columns] = accepted(layout, image.height, image.width);
  const top = centred ? (rows - image.height) >> 1 : 0;
  const left = centred ? (columns - image.width) >> 1 : 0;
  const made = await run(reflected(image, columns, rows, top, left));
  const { scale } = layout;
  return cut(made, {
    left: left * scale,
    top: top * scale,
    width: image.width * scale,
    height: image.height * scale,
  });
}

/**
 * Whether a translator looks at the surroundings of a pixel only, and not at the whole image: a small part of the
 * result has to stay as it is where all of the image changes that is far away from it.
 */
export async function isLocal(run: RunImage, layout: Layout): Promise<boolean> {
  const sides = layout.size.filter((side) => side !== null);
  const largest = sides.length > 0 ? Math.min(...sides) : PATCH + 2 * (REACH + RING);
  const reach = Math.min(REACH, ((largest - PATCH) >> 1) - RING);
  if (reach < SMALLEST_REACH) return false;
  const side = PATCH + 2 * (reach + RING);
  const image = smoothNoise(side, layout.channels);
  const other = { ...image, data: new Uint8Array(image.data.length).fill(16) };
  for (let y = RING; y < side - RING; y += 1) {
    const [from, to] = [(y * side + RING) * layout.channels, (y * side + side - RING) * layout.channels];
    other.data.set(image.data.subarray(from, to), from);
  }
  const begin = (reach + RING) * layout.scale;
  const size = PATCH * layout.scale;
  const part = { left: begin, top: begin, width: size, height: size };
  const before = cut(await through(run, layout, image, false), part);
  const after = cut(await through(run, layout, other, false), part);
  return before.data.every((value, at) => Math.abs(value - after.data[at]!) <= TOLERANCE);
}

function smoothNoise(side: number, channels: number): Raster {
  const data = new Uint8Array(side * side * channels);
  for (let c = 0; c < channels; c += 1) {
    const levels = Uint8Array.from(uniform(`is local ${c}`, side * side), (value) => 64 + Math.floor(128 * value));
    const smooth = blurred({ width: side, height: side, channels: 1, data: levels }, 9);
    smooth.data.forEach((value, at) => (data[at * channels + c] = value));
  }
  return { width: side, height: side, channels, data };
}
