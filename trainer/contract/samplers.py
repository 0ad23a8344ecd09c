"""Samplers of diffusion models, for NumPy arrays and torch tensors alike: generators that yield the images after every
step, so that a caller can stop at any.

``predict(x, t)`` is the network on images x, f32 [n, c, h, w], all at step t, a whole number from 0. The schedule is
that of a denoiser's card: ``prediction`` (epsilon, x0 or v) and ``alpha_bar`` (ᾱ of every step). x carries ``start``
steps of noise: all steps of the schedule for pure noise, fewer for an image with the noise of step ``start`` - 1.
``noise(shape)`` gives standard normal numbers. The predicted x₀ is clipped to ±``limit`` (0: not at all). Scalars are
computed in float64 and enter as Python floats, so that arrays stay f32.

All raise ``ValueError`` where there are no steps to take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np

Array: TypeAlias = Any  # of NumPy or of torch
Predict: TypeAlias = Callable[[Array, int], Array]
Noise: TypeAlias = Callable[[Sequence[int]], Array]
Schedule = Mapping[str, Any]
Steps: TypeAlias = Iterator[tuple[int, Array]]

_LEAST_LOG_RATIO: Final = -5.0  # half the logarithm of signal to noise: below, there is no image yet to take steps for


def ddim(
    predict: Predict,
    schedule: Schedule,
    x: Array,
    start: int,
    steps: int,
    *,
    eta: float = 0.0,
    noise: Noise | None = None,
    limit: float = 1.0,
) -> Steps:
    """Song et al. 2021, "Denoising Diffusion Implicit Models", equations 12 and 16. Yields (0, x), (1, x), ...

    No more than ``start`` steps. ``eta`` 0..1: how much new noise each step but the last adds; 0 needs no ``noise``."""
    times = even_times(schedule, start, steps)
    for index, t in enumerate(times):
        now = alpha_bar(schedule, t)
        then = alpha_bar(schedule, times[index + 1]) if index + 1 < len(times) else 1.0
        image = predict_x0(schedule, predict(x, t), x, t, limit)
        direction = (x - now**0.5 * image) / (1 - now) ** 0.5
        std = eta * ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5  # equation 16
        x = then**0.5 * image + max(1 - then - std**2, 0.0) ** 0.5 * direction
        if std and noise is not None:
            x = x + std * noise(tuple(x.shape))
        yield index, x


def dpm_solver(
    predict: Predict,
    schedule: Schedule,
    x: Array,
    start: int,
    steps: int,
    *,
    eta: float = 0.0,
    noise: Noise | None = None,
    limit: float = 1.0,
) -> Steps:
    """DPM-Solver++(2M), and with ``eta`` 1 SDE-DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++"). Yields (0, x), ...

    At most ``start`` steps, evenly spaced in λ, half the logarithm of signal to noise. The first step and the last, at
    whose end no noise is left, are of first order. ``eta`` 0..1: how much new noise each step but the last adds."""
    times = even_ratios(schedule, start, steps)
    previous: tuple[Array, float] | None = None  # the last step's image, and its length in λ
    for index, t in enumerate(times):
        image = predict_x0(schedule, predict(x, t), x, t, limit)
        if index + 1 == len(times):
            yield index, image
            return
        now, then = alpha_bar(schedule, t), alpha_bar(schedule, times[index + 1])
        length = float(_log_ratio(then) - _log_ratio(now))
        ahead = image
        if previous is not None:
            ahead = image + (image - previous[0]) * (length / (2 * previous[1]))
        keep = ((1 - then) / (1 - now)) ** 0.5 * float(np.exp(-eta * length))
        x = keep * x - then**0.5 * float(np.expm1(-(1 + eta) * length)) * ahead
        if eta and noise is not None:
            x = x + float(-(1 - then) * np.expm1(-2 * eta * length)) ** 0.5 * noise(tuple(x.shape))
        previous = image, length
        yield index, x


ddpm: Final = partial(ddim, eta=1.0)
"""Ancestral sampling (Ho et al. 2020, algorithm 2, with the variance of q(x_s | x_t, x₀)), in ``start`` steps or in
fewer: it is DDIM with η = 1 (Song et al. 2021, section 4.1)."""

SAMPLERS: Final[Mapping[str, Callable[..., Steps]]] = {"ddim": ddim, "ddpm": ddpm, "dpm": dpm_solver}
"""What the viewer's ``--sampler`` takes; its options name them once more, for --help. Training draws by ``ddim``."""


def even_times(schedule: Schedule, start: int, steps: int) -> list[int]:
    """Steps t of a schedule, from ``start`` - 1 down, evenly spaced; a last jump leads from the lowest to no noise."""
    count = _checked(schedule, start, steps)
    return [start * (count - index) // count - 1 for index in range(count)]


def even_ratios(schedule: Schedule, start: int, steps: int) -> list[int]:
    """Steps t from ``start`` - 1 down to 0, evenly spaced in λ as far as whole numbers can be."""
    count = _checked(schedule, start, steps)
    ratios = _log_ratio(np.asarray(schedule["alpha_bar"][:start], dtype=np.float64))
    wanted = np.linspace(max(float(ratios[-1]), _LEAST_LOG_RATIO), ratios[0], count)
    times = [start - 1]
    for index in range(1, count):
        nearest = int(np.abs(ratios - wanted[index]).argmin())
        times.append(min(max(nearest, count - 1 - index), times[-1] - 1))
    return times


def _checked(schedule: Schedule, start: int, steps: int) -> int:
    """How many steps there will be. Raises ``ValueError``."""
    known = len(schedule["alpha_bar"])
    if not 1 <= start <= known:
        raise ValueError(f"start is {start}, expected 1 to {known}, the steps of the schedule")
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    return min(steps, start)


def alpha_bar(schedule: Schedule, t: int) -> float:
    """ᾱ at step t: the fraction of the image's variance that is left."""
    return float(schedule["alpha_bar"][t])


def add_noise(schedule: Schedule, image: Array, start: int, noise: Array) -> Array:
    """An image after ``start`` steps of noise (Ho et al. 2020, equation 4)."""
    signal, noised = alpha_bar(schedule, start - 1), 1 - alpha_bar(schedule, start - 1)
    return signal**0.5 * image + noised**0.5 * noise


def predict_x0(schedule: Schedule, prediction: Array, x: Array, t: int, limit: float = 1.0) -> Array:
    """The image x₀ that a prediction at step t stands for."""
    now = alpha_bar(schedule, t)
    signal, noise = now**0.5, (1 - now) ** 0.5
    if schedule["prediction"] == "epsilon":
        image = (x - noise * prediction) / signal
    elif schedule["prediction"] == "v":
        image = signal * x - noise * prediction
    else:
        image = prediction
    return image.clip(-limit, limit) if limit else image


def _log_ratio(alpha_bar: Any) -> Any:
    """λ = ln(√ᾱ / √(1-ᾱ))."""
    return (np.log(alpha_bar) - np.log1p(-alpha_bar)) / 2
