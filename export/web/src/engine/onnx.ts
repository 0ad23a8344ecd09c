/**
 * The properties of an ONNX file, without the rest of it, and its seal.
 *
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; encoding: protobuf.dev/programming-guides/encoding
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { common, PlayerError } from "./error.ts";

const PROPERTIES = 14; // of ModelProto
const NAME = 1; // of StringStringEntryProto
const VALUE = 2;
const MOST_FIELDS = 10_000; // of the outermost message; a model has some dozens
const MOST_BYTES = 1 << 26; // of all its properties
const VARINT = 0; // kinds of fields
const BYTES = 2;

/** `metadata_props` of a model. Throws `PlayerError` where the bytes are no ONNX model. */
export function readProperties(data: Uint8Array): Map<string, string> {
  if (data.length === 0) throw common("emptyFile");
  const properties = new Map<string, string>();
  const text = new TextDecoder("utf-8", { fatal: true });
  let left = MOST_BYTES;
  for (const [number, kind, start, end] of fields(data, 0, data.length)) {
    if (number !== PROPERTIES || kind !== BYTES) continue;
    left -= end - start;
    if (left < 0) throw new PlayerError(`more than ${MOST_BYTES} bytes of properties`);
    let name = "";
    let value = "";
    for (const [part, partKind, from, to] of fields(data, start, end)) {
      if (partKind !== BYTES || (part !== NAME && part !== VALUE)) continue;
      try {
        const decoded = text.decode(data.subarray(from, to));
        if (part === NAME) name = decoded;
        else value = decoded;
      } catch {
        throw new PlayerError("properties that are not UTF-8");
      }
    }
    properties.set(name, value);
  }
  return properties;
}

/** Fields of a message: number, kind, and where their contents lie. */
function* fields(data: Uint8Array, from: number, to: number): Generator<[number, number, number, number]> {
  let position = from;
  for (let count = 0; position < to; count += 1) {
    if (count >= MOST_FIELDS) throw new PlayerError(`more than ${MOST_FIELDS} fields, expected an ONNX model`);
    const [key, start] = varint(data, position, to);
    const kind = key % 8;
    const [value, after] = kind === VARINT || kind === BYTES ? varint(data, start, to) : notOnnx();
    const end = kind === BYTES ? after + value : after;
    if (end > to) throw common("endsEarly");
    yield [Math.floor(key / 8), kind, after, end];
    position = end;
  }
}

function varint(data: Uint8Array, from: number, to: number): [number, number] {
  let value = 0;
  for (let position = from, factor = 1; position < to; position += 1, factor *= 128) {
    const byte = data[position] ?? 0;
    if (position - from >= 10) break;
    value += (byte & 0x7f) * factor; // beyond 2^53 not exact: no length is that large
    if (byte < 0x80) return [value, position + 1];
  }
  return notOnnx();
}

function notOnnx(): never {
  throw common("notOnnx");
}

const SEAL = '"sealed:';
const DIGITS = 64;

/**
 * Whether a file's bytes carry a seal (export/card.py). Throws `PlayerError` where the bytes are not those that were
 * sealed.
 */
export function checkSeal(data: Uint8Array): boolean {
  const places = [...sealPlaces(data)];
  const first = places[0];
  if (first === undefined) return false;
  const found = ascii(data, first, first + DIGITS);
  const blanked = data.slice();
  for (const place of places) blanked.fill(0x30, place, place + DIGITS);
  if (places.length !== 1 || hash(blanked) !== found) {
    throw common("sealBroken");
  }
  return true;
}

/** SHA-256, in hexadecimal. */
export function hash(data: Uint8Array): string {
  return bytesToHex(sha256(data));
}

/** Where the digits of seals begin. */
function* sealPlaces(data: Uint8Array): Generator<number> {
  for (let at = data.indexOf(0x22); at >= 0; at = data.indexOf(0x22, at + 1)) {
    const start = at + SEAL.length;
    if (start + DIGITS >= data.length || data[start + DIGITS] !== 0x22) continue;
    if (ascii(data, at, start) === SEAL && /^[0-9a-f]+$/.test(ascii(data, start, start + DIGITS))) yield start;
  }
}

function ascii(data: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...data.subarray(from, to));
}
