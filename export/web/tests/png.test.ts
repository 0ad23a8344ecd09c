import { describe, expect, it } from "vitest";
import { crc32, encodePng, findRecipe, isPng } from "../src/pure/png.ts";
import fromPython from "./recipes.json" with { type: "json" };

const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

describe("PNG files", () => {
  it("gives back the recipe, whatever is written in it", async () => {
    const recipe = { model: "猫 🐈", seed: 3, latent: [0.1, -2.5e-7], by_class: true, text: 'a"\\\n\u007f' };
    const data = new Uint8ClampedArray([1, 2, 3, 255, 4, 5, 6, 255]);
    const png = await encodePng({ width: 2, height: 1, data }, recipe);
    expect(isPng(png)).toBe(true);
    expect(findRecipe(png)).toEqual(recipe);
    const at = String.fromCharCode(...png).indexOf("utsuroi\0");
    expect(png.subarray(at, at + 80).every((one) => one < 0x80)).toBe(true); // ASCII, as the viewer writes it
  });

  it("has pixels as they are, above one another", async () => {
    const data = new Uint8ClampedArray([10, 20, 30, 255, 250, 5, 0, 255, 9, 21, 30, 255, 3, 5, 1, 255]);
    const png = await encodePng({ width: 2, height: 2, data }, null);
    expect(await lines(png)).toEqual([2, 10, 20, 30, 250, 5, 0, 2, 255, 1, 0, 9, 0, 1]);
  });

  it("keeps alpha", async () => {
    const png = await encodePng({ width: 1, height: 1, data: new Uint8ClampedArray([9, 8, 7, 0]) }, null);
    expect(await lines(png)).toEqual([2, 9, 8, 7, 0]);
  });

  it.each(fromPython)("reads a recipe of the viewer", ({ png, recipe }) => {
    expect(findRecipe(bytes(png))).toEqual(recipe);
  });

  it("refuses a damaged recipe, and finds none in other files", () => {
    const png = bytes(fromPython[0]?.png ?? "");
    expect(findRecipe(png.slice(0, 40))).toBeNull();
    expect(findRecipe(new Uint8Array(100))).toBeNull();
    const at = String.fromCharCode(...png).indexOf("seed");
    png[at] = 0x78;
    expect(() => findRecipe(png)).toThrow("damaged");
  });

  it("counts as the standard says", () => {
    expect(crc32(Uint8Array.from("123456789", (one) => one.charCodeAt(0)))).toBe(0xcbf43926);
  });
});

/** The filtered lines of a PNG. */
async function lines(png: Uint8Array<ArrayBuffer>): Promise<number[]> {
  const view = new DataView(png.buffer);
  const text = String.fromCharCode(...png);
  const at = text.indexOf("IDAT");
  const body = png.slice(at + 4, at + 4 + view.getUint32(at - 4));
  const unpacked = new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate"));
  return [...new Uint8Array(await new Response(unpacked).arrayBuffer())];
}
