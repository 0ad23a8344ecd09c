/**
 * Random numbers that follow from a text: SHAKE-256 (FIPS 202), and Box and Muller's transform in double precision.
 * The same numbers as `viewer/latents.py` makes.
 */
import { shake256 } from "@noble/hashes/sha3.js";

const encoder = new TextEncoder();

/** Numbers in (0, 1), never an end. */
export function uniform(text: string, count: number): Float64Array {
  const bytes = shake256(encoder.encode(text), { dkLen: 8 * count });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: count }, (_, index) => {
    const low = view.getUint32(8 * index, true);
    const high = view.getUint32(8 * index + 4, true);
    return (high * 2 ** 21 + (low >>> 11) + 0.5) * 2 ** -53; // the upper 53 of 64 bits
  });
}

/** Standard normal numbers. */
export function normal(text: string, size: number): Float32Array {
  const source = uniform(text, size + (size % 2));
  const numbers = new Float32Array(size);
  for (let index = 0; index < size; index += 2) {
    const radius = Math.sqrt(-2 * Math.log(source[index]!));
    const angle = 2 * Math.PI * source[index + 1]!;
    numbers[index] = radius * Math.cos(angle);
    if (index + 1 < size) numbers[index + 1] = radius * Math.sin(angle);
  }
  return numbers;
}
