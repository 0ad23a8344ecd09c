/** A model that turns images into images, at work: `Translator` of viewer/sessions/translation.py. */
import { PlayerError } from "../engine/error.ts";
import type { Card, Host, ModelFile, RunOptions, Tensor } from "../mode.ts";
import { edgeMap } from "../pure/edges.ts";
import { isLocal, through, type Layout, type RunImage } from "../pure/fitting.ts";
import { draw, type Latent } from "../pure/latents.ts";
import { onWhite, rint, visible, withChannels, type Raster } from "../pure/raster.ts";
import { nearest, resize } from "../pure/resample.ts";
import type { Colour } from "../pure/strokes.ts";
import { Upscaler } from "./upscaler.ts";

const USUAL_SIZE = 512; // pixels, where nothing is known of the sizes that a model was trained with

/** What runs were replaced by newer ones, or stopped. */
export class Superseded extends Error {}

/** Whether a card asks for nothing but an image: no size, no colours, no latent. */
export function isPlain(card: Card): boolean {
  const { condition } = card;
  const plain = condition === null || (condition.kind === "given" && condition.palette.length === 0);
  return plain && condition?.size === undefined && card.imageSize === null && card.latent === null;
}

/** Whether a translator enlarges or restores, tile by tile, by what its card says. */
export function enlarges(card: Card): boolean {
  return card.kind === "translator" && card.latent === null && (card.scale > 1 || (isPlain(card) && card.context > 0));
}

/** Height, width that a translator was trained with; null where that is not known. */
export function trainedSizeOf({ card }: ModelFile, { size: [height, width] }: Layout): readonly [number, number] | null {
  return height !== null && width !== null ? [height, width] : (card.condition?.size ?? card.imageSize);
}

/** Of the longer side of an image, in pixels, at most. */
export function longestOf(trained: readonly [number, number] | null): number {
  return Math.max(...(trained ?? [USUAL_SIZE]));
}

/** What fitting needs to know of a translator. Throws `PlayerError`. */
export function layoutOf(file: ModelFile): Layout {
  const { card } = file;
  const shape = card.inputs.find((port) => port.name === "image")?.shape ?? [];
  const [, height = null, width = null] = shape;
  const channels = card.inputChannels;
  if (![1, 3, 4].includes(channels)) {
    throw new PlayerError(`${file.name}: takes images of ${channels} channels, expected 1, 3 or 4`);
  }
  return {
    channels,
    outputChannels: card.output.shape[3] === 4 ? 4 : 3,
    size: [height, width],
    multiple: height === null ? card.multiple : 1,
    scale: card.scale,
  };
}

/** A run of a translator on one image of a size that it takes. The run throws `Superseded` where a newer one came. */
export function runnerOf(host: Host, file: ModelFile, options: RunOptions, latent: Latent | null = null): RunImage {
  const { card } = file;
  const batch = card.inputs[0]?.shape[0] ?? 1;
  return async (image) => {
    const inputs: Record<string, Tensor> = {
      image: { dtype: "u8", dims: [batch, image.height, image.width, image.channels], data: repeated(image.data, batch) },
    };
    if (card.latent !== null) {
      const { size } = card.latent;
      const row = latent ?? new Float32Array(size);
      const data = new Float32Array(batch * size);
      for (let at = 0; at < batch; at += 1) data.set(row, at * size);
      inputs["latent"] = { dtype: "f32", dims: [batch, size], data };
    }
    const output = await host.run(file, inputs, options);
    if (output === null) throw new Superseded();
    const [count = 0, height = 0, width = 0, channels = 0] = output.dims;
    const fits = height === image.height * card.scale && width === image.width * card.scale && [1, 3, 4].includes(channels);
    if (output.dtype !== "u8" || count !== batch || !fits) {
      throw new PlayerError(
        `${file.name}: made ${output.dtype} [${output.dims.join(", ")}] of an image ${image.width}x${image.height}, ` +
          `expected one ${card.scale} times as large`,
      );
    }
    const data = output.data.subarray(0, height * width * channels);
    const made = { width, height, channels, data };
    return channels === 1 ? visible(made) : made;
  };
}

