/** What page and worker say to each other. */

import type { Key } from "../i18n/index.ts";
import type { Card } from "./card.ts";
import type { Tensor } from "./model.ts";
import type { Packed } from "./packed.ts";

export type Request =
  | { readonly type: "start"; readonly module: Packed; readonly binary: Packed; readonly threads: number }
  | { readonly type: "open"; readonly id: number; readonly name: string; readonly contents: Packed; readonly most: number }
  | { readonly type: "close"; readonly id: number }
  | {
      readonly type: "run";
      readonly id: number;
      readonly run: number;
      readonly inputs: Readonly<Record<string, Tensor>>;
    };

/** Where models run: a worker, or Python beyond the frame. */
export interface Side {
  postMessage(request: Request): void;
  onmessage: ((event: MessageEvent<Reply>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

export type Reply =
  | { readonly type: "ready"; readonly provider: "wasm" | "webgpu" | "python" }
  /** The runtime itself could not be started. */
  | { readonly type: "broken"; readonly text: string }
  | {
      readonly type: "opened";
      readonly id: number;
      readonly card: Card;
      readonly sha256: string;
      readonly size: number;
    }
  /** `key`: of the text that says the same in the user's language. */
  | { readonly type: "refused"; readonly id: number; readonly text: string; readonly key?: Key }
  | { readonly type: "made"; readonly run: number; readonly output: Tensor }
  | { readonly type: "failed"; readonly run: number; readonly text: string };
