/**
 * The card: everything that a player must know of a model, stored inside its ONNX file. Reads what export/card.py
 * writes, and refuses what it refuses; there each field is explained. Names here are camelCase.
 */

import { PlayerError } from "./error.ts";
import { isKind, KINDS, type Kind, type KindName } from "./kinds.ts";

const MAJOR = 1; // of the schema: a newer one is refused

export const DTYPES = ["f32", "i64", "u8"] as const;
export type Dtype = (typeof DTYPES)[number];
export const PREDICTIONS = ["epsilon", "x0", "v"] as const;

const MOST_LATENT = 1 << 16;
const MOST_SIDE_PX = 1 << 14;
const MOST_MULTIPLE = 1 << 12;
const MOST_BLUR = 99; // pixels
const MOST_PALETTE = 64; // colours
const MOST_STEPS = 10_000;
const MOST_NAMED = 256; // directions
const MOST_NAME = 64; // characters
const MOST_CLASSES = 1 << 16;
const SIZE = `height and width, 1..${MOST_SIDE_PX}`;

/** An input or the output of the graph; null is a size that may vary, axis 0 is the batch. */
export interface Port {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly (number | null)[];
}

export interface Latent {
  readonly size: number;
  readonly prior: "normal" | "uniform";
  /** [size]; empty where it is not known. */
  readonly mean: readonly number[];
  /** [size, size]; empty where it is not known. */
  readonly covariance: readonly (readonly number[])[];
}

/** How the image that goes in is made of a photograph. */
export interface Condition {
  /** "given", "edges", or one that this version does not know. */
  readonly kind: string;
  /** Height, width. */
  readonly size?: readonly [number, number];
  readonly palette: readonly (readonly [number, number, number])[];
  readonly sigma: number;
  readonly blur: number;
  readonly invert: boolean;
}

export interface Schedule {
  readonly prediction: (typeof PREDICTIONS)[number];
  readonly alphaBar: readonly number[];
  /** Word for the schedule, such as "cosine"; empty where the card has none. */
  readonly kind: string;
}

export interface Card {
  readonly kind: KindName;
  readonly family: string;
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly output: Port;
  /** Height, width; null: any. */
  readonly imageSize: readonly [number, number] | null;
  readonly channels: number;
  /** Of the image that goes in; those of the network where the card says nothing. */
  readonly inputChannels: number;
  readonly scale: number;
  readonly multiple: number;
  readonly context: number;
  readonly condition: Condition | null;
  readonly latent: Latent | null;
  readonly classes: readonly string[];
  readonly schedule: Schedule | null;
  readonly directions: readonly (readonly number[])[];
  readonly namedDirections: ReadonlyMap<string, readonly number[]>;
  readonly sampleLatents: readonly (readonly number[])[];
  readonly licence: string;
  readonly data: string;
  readonly precision: string;
  readonly schema: string;
}

type Values = Readonly<Record<string, unknown>>;

const FIELDS = [
  "kind", "family", "name", "inputs", "output", "image_size", "channels", "input_channels", "scale", "multiple",
  "context", "condition", "latent", "classes", "schedule", "directions", "named_directions", "sample_latents",
  "licence", "data", "training", "parity", "precision", "schema",
] as const; // prettier-ignore
const REQUIRED = ["family", "inputs", "kind", "name", "output", "schema"];

/**
 * The card in the properties of a file; null where there is none. Throws `PlayerError` where there is one that cannot
 * be used.
 */
export function readCard(properties: ReadonlyMap<string, string>): Card | null {
  if (!properties.has("schema")) return null;
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const key of FIELDS) {
    const text = properties.get(key);
    if (text !== undefined) values[key] = parse(key, text);
  }
  const schema = values["schema"];
  if (typeof schema !== "string" || !/^\d{1,6}\.\d{1,6}$/.test(schema)) {
    throw new PlayerError(`card schema is ${shown(schema)}, expected a version such as "1.2"`);
  }
  if (Number(schema.split(".")[0]) > MAJOR) {
    throw new PlayerError(`card schema is ${schema}, this page reads up to ${MAJOR}: a newer page is needed`);
  }
  const missing = REQUIRED.filter((key) => !(key in values));
  if (missing.length > 0) throw new PlayerError(`card lacks ${missing.join(", ")}`);
  return build(values, schema);
}

