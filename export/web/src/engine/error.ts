/** What went wrong, in one line for the user: a file that cannot be used, and what was expected of it. */

import en from "../i18n/en.ts";
import type { Key } from "../i18n/index.ts";

const MOST = 300; // characters: a hostile file must not fill the screen with its error

export class PlayerError extends Error {
  /** Of the page's texts, for what it can say in the user's language. */
  readonly key: Key | undefined;

  constructor(message: string, key?: Key) {
    super(message.length <= MOST ? message : `${message.slice(0, MOST - 1)}…`);
    this.name = "PlayerError";
    this.key = key;
  }
}

/** What is often wrong with files: the worker, which knows no language, names the text. */
export function common(key: Key): PlayerError {
  return new PlayerError(en[key], key);
}
