/** The worker: reads files, and runs models with onnxruntime-web. One run at a time, as they come. */

import * as ort from "onnxruntime-web/wasm";
import { readCard, type Card, type Dtype, type Port } from "./card.ts";
import { common, PlayerError } from "./error.ts";
import type { Reply, Request } from "./messages.ts";
import type { Tensor } from "./model.ts";
import { checkSeal, hash, readProperties } from "./onnx.ts";
import { unpack, type Packed } from "./packed.ts";

declare const self: DedicatedWorkerGlobalScope;
/** Of the worker that the build makes: which onnxruntime-web it was bundled with. */
declare const PROVIDER: "wasm" | "webgpu";

interface Opened {
  readonly name: string;
  readonly card: Card;
  data: Uint8Array<ArrayBuffer> | null; // until its session is there
  session: Promise<ort.InferenceSession> | null;
}

const TYPES: Readonly<Record<Dtype, string>> = { f32: "float32", i64: "int64", u8: "uint8" };
const files = new Map<number, Opened>();
let started: Promise<void> | null = null;

self.onmessage = ({ data }: MessageEvent<Request>): void => {
  void answer(data);
};

async function answer(request: Request): Promise<void> {
  switch (request.type) {
    case "start":
      started = start(request.module, request.binary, request.threads);
      await started.then(
        () => reply({ type: "ready", provider: PROVIDER }),
        (error: unknown) => reply({ type: "broken", text: oneLine(error) }),
      );
      return;
    case "open":
      await open(request.id, request.name, request.contents, request.most).catch((error: unknown) => {
        const key = error instanceof PlayerError ? error.key : undefined;
        reply({ type: "refused", id: request.id, text: named(request.name, oneLine(error)), ...(key && { key }) });
      });
      return;
    case "close": {
      const file = files.get(request.id);
      files.delete(request.id);
      await file?.session?.then((session) => session.release()).catch(() => undefined);
      return;
    }
    case "run":
      try {
        const output = await run(request.id, request.inputs);
        reply({ type: "made", run: request.run, output }, [output.data.buffer as ArrayBuffer]);
      } catch (error) {
        reply({ type: "failed", run: request.run, text: named(files.get(request.id)?.name ?? "", oneLine(error)) });
      }
  }
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}

async function start(module: Packed, binary: Packed, threads: number): Promise<void> {
  ort.env.logLevel = "fatal"; // what matters comes as an exception
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = await unpack(binary, "ort.wasm");
  if (threads === 1) return; // by the module that is bundled: of a page that is a file, WebKit imports no other
  const script = await unpack(module, "ort.mjs"); // further workers run it
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([script], { type: "text/javascript" })) };
}

async function open(id: number, name: string, contents: Packed, most: number): Promise<void> {
  const data = await unpack(contents, name, most);
  const properties = readProperties(data);
  const card = readCard(properties);
  if (card === null) throw common("noCard");
  if (!checkSeal(data) && properties.has("sha256")) throw common("sealBroken");
  const file: Opened = { name, card, data, session: null };
  const sha256 = hash(data);
  files.set(id, file);
  reply({ type: "opened", id, card, sha256, size: data.length });
  if (started !== null) void session(file).catch(() => undefined); // said by the run that needs it
}

function session(file: Opened): Promise<ort.InferenceSession> {
  file.session ??= create(file);
  return file.session;
}

async function create(file: Opened): Promise<ort.InferenceSession> {
  if (started === null || file.data === null) throw new PlayerError("the runtime has not been started");
  await started;
  const data = file.data;
  file.data = null;
  const made = await createWith(data);
  checkGraph("input", file.card.inputs, made.inputMetadata);
  checkGraph("output", [file.card.output], made.outputMetadata);
  return made;
}

/** On the GPU where that is possible, else on the CPU: not every driver runs every network. */
async function createWith(data: Uint8Array): Promise<ort.InferenceSession> {
  if (PROVIDER === "webgpu") {
    try {
      return await ort.InferenceSession.create(data, { executionProviders: ["webgpu", "wasm"] });
    } catch {
      // the CPU runs the same network, or says why not
    }
  }
  return await ort.InferenceSession.create(data, { executionProviders: ["wasm"] });
}

/** The card must tell the truth about the graph. */
function checkGraph(what: string, ports: readonly Port[], found: readonly ort.InferenceSession.ValueMetadata[]): void {
  for (const port of ports) {
    const same = found.find((one) => one.name === port.name);
    if (same === undefined) throw new PlayerError(`its card tells of an ${what} "${port.name}", which its graph lacks`);
    if (!same.isTensor || same.type !== TYPES[port.dtype]) {
      const type = same.isTensor ? same.type : "no array";
      throw new PlayerError(`${what} "${port.name}" is ${type}, its card says ${TYPES[port.dtype]}`);
    }
  }
  if (what === "input" && found.length !== ports.length) {
    throw new PlayerError(`its graph has ${found.length} inputs, its card tells of ${ports.length}`);
  }
}

async function run(id: number, inputs: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const file = files.get(id);
  if (file === undefined) throw new PlayerError("closed");
  const runs = await session(file);
  const feeds: Record<string, ort.Tensor> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    feeds[name] = new ort.Tensor(TYPES[tensor.dtype] as "float32", tensor.data as Float32Array, tensor.dims);
  }
  const output = file.card.output;
  const outputs = await runs.run(feeds, [output.name]);
  const made = outputs[output.name];
  if (made?.type !== TYPES[output.dtype]) throw new PlayerError(`gave no ${output.name}`);
  const data = (await made.getData()) as Float32Array;
  const copy = data.slice(); // of the page: the runtime's memory is its own
  for (const tensor of Object.values(feeds)) tensor.dispose();
  made.dispose();
  if (output.dtype === "f32" && !copy.every(Number.isFinite)) throw new PlayerError(`gave ${output.name} that is not finite`);
  return { dtype: output.dtype, dims: [...made.dims], data: copy } as Tensor;
}

/** A line about a file, which some say already. */
function named(name: string, line: string): string {
  return line.startsWith(`${name}: `) ? line : `${name}: ${line}`;
}

function oneLine(error: unknown): string {
  if (error instanceof PlayerError) return error.message;
  const text = error instanceof Error ? error.message : typeof error === "number" ? "out of memory" : String(error);
  return new PlayerError(`cannot be run: ${text.replace(/\s+/g, " ").trim()}`).message;
}
