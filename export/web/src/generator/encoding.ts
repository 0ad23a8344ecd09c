/** From a photograph to its latent, by the encoder beside a generator. As `--encode` of the viewer does it. */
import { PlayerError } from "../engine/error.ts";
import type { Host, ModelFile, Pixels } from "../mode.ts";
import type { Latent } from "../pure/latents.ts";
import { rasterOf, rgba } from "../pure/raster.ts";
import { centre, resize } from "../pure/resample.ts";

export interface Encoded {
  readonly latent: Latent;
  /** What the encoder saw: the middle of the photograph, in its own size. */
  readonly seen: Pixels;
}

/** `null`: another photograph was given meanwhile. Throws `PlayerError`. */
export async function encodeImage(host: Host, encoder: ModelFile, image: Pixels): Promise<Encoded | null> {
  const [height, width] = encoder.card.imageSize!;
  const seen = centre(rasterOf(image, 3), height, width, resize);
  const batch = encoder.card.inputs[0]?.shape[0] ?? 1;
  const data = new Uint8Array(batch * seen.data.length);
  for (let number = 0; number < batch; number += 1) data.set(seen.data, number * seen.data.length);
  const output = await host.run(encoder, { image: { dtype: "u8", dims: [batch, height, width, 3], data } });
  if (output === null) return null;
  const size = encoder.card.latent!.size;
  if (output.dtype !== "f32" || output.data.length !== batch * size) {
    throw new PlayerError(`${encoder.name}: gave ${output.dtype} [${output.dims.join(", ")}], expected ${size} numbers`);
  }
  return { latent: output.data.slice(0, size), seen: rgba(seen) };
}