function parse(key: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new PlayerError(`card entry "${key}" is not JSON`);
  }
}

function build(values: Values, schema: string): Card {
  for (const key of ["family", "name", "licence", "data", "precision"]) {
    expect(typeof (given(values, key, "")) === "string", key, values[key], "text");
  }
  const precision = given(values, "precision", "fp32") as string;
  expect(precision !== "", "precision", "", "one such as fp32");
  const name = values["kind"];
  if (!isKind(name)) throw expected("kind", name, `one of ${Object.keys(KINDS).join(", ")}`);
  const kind: Kind = KINDS[name];
  const inputs = list(values["inputs"], "inputs", "ports").map(port);
  const output = port(values["output"]);
  checkPorts(name, kind, inputs, output);
  const imageSize = given(values, "image_size", null);
  if (imageSize !== null && !isSize(imageSize)) throw expected("image_size", imageSize, SIZE);
  const channels = whole(values, "channels", 1, 4, 3);
  for (const key of ["schedule", "training", "parity", "condition"]) {
    if (!isMapping(given(values, key, {}))) throw new PlayerError(`card ${key} is ${typeName(values[key])}, expected a mapping`);
  }
  const classes = list(given(values, "classes", []), "classes", "texts");
  if (!classes.every((item) => typeof item === "string")) throw expected("classes", classes, "texts");
  if (classes.length > MOST_CLASSES) throw new PlayerError(`card has ${classes.length} classes, expected ${MOST_CLASSES} at most`);
  const condition = readCondition(given(values, "condition", {}) as Values);
  const schedule = kind.hasSchedule ? readSchedule(name, given(values, "schedule", {}) as Values) : null;
  if (kind.hasSchedule && inputs.some((one) => one.name === "label") && classes.length === 0) {
    throw new PlayerError(`card of a ${name} that takes labels lacks classes`);
  }
  const namedDirections = readNamed(given(values, "named_directions", {}));
  const latent = readLatent(given(values, "latent", null));
  if (latent === null && kind.needsLatent) throw new PlayerError(`card of a ${name} lacks latent`);
  const directions = rows(given(values, "directions", []), "directions");
  const sampleLatents = rows(given(values, "sample_latents", []), "sample_latents");
  if (latent !== null) {
    checkRows(latent, "latent mean", latent.mean.length > 0 ? [latent.mean] : []);
    checkRows(latent, "latent covariance", latent.covariance);
    checkRows(latent, "directions", directions);
    checkRows(latent, "named_directions", [...namedDirections.values()]);
    checkRows(latent, "sample_latents", sampleLatents);
    if (latent.covariance.length > 0 && latent.covariance.length !== latent.size) {
      throw new PlayerError(`card latent covariance has ${latent.covariance.length} rows, expected ${latent.size}`);
    }
  }
  return {
    kind: name,
    family: values["family"] as string,
    name: values["name"] as string,
    inputs,
    output,
    imageSize,
    channels,
    inputChannels: whole(values, "input_channels", 0, 4, 0) || channels,
    scale: whole(values, "scale", 1, 16, 1),
    multiple: whole(values, "multiple", 1, MOST_MULTIPLE, 1),
    context: whole(values, "context", 0, MOST_SIDE_PX, 0),
    condition,
    latent,
    classes,
    schedule,
    directions,
    namedDirections,
    sampleLatents,
    licence: given(values, "licence", "") as string,
    data: given(values, "data", "") as string,
    precision,
    schema,
  };
}

