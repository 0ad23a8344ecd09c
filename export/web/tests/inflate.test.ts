import { describe, expect, it } from "vitest";
import { inflate } from "../src/pure/inflate.ts";
import { pngSamples } from "../src/pure/pngLayers.ts";
import { encodePng } from "../src/pure/png.ts";

async function packed(data: Uint8Array<ArrayBuffer>, format: CompressionFormat): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("data that was packed", () => {
  it("comes back, whole or in parts", async () => {
    const data = Uint8Array.from({ length: 70_000 }, (_, at) => (at * at) % 251);
    const gzip = await packed(data, "gzip");
    expect(await inflate([gzip], "gzip", data.length)).toEqual(data);
    expect(await inflate([gzip.slice(0, 99), gzip.slice(99)], "gzip", data.length)).toEqual(data);
  });

  it("ends where there is more than there may be", async () => {
    const bomb = await packed(new Uint8Array(50_000_000), "deflate");
    expect(bomb.length).toBeLessThan(100_000);
    expect(await inflate([bomb], "deflate", 1000)).toBeNull();
  });

  it("is refused where it is damaged", async () => {
    await expect(inflate([new Uint8Array([1, 2, 3])], "gzip", 10)).rejects.toThrow();
  });
});

describe("a PNG", () => {
  it("whose rows are more than its size says is not read", async () => {
    const png = await encodePng({ width: 2, height: 2, data: new Uint8ClampedArray(16).fill(7) }, null);
    expect(await pngSamples(png)).not.toBeNull();
    new DataView(png.buffer).setUint32(20, 1); // one row less
    expect(await pngSamples(png)).toBeNull();
  });
});
