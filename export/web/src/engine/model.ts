/** A model on the page, and the arrays that go in and come out of it. */

import type { Card } from "./card.ts";

/** A dense array; axis 0 is the batch. `dims` are all known. */
export type Tensor =
  | { readonly dtype: "f32"; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "u8"; readonly dims: readonly number[]; readonly data: Uint8Array }
  | { readonly dtype: "i64"; readonly dims: readonly number[]; readonly data: BigInt64Array };

/** A file of the contract that has been read: its card is sound, its graph has not been opened yet. */
export interface ModelFile {
  /** Of the worker; another one for each file that was ever opened on this page. */
  readonly id: number;
  /** File name, such as `cats.onnx`. Text of a stranger: for `textContent` only. */
  readonly name: string;
  readonly card: Card;
  /** SHA-256 of the file's bytes, 64 hexadecimal digits, as recipes have it. */
  readonly sha256: string;
  readonly size: number;
}

export interface RunOptions {
  /** Requests of a channel replace one another; default: the model's id. */
  readonly channel?: string;
  /** Never replaced, and never replacing: frames of a film, tiles of an image. */
  readonly keep?: boolean;
}
