/** What is on the bar while a page of images is shown. */
import type { Control, Input } from "../mode.ts";
import { classControls, gainControl } from "./controls.ts";
import { GRID_MODES, LARGEST_TRUNCATION, TRUNCATION_STEPS, truncationOf, type GridState } from "./gridState.ts";

const COUNTS = ["auto", "1x1", "2x2", "3x3", "4x4", "6x8", "8x12"]; // rows and columns

interface Bar {
  readonly state: GridState;
  /** Names of the classes that the model knows. */
  readonly classes: readonly string[];
  readonly text: (key: string) => string;
  /** Rows and columns are those that were chosen, not as many as there is room for. */
  readonly fixed: boolean;
  readonly encoder: boolean;
  readonly show: (state: GridState) => void;
  /** Shows a state that one can go back from. */
  readonly become: (state: GridState) => void;
  readonly setCount: (value: string) => void;
}

export function gridControls({ state, classes, text, fixed, encoder, show, become, setCount }: Bar): Control[] {
  const { mode, canMix, truncationSteps, gain } = state;
  const kinds = GRID_MODES.filter((one) => one !== "mix" || canMix).map((one) => {
    const input: Input =
      one === "mix" ? { action: "NEW", key: "m" } : { action: one === "random" ? "RANDOM" : "INTERPOLATE" };
    const icons = { random: "dice", interpolation: "interpolate", mix: "mix" } as const;
    return {
      kind: "button", id: one, label: text(one), icon: icons[one], keys: { random: "r", interpolation: "i", mix: "m" }[one],
      input, pressed: mode === one, group: "kind",
    } satisfies Control; // prettier-ignore
  });
  const varied: Control = {
    kind: "slider", id: "truncation", label: text("truncation"), keys: "+ -", min: 0,
    max: LARGEST_TRUNCATION / TRUNCATION_STEPS, step: 1 / TRUNCATION_STEPS, value: truncationOf(state),
    shown: (truncationSteps / TRUNCATION_STEPS).toFixed(1), group: "effect",
    set: (value) => show({ ...state, truncationSteps: Math.round(value * TRUNCATION_STEPS) }),
  }; // prettier-ignore
  const strength = gain && gainControl(gain, text(gain.name), (other) => show({ ...state, gain: other }));
  const count = fixed ? `${state.sheet.rows}x${state.sheet.columns}` : "auto";
  const accept = "image/*";
  return [
    { kind: "button", id: "before", label: text("before"), icon: "left", keys: "PageUp", input: { action: "PAGE_UP" },
      disabled: state.seed === 0n, group: "page" },
    { kind: "button", id: "new", label: text("new"), icon: "dice", keys: "Space", input: { action: "PAUSE" },
      primary: true, group: "page" },
    ...kinds,
    strength ?? varied,
    ...classControls(state.classes, classes, text, (other) => become({ ...state, classes: other })),
    ...(encoder ? [{ kind: "files", id: "photo", label: text("photo"), icon: "image", accept, group: "photo" } as const] : []),
    { kind: "select", id: "count", label: text("count"), value: count, group: "count",
      options: countOptions(count, text("auto")), set: setCount },
  ]; // prettier-ignore
}

function countOptions(chosen: string, auto: string): { value: string; label: string }[] {
  return [...new Set([...COUNTS, chosen])].map((value) => {
    const [rows = 0, columns = 0] = value.split("x").map(Number);
    return { value, label: value === "auto" ? auto : `${rows * columns} (${rows} × ${columns})` };
  });
}
