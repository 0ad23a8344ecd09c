"""Noise schedules: how much of an image is left at each step, and what a network is asked to say of the rest.

At step t of so many, counted from 0, an image x₀ in -1..1 has become √ᾱ x₀ + √(1-ᾱ) ε, with ᾱ = ``alpha_bar[t]``
(Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equation 4) and ε standard normal. A network predicts
``epsilon``, ``x0``, or ``v`` = √ᾱ ε - √(1-ᾱ) x₀ (Salimans & Ho 2022, "Progressive Distillation", appendix D).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Kind = Literal["linear", "cosine", "quadratic", "sigmoid"]
Prediction = Literal["epsilon", "x0", "v"]
MAX_BETA = 0.999  # of the variance that one step may take away: what is left stays more than nothing


def linear(steps: int) -> NDArray[np.float64]:
    """β from 1e-4 to 0.02 over a thousand steps (Ho et al. 2020), and as much in all over another number."""
    return betas_to_alpha_bar(np.linspace(1e-4, 0.02, steps) * 1000 / steps)


def quadratic(steps: int) -> NDArray[np.float64]:
    """√β even between the same ends."""
    return betas_to_alpha_bar(np.linspace(1e-4**0.5, 0.02**0.5, steps) ** 2 * 1000 / steps)


def cosine(steps: int) -> NDArray[np.float64]:
    """ᾱ as the square of a cosine (Nichol & Dhariwal 2021, "Improved DDPM", equation 17)."""
    return ratios(lambda share: math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2, steps)


def sigmoid(steps: int) -> NDArray[np.float64]:
    """ᾱ as a logistic curve from -3 to 3 (Jabri et al. 2022, "Scalable Adaptive Computation", algorithm 1)."""

    def left(share: float) -> float:
        return 1 / (1 + math.exp(6 * share - 3)) - 1 / (1 + math.exp(3))

    return ratios(left, steps)


def ratios(curve: Callable[[float], float], steps: int) -> NDArray[np.float64]:
    """ᾱ of a falling curve over 0..1, none of whose steps takes away more than ``MAX_BETA``."""
    values = np.array([curve(step / steps) for step in range(steps + 1)])
    return betas_to_alpha_bar(1 - values[1:] / values[:-1])


def betas_to_alpha_bar(betas: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumprod(1 - np.minimum(betas, MAX_BETA))


KINDS: dict[Kind, Callable[[int], NDArray[np.float64]]] = {
    "linear": linear,
    "cosine": cosine,
    "quadratic": quadratic,
    "sigmoid": sigmoid,
}


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """A schedule, and what is predicted. Steps t are i64 [n], images and noise f32 [n, c, h, w]."""

    kind: Kind = "cosine"
    prediction: Prediction = "v"
    steps: int = 1000

    @property
    def alpha_bar(self) -> NDArray[np.float64]:
        """[steps], strictly falling, in (0, 1)."""
        return KINDS[self.kind](self.steps)

    def facts(self) -> dict[str, Any]:
        """What the card says, and all that a sampler needs."""
        return {"kind": self.kind, "prediction": self.prediction, "alpha_bar": self.alpha_bar.tolist()}

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ and √(1-ᾱ) at each t, f32 [n, 1, 1, 1]."""
        alpha_bar = torch.from_numpy(self.alpha_bar).to(t.device, torch.float64)[t][:, None, None, None]
        return alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()

    def add_noise(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """What an image has become at step t: q(x_t | x₀)."""
        signal, rest = self.coefficients(t)
        return signal * image + rest * noise

    def target(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """What the network should say."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "x0":
            return image
        signal, rest = self.coefficients(t)
        return signal * noise - rest * image

    def predict_x0(self, prediction: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """The image that a prediction amounts to."""
        signal, rest = self.coefficients(t)
        if self.prediction == "epsilon":
            return (noisy - rest * prediction) / signal
        return prediction if self.prediction == "x0" else signal * noisy - rest * prediction

    def weight(self, t: Tensor, most: float) -> Tensor:
        """What the error at each t counts, f32 [n]: as if images were predicted, weighed by the ratio of signal to
        noise, but by ``most`` at most (Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy",
        section 3.4). With 0 every error counts 1."""
        if not most:
            return torch.ones(len(t), device=t.device)
        alpha_bar = torch.from_numpy(self.alpha_bar).to(t.device, torch.float64)[t]
        ratio = alpha_bar / (1 - alpha_bar)
        divisor = {"epsilon": ratio, "x0": torch.ones_like(ratio), "v": ratio + 1}[self.prediction]
        return (ratio.clamp_max(most) / divisor).float()
