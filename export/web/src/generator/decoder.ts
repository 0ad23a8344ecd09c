/** From latents to images, in groups small enough that a new request is never kept waiting long. */
import { PlayerError } from "../engine/error.ts";
import type { Host, ModelFile, Tensor } from "../mode.ts";
import type { Latent } from "../pure/latents.ts";
import type { Generator } from "./models.ts";
import { sharpening, type Rgb } from "./pixels.ts";

// Pixels of a group. It depends on the size of images alone, never on the speed of the machine: the same images are
// made together every time, so that a link leads back to the same bits.
const GROUP_PIXELS = 2 ** 16;

/** Some of the images that were asked for. */
export interface Part {
  /** Number of the first one. */
  readonly first: number;
  readonly count: number;
  readonly images: Rgb;
  /** What a gain multiplies, in 0..1; null: nothing is added to the images. */
  readonly details: Float32Array | null;
}

/** What is added to images: of a detail network, by sharpening, or nothing. */
export type Layer = ModelFile | "sharpening" | null;

export interface Wanted {
  readonly latents: readonly Latent[];
  /** One for each latent, of models with classes; else empty. */
  readonly labels: readonly number[];
}

export class Decoder {
  readonly #host: Host;
  readonly #generator: Generator;
  readonly #layer: Layer;
  /** Images of a group. */
  readonly group: number;

  constructor(host: Host, generator: Generator, layer: Layer = null) {
    this.#host = host;
    this.#generator = generator;
    this.#layer = layer;
    this.group = Math.max(Math.floor(GROUP_PIXELS / (generator.height * generator.width)), 1);
  }

  /**
   * The images, part by part. `channel`: a newer request of it ends this one. `kept`: it is made whatever else is asked
   * for meanwhile. Throws `PlayerError`.
   */
  async *parts(wanted: Wanted, channel: string, kept = false, group = this.group): AsyncGenerator<Part> {
    for (let first = 0; first < wanted.latents.length; first += group) {
      const latents = wanted.latents.slice(first, first + group);
      const images = await this.#images(latents, wanted.labels.slice(first, first + group), channel, kept);
      if (images === null) return;
      const details = await this.#details(latents, images, channel, kept);
      if (details === null && this.#layer !== null) return;
      yield { first, count: latents.length, images, details };
    }
  }

  /** All of them at once, whatever else is asked for meanwhile. Throws `PlayerError`. */
  async all(wanted: Wanted): Promise<Part> {
    const size = this.#generator.height * this.#generator.width * 3;
    const count = wanted.latents.length;
    const images = new Uint8Array(count * size);
    const details = this.#layer === null ? null : new Float32Array(count * size);
    let made = 0;
    for await (const part of this.parts(wanted, "", true)) {
      images.set(part.images, part.first * size);
      if (part.details !== null) details?.set(part.details, part.first * size);
      made += part.count;
    }
    if (made < count) throw new PlayerError("left before all images were made"); // black ones are not to be saved
    return { first: 0, count, images, details };
  }

  async #images(latents: Latent[], labels: number[], channel: string, keep: boolean): Promise<Rgb | null> {
    const { file, classes, height, width } = this.#generator;
    const inputs = (filled: number[]): Record<string, Tensor> =>
      classes.length === 0
        ? {}
        : { label: { dtype: "i64", dims: [filled.length], data: BigInt64Array.from(filled, BigInt) } };
    const output = await runAll(this.#host, file, latents, labels, inputs, { channel: `${channel} images`, keep });
    if (output === null) return null;
    if (output.dtype !== "u8" || output.data.length !== latents.length * height * width * 3) {
      throw new PlayerError(`${file.name}: gave ${output.dtype} [${output.dims.join(", ")}], expected RGB ${width}x${height}`);
    }
    return output.data;
  }

  async #details(latents: Latent[], images: Rgb, channel: string, keep: boolean): Promise<Float32Array | null> {
    const { height, width } = this.#generator;
    if (this.#layer === null) return null;
    if (this.#layer === "sharpening") return sharpening(images, height, width);
    const file = this.#layer;
    const output = await runAll(this.#host, file, latents, [], () => ({}), { channel: `${channel} details`, keep });
    if (output === null) return null;
    if (output.dtype !== "f32" || output.data.length !== images.length) {
      throw new PlayerError(`${file.name}: gave ${output.dtype} [${output.dims.join(", ")}], expected RGB ${width}x${height}`);
    }
    return output.data;
  }
}

/** Run a model that takes latents; one whose every run is of so many is given the last one again. */
async function runAll(
  host: Host,
  file: ModelFile,
  latents: readonly Latent[],
  labels: readonly number[],
  others: (labels: number[]) => Record<string, Tensor>,
  options: { channel: string; keep: boolean },
): Promise<Tensor | null> {
  const batch = file.card.inputs[0]?.shape[0] ?? null;
  if (batch === null || batch === latents.length) return host.run(file, inputsOf(latents, others([...labels])), options);
  const outputs: Tensor[] = [];
  for (let first = 0; first < latents.length; first += batch) {
    const [own, ownLabels] = [latents.slice(first, first + batch), labels.slice(first, first + batch)];
    const count = own.length;
    while (own.length < batch) {
      own.push(own.at(-1)!);
      if (ownLabels.length > 0) ownLabels.push(ownLabels.at(-1)!);
    }
    const output = await host.run(file, inputsOf(own, others(ownLabels)), options);
    if (output === null) return null;
    outputs.push(firstOf(output, count));
  }
  return joined(outputs);
}

function inputsOf(latents: readonly Latent[], others: Record<string, Tensor>): Record<string, Tensor> {
  const size = latents[0]?.length ?? 0;
  const data = new Float32Array(latents.length * size);
  latents.forEach((latent, row) => data.set(latent, row * size));
  return { latent: { dtype: "f32", dims: [latents.length, size], data }, ...others };
}

function firstOf(tensor: Tensor, count: number): Tensor {
  const [batch = 1, ...rest] = tensor.dims;
  const data = tensor.data.slice(0, (tensor.data.length / batch) * count);
  return { ...tensor, dims: [count, ...rest], data } as Tensor;
}

function joined(tensors: readonly Tensor[]): Tensor {
  const first = tensors[0]!;
  const length = tensors.reduce((sum, tensor) => sum + tensor.data.length, 0);
  const data = first.dtype === "u8" ? new Uint8Array(length) : new Float32Array(length);
  let place = 0;
  for (const tensor of tensors) {
    data.set(tensor.data as Uint8Array, place);
    place += tensor.data.length;
  }
  const count = tensors.reduce((sum, tensor) => sum + (tensor.dims[0] ?? 0), 0);
  return { dtype: first.dtype, dims: [count, ...first.dims.slice(1)], data } as Tensor;
}
