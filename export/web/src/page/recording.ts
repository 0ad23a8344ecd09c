/** Films of a walk, as GIF or WebM. */

import { applyPalette, GIFEncoder, quantize } from "gifenc";
import { PlayerError } from "../engine/error.ts";
import { text } from "../i18n/index.ts";
import type { Film, Pixels } from "../mode.ts";
import { element } from "./dom.ts";

const COLOURS = 256; // of a frame
const BITS_PER_SECOND = 8_000_000;
const SMALLEST_SIDE = 256; // pixels of a WebM's frame: codecs make mud of less

export type FilmFormat = "gif" | "webm";

/** The formats that this browser can record. */
export function filmFormats(): readonly FilmFormat[] {
  return webmType() === undefined ? ["gif"] : ["gif", "webm"];
}

/** Make a film. `progress`: 0..1. Null where it was stopped. */
export function record(
  film: Film,
  format: FilmFormat,
  signal: AbortSignal,
  progress: (fraction: number) => void,
): Promise<Blob | null> {
  return format === "gif" ? recordGif(film, signal, progress) : recordWebm(film, signal, progress);
}

async function recordGif(film: Film, signal: AbortSignal, progress: (fraction: number) => void): Promise<Blob | null> {
  const gif = GIFEncoder();
  for (let at = 0; at < film.frames; at += 1) {
    const { data, width, height } = await film.frame(at);
    if (signal.aborted) return null;
    const palette = quantize(data, COLOURS);
    // ends of frames on whole hundredths of a second, which is all that GIF can say
    const delay = 10 * (hundredths(at + 1, film) - hundredths(at, film));
    gif.writeFrame(applyPalette(data, palette), width, height, { palette, delay });
    progress((at + 1) / film.frames);
    await new Promise((resolve) => setTimeout(resolve)); // the page goes on answering
  }
  gif.finish();
  return new Blob([gif.bytes()], { type: "image/gif" });
}

function hundredths(frames: number, film: Film): number {
  return Math.round((100 * frames) / film.framesPerSecond);
}

async function recordWebm(film: Film, signal: AbortSignal, progress: (fraction: number) => void): Promise<Blob | null> {
  const mimeType = webmType();
  if (mimeType === undefined) throw new PlayerError(text("noWebm"));
  const frames: Pixels[] = []; // all of them first: the recorder counts seconds, not frames
  for (let at = 0; at < film.frames; at += 1) {
    frames.push(await film.frame(at));
    if (signal.aborted) return null;
    progress((at + 1) / film.frames / 2);
  }
  const first = frames[0];
  if (first === undefined) return null;
  const scale = Math.max(1, Math.ceil(SMALLEST_SIDE / Math.min(first.width, first.height)));
  const size = { width: String(first.width * scale), height: String(first.height * scale) };
  const canvas = element("canvas", size);
  const source = element("canvas", { width: String(first.width), height: String(first.height) });
  const context = canvas.getContext("2d", { alpha: false });
  const from = source.getContext("2d");
  if (context === null || from === null) throw new PlayerError(text("noWebm"));
  context.imageSmoothingQuality = "high";
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }): void => void parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  const start = performance.now();
  for (const [at, frame] of frames.entries()) {
    from.putImageData(new ImageData(frame.data, frame.width, frame.height), 0, 0);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    progress((1 + (at + 1) / frames.length) / 2);
    const due = start + (1000 * (at + 1)) / film.framesPerSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    if (signal.aborted) break;
  }
  recorder.stop();
  await stopped;
  return signal.aborted ? null : new Blob(parts, { type: "video/webm" });
}

function webmType(): string | undefined {
  if (typeof MediaRecorder === "undefined" || !("captureStream" in HTMLCanvasElement.prototype)) return undefined;
  return ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"].find((one) => MediaRecorder.isTypeSupported(one));
}
