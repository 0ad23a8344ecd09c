/** What movements of the pen leave on the page. */
import type { Stroke } from "../../pure/strokes.ts";
import type { PenPoint } from "./pen.ts";

/** A stroke as it was drawn: several that the pressure of one movement made are undone together. */
export interface Drawn extends Stroke {
  readonly goesOn?: boolean;
}

export interface Tool {
  /** Of the palette; 0: the paper. */
  readonly colour: number;
  /** Pixels of the page. */
  readonly size: number;
}

/** What is drawn with at a pressure of the pen. `lines`: of one ink are drawn, and not areas in colours. */
export function toolOf(point: PenPoint, chosen: Tool, erasing: boolean, lines: boolean): Tool {
  const own = chosen.size;
  const size = point.pressure === null ? own : Math.max(1, Math.round(own * (0.25 + 1.5 * point.pressure)));
  if (!point.erases && !erasing) return { colour: chosen.colour, size };
  return { colour: 0, size: lines ? Math.max(4 * size, 8) : size }; // lines are thin; a finger is not
}

/** Strokes by movements of the pen. */
export function movementsOf(strokes: readonly Drawn[]): Drawn[][] {
  const found: Drawn[][] = [];
  for (const stroke of strokes) {
    if (stroke.goesOn === true) found.at(-1)?.push(stroke);
    else found.push([stroke]);
  }
  return found;
}
