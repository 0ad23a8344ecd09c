/** Files as the page carries them: gzip as text in a block, or an address beside the page. */

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
    return await gunzip(fromText(packed.text), most);
  } catch (error) {
    if (error instanceof PlayerError) throw error;
    throw new PlayerError(`${name}: its block in this page is damaged: copy the page again`);
  }
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

async function gunzip(data: Uint8Array<ArrayBuffer>, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  // Written as it is: of a page that is a file, workers of WebKit cannot read the stream of a blob.
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  for (const written of [writer.write(data), writer.close()]) written.catch(() => undefined); // the reader says it, too
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) throw new PlayerError(`a block of the page holds more than the ${most} bytes that it says`);
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
