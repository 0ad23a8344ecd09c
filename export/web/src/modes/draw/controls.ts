/** What is on the bar while one draws. */
import { IMAGES } from "../../images/invitation.ts";
import type { Control } from "../../mode.ts";
import { BRUSHES, type Colour } from "../../pure/strokes.ts";

interface Bar {
  readonly text: (key: string) => string;
  /** To choose from; empty: there is but one ink. */
  readonly palette: readonly Colour[];
  readonly colour: number;
  readonly brush: number;
  readonly erasing: boolean;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly hasLatent: boolean;
  readonly choose: (colour: number) => void;
  readonly resizeBrush: (steps: number) => void;
}

export function drawControls(bar: Bar): readonly Control[] {
  const { text, brush } = bar;
  const colours = bar.palette.map((colour) => `#${colour.map((level) => level.toString(16).padStart(2, "0")).join("")}`);
  return [
    ...(colours.length === 0 ? [] : [{
      kind: "colours", id: "colour", label: text("colour"), keys: "0-9", value: colours[bar.colour] ?? "",
      options: colours, set: (value) => bar.choose(colours.indexOf(value)),
    } satisfies Control]),
    { kind: "slider", id: "brush", label: text("brush"), keys: "+ -", min: 0, max: BRUSHES.length - 1, step: 1,
      value: brush, shown: `${BRUSHES[brush]!} px`, set: (value) => bar.resizeBrush(Math.round(value) - brush) },
    { kind: "button", id: "eraser", label: text("eraser"), icon: "eraser", pressed: bar.erasing,
      input: { action: "NEW", key: "eraser" } },
    { kind: "button", id: "undo", label: text("undo"), icon: "undo", keys: "z", input: { action: "UNDO" },
      disabled: !bar.canUndo, group: "strokes" },
    { kind: "button", id: "redo", label: text("redo"), icon: "redo", keys: "y", input: { action: "NEW", key: "y" },
      disabled: !bar.canRedo, group: "strokes" },
    { kind: "button", id: "clear", label: text("clear"), icon: "close", keys: "c", input: { action: "NEW", key: "c" },
      group: "strokes" },
    ...(bar.hasLatent ? [{
      kind: "button", id: "latent", label: text("latent"), icon: "dice", keys: "Space", input: { action: "PAUSE" },
    } satisfies Control] : []),
    { kind: "button", id: "drawing", label: text("drawing"), icon: "pen", keys: "d",
      input: { action: "NEW", key: "d" }, group: "page" },
    { kind: "files", id: "image", label: text("image"), icon: "image", accept: IMAGES, group: "page" },
  ]; // prettier-ignore
}