function port(value: unknown): Port {
  if (!isMapping(value)) throw new PlayerError(`card port is ${typeName(value)}, expected a mapping`);
  const { name, dtype } = value;
  const shape = list(value["shape"], "port shape", "sizes");
  if (typeof name !== "string" || !DTYPES.includes(dtype as Dtype)) {
    throw new PlayerError(`card port ${shown(name)} has type ${shown(dtype)}, expected one of ${DTYPES.join(", ")}`);
  }
  const sizes = shape.every((size) => size === null || isWhole(size, 0, 2 ** 31));
  expect(sizes, `shape of port ${shown(name)}`, shape, "whole numbers or null");
  return { name, dtype: dtype as Dtype, shape: shape as (number | null)[] };
}

function checkPorts(name: string, kind: Kind, inputs: readonly Port[], output: Port): void {
  const found = new Map(inputs.map((one) => [one.name, one.dtype]));
  expect(found.size === inputs.length, "inputs", inputs.map((one) => one.name), "each name once"); // prettier-ignore
  const possible = new Map(kind.inputs.map((one) => [one.name, one.dtype]));
  const needed = kind.inputs.filter((one) => !one.optional);
  const fit = needed.every((one) => found.has(one.name)) && inputs.every((one) => possible.get(one.name) === one.dtype);
  const words = needed.map((one) => `${one.name}: ${one.dtype}`).join(", ");
  expect(fit, "inputs", Object.fromEntries(found), `{${words}} for a ${name}`);
  const same = output.name === kind.output.name && output.dtype === kind.output.dtype;
  expect(same, "output", [output.name, output.dtype], `${kind.output.name}: ${kind.output.dtype} for a ${name}`);
}

function readLatent(value: unknown): Latent | null {
  if (value === null) return null;
  if (!isMapping(value)) throw new PlayerError(`card latent is ${typeName(value)}, expected a mapping`);
  const { size } = value;
  const prior = given(value, "prior", "normal");
  if (!isWhole(size, 1, MOST_LATENT)) throw expected("latent size", size, `1..${MOST_LATENT}`);
  if (prior !== "normal" && prior !== "uniform") throw expected("latent prior", prior, "normal or uniform");
  const mean = numbers(given(value, "mean", []), "latent mean");
  return { size, prior, mean, covariance: rows(given(value, "covariance", []), "latent covariance") };
}

function readCondition(value: Values): Condition | null {
  if (Object.keys(value).length === 0) return null;
  const kind = value["kind"];
  if (typeof kind !== "string") throw expected("condition kind", kind, "one of given, edges");
  const size = value["size"];
  if (size !== undefined && !isSize(size)) throw expected("condition size", size, SIZE);
  const palette = given(value, "palette", []);
  const few = Array.isArray(palette) && palette.length <= MOST_PALETTE && palette.every(isColour);
  expect(few, "condition palette", palette, `at most ${MOST_PALETTE} of [r, g, b], 0..255`);
  const sigma = kind === "edges" ? given(value, "sigma", 0.33) : 0.33;
  const blur = kind === "edges" ? given(value, "blur", 3) : 3;
  const invert = kind === "edges" ? given(value, "invert", false) : false;
  if (!isNumber(sigma) || sigma < 0 || sigma > 1) throw expected("condition sigma", sigma, "0..1");
  if (!isWhole(blur, 0, MOST_BLUR) || (blur !== 0 && blur % 2 === 0)) {
    throw expected("condition blur", blur, `0 or an odd number of pixels, at most ${MOST_BLUR}`);
  }
  if (typeof invert !== "boolean") throw expected("condition invert", invert, "true or false");
  const colours = palette as (readonly [number, number, number])[];
  return { kind, ...(size === undefined ? {} : { size }), palette: colours, sigma, blur, invert };
}

