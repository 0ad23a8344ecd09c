import { describe, expect, it } from "vitest";
import { chooseLocale, fill } from "../src/i18n/index.ts";
import en from "../src/i18n/en.ts";
import ja from "../src/i18n/ja.ts";
import { readHash, writeHash } from "../src/page/hash.ts";
import { decodeKey, type Key } from "../src/page/keys.ts";

function press(key: string, code = "", modifiers: readonly string[] = []): ReturnType<typeof decodeKey> {
  const event: Key = {
    key,
    code,
    shiftKey: modifiers.includes("Shift"),
    ctrlKey: modifiers.includes("Control"),
    altKey: modifiers.includes("Alt"),
    metaKey: modifiers.includes("Meta"),
    isComposing: false,
    getModifierState: (name) => modifiers.includes(name),
  };
  return decodeKey(event);
}

describe("keys", () => {
  it.each([
    ["s", "SAVE"],
    ["S", "SAVE_ALL"],
    ["I", "INTERPOLATE"],
    ["=", "MORE"],
    ["_", "LESS"],
    [" ", "PAUSE"],
    ["Backspace", "BACK"],
    ["Escape", "QUIT"],
    ["?", "HELP"],
    ["q", "LEAVE"],
    ["PageDown", "PAGE_DOWN"],
  ])("%s means %s", (key, action) => {
    expect(press(key)?.action).toBe(action);
  });

  it("tells other keys apart", () => {
    expect(press("m")).toEqual({ action: "NEW", key: "m", text: "m" });
    expect(press("Enter")).toEqual({ action: "NEW", key: "enter" });
    expect(press("7", "Numpad7")).toEqual({ action: "NEW", key: "7", text: "7" });
  });

  it("leaves the browser's keys alone", () => {
    for (const key of ["Tab", "Shift", "F5", "CapsLock", "ContextMenu"]) expect(press(key)).toBeNull();
    for (const key of ["s", "r", "c", "+"]) expect(press(key, "", ["Control"]), key).toBeNull();
    expect(press("r", "KeyR", ["Meta"])).toBeNull();
    expect(press("ArrowLeft", "ArrowLeft", ["Alt"])).toBeNull();
    expect(press("z", "KeyZ", ["Control"])).toEqual({ action: "UNDO" });
    expect(press("@", "KeyQ", ["Control", "Alt", "AltGraph"])).toEqual({ action: "NEW", key: "@", text: "@" });
  });

  it.each([
    ["ы", "KeyS", [], "SAVE"], // Russian
    ["Ы", "KeyS", ["Shift"], "SAVE_ALL"],
    ["σ", "KeyS", [], "SAVE"], // Greek
    ["ן", "KeyI", [], "INTERPOLATE"], // Hebrew
    ["ㄱ", "KeyR", [], "RANDOM"], // Korean
    ["Process", "KeyI", [], "INTERPOLATE"], // an input method is on
    ["Process", "Space", [], "PAUSE"],
  ] as const)("%s on the key %s means what is written on it in Latin", (key, code, modifiers, action) => {
    expect(press(key, code, modifiers)?.action).toBe(action);
  });

  it("reads digits and brackets of other layouts", () => {
    expect(press("٣", "Digit3")?.key).toBe("3");
    expect(press("х", "BracketLeft")?.key).toBe("[");
    expect(press("é", "Digit2")?.key).toBe("2"); // French: Shift would be needed
    expect(press("Dead", "BracketLeft")?.key).toBe("[");
  });
});

describe("links", () => {
  it("lead back", () => {
    const place = { mode: "grid", params: { seed: "3", text: "a&b=c #猫" } };
    expect(readHash(writeHash(place))).toEqual(place);
    expect(readHash("")).toBeNull();
    expect(readHash("#%E0%A4%A&=&&")).not.toBeUndefined();
  });
});

describe("texts", () => {
  it("fill in the same in both languages", () => {
    const names = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([one]) => one).sort();
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(names(ja[key]), key).toEqual(names(en[key]));
  });

  it("are chosen by the browser's languages", () => {
    expect(chooseLocale(["de-DE", "ja", "en"])).toBe("ja");
    expect(chooseLocale(["en-GB", "ja"])).toBe("en");
    expect(chooseLocale(["fr"])).toBe("en");
    expect(chooseLocale([])).toBe("en");
  });

  it("fill in once", () => {
    expect(fill("{a} {b} {c}", { a: "{b}", b: 1 })).toBe("{b} 1 {c}");
  });
});
