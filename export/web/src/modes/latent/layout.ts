/**
 * How many images each view of latent space has. The numbers are those of `viewer/modes/latent/layout.py`, since an
 * image that was saved in one of the two programs begins in the other where it was left; where things lie is the
 * page's own.
 */

import { roundHalfEven } from "../../pure/rounding.ts";

export interface Layout {
  /** Images of the plane at its finest. */
  readonly rows: number;
  readonly columns: number;
  /** That the viewer's frame was made for. */
  readonly scale: number;
  /** Images of a line, its ends included. */
  readonly stops: number;
  /** Sliders of a page of them. */
  readonly sliders: number;
  /** Images behind a slider. */
  readonly track: number;
}

// Frame pixels of the viewer.
const [LEFT, TOP, RIGHT, BOTTOM] = [56, 14, 14, 46]; // round the plane
const [SPACE, PANEL_WIDTH, LEAST_HEIGHT, LEAST_WIDTH] = [26, 288, 520, 400];
const CELL = 32; // that an image of the plane is wide at most, unless it is asked for
const PLANE = 640; // that the plane is wide, about
const STOP = 84; // that an image of the line is wide, about
const TRACK = 40; // that an image behind a slider is high
const [NAME_WIDTH, VALUE_WIDTH, SLIDER] = [92, 52, TRACK + 8];

/**
 * For images of this size in pixels. `rows`, `columns`: images of the plane; null: as fits. `scale`: of the plane.
 */
export function makeLayout(
  height: number,
  width: number,
  rows: number | null = null,
  columns: number | null = null,
  scale = 1,
): Layout {
  const most = rows || columns ? Math.max(Math.floor(PLANE / Math.max(rows ?? 0, columns ?? 0)), 1) : CELL;
  const side = fittingSide(Math.max(height, width), most);
  const count = Math.max(Math.floor(Math.floor(PLANE / side) / 4) * 4, 4);
  const [down, across] = [rows ?? columns ?? count, columns ?? rows ?? count];
  const [cellWidth, cellHeight] = fittingSize(width, height, most).map((length) =>
    Math.max(roundHalfEven(length * scale), 1),
  ) as [number, number];
  const frameHeight = Math.max(TOP + down * cellHeight + BOTTOM, LEAST_HEIGHT);
  const mainWidth = Math.max(across * cellWidth, LEAST_WIDTH);
  const frameWidth = LEFT + mainWidth + SPACE + PANEL_WIDTH + RIGHT;
  const [wide] = fittingSize(width, height, STOP);
  const room = LEFT + mainWidth - RIGHT - NAME_WIDTH - VALUE_WIDTH;
  const trackWidth = Math.min(Math.max(roundHalfEven((width * TRACK) / height), 4), room);
  return {
    rows: down,
    columns: across,
    scale,
    stops: Math.max(Math.floor((frameWidth - 2 * RIGHT) / (wide + 2)), 3),
    sliders: Math.max(Math.floor((frameHeight - 2 * TOP) / SLIDER), 1),
    track: Math.floor(room / trackWidth),
  };
}

/** A side of at most so many pixels: a whole multiple or part of the image's own where one comes near. */
function fittingSide(native: number, most: number): number {
  const side = native <= most ? native * Math.floor(most / native) : Math.floor(native / Math.ceil(native / most));
  return side > 0.8 * most ? side : most;
}

/** Width and height of an image whose longer side is brought to `fittingSide`. */
function fittingSize(width: number, height: number, most: number): [number, number] {
  const longer = Math.max(width, height);
  const side = fittingSide(longer, most);
  const scaled = (length: number): number => Math.max(roundHalfEven((length * side) / longer), 1);
  return [scaled(width), scaled(height)];
}
