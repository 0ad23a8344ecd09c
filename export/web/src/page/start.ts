/** Starts the runtime that the page carries. */

import { Engine } from "../engine/engine.ts";
import { scriptAddress, take, type Page, type PageRuntime } from "./contents.ts";

const MOST_THREADS = 4;

/** WebGPU where the page has it and the browser too, else WebAssembly. Rejects with `PlayerError`. */
export async function startEngine(page: Page, broken: (error: Error) => void): Promise<Engine> {
  const { wasm, webgpu } = page.runtime;
  const chosen = webgpu !== undefined && (await hasGpu()) ? webgpu : wasm;
  return await start(chosen, broken);
}

async function start(runtime: PageRuntime, broken: (error: Error) => void): Promise<Engine> {
  const threads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, Math.ceil(navigator.hardwareConcurrency / 2)) : 1;
  const module = take(runtime.module);
  const binary = take(runtime.binary);
  return new Engine({ script: await scriptAddress(runtime.worker), module, binary, threads }, broken);
}

async function hasGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<object | null> } }).gpu;
  try {
    return gpu !== undefined && (await gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}
