/** Which part of an image is seen, and how large. No page is needed to compute it. */
import type { Tile } from "../../pure/tiles.ts";

export interface View {
  /** Of the place that there is, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the image, in its own pixels. */
  readonly imageWidth: number;
  readonly imageHeight: number;
  /** Pixels of the page a pixel of the image. */
  readonly scale: number;
  /** What is in the middle, in pixels of the image. */
  readonly across: number;
  readonly down: number;
}

const LARGEST = 32; // pixels of the page a pixel of the image
const LARGEST_FIRST = 8; // the same, before anyone zooms

/** The scale at which all is in view. */
export function fitting(view: View): number {
  return Math.min(view.width / view.imageWidth, view.height / view.imageHeight);
}

/** All of the image. */
export function whole(view: View): View {
  const scale = Math.min(fitting(view), LARGEST_FIRST);
  return { ...view, scale, across: view.imageWidth / 2, down: view.imageHeight / 2 };
}

/** Whether more of the image lies beyond what is seen. */
export function isPartial(view: View): boolean {
  const { width, height, imageWidth, imageHeight, scale } = view;
  return imageWidth * scale > width + 0.5 || imageHeight * scale > height + 0.5;
}

/** Where the image lies on the page: left, top, width, height. */
export function placeOf(view: View): { left: number; top: number; width: number; height: number } {
  const { scale } = view;
  return {
    left: view.width / 2 - view.across * scale,
    top: view.height / 2 - view.down * scale,
    width: view.imageWidth * scale,
    height: view.imageHeight * scale,
  };
}

/** The part of the page that shows the image, from left to right. */
export function shown(view: View): { left: number; width: number } {
  const { left, width } = placeOf(view);
  const begin = Math.max(left, 0);
  return { left: begin, width: Math.max(Math.min(left + width, view.width) - begin, 1) };
}

/** Zoomed; what lies at this place of the page stays there. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const least = Math.min(fitting(view), 1);
  const scale = Math.min(Math.max(view.scale * factor, least), LARGEST);
  const across = view.across + (x - view.width / 2) * (1 / view.scale - 1 / scale);
  const down = view.down + (y - view.height / 2) * (1 / view.scale - 1 / scale);
  return inside({ ...view, scale, across, down });
}

/** Moved by so many pixels of the page. */
export function panned(view: View, x: number, y: number): View {
  return inside({ ...view, across: view.across + x / view.scale, down: view.down + y / view.scale });
}

/** The same over the image, or as near to it as it goes; in the middle where all of a side is in view. */
function inside(view: View): View {
  const kept = (place: number, length: number, room: number): number => {
    const half = Math.min(room / view.scale, length) / 2;
    return Math.min(Math.max(place, half), length - half);
  };
  return {
    ...view,
    across: kept(view.across, view.imageWidth, view.width),
    down: kept(view.down, view.imageHeight, view.height),
  };
}

/** For a place of another size: all of the image where all was seen, else the same middle. */
export function resized(view: View, width: number, height: number): View {
  const next = { ...view, width, height };
  const first = whole(view);
  return view.scale === first.scale || view.width === 0 ? whole(next) : inside(next);
}

/** The tile nearest to the middle of the view; the image is `scale` times as large as what the tiles are of. */
export function nearestTile(tiles: readonly Tile[], scale: number, view: View): Tile {
  const distance = ({ kept }: Tile): number => {
    const across = (kept.left + kept.width / 2) * scale - view.across;
    const down = (kept.top + kept.height / 2) * scale - view.down;
    return across ** 2 + down ** 2;
  };
  return tiles.reduce((best, tile) => (distance(tile) < distance(best) ? tile : best));
}
