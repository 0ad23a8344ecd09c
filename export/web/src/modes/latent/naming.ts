/** Names of directions: asked for in a small dialog, and written as the file that lies beside a model. */
import type { ModelFile } from "../../mode.ts";
import { element } from "../../page/dom.ts";
import { spaceOf, type Space } from "../../pure/space.ts";
import { inSpace, type LatentState } from "./state.ts";

export const FOUND = "A to B"; // the name of a direction between groups, until it gets another
const MOST_LETTERS = 64; // of a name

/**
 * Ask for the name of the direction that is on the screen, and answer with both; the direction is null where the name
 * is none. Gives the key of what is to be said instead, where there is no direction. `up`: on the plane, that of the
 * other axis.
 */
export function nameDirection(
  within: HTMLElement,
  state: LatentState,
  up: boolean,
  text: (key: string) => string,
  answer: (name: string, direction: Float64Array | null) => void,
): string | null {
  const direction = directionOf(state, up);
  if (direction === null) return state.view === "scatter" ? "noDirection" : "nowhere";
  askName(within, text, (name) => answer(name, name !== FOUND && name.length <= MOST_LETTERS ? direction : null));
  return null;
}

/** Ask for a name; nothing happens where none is given. */
function askName(within: HTMLElement, text: (key: string) => string, answer: (name: string) => void): void {
  const input = element("input", { type: "text", maxlength: String(MOST_LETTERS), autocomplete: "off" });
  const done = element("button", { type: "submit", value: "done" }, text("done"));
  const cancel = element("button", { type: "button" }, text("cancel"));
  const label = element("label", {}, element("span", {}, text("askName")), input);
  const form = element("form", { method: "dialog" }, label, element("div", { class: "latent-answers" }, cancel, done));
  const dialog = element("dialog", { class: "latent-dialog" }, form);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // keys type here
  dialog.addEventListener("close", () => {
    const name = input.value.trim();
    dialog.remove();
    if (dialog.returnValue === "done" && name !== "") answer(name);
  });
  within.append(dialog);
  dialog.showModal();
  input.focus();
}

/** The file of named directions, as `trainer/contract/directions.py` reads it. `found`: a name that is no name yet. */
export function directionsFile(file: ModelFile, space: Space, found: string): { name: string; text: string } {
  const entries = [...space.named].filter(([name]) => name !== found);
  const directions = Object.fromEntries(entries.map(([name, vector]) => [name, { direction: Array.from(vector), how: "browser player" }]));
  const text = JSON.stringify({ schema: "1.0", size: space.latent.size, directions }, null, 1);
  return { name: `${file.name.replace(/\.onnx$/i, "")}.directions.json`, text: `${text}\n` };
}

/** The direction that is on the screen; null where there is none. `up`: on the plane, that of the other axis. */
function directionOf({ space, view, line, chosen, axes }: LatentState, up: boolean): Float64Array | null {
  if (view === "scatter") return space.named.get(FOUND) ?? null;
  if (view !== "line") return space.scaled(space.direction(view === "sliders" ? chosen : axes[up ? 1 : 0]));
  const [start, end] = [space.exact(line[0]), space.exact(line[1])];
  return space.scaled(end.map((value, index) => value - start[index]!));
}

/** The state with a direction under a name: chosen, unless it is that between the groups and was there before. */
export function withName(state: LatentState, name: string, direction: ArrayLike<number>): LatentState {
  const { space } = state;
  const rounded = Float64Array.from(direction, (value) => Number(value.toPrecision(7)));
  const isNew = !space.named.has(name);
  const named = new Map([...space.named, [name, rounded] as const]);
  const found = named.get(FOUND);
  if (found !== undefined && named.delete(FOUND)) named.set(FOUND, found); // after those that have a name
  const after = inSpace(state, spaceOf(space.latent, space.directions, named));
  return isNew || name !== FOUND ? { ...after, chosen: [...after.space.named.keys()].indexOf(name) } : after;
}
