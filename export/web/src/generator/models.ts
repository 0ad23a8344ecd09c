/** A generator, and what lies beside it: an encoder, a detail network. */
import { PlayerError } from "../engine/error.ts";
import type { ModelFile } from "../mode.ts";
import type { Latent } from "../pure/latents.ts";
import type { Statistics } from "../pure/space.ts";

export interface Generator {
  readonly file: ModelFile;
  readonly latent: Statistics;
  /** Of its images, in pixels. */
  readonly height: number;
  readonly width: number;
  /** Names of its classes by label; empty where it takes no labels. */
  readonly classes: readonly string[];
  /** Latents of training images that the card keeps. */
  readonly samples: readonly Latent[];
}

/** The generator that the page is about; `null` where it is about something else. */
export function findGenerator(files: readonly ModelFile[]): Generator | null {
  const file = files[0];
  const { latent = null, imageSize = null } = file?.card ?? {};
  if (file?.card.kind !== "generator" || latent === null || imageSize === null) return null;
  const labelled = file.card.inputs.some((port) => port.name === "label");
  return {
    file,
    latent,
    height: imageSize[0],
    width: imageSize[1],
    classes: labelled ? file.card.classes : [],
    samples: file.card.sampleLatents.map((row) => Float32Array.from(row)),
  };
}

/** The same, for modes that `findGenerator` opens. Throws `PlayerError`. */
export function generatorOf(files: readonly ModelFile[]): Generator {
  const generator = findGenerator(files);
  if (generator === null) throw new PlayerError(`${files[0]?.name ?? "page"}: no generator of images of one size`);
  return generator;
}

/** The encoder beside a generator: of its latents, and of images of its size. */
export function findEncoder(files: readonly ModelFile[], generator: Generator): ModelFile | null {
  return (
    files.find(({ card }) => {
      const [height, width] = card.imageSize ?? [0, 0];
      const fits = height === generator.height && width === generator.width;
      return card.kind === "encoder" && card.latent?.size === generator.latent.size && fits;
    }) ?? null
  );
}

/** The same as a list, of files whose first may be anything. */
export function encoderOf(files: readonly ModelFile[]): readonly ModelFile[] {
  const generator = findGenerator(files);
  const encoder = generator && findEncoder(files, generator);
  return encoder === null ? [] : [encoder];
}

/** The detail network beside a generator: of its latents, and of images of its size. */
export function findDetail(files: readonly ModelFile[], generator: Generator): ModelFile | null {
  return (
    files.find(({ card }) => {
      const [height, width] = card.imageSize ?? [0, 0];
      const fits = height === generator.height && width === generator.width;
      const { size, prior } = generator.latent;
      return card.kind === "detail" && card.latent?.size === size && card.latent.prior === prior && fits;
    }) ?? null
  );
}
