/** Controls that several modes of generators have. */
import type { Control } from "../mode.ts";
import type { Classes } from "../pure/classes.ts";
import { valueOf, type Gain } from "../pure/gain.ts";

type Text = (key: string) => string;

/** Which class is drawn; none where the model knows no classes. `rows`: whether each row may have one of its own. */
export function classControls(
  classes: Classes,
  names: readonly string[],
  text: Text,
  set: (classes: Classes) => void,
  rows = true,
): Control[] {
  if (classes.count === 0) return [];
  const choice: Control = {
    kind: "select",
    id: "class",
    label: text("class"),
    keys: "n p",
    value: String(classes.label),
    options: names.map((name, label) => ({ value: String(label), label: name })),
    set: (value) => set({ ...classes, label: Number(value) }),
    group: "class",
  };
  const byRow: Control = {
    kind: "button",
    id: "byRow",
    label: text("byRow"),
    icon: "rows",
    keys: "c",
    input: { action: "NEW", key: "c" },
    pressed: classes.byRow,
    group: "class",
  };
  return rows ? [choice, byRow] : [choice];
}

/** How much of something is added to the images. */
export function gainControl(gain: Gain, label: string, set: (gain: Gain) => void): Control {
  return {
    kind: "slider",
    id: "gain",
    label,
    keys: "+ -",
    min: 0,
    max: gain.scale.length - 1,
    step: 1,
    value: gain.place,
    shown: String(Number(valueOf(gain).toPrecision(3))),
    set: (place) => set({ ...gain, place }),
    group: "effect",
  };
}
