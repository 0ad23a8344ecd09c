import { describe, expect, it } from "vitest";
import { parseJson, writeJson } from "../src/pure/json.ts";

describe("JSON with whole numbers of any size", () => {
  it("keeps seeds whole, and all else as usual", () => {
    const value = { seed: 2n ** 63n - 1n, small: 3, name: '9223372036854775807 "9007199254740993"', list: [0.1, -2.5e-7] };
    expect(writeJson(value)).toContain('"seed":9223372036854775807,');
    expect(parseJson(writeJson(value))).toEqual(value);
  });

  it("tells digits of a fraction from whole numbers", () => {
    expect(parseJson("[0.12345678901234567890, 1e20, 9007199254740991, -9007199254740993]")).toEqual([
      0.12345678901234568,
      1e20,
      9007199254740991,
      -9007199254740993n,
    ]);
  });

  it("refuses what is no JSON", () => {
    expect(() => parseJson("{9007199254740993: 1")).toThrow(SyntaxError);
  });
});
