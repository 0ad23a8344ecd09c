/** The class that a model with classes is asked to draw, and the keys that choose it. As `viewer/sessions/classes.py`. */
import type { Event } from "./events.ts";

/** Which classes are drawn: one of them, or another one in every row. */
export interface Classes {
  /** That the model knows; 0: it knows none, and no key chooses one. */
  readonly count: number;
  /** The class drawn, or that of the first row. */
  readonly label: number;
  readonly byRow: boolean;
}

export const NO_CLASSES: Classes = { count: 0, label: 0, byRow: false };

/** The label of the images in a row. */
export function labelOfRow(classes: Classes, row: number): number {
  return classes.byRow ? (classes.label + row) % classes.count : classes.label;
}

/** The label of every image of a sheet, row by row; empty where the model knows no classes. */
export function labelsOfSheet(classes: Classes, rows: number, columns: number): number[] {
  if (classes.count === 0) return [];
  return Array.from({ length: rows * columns }, (_, index) => labelOfRow(classes, Math.floor(index / columns)));
}

/** The classes after an event; `null` where it has another meaning. */
export function classesAfter(classes: Classes, event: Event): Classes | null {
  if (classes.count === 0 || event.action !== "NEW") return null;
  const key = event.key ?? "";
  if (["n", "N", "p", "P"].includes(key)) {
    const step = "nN".includes(key) ? 1 : -1;
    return { ...classes, label: (classes.label + step + classes.count) % classes.count };
  }
  if (key === "c" || key === "C") return { ...classes, byRow: !classes.byRow };
  if (/^[0-9]$/.test(key)) return Number(key) < classes.count ? { ...classes, label: Number(key) } : classes;
  return null;
}

export function sameClasses(one: Classes, other: Classes): boolean {
  return one.label === other.label && one.byRow === other.byRow;
}
