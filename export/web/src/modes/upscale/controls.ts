/** What is on the bar beside an image that is enlarged. */
import { IMAGES } from "../../images/invitation.ts";
import type { Control } from "../../mode.ts";

const TILES = [64, 128, 256, 384];

interface Bar {
  readonly text: (key: string) => string;
  /** Tiles that are still to be made; null: there is no image yet. */
  readonly missing: number | null;
  readonly stopped: boolean;
  readonly photos: number;
  /** 0..1 */
  readonly divider: number;
  readonly pixelated: boolean;
  /** Pixels a side. */
  readonly tile: number;
  readonly slideTo: (place: number) => void;
  readonly retile: (tile: number) => void;
}

export function upscaleControls(bar: Bar): readonly Control[] {
  const { text, missing, stopped } = bar;
  const found: Control[] = [{
    kind: "files", id: "choose", label: text(missing === null ? "choose" : "again"), icon: "image", accept: IMAGES,
    multiple: true,
  }]; // prettier-ignore
  if (missing === null) return found;
  if (missing > 0) {
    found.push({
      kind: "button", id: "stop", label: text(stopped ? "goOn" : "stop"), keys: "ESC",
      icon: stopped ? "play" : "stop", input: { action: "QUIT" }, primary: true,
    }); // prettier-ignore
  }
  if (bar.photos > 1) {
    found.push(
      { kind: "button", id: "previous", label: text("previous"), icon: "left", keys: "PageUp",
        input: { action: "PAGE_UP" }, group: "images" },
      { kind: "button", id: "next", label: text("next"), icon: "right", keys: "PageDown",
        input: { action: "PAGE_DOWN" }, group: "images" },
    ); // prettier-ignore
  }
  const percent = Math.round(100 * bar.divider);
  found.push(
    { kind: "slider", id: "divider", label: text("divider"), keys: "[ ]", group: "sides", min: 0, max: 100, step: 5,
      value: percent, shown: `${percent} %`, set: (value) => bar.slideTo(value / 100) },
    { kind: "button", id: "zoomOut", label: text("zoomOut"), icon: "minus", keys: "-", input: { action: "LESS" },
      group: "zoom", repeats: true },
    { kind: "button", id: "zoomIn", label: text("zoomIn"), icon: "plus", keys: "+", input: { action: "MORE" },
      group: "zoom", repeats: true },
    { kind: "button", id: "fit", label: text("fit"), icon: "fit", keys: "Home", input: { action: "HOME" },
      group: "zoom" },
    { kind: "button", id: "pixels", label: text("pixels"), icon: "rows", keys: "Space", pressed: bar.pixelated,
      input: { action: "PAUSE" }, group: "sides" },
    { kind: "select", id: "tile", label: text("tile"), value: String(bar.tile), group: "tile",
      options: [...new Set([...TILES, bar.tile])].map((side) => ({ value: String(side), label: `${side} px` })),
      set: (value) => bar.retile(Number(value)) },
  ); // prettier-ignore
  return found;
}
