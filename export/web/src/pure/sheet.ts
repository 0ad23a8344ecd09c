/** Where the images of a sheet lie, and how the cursor moves over them. As `viewer/sheet.py`. */
import type { Event } from "./events.ts";

export interface Sheet {
  readonly rows: number;
  readonly columns: number;
  /** Of an image, in pixels of the page; so are the next two. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Round every image. */
  readonly gap: number;
}

export const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  LEFT: [0, -1],
  RIGHT: [0, 1],
  UP: [-1, 0],
  DOWN: [1, 0],
}; // rows, columns

export function countOf(sheet: Sheet): number {
  return sheet.rows * sheet.columns;
}

/** Width and height, gaps included. */
export function sizeOf(sheet: Sheet): [number, number] {
  return [
    sheet.columns * (sheet.cellWidth + sheet.gap) + sheet.gap,
    sheet.rows * (sheet.cellHeight + sheet.gap) + sheet.gap,
  ];
}

/** Left and top edge of an image. */
export function cornerOf(sheet: Sheet, index: number): [number, number] {
  const [row, column] = [Math.floor(index / sheet.columns), index % sheet.columns];
  return [column * (sheet.cellWidth + sheet.gap) + sheet.gap, row * (sheet.cellHeight + sheet.gap) + sheet.gap];
}

/** The image under a point; the gaps belong to the image before them. `null` beside the sheet. */
export function cellAt(sheet: Sheet, x: number, y: number): number | null {
  const [width, height] = sizeOf(sheet);
  if (!(x >= 0 && x < width && y >= 0 && y < height)) return null;
  const column = Math.min(Math.floor(Math.max(x - sheet.gap, 0) / (sheet.cellWidth + sheet.gap)), sheet.columns - 1);
  const row = Math.min(Math.floor(Math.max(y - sheet.gap, 0) / (sheet.cellHeight + sheet.gap)), sheet.rows - 1);
  return row * sheet.columns + column;
}

/** Where the cursor is after an event. */
export function moved(sheet: Sheet, cursor: number, event: Event): number {
  if (event.action === "CLICK") return cellAt(sheet, event.x ?? -1, event.y ?? -1) ?? cursor;
  if (event.action === "HOME") return 0;
  if (event.action === "END") return countOf(sheet) - 1;
  const [down, along] = STEPS[event.action] ?? [0, 0];
  const [row, column] = [Math.floor(cursor / sheet.columns), cursor % sheet.columns];
  return (
    ((row + down + sheet.rows) % sheet.rows) * sheet.columns + ((column + along + sheet.columns) % sheet.columns)
  );
}
