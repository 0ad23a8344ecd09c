/** What is on the bar in each view of latent space. */
import { classControls } from "../../generator/controls.ts";
import type { Control, IconName } from "../../mode.ts";
import { METHODS, REACHES, VIEWS, type LatentState, type View } from "./state.ts";

export interface Situation {
  readonly state: LatentState;
  readonly classes: readonly string[];
  readonly selecting: boolean;
  readonly encoder: boolean;
  /** Whether there are named directions that the card does not have. */
  readonly directions: boolean;
  readonly text: (key: string) => string;
  readonly axisName: (axis: number) => string;
  readonly set: (state: LatentState) => void;
  readonly view: (view: View) => void;
  readonly select: (on: boolean) => void;
  readonly keep: () => void;
}

export function latentControls(now: Situation): Control[] {
  const { state, text } = now;
  const { view, space } = state;
  const button = (id: string, icon: IconName, keys: string, input: (Control & { kind: "button" })["input"], group: string): Control => {
    return { kind: "button", id, label: text(id), icon, keys, input, group };
  };
  const axes = Array.from({ length: space.count }, (_, axis) => ({ value: String(axis), label: now.axisName(axis) }));
  const axis = (id: "across" | "up", place: 0 | 1): Control => ({
    kind: "select", id, label: text(id), keys: id === "across" ? "x X" : "y Y", value: String(state.axes[place]), group: "axes",
    options: axes.filter(({ value }) => Number(value) !== state.axes[1 - place]),
    set: (value) => now.set({ ...state, axes: place === 0 ? [Number(value), state.axes[1]] : [state.axes[0], Number(value)] }),
  }); // prettier-ignore
  const views: Control = {
    kind: "select", id: "views", label: text("views"), keys: "Tab", value: view, group: "view",
    options: VIEWS.map((one) => ({ value: one, label: text(one) })), set: (value) => now.view(value as View),
  }; // prettier-ignore
  const reach: Control = {
    kind: "slider", id: "reach", label: text("reach"), keys: view === "sliders" ? "" : "+ -", min: 0, max: REACHES.length - 1, step: 1,
    value: Math.max(REACHES.findIndex((one) => one >= state.reach), 0), shown: `±${state.reach}`, group: "range",
    set: (place) => now.set({ ...state, reach: REACHES[place] ?? state.reach }),
  }; // prettier-ignore
  const random: Control = { ...button("random", "dice", "r", { action: "RANDOM" }, "point"), primary: true } as Control;
  const controls: Control[] = [
    views,
    random,
    view === "line"
      ? { ...button("straight", "direction", "l", { action: "NEW", key: "l" }, "point"), pressed: state.straight } as Control
      : button("middle", "plane", "Home", { action: "HOME" }, "point"),
    button("lineRandom", "walk", "i", { action: "INTERPOLATE" }, "point"),
  ];
  if (view === "scatter") {
    controls.push(
      button("point", "right", "PageDown", { action: "PAGE_DOWN" }, "point"),
      { kind: "button", id: "select", label: text("select"), input: { action: "NEW" }, pressed: now.selecting, group: "groups",
        press: () => now.select(!now.selecting) },
      button("groupA", "plus", "a", { action: "NEW", key: "a" }, "groups"),
      button("groupB", "plus", "b", { action: "NEW", key: "b" }, "groups"),
      button("empty", "close", "e", { action: "NEW", key: "e" }, "groups"),
      { kind: "select", id: "method", label: text("method"), keys: "m", value: state.method, group: "groups",
        options: METHODS.map((one) => ({ value: one, label: one })),
        set: () => now.set({ ...state, method: METHODS[(METHODS.indexOf(state.method) + 1) % METHODS.length]! }) },
    ); // prettier-ignore
  }
  if (view !== "sliders") controls.push(axis("across", 0), axis("up", 1));
  controls.push(reach, button("name", "direction", "d", { action: "NEW", key: "d" }, "names"));
  if (now.directions) {
    controls.push({ kind: "button", id: "keep", label: text("keep"), icon: "save", input: { action: "NEW" }, group: "names", press: () => now.keep() }); // prettier-ignore
  }
  controls.push(...classControls(state.classes, now.classes, text, (classes) => now.set({ ...state, classes }), false));
  if (now.encoder) controls.push({ kind: "files", id: "photo", label: text("photo"), icon: "image", accept: "image/*", group: "photo" });
  return controls;
}
