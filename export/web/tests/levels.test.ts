/** Files of class numbers and of 10 to 16 bits against what the viewer reads of them (make_level_vectors.py). */
import { describe, expect, it } from "vitest";
import { bled } from "../src/pure/bled.ts";
import { colourOf, type Note } from "../src/pure/levels.ts";
import { channelOf, rasterOf, withAlpha } from "../src/pure/raster.ts";
import { readStored } from "../src/pure/stored.ts";
import vectors from "./vectors/levels.json" with { type: "json" };

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

/** In the viewer's words. */
function said(note: Note): string {
  if (note.kind === "classes") return "numbers of classes became colours";
  if (note.kind === "dark") return `dark as black: its brightest value is ${note.brightest} of 255`;
  return `16 bits a channel became 8${note.bits < 16 ? ", as a file of 12 or 10 bits" : ""}`;
}

describe("what is stored", () => {
  it.each(vectors.cases)("is read as by the viewer: $name", async ({ file, width, read, grey, notes }) => {
    const stream = new Blob([bytesOf(read)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const wanted = new Uint8Array(await new Response(stream).arrayBuffer());
    // Opaque colours of 8 bits are left to a canvas, which has them as they are.
    const found = await readStored(bytesOf(file), width, () => new Uint8ClampedArray(wanted));
    const image = rasterOf({ width, height: wanted.length / width / 4, data: found.layers }, 4);
    const alpha = channelOf(image, 3);
    const whole = withAlpha(bled(rasterOf({ ...image, data: image.data }, 3), alpha), alpha);
    expect(Buffer.from(whole.data).equals(Buffer.from(wanted))).toBe(true);
    expect([found.grey, found.notes.map(said)]).toEqual([grey, notes]);
  });

  it("leaves to the canvas what it cannot read, and says that 16 bits became 8", async () => {
    const { file, width } = vectors.cases.find(({ name }) => name === "12 bits")!;
    const damaged = bytesOf(file).slice(0, -40);
    const drawn = new Uint8ClampedArray(4 * width).fill(9);
    const found = await readStored(damaged, width, () => drawn);
    expect(found.layers).toBe(drawn);
    expect(found.notes).toEqual([{ kind: "deep", bits: 16 }]);
  });
});

it("every class has the viewer's colour", () => {
  expect(vectors.palette.map((_, number) => colourOf(number))).toEqual(vectors.palette);
});
