/** Where one is in latent space, in words. */
import type { Scatter } from "./scatter.ts";
import { placeOf, type LatentState } from "./state.ts";

type Say = (key: string, values?: Readonly<Record<string, string | number>>) => string;

/** `names`: of the classes that the model knows. */
export function wordsOf(state: LatentState, scatter: Scatter, names: readonly string[], say: Say): string[] {
  const { view, stop, layout, classes } = state;
  const label = classes.count > 0 ? [names[classes.label] ?? ""] : [];
  if (view === "line") return [say("of", { number: stop + 1, count: layout.stops }), ...label];
  if (view === "scatter") return scatterWords(state, scatter, say);
  const [x, y] = placeOf(state);
  return [say("at", { x: x.toFixed(2), y: y.toFixed(2) }), ...label];
}

function scatterWords(state: LatentState, scatter: Scatter, say: Say): string[] {
  const { groups, method } = state;
  const isRandom = scatter.points.seed !== null;
  const words = [say(isRandom ? "randomLatent" : "trainingImage", { number: scatter.item(state) + (isRandom ? 0 : 1) })];
  if (groups.some((group) => group.size > 0)) words.push(say("groups", { a: groups[0].size, b: groups[1].size }));
  const found = scatter.found(state);
  if (found === null) words.push(say("sameMean"));
  else if (found !== undefined) {
    const { accuracy } = found;
    words.push(accuracy === null ? say("few") : say("right", { method, percent: Math.round(accuracy * 100) }));
  }
  return words;
}