function readSchedule(kind: string, value: Values): Schedule {
  if (Object.keys(value).length === 0) throw new PlayerError(`card of a ${kind} lacks schedule`);
  const prediction = PREDICTIONS.find((one) => one === value["prediction"]);
  if (prediction === undefined) {
    throw expected("schedule prediction", value["prediction"], `one of ${PREDICTIONS.join(", ")}`);
  }
  const alphaBar = numbers(value["alpha_bar"], "schedule alpha_bar");
  if (alphaBar.length < 1 || alphaBar.length > MOST_STEPS) {
    throw new PlayerError(`card schedule alpha_bar has ${alphaBar.length} steps, expected 1..${MOST_STEPS}`);
  }
  const falls = alphaBar.every((one, at) => one > 0 && one < (alphaBar[at - 1] ?? 1));
  if (!falls) throw new PlayerError("card schedule alpha_bar is not a list of numbers that fall within 0..1");
  const word = value["kind"];
  return { prediction, alphaBar, kind: typeof word === "string" ? word : "" };
}

function readNamed(value: unknown): Map<string, readonly number[]> {
  if (!isMapping(value)) throw new PlayerError(`card named_directions is ${typeName(value)}, expected a mapping`);
  const names = Object.keys(value);
  for (const name of names) {
    const sound = name !== "" && Array.from(name).length <= MOST_NAME && isPrintable(name) && name === name.trim();
    expect(sound, "named_directions name", name, `1..${MOST_NAME} printable characters`);
  }
  expect(names.length <= MOST_NAMED, "named_directions", names.length, `at most ${MOST_NAMED}`);
  return new Map(names.map((name) => [name, numbers(value[name], `named_directions ${shown(name)}`)]));
}

function checkRows(latent: Latent, what: string, found: readonly (readonly number[])[]): void {
  if (found.some((row) => row.length !== latent.size)) {
    throw new PlayerError(`card ${what} does not fit the latent size ${latent.size}`);
  }
}

/** A value, or what stands for it where it is absent; null is a value. */
function given(values: Values, key: string, otherwise: unknown): unknown {
  return values[key] === undefined ? otherwise : values[key];
}

function list(value: unknown, what: string, of: string): unknown[] {
  if (!Array.isArray(value)) throw new PlayerError(`card ${what} is ${typeName(value)}, expected a list of ${of}`);
  return value as unknown[];
}

function numbers(value: unknown, what: string): number[] {
  return list(value, what, "numbers").map((item) => {
    if (!isNumber(item)) throw new PlayerError(`card ${what} holds ${shown(item)}, expected finite numbers`);
    return item;
  });
}

function rows(value: unknown, what: string): number[][] {
  return list(value, what, "lists").map((row) => numbers(row, what));
}

function whole(values: Values, key: string, low: number, high: number, otherwise: number): number {
  const value = given(values, key, otherwise);
  if (!isWhole(value, low, high)) throw expected(key, value, `${low}..${high}`);
  return value;
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isSize(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((side) => isWhole(side, 1, MOST_SIDE_PX));
}

function isColour(value: unknown): boolean {
  return Array.isArray(value) && value.length === 3 && value.every((level) => isWhole(level, 0, 255));
}

function isMapping(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPrintable(text: string): boolean {
  return !/[\p{C}\p{Zl}\p{Zp}]/u.test(text) && !/(?! )\p{Zs}/u.test(text);
}

function expect(condition: boolean, what: string, found: unknown, should: string): void {
  if (!condition) throw expected(what, found, should);
}

function expected(what: string, found: unknown, should: string): PlayerError {
  return new PlayerError(`card ${what} is ${shown(found)}, expected ${should}`);
}

/** A value of the card for a message, short. */
function shown(value: unknown): string {
  let text: string;
  try {
    text = value === undefined ? "missing" : JSON.stringify(value);
  } catch {
    text = typeName(value); // nested too deeply
  }
  text = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

function typeName(value: unknown): string {
  if (value === undefined) return "missing";
  return value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
