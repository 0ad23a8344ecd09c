/// <reference types="node" />
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readCard } from "../src/engine/card.ts";
import { checkSeal, hash, readProperties } from "../src/engine/onnx.ts";

const file = new Uint8Array(readFileSync(new URL("../../../viewer/models/toycats.onnx", import.meta.url)));

/** A field of bytes. */
function field(number: number, contents: readonly number[]): number[] {
  const length: number[] = [];
  let left = contents.length;
  for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) + 128);
  return [number * 8 + 2, ...length, left, ...contents];
}

const ascii = (text: string): number[] => Array.from(text, (one) => one.charCodeAt(0));
const property = (name: string, value: string): number[] => field(14, [...field(1, ascii(name)), ...field(2, ascii(value))]);

describe("files", () => {
  it("reads the card of the built-in model, sealed", () => {
    const card = readCard(readProperties(file));
    expect(card?.kind).toBe("generator");
    expect(card?.directions[0]?.length).toBe(card?.latent?.size);
    expect(checkSeal(file)).toBe(true);
  });

  it("refuses a file of which one byte is another", () => {
    const other = file.slice();
    other[5000] = (other[5000] ?? 0) ^ 1;
    expect(() => checkSeal(other)).toThrow("SHA-256 seal");
  });

  it("refuses a second seal", () => {
    const seal = ascii(`"sealed:${"0".repeat(64)}"`);
    expect(() => checkSeal(Uint8Array.from([...seal, ...seal]))).toThrow("seal");
    expect(checkSeal(Uint8Array.from(seal.slice(0, -1)))).toBe(false);
  });

  it("reads properties between other fields", () => {
    const data = [8, 9, ...field(7, [1, 2, 3]), ...property("a", "1"), ...property("b", "2"), ...field(300 % 16, [0])];
    expect([...readProperties(Uint8Array.from(data))]).toEqual([["a", "1"], ["b", "2"]]); // prettier-ignore
  });

  it.each([
    ["text", ascii("no model at all")],
    ["a length past the end", [14 * 8 + 2, 100, 1]],
    ["a length past all ends", [14 * 8 + 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a number without end", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a group", [14 * 8 + 3, 1]],
    ["what is no UTF-8", field(14, field(1, [0xff, 0xfe]))],
    ["too many fields", Array.from({ length: 30_000 }, (_, at) => [8, at % 128]).flat()],
  ])("refuses %s", (_, data) => {
    expect(() => readProperties(Uint8Array.from(data))).toThrow(Error);
  });

  it("hashes as everybody does", () => {
    expect(hash(Uint8Array.from(ascii("abc")))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});
