/** The images that a page of diffused ones begins with, and both beside each other. */
import type { Decoder } from "../../generator/decoder.ts";
import { findGenerator, type Generator } from "../../generator/models.ts";
import type { Denoiser } from "../../images/denoiser.ts";
import { paperOf, type Photo } from "../../images/photo.ts";
import type { Page } from "../../images/sampling.ts";
import type { ModelFile } from "../../mode.ts";
import { labelsOfSheet } from "../../pure/classes.ts";
import { bilinear, cornerNumbers, drawMany } from "../../pure/latents.ts";
import { blank, put, type Raster } from "../../pure/raster.ts";
import { pad, resize } from "../../pure/resample.ts";
import type { DiffuseState } from "./state.ts";

/** A generator beside the denoiser, of images of its proportions. `misfit`: the name of one of others. */
export function generatorBeside(
  denoiser: Denoiser,
  files: readonly ModelFile[],
): { generator: Generator | null; misfit: string | null } {
  const file = files.find(({ card }) => card.kind === "generator");
  const generator = file === undefined ? null : findGenerator([file]);
  if (generator === null) return { generator, misfit: null };
  const fits = generator.height * denoiser.width === generator.width * denoiser.height;
  return fits ? { generator, misfit: null } : { generator: null, misfit: generator.file.name };
}

/** Photographs, of the denoiser's size. */
export function photographed({ height, width }: Denoiser, photos: readonly Photo[]): Raster[] {
  return photos.map((photo) => resize(pad(paperOf(photo), height, width), height, width));
}

/** Images of a generator, of the denoiser's size; of its classes where both know the same. */
export async function generated(denoiser: Denoiser, generator: Generator, decoder: Decoder, page: Page): Promise<Raster[]> {
  const { height, width } = denoiser;
  const { rows, columns, seed } = page;
  const latents = page.interpolated
    ? bilinear(drawMany(generator.latent, seed, cornerNumbers(rows, columns)), rows, columns)
    : drawMany(generator.latent, seed, Array.from({ length: rows * columns }, (_, at) => at));
  const known = denoiser.names.slice(0, -1);
  const same = known.length > 0 && known.join("\n") === generator.classes.join("\n");
  const labels = generator.classes.length === 0 ? [] : latents.map(() => 0);
  if (same) labelsOfSheet(page.classes, rows, columns).forEach((label, at) => (labels[at] = label % known.length));
  const { images } = await decoder.all({ latents, labels });
  const size = generator.height * generator.width * 3;
  return latents.map((_, at) => {
    const data = images.subarray(at * size, (at + 1) * size);
    return resize({ width: generator.width, height: generator.height, channels: 3, data }, height, width);
  });
}

/** What a sheet shows: photographs beside their results. */
export function cellsOf(state: DiffuseState, sources: readonly Raster[] | null, made: readonly Raster[]): readonly Raster[] {
  if (sources === null || made.length === 0) return made;
  if (state.origin !== "photographs") return state.before ? sources : made;
  return made.map((image, at) => {
    const both = blank(2 * image.width, image.height, 3);
    put(both, sources[at]!, 0, 0);
    put(both, image, image.width, 0);
    return both;
  });
}
