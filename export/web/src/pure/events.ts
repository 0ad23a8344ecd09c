/** What a user did, with the place of the pointer where there is one. */
import type { Input } from "../mode.ts";

export interface Event extends Input {
  /** Of CLICK: pixels of the sheet, from the left. */
  readonly x?: number;
  /** Of CLICK: pixels of the sheet, from the top. */
  readonly y?: number;
}
