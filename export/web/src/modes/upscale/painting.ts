/** An image left of a divider, and right of it what was made of it. */
import { paint } from "../../images/panels.ts";
import { element } from "../../page/dom.ts";
import type { Raster } from "../../pure/raster.ts";
import { placeOf, type View } from "./view.ts";

/** Before and after, as they are drawn. */
interface Sides {
  readonly source: HTMLCanvasElement;
  readonly canvas: HTMLCanvasElement;
}

/**
 * Draw the view anew. `split`: where the divider is; `ratio`: pixels of the canvas a pixel of the page. Gives the first
 * and the last row of the page that show the image.
 */
export function drawDivided(
  context: CanvasRenderingContext2D,
  view: View,
  split: number,
  { source, canvas }: Sides,
  pixelated: boolean,
  ratio: number,
): { top: number; bottom: number } {
  const { width, height } = context.canvas;
  const { left, top, width: wide, height: tall } = placeOf(view);
  context.clearRect(0, 0, width, height);
  const half = (image: HTMLCanvasElement, from: number, to: number, smooth: boolean): void => {
    context.save();
    context.beginPath();
    context.rect(from * ratio, 0, (to - from) * ratio, height);
    context.clip();
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, left * ratio, top * ratio, wide * ratio, tall * ratio);
    context.restore();
  };
  half(source, 0, split, !pixelated);
  half(canvas, split, view.width, view.scale * ratio < 2);
  return { top: Math.max(top, 0), bottom: Math.min(top + tall, view.height) };
}

export function canvasOf(image: Raster): HTMLCanvasElement {
  const canvas = element("canvas", { width: String(image.width), height: String(image.height) });
  paint(canvas, image);
  return canvas;
}
