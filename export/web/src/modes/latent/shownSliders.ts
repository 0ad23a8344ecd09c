/** Which axes have a slider on the screen. */
import type { Slider } from "../../generator/sliders.ts";
import type { LatentState } from "./state.ts";

const MOST_GAUGES = 8; // small sliders beside the plane

/** In the view of sliders: those of the page that the chosen axis is on. */
export function sliderAxes({ space, layout, chosen }: LatentState): number[] {
  const first = chosen - (chosen % layout.sliders);
  return Array.from({ length: Math.min(layout.sliders, space.count - first) }, (_, row) => first + row);
}

export function shownSliders(state: LatentState, nameOf: (axis: number) => string): Slider[] {
  const { view, space, axes, chosen, point } = state;
  if (view === "line" || view === "scatter") return [];
  const latent = space.exact(point);
  const others = Array.from({ length: space.count }, (_, axis) => axis).filter((axis) => !axes.includes(axis));
  const shown = view === "sliders" ? sliderAxes(state) : space.latent.size > 2 ? others.slice(0, MOST_GAUGES) : [];
  return shown.map((axis) => {
    return { axis, name: nameOf(axis), value: space.coordinate(latent, axis), chosen: axis === chosen };
  });
}
