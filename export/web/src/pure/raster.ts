/** Images as arrays of bytes, row by row, and conversions between them. Colours are in the order RGB. */

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 colours, 4 colours and alpha. */
  readonly channels: number;
  readonly data: Uint8Array;
}

/** A part of an image, in its pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A black image. */
export function blank(width: number, height: number, channels: number): Raster {
  return { width, height, channels, data: new Uint8Array(width * height * channels) };
}

/** To the nearest whole number; halves to the even one, as C and Python round. */
export function rint(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** What a canvas gives as an image of `channels` 3 (alpha left out) or 4. */
export function rasterOf(pixels: { width: number; height: number; data: ArrayLike<number> }, channels: 3 | 4): Raster {
  const { width, height, data } = pixels;
  const made = blank(width, height, channels);
  for (let at = 0, to = 0; at < data.length; at += 4, to += channels) {
    for (let c = 0; c < channels; c += 1) made.data[to + c] = data[at + c]!;
  }
  return made;
}

/** For a canvas: RGBA, opaque where the image has no alpha. */
export function rgba(image: Raster): { width: number; height: number; data: Uint8ClampedArray<ArrayBuffer> } {
  const { width, height, channels, data } = image;
  const made = new Uint8ClampedArray(4 * width * height);
  for (let at = 0, to = 0; to < made.length; at += channels, to += 4) {
    made[to] = data[at]!;
    made[to + 1] = data[channels === 1 ? at : at + 1]!;
    made[to + 2] = data[channels === 1 ? at : at + 2]!;
    made[to + 3] = channels === 4 ? data[at + 3]! : 255;
  }
  return { width, height, data: made };
}

/** One of the channels. */
export function channelOf(image: Raster, number: number): Raster {
  const made = blank(image.width, image.height, 1);
  for (let at = 0; at < made.data.length; at += 1) made.data[at] = image.data[at * image.channels + number]!;
  return made;
}

/** The first channels and one more. */
export function withAlpha(image: Raster, alpha: Raster): Raster {
  const made = blank(image.width, image.height, 4);
  for (let at = 0; at < alpha.data.length; at += 1) {
    for (let c = 0; c < 3; c += 1) made.data[4 * at + c] = image.data[image.channels * at + c]!;
    made.data[4 * at + 3] = alpha.data[at]!;
  }
  return made;
}

/** An image of three channels as it is, grey, or with an opaque alpha: `with_channels` of viewer/graph/layout.py. */
export function withChannels(image: Raster, channels: number): Raster {
  if (channels === image.channels) return image;
  if (channels === 1) return greyOf(image);
  const made = blank(image.width, image.height, 4);
  for (let at = 0, to = 0; to < made.data.length; at += 3, to += 4) {
    made.data.set(image.data.subarray(at, at + 3), to);
    made.data[to + 3] = 255;
  }
  return made;
}

/** Three channels of what has one, three or four. */
export function visible(image: Raster): Raster {
  if (image.channels === 3) return image;
  const made = blank(image.width, image.height, 3);
  for (let at = 0, to = 0; to < made.data.length; at += image.channels, to += 3) {
    for (let c = 0; c < 3; c += 1) made.data[to + c] = image.data[image.channels === 1 ? at : at + c]!;
  }
  return made;
}

/** Brightness, by the weights of BT.601 in 15 bits, as OpenCV's `COLOR_RGB2GRAY`. */
export function greyOf(image: Raster): Raster {
  if (image.channels === 1) return image;
  const { data, channels } = image;
  const made = blank(image.width, image.height, 1);
  for (let at = 0, to = 0; to < made.data.length; at += channels, to += 1) {
    made.data[to] = (data[at]! * 9798 + data[at + 1]! * 19235 + data[at + 2]! * 3735 + (1 << 14)) >> 15;
  }
  return made;
}

/** An image with alpha on white paper, in single precision as trainer/contract/images.py; others as they are. */
export function onWhite(image: Raster): Raster {
  if (image.channels !== 4) return image;
  const { fround } = Math;
  const made = blank(image.width, image.height, 3);
  for (let at = 0, to = 0; to < made.data.length; at += 4, to += 3) {
    const alpha = fround(image.data[at + 3]! / 255);
    const paper = fround(255 * fround(1 - alpha));
    for (let c = 0; c < 3; c += 1) made.data[to + c] = rint(fround(fround(image.data[at + c]! * alpha) + paper));
  }
  return made;
}

/** A part of an image that lies inside it. */
export function cut(image: Raster, area: Area): Raster {
  const { channels } = image;
  const made = blank(area.width, area.height, channels);
  for (let row = 0; row < area.height; row += 1) {
    const from = ((area.top + row) * image.width + area.left) * channels;
    made.data.set(image.data.subarray(from, from + area.width * channels), row * area.width * channels);
  }
  return made;
}

/** As much of an area as lies inside an image, as slices of arrays take it. */
export function inside(image: { width: number; height: number }, area: Area): Area {
  const [left, top] = [Math.max(area.left, 0), Math.max(area.top, 0)];
  const width = Math.max(Math.min(area.left + area.width, image.width) - left, 0);
  const height = Math.max(Math.min(area.top + area.height, image.height) - top, 0);
  return { left, top, width, height };
}

/** Put an image of as many channels into another one. */
export function put(target: Raster, image: Raster, left: number, top: number): void {
  const { channels } = target;
  for (let row = 0; row < image.height; row += 1) {
    const from = row * image.width * channels;
    const to = ((top + row) * target.width + left) * channels;
    target.data.set(image.data.subarray(from, from + image.width * channels), to);
  }
}

/** The pixel that lies where an image is continued as in a mirror at the middle of its border pixels. */
export function mirrored(place: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * length - 2;
  const at = ((place % period) + period) % period;
  return at < length ? at : period - at;
}

/** An image grown by its own reflection to a size: `top` rows above it, `left` columns before it. */
export function reflected(image: Raster, width: number, height: number, top: number, left: number): Raster {
  if (image.width === width && image.height === height) return image;
  const { channels } = image;
  const made = blank(width, height, channels);
  const columns = Array.from({ length: width }, (_, x) => mirrored(x - left, image.width) * channels);
  for (let y = 0; y < height; y += 1) {
    const row = mirrored(y - top, image.height) * image.width * channels;
    for (let x = 0, to = y * width * channels; x < width; x += 1) {
      for (let c = 0; c < channels; c += 1, to += 1) made.data[to] = image.data[row + columns[x]! + c]!;
    }
  }
  return made;
}
