/** Models that run in Python: the page is in a notebook's frame, and its widget passes all on. */

import { readCard } from "../engine/card.ts";
import { common, PlayerError } from "../engine/error.ts";
import type { Reply, Request, Side } from "../engine/messages.ts";
import type { Tensor } from "../engine/model.ts";
import { hear, tell } from "./frame.ts";

type Dtype = Tensor["dtype"];

/** An array without its numbers, which are in a buffer. */
interface Header {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

/** What Python answers; the card is read here, as everywhere. */
type Answer =
  | { readonly type: "opened"; readonly id: number; readonly properties: Readonly<Record<string, string>>; readonly sha256: string; readonly size: number } // prettier-ignore
  | { readonly type: "refused"; readonly id: number; readonly text: string }
  | { readonly type: "made"; readonly run: number; readonly output: Header }
  | { readonly type: "failed"; readonly run: number; readonly text: string };

const ARRAYS = { f32: Float32Array, u8: Uint8Array, i64: BigInt64Array } as const;

export class Python implements Side {
  onmessage: Side["onmessage"] = null;
  onerror: Side["onerror"] = null;
  #ended = false;

  constructor() {
    hear((message, buffers) => {
      if (message.type === "engine" && !this.#ended) this.#receive(message.reply as Answer, buffers);
    });
  }

  postMessage(request: Request): void {
    switch (request.type) {
      case "start":
        return;
      case "close":
        tell({ type: "engine", request });
        return;
      case "open": {
        const { type, id, name, contents } = request;
        const bytes = "bytes" in contents ? [contents.bytes.slice().buffer] : [];
        tell({ type: "engine", request: { type, id, name } }, bytes);
        return;
      }
      case "run": {
        const { type, id, run } = request;
        const inputs = Object.entries(request.inputs).map(([name, { dtype, dims }]) => ({ name, dtype, dims }));
        const buffers = Object.values(request.inputs).map(({ data }) => data.slice().buffer);
        tell({ type: "engine", request: { type, id, run, inputs } }, buffers);
      }
    }
  }

  terminate(): void {
    this.#ended = true;
  }

  #receive(answer: Answer, buffers: readonly ArrayBuffer[]): void {
    const data = this.#read(answer, buffers);
    this.onmessage?.(new MessageEvent("message", { data }));
  }

  #read(answer: Answer, buffers: readonly ArrayBuffer[]): Reply {
    if (answer.type === "made") {
      const { dtype, dims } = answer.output;
      const output = { dtype, dims, data: new ARRAYS[dtype](buffers[0] ?? new ArrayBuffer(0)) } as Tensor;
      return { type: "made", run: answer.run, output };
    }
    if (answer.type !== "opened") return answer;
    const { type, id, properties, sha256, size } = answer;
    try {
      const card = readCard(new Map(Object.entries(properties)));
      if (card === null) throw common("noCard");
      return { type, id, card, sha256, size };
    } catch (error) {
      const key = error instanceof PlayerError ? error.key : undefined;
      return { type: "refused", id, text: error instanceof Error ? error.message : String(error), ...(key && { key }) };
    }
  }
}
