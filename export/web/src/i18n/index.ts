/** The page's language, and its texts. */

import type { Locale } from "../mode.ts";
import en from "./en.ts";
import ja from "./ja.ts";

export type Key = keyof typeof en;
type Values = Readonly<Record<string, string | number>>;

/** Of the languages that the browser prefers, the first that the page has. */
export function chooseLocale(languages: readonly string[]): Locale {
  for (const language of languages) {
    if (/^ja\b/i.test(language)) return "ja";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

export const locale: Locale = chooseLocale(typeof navigator === "undefined" ? [] : navigator.languages);

/** A text of the page. */
export function text(key: Key, values: Values = {}): string {
  return fill((locale === "ja" ? ja : en)[key], values);
}

/** A text with `{name}` filled in, once: what is filled in stays as it is. */
export function fill(pattern: string, values: Values): string {
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
