/**
 * Samplers of diffusion models: trainer/contract/samplers.py, in the same single precision. Async generators that yield
 * the images after every step, so that a caller can stop at any.
 *
 * `predict(x, t)` is the network on images x, [n, c, h, w] as one array, all at step t. x carries `start` steps of
 * noise. `noise()` gives as many standard normal numbers as x has. The predicted x0 is clipped to ±1.
 */

/** That of a denoiser's card. */
export interface Schedule {
  readonly prediction: string;
  /** Of every step: the fraction of the image's variance that is left. */
  readonly alphaBar: readonly number[];
}

export type Predict = (x: Float32Array, t: number) => Promise<Float32Array>;
export type Noise = () => Float32Array;
export type Steps = AsyncGenerator<Float32Array, void, void>;

export interface Sampling {
  /** 0..1: how much new noise each step but the last adds. */
  readonly eta: number;
  readonly noise: Noise;
}

export type Sampler = (
  predict: Predict, schedule: Schedule, x: Float32Array, start: number, steps: number, sampling: Sampling,
) => Steps; // prettier-ignore

const LEAST_LOG_RATIO = -5; // half the logarithm of signal to noise: below, there is no image yet to take steps for
const { fround, sqrt } = Math;

/** Song et al. 2021, "Denoising Diffusion Implicit Models", equations 12 and 16. */
export async function* ddim(
  predict: Predict, schedule: Schedule, x: Float32Array, start: number, steps: number, { eta, noise }: Sampling,
): Steps { // prettier-ignore
  const times = evenTimes(schedule, start, steps);
  for (const [index, t] of times.entries()) {
    const now = alphaBar(schedule, t);
    const then = index + 1 < times.length ? alphaBar(schedule, times[index + 1]!) : 1;
    const image = predictX0(schedule, await predict(x, t), x, t);
    const std = eta * sqrt(((1 - then) / (1 - now)) * (1 - now / then)); // equation 16
    const [signal, remains] = [fround(sqrt(now)), fround(sqrt(1 - now))];
    const [keep, noised] = [fround(sqrt(then)), fround(sqrt(Math.max(1 - then - std ** 2, 0)))];
    const added = std > 0 ? noise() : null;
    const [from, strength] = [x, fround(std)];
    x = image.map((value, at) => {
      const direction = fround(fround(from[at]! - fround(signal * value)) / remains);
      const next = fround(fround(keep * value) + fround(noised * direction));
      return added === null ? next : fround(next + fround(strength * added[at]!));
    });
    yield x;
  }
}

/** DPM-Solver++(2M), and with `eta` 1 SDE-DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++"). */
export async function* dpmSolver(
  predict: Predict, schedule: Schedule, x: Float32Array, start: number, steps: number, { eta, noise }: Sampling,
): Steps { // prettier-ignore
  const times = evenRatios(schedule, start, steps);
  let previous: { image: Float32Array; length: number } | null = null; // the last step's image, its length in λ
  for (const [index, t] of times.entries()) {
    const image = predictX0(schedule, await predict(x, t), x, t);
    if (index + 1 === times.length) {
      yield image;
      return;
    }
    const [now, then] = [alphaBar(schedule, t), alphaBar(schedule, times[index + 1]!)];
    const length = logRatio(then) - logRatio(now);
    const last = previous;
    const ratio = last === null ? 0 : fround(length / (2 * last.length));
    const ahead: Float32Array =
      last === null
        ? image
        : image.map((value, at) => fround(value + fround(fround(value - last.image[at]!) * ratio)));
    const keep = fround(sqrt((1 - then) / (1 - now)) * Math.exp(-eta * length));
    const moved = fround(sqrt(then) * Math.expm1(-(1 + eta) * length));
    const strength = fround(sqrt(-(1 - then) * Math.expm1(-2 * eta * length)));
    const added = eta > 0 ? noise() : null;
    x = x.map((value, at) => {
      const next = fround(fround(keep * value) - fround(moved * ahead[at]!));
      return added === null ? next : fround(next + fround(strength * added[at]!));
    });
    previous = { image, length };
    yield x;
  }
}

