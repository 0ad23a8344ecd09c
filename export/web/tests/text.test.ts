/** Text of a page's blocks: bytes, and what export/player/text.py wrote of them, both in hexadecimal. */

import { describe, expect, it } from "vitest";
import { fromText } from "../src/pure/text.ts";

const WRITTEN = [
  ["", "01"],
  ["7b", "064245791108231c"],
  ["095f3e448a", "02052252655b2567"],
  ["5815087df95b", "013062043133414e"],
  ["365d11a1dfe610", "06204871757d661008214f0e7d127b"],
  ["2ab39a641e5744a4d49e4433", "0119283647137266277c3f22464e30"],
  ["9f7102ccf37b042af0a2f9d84f", "065279537b506d4e02711c4f0e5b202c564e71323a47"],
  ["ffffffffffff", "017e48362360663d"],
] as const;

const bytes = (hex: string): number[] => (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16));

describe("fromText", () => {
  it.each(WRITTEN)("reads %s", (data, text) => {
    expect([...fromText(String.fromCharCode(...bytes(text)))]).toEqual(bytes(data));
  });

  const six = String.fromCharCode(...bytes(WRITTEN[3][1]));
  it.each([
    ["nothing", ""],
    ["a group that is cut short", six.slice(0, -1)],
    ["white space", six.slice(0, -1) + "\n"],
    ["other letters", six.slice(0, -1) + "\u00e9"],
    ["more than six bytes", six.slice(0, 1) + "~".repeat(7)],
    ["less than nothing", "\u0006"],
  ])("refuses %s", (_, text) => {
    expect(() => fromText(text)).toThrow(RangeError);
  });
});
