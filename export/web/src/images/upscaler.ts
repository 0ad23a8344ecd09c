/** A model that enlarges images tile by tile: `Upscaler` of viewer/sessions/translation.py. */
import type { Host, ModelFile } from "../mode.ts";
import { through, type Layout, type RunImage } from "../pure/fitting.ts";
import { cut, greyOf, inside, put, visible, withAlpha, withChannels, type Area, type Raster } from "../pure/raster.ts";
import { cubic } from "../pure/resample.ts";
import { busiest, FRACTIONS, planTiles, PROBED, TILE, UNKNOWN_CONTEXT, type Tile } from "../pure/tiles.ts";
import type { Photo } from "./photo.ts";
import { layoutOf, runnerOf } from "./translator.ts";

export class Upscaler {
  readonly layout: Layout;
  /** Pixels of the result a pixel of the image. */
  readonly scale: number;
  /** Input pixels a side of what is enlarged at a time. */
  readonly tile: number;
  readonly #context: number;
  readonly #fixed: boolean;
  readonly #run: RunImage;

  constructor(host: Host, file: ModelFile, tile = TILE) {
    this.layout = layoutOf(file);
    this.scale = this.layout.scale;
    this.#run = runnerOf(host, file, { keep: true });
    const sides = this.layout.size.filter((side) => side !== null);
    this.#fixed = sides.length > 0;
    const context = file.card.context || UNKNOWN_CONTEXT;
    this.#context = this.#fixed ? Math.min(context, Math.floor(Math.min(...sides) / 8)) : context;
    this.tile = this.#fixed ? Math.min(...sides) - 2 * this.#context : tile;
  }

  /** An image as it goes in: what makes colours of grey images gives colours. */
  prepared(photo: Photo): Photo {
    return this.layout.channels > 1 ? photo : { ...photo, grey: false };
  }

  /** The tiles of an image, row by row. */
  async plan(photo: Photo): Promise<Tile[]> {
    const { height, width } = photo.image;
    const { multiple } = this.layout;
    const tiles = planTiles(height, width, this.tile, this.#context, multiple);
    if (this.#fixed || tiles.length === 1) return tiles;
    return planTiles(height, width, this.tile, await this.#neededContext(photo), multiple);
  }

  /**
   * How far round a tile the network looks in this image: at the image's busiest place, half and three quarters of the
   * context are tried, and taken if no pixel changes.
   */
  async #neededContext(photo: Photo): Promise<number> {
    const place = this.layout.multiple > 1 ? null : busiest(photo.image, this.#context);
    if (place === null) return this.#context;
    const seen = (context: number): Promise<Raster> => {
      const side = PROBED + 2 * context;
      return this.enlarge(photo, {
        kept: place,
        window: { left: place.left - context, top: place.top - context, width: side, height: side },
      });
    };
    const whole = await seen(this.#context);
    for (const fraction of FRACTIONS) {
      const context = Math.round(this.#context * fraction);
      const part = await seen(context);
      if (part.data.every((level, at) => level === whole.data[at])) return context;
    }
    return this.#context;
  }

  /** Height and width of the result. */
  resultSize(photo: Photo): [number, number] {
    return [photo.image.height * this.scale, photo.image.width * this.scale];
  }

  /** Whether the network's alpha is kept: what is given an alpha for the network alone has none afterwards. */
  givesAlpha(photo: Photo): boolean {
    return this.layout.outputChannels === 4 && (photo.alpha !== null || this.layout.channels < 4);
  }

  /** The photograph's own alpha, enlarged, for results of a network that gives none; null: opaque. */
  alphaOf(photo: Photo): Raster | null {
    if (photo.alpha === null || this.givesAlpha(photo)) return null;
    return cubic(photo.alpha, ...this.resultSize(photo));
  }

  /** The result of a tile: what is kept of it, enlarged, of three channels or four. */
  async enlarge(photo: Photo, tile: Tile): Promise<Raster> {
    const window = inside(photo.image, tile.window);
    const part = cut(photo.image, window);
    let made = await this.#made(photo, part, window);
    if (!this.givesAlpha(photo)) made = visible(made);
    if (photo.grey) {
      const grey = visible(greyOf(made));
      made = made.channels === 4 ? withAlpha(grey, alphaChannel(made)) : grey;
    }
    return cut(made, times(relative(tile.kept, window), this.scale));
  }

  async #made(photo: Photo, part: Raster, window: Area): Promise<Raster> {
    const { channels } = this.layout;
    if (channels === 3) return through(this.#run, this.layout, part, false);
    if (channels === 4) {
      const alpha = photo.alpha === null ? null : cut(photo.alpha, window);
      return through(this.#run, this.layout, alpha === null ? withChannels(part, 4) : withAlpha(part, alpha), false);
    }
    return through(this.#run, this.layout, withChannels(part, 1), false);
  }
}

/** Put what a tile became into its place in the result. */
export function putTile(result: Raster, made: Raster, tile: Tile, scale: number): void {
  put(result, made, tile.kept.left * scale, tile.kept.top * scale);
}

function relative(area: Area, to: Area): Area {
  return { ...area, left: area.left - to.left, top: area.top - to.top };
}

function times(area: Area, scale: number): Area {
  return {
    left: area.left * scale,
    top: area.top * scale,
    width: area.width * scale,
    height: area.height * scale,
  };
}

function alphaChannel(image: Raster): Raster {
  return { ...image, channels: 1, data: image.data.filter((_, at) => at % 4 === 3) };
}
