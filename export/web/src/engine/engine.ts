/** Where models run, as the page sees it: files that are opened, and a queue of runs. */

import { PlayerError } from "./error.ts";
import { text } from "../i18n/index.ts";
import type { Reply, Request, Side } from "./messages.ts";
import type { ModelFile, RunOptions, Tensor } from "./model.ts";
import type { Packed } from "./packed.ts";

const PATIENCE_MS = 120_000; // that one run may take: then it is taken for one that never ends
export const LARGEST_FILE = 2 ** 31; // bytes: what WebAssembly can hold besides

interface Waiting {
  readonly file: ModelFile;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly channel: string | null; // null: never replaced
  readonly resolve: (output: Tensor | null) => void;
  readonly reject: (error: Error) => void;
}

interface Opening {
  readonly name: string;
  readonly resolve: (file: ModelFile) => void;
  readonly reject: (error: Error) => void;
}

export class Engine {
  readonly #openings = new Map<number, Opening>();
  readonly #waiting: Waiting[] = [];
  readonly #side: Side;
  #running: Waiting | null = null;
  #timer = 0;
  #count = 0; // of files and runs so far
  #broken: PlayerError | null = null;
  readonly #tell: (error: PlayerError) => void;

  /** `broken`: told once where the other side cannot go on. */
  constructor(side: Side, broken: (error: PlayerError) => void) {
    this.#tell = broken;
    this.#side = side;
    side.onmessage = ({ data }: MessageEvent<Reply>): void => this.#receive(data);
    side.onerror = (event): void => {
      event.preventDefault();
      this.#break(new PlayerError(`the worker stopped: ${event.message || "its script cannot be loaded"}`));
    };
  }

  /** Read a file. Rejects with `PlayerError` where it is no model that can be played. */
  open(name: string, contents: Packed, most = LARGEST_FILE): Promise<ModelFile> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#openings.set(id, { name, resolve, reject });
      this.#post({ type: "open", id, name, contents, most });
    });
  }

  close(file: ModelFile): void {
    for (const one of this.#waiting.filter((waiting) => waiting.file === file)) this.#drop(one);
    this.#post({ type: "close", id: file.id });
  }

  /** Whether nothing runs or waits. */
  get idle(): boolean {
    return this.#running === null && this.#waiting.length === 0;
  }

  /** As `Host.run` says. */
  run(file: ModelFile, inputs: Readonly<Record<string, Tensor>>, options: RunOptions = {}): Promise<Tensor | null> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const channel = options.keep === true ? null : (options.channel ?? String(file.id));
    const older = this.#waiting.find((one) => channel !== null && one.channel === channel);
    if (older !== undefined) this.#drop(older);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ file, inputs, channel, resolve, reject });
      this.#next();
    });
  }

  /** No more runs; all that wait resolve to null. */
  clear(): void {
    for (const one of [...this.#waiting]) this.#drop(one);
  }

  #drop(one: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(one), 1);
    one.resolve(null);
  }

  #next(): void {
    if (this.#running !== null) return;
    const one = this.#waiting.shift();
    if (one === undefined) return;
    this.#running = one;
    this.#timer = window.setTimeout(() => {
      this.#break(new PlayerError(`${one.file.name}: no answer after ${PATIENCE_MS / 1000} s; open the page again to go on`));
    }, PATIENCE_MS);
    this.#post({ type: "run", id: one.file.id, run: ++this.#count, inputs: one.inputs });
  }

  #receive(message: Reply): void {
    switch (message.type) {
      case "ready":
        break;
      case "broken":
        this.#break(new PlayerError(message.text));
        break;
      case "opened": {
        const opening = this.#take(message.id);
        const { id, card, sha256, size } = message;
        opening?.resolve({ id, name: opening.name, card, sha256, size });
        break;
      }
      case "refused": {
        const opening = this.#take(message.id);
        const { key } = message;
        const words = key === undefined ? message.text : text("problem", { name: opening?.name ?? "", problem: text(key) });
        opening?.reject(new PlayerError(words));
        break;
      }
      case "made":
        this.#finish()?.resolve(message.output);
        this.#next();
        break;
      case "failed":
        this.#finish()?.reject(new PlayerError(message.text));
        this.#next();
        break;
    }
  }

  #take(id: number): Opening | undefined {
    const opening = this.#openings.get(id);
    this.#openings.delete(id);
    return opening;
  }

  #finish(): Waiting | null {
    window.clearTimeout(this.#timer);
    const one = this.#running;
    this.#running = null;
    return one;
  }

  #break(error: PlayerError): void {
    if (this.#broken !== null) return;
    this.#broken = error;
    this.#side.terminate();
    this.#finish()?.reject(error);
    for (const one of this.#waiting.splice(0)) one.reject(error);
    for (const one of this.#openings.values()) one.reject(error);
    this.#openings.clear();
    this.#tell(error);
  }

  #post(request: Request): void {
    this.#side.postMessage(request);
  }
}
