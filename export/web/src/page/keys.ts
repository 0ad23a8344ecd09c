/** What keys mean: the table of viewer/keys.py, for the keyboard events of browsers. */

import type { Action, Input } from "../mode.ts";

const CHARACTERS: Readonly<Record<string, Action>> = {
  s: "SAVE",
  S: "SAVE_ALL",
  i: "INTERPOLATE",
  r: "RANDOM",
  "+": "MORE",
  "=": "MORE",
  "-": "LESS",
  _: "LESS",
  " ": "PAUSE",
  u: "BACK",
  h: "HELP",
  "?": "HELP",
  q: "LEAVE",
};

const NAMES: Readonly<Record<string, Action>> = {
  Escape: "QUIT",
  ArrowLeft: "LEFT",
  ArrowRight: "RIGHT",
  ArrowUp: "UP",
  ArrowDown: "DOWN",
  PageUp: "PAGE_UP",
  PageDown: "PAGE_DOWN",
  Home: "HOME",
  End: "END",
  Backspace: "BACK",
  F1: "HELP",
};

/** What a Latin keyboard types, by the code of the key: for those that type something else. */
const PUNCTUATION: Readonly<Record<string, readonly [string, string]>> = {
  BracketLeft: ["[", "{"],
  BracketRight: ["]", "}"],
  Semicolon: [";", ":"],
  Quote: ["'", '"'],
  Comma: [",", "<"],
  Period: [".", ">"],
  Slash: ["/", "?"],
  Minus: ["-", "_"],
  Equal: ["=", "+"],
  Space: [" ", " "],
};

/** The parts of a `KeyboardEvent` that are looked at. */
export interface Key {
  readonly key: string;
  readonly code: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
  readonly isComposing: boolean;
  getModifierState(name: string): boolean;
}

/** What a key means; null where it is the browser's (Tab, shortcuts) or a lone modifier. */
export function decodeKey(event: Key): Input | null {
  const types = event.getModifierState("AltGraph");
  if ((event.ctrlKey || event.metaKey) && !types) {
    const undo = !event.altKey && !event.shiftKey && latin(event) === "z";
    return undo ? { action: "UNDO" } : null;
  }
  if (event.altKey && !types && event.key.length !== 1) return null;
  if (event.altKey && !types && isAscii(event.key)) return null; // of the browser's menus
  const named = NAMES[event.key];
  if (named !== undefined) return { action: named };
  if (event.key === "Enter") return { action: "NEW", key: "enter" };
  const character = latin(event);
  if (character === "") return null;
  const text = event.key.length === 1 ? event.key : character;
  const action = CHARACTERS[character] ?? CHARACTERS[character.toLowerCase()];
  return action === undefined ? { action: "NEW", key: character, text } : { action, text };
}

/** The Latin character that the key types, or that a Latin keyboard would; empty where it types none. */
function latin(event: Key): string {
  const { key, code } = event;
  if (Array.from(key).length === 1 && isAscii(key)) return key;
  const composing = event.isComposing || key === "Process" || key === "Dead" || key === "Unidentified";
  if (Array.from(key).length !== 1 && !composing) return "";
  if (/^\p{Nd}$/u.test(key)) return digit(key);
  const found = /^(?:Key([A-Z])|Digit(\d)|Numpad(\d))$/.exec(code);
  if (found?.[1] !== undefined) {
    const upper = event.shiftKey !== event.getModifierState("CapsLock");
    return upper ? found[1] : found[1].toLowerCase();
  }
  if (found !== null) return found[2] ?? found[3] ?? "";
  const pair = PUNCTUATION[code];
  if (pair !== undefined) return pair[event.shiftKey ? 1 : 0];
  return composing ? "" : key;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

/** The digit of another script's digit: those of a script stand in a row of ten. */
function digit(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  let first = code;
  while (first > 0 && code - first < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return String(code - first);
}

/** Whether keys are words that are being written. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=range]), textarea, select, [contenteditable]");
}

/** Whether the key is for the control that has the focus. */
export function isOfControl(event: KeyboardEvent): boolean {
  const { target, key } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("button, summary, a")) return key === "Enter" || key === " ";
  return target.matches("input[type=range]") && /^(Arrow|Page|Home$|End$)/.test(key);
}
