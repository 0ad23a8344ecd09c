/** Images, edges, strokes, tiles, samplers and noise against what the Python functions make (make_image_vectors.py). */
import { describe, expect, it } from "vitest";
import { bled } from "../src/pure/bled.ts";
import { edgeMap } from "../src/pure/edges.ts";
import { pageNoise } from "../src/pure/noise.ts";
import { greyOf, onWhite, type Raster } from "../src/pure/raster.ts";
import { centre, cubic, nearest, pad, resize, resizeSides, type Scaler } from "../src/pure/resample.ts";
import { SAMPLERS, type SamplerName } from "../src/pure/samplers.ts";
import { addStrokes, COLOURS, type Stroke } from "../src/pure/strokes.ts";
import { busiest, planTiles } from "../src/pure/tiles.ts";
import vectors from "./vectors/images.json" with { type: "json" };

interface Packed {
  readonly shape: number[];
  readonly bytes: string;
}

const unpacked = new Map<string, Uint8Array>();

/** All packed arrays of the file, unpacked before the tests. */
async function unpack(value: unknown): Promise<void> {
  if (typeof value !== "object" || value === null) return;
  const { bytes } = value as { bytes?: string };
  if (bytes === undefined) {
    for (const one of Object.values(value)) await unpack(one);
    return;
  }
  const packed = Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  unpacked.set(bytes, new Uint8Array(await new Response(stream).arrayBuffer()));
}
await unpack(vectors);

function bytesOf(packed: Packed): Uint8Array {
  return unpacked.get(packed.bytes)!;
}

function image(packed: Packed): Raster {
  const [height, width, channels] = packed.shape as [number, number, number];
  return { width, height, channels, data: bytesOf(packed) };
}

function floats(packed: Packed): Float32Array {
  return new Float32Array(bytesOf(packed).slice().buffer);
}

function farthest(one: ArrayLike<number>, other: ArrayLike<number>): number {
  expect(one.length).toBe(other.length);
  return Array.from(one).reduce((most, value, at) => Math.max(most, Math.abs(value - other[at]!)), 0);
}

const SCALERS: Record<string, Scaler> = {
  resize,
  nearest,
  sides: resizeSides,
  cubic,
  pad,
  centre,
  fit: (source, height, width) => centre(source, height, width, resize),
  fitNearest: (source, height, width) => centre(source, height, width, nearest),
};

describe("images at other sizes", () => {
  for (const { image: source, size, cases } of vectors.resizings) {
    const [height, width] = size as [number, number];
    for (const { function: name, made } of cases) {
      it(`${name}: ${source.shape[1]}x${source.shape[0]} to ${width}x${height}`, () => {
        const found = SCALERS[name]!(image(source), height, width);
        expect([found.height, found.width, found.channels]).toEqual(made.shape);
        const grows = height > source.shape[0]! || width > source.shape[1]!; // in OpenCV by floats of either width
        expect(farthest(found.data, image(made).data)).toBeLessThanOrEqual(grows && !name.includes("earest") ? 1 : 0);
      });
    }
  }
});

describe("colours", () => {
  const { colours } = vectors;
  it("become grey", () => expect(greyOf(image(colours.image)).data).toEqual(image(colours.grey).data));
  it("bleed into what is clear", () => {
    expect(bled(image(colours.image), image(colours.clear)).data).toEqual(image(colours.bled).data);
  });
  it("lie on white", () => expect(onWhite(image(colours.withAlpha)).data).toEqual(image(colours.onWhite).data));
});

describe("edges", () => {
  for (const { image: source, blur, sigma, invert, made } of vectors.edges) {
    it(`blur ${blur}, sigma ${sigma}, ${source.shape.join("x")}`, () => {
      expect(edgeMap(image(source), { sigma, blur, invert }).data).toEqual(image(made).data);
    });
  }
});

describe("strokes", () => {
  vectors.strokes.forEach((one, at) => {
    it(`page ${at}`, () => {
      const wanted = image(one.page);
      const page: Raster = { ...wanted, data: new Uint8Array(wanted.data.length) };
      addStrokes(page, COLOURS, (one.strokes as [number, number, [number, number][]][]).map(([colour, size, points]): Stroke => ({ colour, size, points })));
      expect(page.data.every((value, place) => value === wanted.data[place])).toBe(true);
    });
  });
});

describe("tiles", () => {
  for (const { arguments: given, plan } of vectors.tiles) {
    it(given.join(" "), () => {
      const found = planTiles(...(given as [number, number, number, number, number])).map(({ kept, window }) =>
        [kept, window].flatMap((area) => [area.left, area.top, area.width, area.height]),
      );
      expect(found).toEqual(plan);
    });
  }
  for (const { image: source, context, kept } of vectors.busiest) {
    it(`are probed where ${source.shape.join("x")} is busiest`, () => {
      const found = busiest(image(source), context)!;
      expect([found.left, found.top, found.width, found.height]).toEqual(kept);
    });
  }
});

describe("samplers", () => {
  const { alpha_bar, x, noise, cases } = vectors.samplers[0]!;
  const [source, drawn] = [floats(x), floats(noise)];
  for (const { sampler, prediction, start, steps, eta, made } of cases) {
    it(`${sampler} of ${prediction}, ${steps} steps from ${start}, eta ${eta}`, async () => {
      let stage = 0;
      const predict = (from: Float32Array, t: number): Promise<Float32Array> =>
        Promise.resolve(from.map((value) => Math.fround(Math.fround(0.7) * value) + Math.fround(t / 100)));
      const run = SAMPLERS[sampler as SamplerName](predict, { prediction, alphaBar: alpha_bar }, source, start, steps, {
        eta,
        noise: () => drawn.subarray(stage++ * source.length, stage * source.length),
      });
      let last = source;
      for await (const step of run) last = step;
      expect(farthest(last, floats(made))).toBe(0);
    });
  }
});

describe("noise of pages", () => {
  for (const { seed, rows, columns, interpolated, numbers, stage, size, made } of vectors.noise) {
    it(`seed ${seed}`, () => {
      const found = pageNoise({ seed: BigInt(seed), rows, columns, interpolated }, size, numbers, stage);
      expect(farthest(found, floats(made))).toBeLessThan(interpolated ? 1e-6 : 1e-30);
    });
  }
});
