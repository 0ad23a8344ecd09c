/** Data back from what it was packed into. */

/** `null`: it would be more than `most` bytes. Rejects where the data is damaged. */
export async function inflate(
  parts: readonly Uint8Array<ArrayBuffer>[],
  format: CompressionFormat,
  most: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const found: Uint8Array[] = [];
  let size = 0;
  // Written as it is: of a page that is a file, workers of WebKit cannot read the stream of a blob.
  const { readable, writable } = new DecompressionStream(format);
  const writer = writable.getWriter();
  for (const written of [...parts.map((part) => writer.write(part)), writer.close()]) written.catch(() => undefined); // the reader says it, too
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      reader.cancel().catch(() => undefined);
      return null;
    }
    found.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of found) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
