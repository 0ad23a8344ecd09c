/** What each kind of model takes and gives: the names and types of ports in export/kinds.py. */

import type { Dtype } from "./card.ts";

export interface PortKind {
  readonly name: string;
  readonly dtype: Dtype;
  readonly optional?: boolean;
}

export interface Kind {
  readonly inputs: readonly PortKind[];
  readonly output: PortKind;
  readonly hasSchedule: boolean;
  readonly needsLatent: boolean;
}

const LATENT: PortKind = { name: "latent", dtype: "f32" };
const LABEL: PortKind = { name: "label", dtype: "i64", optional: true };

export const KINDS = {
  generator: {
    inputs: [LATENT, LABEL],
    output: { name: "image", dtype: "u8" },
    hasSchedule: false,
    needsLatent: true,
  },
  translator: {
    inputs: [
      { name: "image", dtype: "u8" },
      { ...LATENT, optional: true },
    ],
    output: { name: "translated", dtype: "u8" },
    hasSchedule: false,
    needsLatent: false,
  },
  denoiser: {
    inputs: [{ name: "noisy", dtype: "f32" }, { name: "t", dtype: "i64" }, LABEL],
    output: { name: "prediction", dtype: "f32" },
    hasSchedule: true,
    needsLatent: false,
  },
  detail: {
    inputs: [LATENT],
    output: { name: "detail", dtype: "f32" },
    hasSchedule: false,
    needsLatent: true,
  },
  encoder: {
    inputs: [{ name: "image", dtype: "u8" }],
    output: LATENT,
    hasSchedule: false,
    needsLatent: true,
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

export function isKind(name: unknown): name is KindName {
  return typeof name === "string" && Object.hasOwn(KINDS, name);
}
