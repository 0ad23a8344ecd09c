/** A photograph through the encoder beside a generator: made again, and where that leads. */
import { CLASS, SAVE, SAVE_ALL } from "../../generator/bindings.ts";
import { encoderOf, findGenerator } from "../../generator/models.ts";
import type { Mode } from "../../mode.ts";
import { EncodeSession } from "./session.ts";
import texts from "./texts.ts";

export const mode: Mode = {
  name: "encode",
  rank: 40,
  texts,
  bindings: [
    { keys: "arrows", does: "keyMove", actions: ["LEFT", "RIGHT", "UP", "DOWN"] },
    { keys: "Home End", does: "keyEnds", actions: ["HOME", "END"] },
    SAVE,
    SAVE_ALL,
    { keys: "r", does: "keyOther", actions: ["RANDOM", "NEW"] },
    CLASS,
    { keys: "Ctrl+Z", does: "reset", actions: ["UNDO"] },
    { keys: "Space", does: "keyPlay", actions: ["PAUSE"] },
  ],
  opens: (files) => findGenerator(files) !== null && encoderOf(files).length > 0,
  beside: encoderOf,
  create: (host, files) => Promise.resolve(new EncodeSession(host, files)),
};
