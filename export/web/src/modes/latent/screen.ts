/** The screen of the sliders as one image: the image of the point, and beside it every axis with its images. */
import type { Slider } from "../../generator/sliders.ts";

const GAP = 8; // pixels of the page, as are all below
const ROW_GAP = 4;
const NAME = 120; // width
const VALUE = 44; // width
const KNOB = 10; // width
const LEAST_SIDE = 128; // of the image
const FONT = 12;

interface Look {
  /** CSS colours. */
  readonly ink: string;
  readonly paper: string;
  readonly accent: string;
  readonly family: string;
}

export interface Row extends Slider {
  readonly track: HTMLCanvasElement;
}

/** `reach`: what both ends of a slider are at; `ratio`: pixels of the tracks a pixel of the page. */
export function slidersScreen(image: HTMLCanvasElement, rows: readonly Row[], reach: number, ratio: number, look: Look): ImageData {
  const [gap, rowGap, name, value] = [GAP, ROW_GAP, NAME, VALUE].map((length) => Math.round(length * ratio)) as [number, number, number, number];
  const row = Math.max(...rows.map(({ track }) => track.height));
  const wide = Math.max(...rows.map(({ track }) => track.width));
  const tall = Math.max(rows.length * (row + rowGap) - rowGap, Math.round(LEAST_SIDE * ratio));
  const across = Math.round((tall * image.width) / image.height);
  const canvas = document.createElement("canvas");
  canvas.width = across + name + wide + value + 5 * gap;
  canvas.height = tall + 2 * gap;
  const context = canvas.getContext("2d")!;
  context.fillStyle = look.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, gap, gap, across, tall);
  context.textBaseline = "middle";
  const left = across + 2 * gap;
  rows.forEach((one, number) => {
    const top = gap + number * (row + rowGap);
    const middle = top + row / 2;
    context.font = `${one.chosen ? "600 " : ""}${FONT * ratio}px ${look.family}`;
    context.fillStyle = one.chosen ? look.accent : look.ink;
    context.textAlign = "left";
    context.fillText(fitting(context, one.name, name), left, middle);
    const track = left + name + gap;
    context.drawImage(one.track, track, top);
    drawKnob(context, track + ((one.value / reach + 1) / 2) * one.track.width, top, row, ratio, look.accent);
    context.fillStyle = look.ink;
    context.textAlign = "right";
    context.font = `${FONT * ratio}px ${look.family}`;
    context.fillText(one.value.toFixed(2), track + wide + gap + value, middle);
  });
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function drawKnob(context: CanvasRenderingContext2D, x: number, top: number, tall: number, ratio: number, accent: string): void {
  const width = KNOB * ratio;
  const bar = (grow: number, colour: string): void => {
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(x - width / 2 - grow, top - grow, width + 2 * grow, tall + 2 * grow, width / 2);
    context.fill();
  };
  bar(ratio, "rgb(0 0 0 / 65%)");
  bar(0, "#fff");
  bar(-3 * ratio, accent);
}

/** As much of a text as there is room for. */
function fitting(context: CanvasRenderingContext2D, words: string, width: number): string {
  if (context.measureText(words).width <= width) return words;
  let letters = Array.from(words);
  while (letters.length > 0 && context.measureText(`${letters.join("")}…`).width > width) letters = letters.slice(0, -1);
  return `${letters.join("")}…`;
}
