/** Images out of noise, or out of other images, as you watch: viewer/modes/diffuse. */
import type { Mode } from "../../mode.ts";
import { readRecipe } from "./recipes.ts";
import { DiffuseSession } from "./session.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "diffuse",
  rank: 10,
  texts,
  bindings: [
    { keys: "ESC", does: "kStop", actions: ["QUIT"] },
    { keys: "h ? F1", does: "kHelp", actions: ["HELP"] },
    { keys: "Tab", does: "kView", actions: ["NEXT_VIEW"] },
    { keys: "arrows, click", does: "kArrows", actions: ["LEFT", "RIGHT", "UP", "DOWN", "CLICK"] },
    { keys: "PageUp PageDown Home End", does: "kPages", actions: ["PAGE_UP", "PAGE_DOWN", "HOME", "END"] },
    { keys: "s", does: "kSave", actions: ["SAVE"] },
    { keys: "S", does: "kSaveAll", actions: ["SAVE_ALL"] },
    { keys: "i", does: "kBetween", actions: ["INTERPOLATE"] },
    { keys: "r", does: "kRandom", actions: ["RANDOM"] },
    { keys: "0-9, n p", does: "kClass", actions: ["NEW"] },
    { keys: "c", does: "kRows", actions: ["NEW"] },
    { keys: "+ -", does: "kSteps", actions: ["MORE", "LESS"] },
    { keys: "Backspace u", does: "kBack", actions: ["BACK"] },
    { keys: "Space", does: "kNew", actions: ["PAUSE"] },
    { keys: "any other key", does: "kNew", actions: ["NEW"] },
  ],
  opens: (files) => files[0]?.card.kind === "denoiser",
  beside: (files) => files.slice(1).filter((file) => file === files.find(({ card }) => card.kind === "generator")),
  readRecipe,
  create: (host, files) => Promise.resolve(new DiffuseSession(host, files)),
};
