/** Starts the runtime that the page carries, or turns to Python. */

import { Engine } from "../engine/engine.ts";
import { PlayerError } from "../engine/error.ts";
import { scriptAddress, take, type Page } from "./contents.ts";
import { Python } from "./python.ts";

const MOST_THREADS = 4;

/** WebGPU where the page has it and the browser too, else WebAssembly. Rejects with `PlayerError`. */
export async function startEngine(page: Page, broken: (error: Error) => void): Promise<Engine> {
  const { wasm, webgpu } = page.runtime;
  const chosen = webgpu !== undefined && (await hasGpu()) ? webgpu : wasm;
  if (chosen === undefined) {
    if (page.frame !== true) throw new PlayerError("this page lacks its runtime: copy it again");
    return new Engine(new Python(), broken);
  }
  const threads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, Math.ceil(navigator.hardwareConcurrency / 2)) : 1;
  const module = take(chosen.module);
  const binary = take(chosen.binary);
  const worker = new Worker(await scriptAddress(chosen.worker, page.frame === true));
  const engine = new Engine(worker, broken);
  worker.postMessage({ type: "start", module, binary, threads });
  return engine;
}

async function hasGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<object | null> } }).gpu;
  try {
    return gpu !== undefined && (await gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}