function repeated(data: Uint8Array, times: number): Uint8Array {
  if (times === 1) return data;
  const all = new Uint8Array(times * data.length);
  for (let at = 0; at < times; at += 1) all.set(data, at * data.length);
  return all;
}

export class Translator {
  readonly file: ModelFile;
  readonly layout: Layout;
  /** "given", or "edges" where edges are made of photographs. */
  readonly kind: "given" | "edges";
  readonly sigma: number;
  readonly blur: number;
  readonly invert: boolean;
  /** Height, width, as it was trained; null where that is not known. */
  readonly trainedSize: readonly [number, number] | null;
  /** Of the longer side, in pixels, at most. */
  readonly size: number;
  readonly palette: readonly Colour[];
  readonly #host: Host;
  #whole: Promise<Upscaler | null> | null = null;

  /** Throws `PlayerError`. */
  constructor(host: Host, file: ModelFile) {
    const { card } = file;
    const { condition } = card;
    const kind = condition?.kind ?? "given";
    if (kind !== "given" && kind !== "edges") {
      throw new PlayerError(`${file.name}: takes "${kind.slice(0, 60)}" of photographs, which this page cannot make`);
    }
    this.#host = host;
    this.file = file;
    this.layout = layoutOf(file);
    this.kind = kind;
    this.sigma = condition?.sigma ?? 0.33;
    this.blur = condition?.blur ?? 3;
    this.invert = condition?.invert ?? false;
    this.palette = condition?.palette ?? [];
    this.trainedSize = trainedSizeOf(file, this.layout);
    this.size = longestOf(this.trainedSize);
  }

  get hasLatent(): boolean {
    return this.file.card.latent !== null;
  }

  /** Of a seed; null for models without. */
  latent(seed: bigint): Latent | null {
    const { latent } = this.file.card;
    return latent === null ? null : draw(latent, seed, 0);
  }

  /** What goes into the model, of a photograph in three colours. A colour map is not averaged where it shrinks. */
  conditionOf(photo: Raster, sigma: number): Raster {
    const [height, width] = this.fitted(photo.height, photo.width);
    if (this.kind === "edges") return this.edges(resize(photo, height, width), sigma);
    return withChannels((this.palette.length > 0 ? nearest : resize)(photo, height, width), this.layout.channels);
  }

  /** The edges of a photograph, in the channels that the model takes. */
  edges(photo: Raster, sigma: number): Raster {
    const edges = edgeMap(photo, { sigma, blur: this.blur, invert: this.invert });
    return withChannels(this.layout.channels === 1 ? edges : visible(edges), this.layout.channels);
  }

  /** Height and width of an image brought to `size`, and to what a model of one size can hold. */
  fitted(height: number, width: number): [number, number] {
    let factor = Math.min(1, this.size / Math.max(height, width));
    factor = Math.min(factor, (this.layout.size[0] ?? height) / height, (this.layout.size[1] ?? width) / width);
    return [Math.max(rint(height * factor), 1), Math.max(rint(width * factor), 1)];
  }

  /** The whole result of a condition in one run; on white, where it has alpha. Throws `Superseded`, `PlayerError`. */
  async translate(condition: Raster, latent: Latent | null, options: RunOptions): Promise<Raster> {
    const run = runnerOf(this.#host, this.file, options, latent);
    return onWhite(await through(run, this.layout, condition, true));
  }

  /**
   * What takes photographs of any size as they are, tile by tile, and keeps their alpha; null where the model is for
   * one size, looks at the whole image, or wants anything else than the image.
   */
  whole(): Promise<Upscaler | null> {
    this.#whole ??= this.#findWhole();
    return this.#whole;
  }

  async #findWhole(): Promise<Upscaler | null> {
    if (this.kind !== "given" || !isPlain(this.file.card)) return null;
    const run = runnerOf(this.#host, this.file, { keep: true });
    return (await isLocal(run, this.layout)) ? new Upscaler(this.#host, this.file) : null;
  }
}