/** Ancestral sampling (Ho et al. 2020, algorithm 2): DDIM with η = 1 (Song et al. 2021, section 4.1). */
export const ddpm: Sampler = (predict, schedule, x, start, steps, sampling) =>
  ddim(predict, schedule, x, start, steps, { ...sampling, eta: 1 });

export type SamplerName = "ddim" | "ddpm" | "dpm";
export const SAMPLERS: Readonly<Record<SamplerName, Sampler>> = { ddim, ddpm, dpm: dpmSolver };

/** Steps t of a schedule, from `start` - 1 down, evenly spaced. */
export function evenTimes(schedule: Schedule, start: number, steps: number): number[] {
  const count = checked(schedule, start, steps);
  return Array.from({ length: count }, (_, index) => Math.floor((start * (count - index)) / count) - 1);
}

/** Steps t from `start` - 1 down to 0, evenly spaced in λ as far as whole numbers can be. */
export function evenRatios(schedule: Schedule, start: number, steps: number): number[] {
  const count = checked(schedule, start, steps);
  const ratios = schedule.alphaBar.slice(0, start).map(logRatio);
  const first = Math.max(ratios[start - 1]!, LEAST_LOG_RATIO);
  const step = (ratios[0]! - first) / Math.max(count - 1, 1);
  const times = [start - 1];
  for (let index = 1; index < count; index += 1) {
    const wanted = index === count - 1 ? ratios[0]! : index * step + first;
    let nearest = 0;
    ratios.forEach((ratio, at) => {
      if (Math.abs(ratio - wanted) < Math.abs(ratios[nearest]! - wanted)) nearest = at;
    });
    times.push(Math.min(Math.max(nearest, count - 1 - index), times[index - 1]! - 1));
  }
  return times;
}

function checked(schedule: Schedule, start: number, steps: number): number {
  const known = schedule.alphaBar.length;
  if (!(start >= 1 && start <= known)) throw new RangeError(`start is ${start}, expected 1 to ${known}`);
  if (steps < 1) throw new RangeError(`steps is ${steps}, expected at least 1`);
  return Math.min(steps, start);
}

/** ᾱ at step t. */
export function alphaBar(schedule: Schedule, t: number): number {
  return schedule.alphaBar[t]!;
}

/** An image after `start` steps of noise (Ho et al. 2020, equation 4). */
export function addNoise(schedule: Schedule, image: Float32Array, start: number, noise: Float32Array): Float32Array {
  const left = alphaBar(schedule, start - 1);
  const [signal, noised] = [fround(sqrt(left)), fround(sqrt(1 - left))];
  return image.map((value, at) => fround(fround(signal * value) + fround(noised * noise[at]!)));
}

/** The image x0 that a prediction at step t stands for, clipped to ±1. */
export function predictX0(schedule: Schedule, prediction: Float32Array, x: Float32Array, t: number): Float32Array {
  const now = alphaBar(schedule, t);
  const [signal, noise] = [fround(sqrt(now)), fround(sqrt(1 - now))];
  const clipped = (value: number): number => Math.min(Math.max(value, -1), 1);
  if (schedule.prediction === "epsilon") {
    return prediction.map((value, at) => clipped(fround(fround(x[at]! - fround(noise * value)) / signal)));
  }
  if (schedule.prediction === "v") {
    return prediction.map((value, at) => clipped(fround(fround(signal * x[at]!) - fround(noise * value))));
  }
  return prediction.map(clipped);
}

/** λ = ln(√ᾱ / √(1-ᾱ)). */
function logRatio(alpha: number): number {
  return (Math.log(alpha) - Math.log1p(-alpha)) / 2;
}
