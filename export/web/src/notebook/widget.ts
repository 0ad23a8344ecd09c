/**
 * The widget of a notebook, as anywidget loads it: a frame with the page, whose messages it passes between page and
 * Python. One file that needs no other one, since front ends load it each in its own way.
 */

import type { ToPage, ToWidget } from "../page/frame.ts";
import type { Place } from "../page/hash.ts";

interface Model {
  get(name: "height"): number;
  get(name: "place"): Place;
  get(name: "title"): string;
  set(name: "place", value: Place): void;
  save_changes(): void;
  on(event: string, listener: (...values: never[]) => void): void;
  off(event: string, listener: (...values: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: readonly ArrayBuffer[]): void;
}

interface FromPython {
  readonly view: string;
  readonly type: "page" | "engine";
  readonly reply?: unknown;
}

interface FromPage {
  readonly utsuroi?: ToWidget;
  readonly buffers?: readonly ArrayBuffer[];
}

const SANDBOX = "allow-scripts allow-downloads";

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const view = Math.random().toString(36).slice(2); // others show the same model: each has its own page
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", SANDBOX); // an origin of its own: it sees nothing of the notebook
  frame.setAttribute("allow", "clipboard-write; fullscreen");
  frame.title = model.get("title");
  Object.assign(frame.style, { display: "block", width: "100%", height: `${model.get("height")}px`, border: "0", borderRadius: "8px", colorScheme: "normal" }); // prettier-ignore
  el.append(frame);
  let shown = ""; // the place that page and Python agree on, as JSON

  const post = (message: ToPage, buffers: ArrayBuffer[] = []): void => {
    frame.contentWindow?.postMessage({ utsuroi: message, buffers }, "*", buffers);
  };
  const fromPython = (content: FromPython, buffers: readonly (DataView | ArrayBuffer)[] = []): void => {
    if (content.view !== view) return;
    const own = buffers.map(copied);
    if (content.type === "page") frame.srcdoc = new TextDecoder().decode(own[0]);
    else post({ type: "engine", reply: content.reply }, own);
  };
  const fromPage = ({ source, data }: MessageEvent<FromPage | null>): void => {
    const message = data?.utsuroi;
    if (source !== frame.contentWindow || message === undefined) return;
    if (message.type === "place") {
      shown = JSON.stringify(message.place);
      model.set("place", message.place);
      model.save_changes();
    } else {
      model.send({ ...message, view }, undefined, data?.buffers ?? []);
    }
  };
  const moved = (): void => {
    const place = model.get("place");
    if (JSON.stringify(place) === shown) return;
    shown = JSON.stringify(place);
    post({ type: "place", place });
  };

  window.addEventListener("message", fromPage);
  model.on("msg:custom", fromPython);
  model.on("change:place", moved);
  model.send({ type: "page", view, theme: themeOf(el) });
  return () => {
    window.removeEventListener("message", fromPage);
    model.off("msg:custom", fromPython);
    model.off("change:place", moved);
    frame.remove(); // and with it its worker
    model.send({ type: "left", view });
  };
}

/** A buffer of its own, which can be handed on: front ends give views of larger ones. */
function copied(buffer: DataView | ArrayBuffer): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer.slice(0);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) as ArrayBuffer;
}

/** Notebooks have colours of their own, whatever the system has: those behind the cell tell. */
function themeOf(element: HTMLElement): "dark" | "light" {
  for (let behind: HTMLElement | null = element; behind !== null; behind = behind.parentElement) {
    const colour = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/.exec(getComputedStyle(behind).backgroundColor);
    if (colour === null || Number(colour[4] ?? 1) === 0) continue;
    const [red = 0, green = 0, blue = 0] = colour.slice(1, 4).map(Number);
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128 ? "dark" : "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export default { render };
