/** Lines of the key tables of generator modes: the keys and actions of viewer/bindings.py. */
import type { Binding } from "../mode.ts";

export const ARROWS: Binding = {
  keys: "arrows, click",
  does: "keyCursor",
  actions: ["LEFT", "RIGHT", "UP", "DOWN", "CLICK"],
};
export const PAGES: Binding = {
  keys: "PageUp PageDown Home End",
  does: "keyPages",
  actions: ["PAGE_UP", "PAGE_DOWN", "HOME", "END"],
};
export const SAVE: Binding = { keys: "s", does: "keySave", actions: ["SAVE"] };
export const SAVE_ALL: Binding = { keys: "S", does: "keySaveAll", actions: ["SAVE_ALL"] };
export const CLASS: Binding = { keys: "0-9, n p", does: "keyClass", actions: ["NEW"] };
export const ROWS_BY_CLASS: Binding = { keys: "c", does: "keyByRow", actions: ["NEW"] };
export const BACK: Binding = { keys: "Backspace u", does: "keyBack", actions: ["BACK"] };
export const SPACE: Binding = { keys: "Space", does: "keyNew", actions: ["PAUSE"] };
export const OTHERS: Binding = { keys: "any other key", does: "keyNew", actions: ["NEW"] };

/** The key table of a page of images. `effect`: what + and - do. */
export function gridBindings(effect: string): Binding[] {
  return [
    ARROWS,
    PAGES,
    SAVE,
    SAVE_ALL,
    { keys: "i", does: "keyInterpolate", actions: ["INTERPOLATE"] },
    { keys: "r", does: "keyRandom", actions: ["RANDOM"] },
    { keys: "m", does: "keyMix", actions: ["NEW"] },
    CLASS,
    ROWS_BY_CLASS,
    { keys: "+ -", does: effect, actions: ["MORE", "LESS"] },
    BACK,
    SPACE,
    OTHERS,
  ];
}
