/** A denoiser at work: guidance, grey images, images as arrays in -1..1. As viewer/sessions/denoiser.py. */
import { PlayerError } from "../engine/error.ts";
import type { Host, ModelFile, Tensor } from "../mode.ts";
import { blank, greyOf, rint, type Raster } from "../pure/raster.ts";
import type { Schedule } from "../pure/samplers.ts";
import { Superseded } from "./translator.ts";

/** Name of the label beyond the classes, which stands for images of any. */
const NO_CLASS = "none";
const { fround } = Math;

export class Denoiser {
  readonly file: ModelFile;
  readonly schedule: Schedule;
  readonly steps: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Numbers of an image. */
  readonly size: number;
  /** Of the labels, the last of none; empty where it draws no classes. */
  readonly names: readonly string[];
  readonly #host: Host;
  readonly #taken: number; // channels of what goes in

  /** Throws `PlayerError` where the card does not say enough. */
  constructor(host: Host, file: ModelFile) {
    const { card } = file;
    const shape = card.inputs.find(({ name }) => name === "noisy")?.shape ?? [];
    if (card.schedule === null || card.imageSize === null) throw new PlayerError(`${file.name}: its card lacks image_size`);
    [this.height, this.width] = card.imageSize;
    this.channels = card.channels;
    this.#taken = shape[1] ?? this.channels;
    if (shape.length !== 4 || ![1, 3].includes(this.channels) || ![this.channels, 3].includes(this.#taken)) {
      throw new PlayerError(`${file.name}: takes ${this.#taken} channels, expected [n, c, h, w] with 1 or 3`);
    }
    this.#host = host;
    this.file = file;
    this.schedule = card.schedule;
    this.steps = card.schedule.alphaBar.length;
    this.size = this.channels * this.height * this.width;
    const labelled = card.inputs.some(({ name }) => name === "label");
    this.names = labelled && card.classes.length > 0 ? [...card.classes, NO_CLASS] : [];
  }

  /**
   * What the network says of images [n, c, h, w] at step t. `labels`: one an image, if it knows classes. `guidance` w:
   * (1 + w) times the prediction for a class, less w times that for none (Ho & Salimans 2022).
   */
  async predict(x: Float32Array, t: number, labels: readonly number[], guidance: number): Promise<Float32Array> {
    const noisy = this.#broadcast(x);
    if (labels.length === 0 || guidance === 0) return this.#run(noisy, t, labels);
    const both = new Float32Array(2 * noisy.length);
    both.set(noisy);
    both.set(noisy, noisy.length);
    const none = this.names.length - 1;
    const made = await this.#run(both, t, [...labels, ...labels.map(() => none)]);
    const [more, less] = [fround(1 + guidance), fround(guidance)];
    const half = made.length / 2;
    return made.subarray(0, half).map((asked, at) => fround(more * asked) - fround(less * made[half + at]!));
  }

  /** A grey image goes into three channels where the network takes them. */
  #broadcast(x: Float32Array): Float32Array {
    if (this.#taken === this.channels) return x;
    const area = this.height * this.width;
    const wide = new Float32Array(x.length * this.#taken);
    for (let at = 0; at < wide.length / area; at += 1) {
      const image = Math.floor(at / this.#taken);
      wide.set(x.subarray(image * area, (image + 1) * area), at * area);
    }
    return wide;
  }

  async #run(noisy: Float32Array, t: number, labels: readonly number[]): Promise<Float32Array> {
    const { card } = this.file;
    const area = this.height * this.width;
    const each = this.#taken * area;
    const count = noisy.length / each;
    const batch = card.inputs[0]?.shape[0] ?? count;
    const made = new Float32Array(count * this.size);
    for (let first = 0; first < count; first += batch) {
      const part = Math.min(batch, count - first);
      const data = new Float32Array(batch * each);
      for (let at = 0; at < batch; at += 1) {
        const from = first + Math.min(at, part - 1); // a fixed batch is filled up with the last one
        data.set(noisy.subarray(from * each, (from + 1) * each), at * each);
      }
      const inputs: Record<string, Tensor> = {
        noisy: { dtype: "f32", dims: [batch, this.#taken, this.height, this.width], data },
        t: { dtype: "i64", dims: [batch], data: new BigInt64Array(batch).fill(BigInt(t)) },
      };
      if (labels.length > 0) {
        const chosen = Array.from({ length: batch }, (_, at) => BigInt(labels[first + Math.min(at, part - 1)]!));
        inputs["label"] = { dtype: "i64", dims: [batch], data: BigInt64Array.from(chosen) };
      }
      const output = await this.#host.run(this.file, inputs, { keep: true });
      if (output === null) throw new Superseded();
      if (output.dtype !== "f32" || output.data.length !== data.length || !output.data.every(Number.isFinite)) {
        throw new PlayerError(`${this.file.name}: gave [${output.dims.join(", ")}], expected its input's size, all finite`);
      }
      for (let at = 0; at < part; at += 1) {
        made.set(output.data.subarray(at * each, at * each + this.size), (first + at) * this.size);
      }
    }
    return made;
  }

  /** Images of the model's size, in three colours, as one array in -1..1, [n, c, h, w]. */
  array(images: readonly Raster[]): Float32Array {
    const area = this.height * this.width;
    const made = new Float32Array(images.length * this.size);
    images.forEach((image, number) => {
      const { data } = this.channels === 1 ? greyOf(image) : image;
      for (let at = 0; at < area; at += 1) {
        for (let c = 0; c < this.channels; c += 1) {
          made[number * this.size + c * area + at] = fround(data[at * this.channels + c]! / 127.5) - 1;
        }
      }
    });
    return made;
  }

  /** The same back, rounded. */
  images(x: Float32Array): Raster[] {
    const area = this.height * this.width;
    return Array.from({ length: x.length / this.size }, (_, number) => {
      const image = blank(this.width, this.height, 3);
      for (let at = 0; at < area; at += 1) {
        for (let c = 0; c < 3; c += 1) {
          const value = x[number * this.size + (this.channels === 1 ? 0 : c) * area + at]!;
          image.data[3 * at + c] = Math.min(Math.max(rint(fround(fround(value * 127.5) + 127.5)), 0), 255);
        }
      }
      return image;
    });
  }
}
