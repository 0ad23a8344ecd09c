/** Files as the page carries them: gzip as text in a block, or an address beside the page. */

import { inflate } from "../pure/inflate.ts";
import { fromText } from "../pure/text.ts";
import { PlayerError } from "./error.ts";

/** A file on its way to the worker. */
export type Packed =
  | { readonly text: string } // of a block: pure/text.ts, gzip
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly url: string }
  | { readonly held: true }; // by Python, which runs it, too

/** The file's own bytes. `name`: for messages. `most`: bytes that it may have. Throws `PlayerError`. */
export async function unpack(packed: Packed, name: string, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  if ("bytes" in packed) return packed.bytes;
  if ("held" in packed) throw new PlayerError(`${name}: is not on this page`);
  if ("url" in packed) return await download(packed.url, name);
  try {
    const data = await inflate([fromText(packed.text)], "gzip", most);
    if (data !== null) return data;
  } catch {
    throw new PlayerError(`${name}: its block in this page is damaged: copy the page again`);
  }
  throw new PlayerError(`a block of the page holds more than the ${most} bytes that it says`);
}

async function download(url: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    const way = url.startsWith("file:") ? "this page needs a web server: open it by http, or take the page in one file" : "it cannot be fetched: is it beside the page?"; // prettier-ignore
    throw new PlayerError(`${name}: ${way}`);
  }
  if (!response.ok) throw new PlayerError(`${name}: the server says ${response.status}, expected the file beside the page`);
  return new Uint8Array(await response.arrayBuffer());
}
