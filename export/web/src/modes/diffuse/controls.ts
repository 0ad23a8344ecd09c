/** The bar of the mode. */
import { classControls } from "../../generator/controls.ts";
import { ladder, USUAL_STEPS } from "../../images/sampling.ts";
import type { Control, Host } from "../../mode.ts";
import type { SamplerName } from "../../pure/samplers.ts";
import type { DiffuseState, Origin } from "./state.ts";

interface Situation {
  readonly text: (...words: Parameters<Host["text"]>) => string;
  readonly names: readonly string[];
  /** Of the whole schedule. */
  readonly steps: number;
  /** Name of the generator beside; null: none. */
  readonly generator: string | null;
  readonly running: boolean;
  readonly stopped: boolean;
  readonly become: (state: DiffuseState) => void;
  readonly begin: (origin: Origin) => void;
}

const NAMES: Readonly<Record<SamplerName, string>> = { ddim: "DDIM", ddpm: "DDPM", dpm: "DPM-Solver++" };

export function controlsOf(state: DiffuseState, situation: Situation): Control[] {
  const { text, become, names } = situation;
  const isPhotos = state.origin === "photographs";
  const found: Control[] = [
    { kind: "button", id: "new", label: text("new"), icon: "dice", keys: "Space", input: { action: "PAUSE" },
      primary: true },
  ]; // prettier-ignore
  if (situation.running) {
    found.push({
      kind: "button", id: "stop", label: text(situation.stopped ? "goOn" : "stop"), keys: "ESC",
      icon: situation.stopped ? "play" : "stop", input: { action: "QUIT" },
    }); // prettier-ignore
  }
  const rungs = ladder(state.mostSteps);
  const rung = rungs.findIndex((steps) => steps >= state.steps);
  found.push(
    { kind: "slider", id: "steps", label: text("steps"), keys: "+ -", group: "sampling", min: 0, max: rungs.length - 1, step: 1,
      value: rung < 0 ? rungs.length - 1 : rung, shown: String(Math.min(state.steps, state.mostSteps)),
      set: (place) => become({ ...state, steps: rungs[Math.round(place)] ?? state.steps }) },
    { kind: "select", id: "sampler", label: text("sampler"), value: state.sampler, group: "sampling",
      options: Object.entries(NAMES).map(([value, label]) => ({ value, label })),
      set: (value) => {
        const sampler = value as SamplerName;
        const steps = Math.min(USUAL_STEPS[sampler], state.mostSteps);
        become({ ...state, sampler, steps, eta: sampler === "ddpm" ? 0 : state.eta });
      } },
  ); // prettier-ignore
  if (state.sampler !== "ddpm") {
    found.push({ ...slider("eta", text("eta"), 1, 0.1, state.eta, (eta) => become({ ...state, eta })), group: "sampling" });
  }
  found.push(...classControls(state.classes, named(names, text("none")), text, (classes) => become({ ...state, classes }), !isPhotos));
  if (names.length > 0) {
    const guided = slider("guidance", text("guidance"), 8, 0.5, state.guidance, (guidance) => become({ ...state, guidance }));
    found.push({ ...guided, group: "sampling" });
  }
  if (!isPhotos) {
    found.push({
      kind: "button", id: "between", label: text("between"), icon: "interpolate", keys: "i",
      pressed: state.interpolated, group: "kind", input: { action: state.interpolated ? "RANDOM" : "INTERPOLATE" },
    }); // prettier-ignore
  }
  return [...found, ...beginning(state, situation)];
}

/** The label of none of the classes, in the user's words. */
function named(names: readonly string[], none: string): string[] {
  return names.map((name, at) => (at === names.length - 1 ? none : name));
}

/** What images begin with, and how much of it stays. */
function beginning(state: DiffuseState, situation: Situation): Control[] {
  const { text, generator, become } = situation;
  const from = { noise: text("noise"), generator: text("generator", { name: generator ?? "" }), photographs: text("photographs") };
  const origins = (["noise", "generator", "photographs"] as const).filter((one) => one !== "generator" || generator !== null);
  const group = "begin";
  const found: Control[] = [
    { kind: "select", id: "begin", label: text("begin"), value: state.origin, group,
      options: origins.map((value) => ({ value, label: from[value] })),
      set: (value) => situation.begin(value as Origin) },
    { kind: "files", id: "choose", label: text("choose"), icon: "image", accept: "image/*", multiple: true, group },
  ]; // prettier-ignore
  if (state.origin === "noise") return found;
  const most = situation.steps;
  const started = (start: number): DiffuseState => ({ ...state, start, mostSteps: start, steps: Math.min(state.steps, start) });
  found.push(
    { kind: "slider", id: "start", label: text("start"), min: 1, max: most, step: Math.max(Math.round(most / 50), 1),
      value: state.start, shown: `${Math.round((100 * state.start) / most)} %`, group,
      set: (value) => become(started(Math.min(Math.max(Math.round(value), 1), most))) },
    { ...slider("strength", text("strength"), 2, 0.05, state.strength, (strength) => become({ ...state, strength })), group },
    { kind: "button", id: "noNoise", label: text("noNoise"), pressed: !state.noise, group,
      input: { action: "NEW", key: "noise" } },
  ); // prettier-ignore
  if (state.origin === "generator") {
    found.push({
      kind: "button", id: "before", label: text("before"), icon: "compare", keys: "Tab", pressed: state.before,
      input: { action: "NEXT_VIEW" }, group,
    }); // prettier-ignore
  }
  return found;
}

function slider(id: string, label: string, max: number, step: number, value: number, set: (value: number) => void): Control {
  const digits = step < 0.1 ? 2 : 1;
  const rounded = (chosen: number): number => Number(chosen.toFixed(digits));
  return { kind: "slider", id, label, min: 0, max, step, value, shown: value.toFixed(digits), set: (next) => set(rounded(next)) };
}
