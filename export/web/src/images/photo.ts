/** An image that was dropped, pasted or chosen, as `Photo` of viewer/files/inputs.py. */
import type { DroppedImage } from "../mode.ts";
import { bled } from "../pure/bled.ts";
import { channelOf, onWhite, rasterOf, withAlpha, type Raster } from "../pure/raster.ts";

export interface Photo {
  readonly name: string;
  /** In three colours. */
  readonly image: Raster;
  /** One channel; null: opaque. */
  readonly alpha: Raster | null;
  /** Stored without colours: so is what becomes of it. */
  readonly grey: boolean;
  /** What had to be converted, in words; empty: nothing. */
  readonly note: string;
}

export function photoOf(dropped: DroppedImage): Photo {
  const { name, width, height, grey, note, layers } = dropped;
  const image = rasterOf({ width, height, data: layers ?? dropped.data }, 3);
  const alpha = layers === undefined ? null : channelOf(rasterOf({ width, height, data: layers }, 4), 3);
  return { name, image: alpha === null ? image : bled(image, alpha), alpha, grey, note };
}

/** The image, with white paper behind what is transparent. */
export function paperOf(photo: Photo): Raster {
  return photo.alpha === null ? photo.image : onWhite(withAlpha(photo.image, photo.alpha));
}

/** A file's name without its ending, for the names of results. */
export function stemOf(name: string): string {
  return name.replace(/\.[^.]{1,5}$/, "") || "image";
}
