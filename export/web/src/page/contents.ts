/** What the page was written with (README.md, "The page"): its models and its runtime. */

import { PlayerError } from "../engine/error.ts";
import { unpack, type Packed } from "../engine/packed.ts";

const FORMAT = 1;

export interface PageFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly block?: string;
  readonly url?: string;
  readonly held?: true;
}

export interface PageRuntime {
  readonly worker: PageFile;
  readonly module: PageFile;
  readonly binary: PageFile;
}

export interface Page {
  readonly format: number;
  readonly version: string;
  readonly title: string;
  readonly mode: string;
  readonly models: readonly PageFile[];
  /** Empty: models run in Python. */
  readonly runtime: { readonly wasm?: PageRuntime; readonly webgpu?: PageRuntime };
  /** Whether the page is in a frame, beside which a notebook's widget listens. */
  readonly frame?: true;
  /** Of the notebook; without, that of the system. */
  readonly theme?: "dark" | "light";
  readonly poster: null | { readonly seed: number; readonly rows: number; readonly cols: number };
  readonly licences: PageFile;
}

/** Throws `PlayerError` where the page was written for another player. */
export function readPage(): Page {
  const text = document.getElementById("page")?.textContent ?? "";
  let page: Page;
  try {
    page = JSON.parse(text) as Page;
  } catch {
    throw new PlayerError("this page lacks its contents: copy it again");
  }
  if (page.format !== FORMAT) throw new PlayerError(`this page has format ${String(page.format)}, its player reads ${FORMAT}`);
  return page;
}

/** A file of the page, to be unpacked. Its block is taken out of the page, which needs the memory no longer. */
export function take(file: PageFile): Packed {
  if (file.url !== undefined) {
    if (location.protocol === "file:") throw new PlayerError(`${file.name}: lies beside this page, which needs a web server: open it by http, or write the page as one file`); // prettier-ignore
    return { url: new URL(file.url, document.baseURI).href };
  }
  if (file.held === true) return { held: true };
  const block = document.getElementById(file.block ?? "");
  if (block === null) throw new PlayerError(`${file.name}: this page lacks its block: copy it again`);
  const text = block.textContent;
  block.remove();
  return { text };
}

/** The address of a script of the page. `plain`: no blob, whose workers some notebooks forbid. */
export async function scriptAddress(file: PageFile, plain: boolean): Promise<string> {
  const packed = take(file);
  if ("url" in packed) return packed.url;
  const blob = new Blob([await unpack(packed, file.name, file.bytes)], { type: "text/javascript" });
  if (!plain) return URL.createObjectURL(blob);
  return await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = (): void => resolve(reader.result as string);
    reader.readAsDataURL(blob);
  });
}
