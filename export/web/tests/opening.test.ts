import { describe, expect, it } from "vitest";
import type { Card } from "../src/engine/card.ts";
import type { ModelFile } from "../src/mode.ts";
import { mode as diffuse } from "../src/modes/diffuse/index.ts";
import { mode as encode } from "../src/modes/encode/index.ts";
import { mode as grid } from "../src/modes/grid/index.ts";
import { mode as hpf } from "../src/modes/hpf/index.ts";
import { openFiles, usedOf, type Opener } from "../src/page/opening.ts";

const MODES = [grid, hpf, encode, diffuse];
let ids = 0;

/** A file whose name begins with its kind; `numbers`: of its latents. */
function model(name: string, numbers = 4, side = 8): ModelFile {
  const latent = { size: numbers, prior: "normal", mean: [], covariance: [] };
  const card = { kind: name.split("-")[0], latent, imageSize: [side, side], inputs: [], sampleLatents: [] };
  return { id: ++ids, name, card: card as unknown as Card, sha256: name, size: 1 };
}

/** A page with these models, onto which others are dropped. */
function pageOf(...files: ModelFile[]) {
  const known = new Map<string, ModelFile>();
  const page = {
    files: files as readonly ModelFile[],
    modes: MODES,
    said: "",
    failed: [] as string[],
    closed: [] as string[],
    open: (file: File) => Promise.resolve(known.get(file.name)!),
    close: (file: ModelFile) => void page.closed.push(file.name),
    used: (some: readonly ModelFile[]) => usedOf(MODES, some),
    use: (some: readonly ModelFile[]) => Promise.resolve(void (page.files = some)),
    go: () => Promise.resolve(),
    images: () => false,
    say: (words: string) => void (page.said = words),
    fail: (error: unknown) => void page.failed.push((error as Error).message),
  };
  const drop = async (...given: ModelFile[]): Promise<string[]> => {
    for (const one of given) known.set(one.name, one);
    await openFiles(page satisfies Opener, given.map(({ name }) => new File(["x"], name))); // prettier-ignore
    return page.files.map(({ name }) => name);
  };
  return { page, drop };
}

describe("models that are dropped", () => {
  it("take the place of the one that is open", async () => {
    const { page, drop } = pageOf(model("generator-a"));
    expect(await drop(model("generator-b"))).toEqual(["generator-b"]);
    expect(page.said).toContain("generator-b");
  });

  it("go beside it where they fit", async () => {
    const { page, drop } = pageOf(model("generator-a"), model("encoder-old"));
    expect(await drop(model("encoder-new"), model("detail"))).toEqual(["generator-a", "detail", "encoder-new"]);
    expect(page.failed).toEqual([]);
  });

  it.each([
    ["other latents", model("encoder-odd", 5)],
    ["images of another size", model("encoder-odd", 4, 16)],
    ["other latents of a detail network", model("detail-odd", 5)],
  ])("are refused aloud where they do not: %s", async (_, odd) => {
    const { page, drop } = pageOf(model("generator-a"), model("encoder-a"), model("detail-a"));
    expect(await drop(odd)).toEqual(["generator-a", "encoder-a", "detail-a"]);
    expect(page.failed).toEqual([expect.stringContaining(`${odd.name} does not fit generator-a`)]);
    expect(page.closed).toEqual([odd.name]);
    expect(page.said).toBe("");
  });

  it("are about a denoiser where a generator comes with it, whose images it begins with", async () => {
    const { page, drop } = pageOf(model("generator-a"));
    expect(await drop(model("generator-b"), model("denoiser"))).toEqual(["denoiser", "generator-b"]);
    expect(page.failed).toEqual([]);
  });

  it("are one to a page: of others it is said", async () => {
    const { page, drop } = pageOf();
    expect(await drop(model("generator-a"), model("generator-b"))).toEqual(["generator-a"]);
    expect(page.failed).toEqual([expect.stringContaining("generator-b is of no use beside generator-a")]);
    expect(page.closed).toEqual(["generator-b"]);
  });

  it("that cannot be read, as folders cannot, are one line", async () => {
    const { page } = pageOf(model("generator-a"));
    const folder = new File([], "photos");
    folder.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotFoundError")) }) as unknown as Blob;
    await openFiles(page, [folder]);
    expect(page.failed).toEqual([expect.stringContaining("photos: cannot be read")]);
  });
});
