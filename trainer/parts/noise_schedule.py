"""Noise schedules of diffusion models, prediction targets, and loss weights.

At step t, counted from 0, an image x₀ in -1..1 has become x_t = √ᾱ x₀ + √(1-ᾱ) ε, with ᾱ = ``alpha_bar[t]``
(Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equation 4) and ε standard normal. A network predicts
``epsilon``, ``x0``, or ``v`` = √ᾱ ε - √(1-ᾱ) x₀ (Salimans & Ho 2022, "Progressive Distillation", appendix D).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ScheduleName = Literal["linear", "cosine", "quadratic", "sigmoid"]
Prediction = Literal["epsilon", "x0", "v"]
MAX_BETA = 0.999  # largest β of a step, so that ᾱ stays above 0


def alpha_bars(kind: ScheduleName, steps: int) -> NDArray[np.float64]:
    """ᾱ at each step, [steps], with β of at most ``MAX_BETA``.

    - ``linear``: β linear from 1e-4 to 0.02 over 1000 steps (Ho et al. 2020), scaled for another number of them.
    - ``quadratic``: √β linear between the same ends.
    - ``cosine``: ᾱ as the square of a cosine (Nichol & Dhariwal 2021, "Improved DDPM", equation 17).
    - ``sigmoid``: ᾱ as a logistic curve from -3 to 3 (Jabri et al. 2022, "Scalable Adaptive Computation", algorithm 1).
    """
    times = [step / steps for step in range(steps + 1)]
    match kind:
        case "linear":
            betas = np.linspace(1e-4, 0.02, steps) * 1000 / steps
        case "quadratic":
            betas = np.linspace(1e-4**0.5, 0.02**0.5, steps) ** 2 * 1000 / steps
        case "cosine":
            curve = np.array([math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2 for time in times])
            betas = 1 - curve[1:] / curve[:-1]
        case "sigmoid":
            curve = np.array([1 / (1 + math.exp(6 * time - 3)) - 1 / (1 + math.exp(3)) for time in times])
            betas = 1 - curve[1:] / curve[:-1]
    return np.cumprod(1 - np.minimum(betas, MAX_BETA))


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """Noise schedule and prediction type. Steps t are i64 [n]; images and noise f32 [n, c, h, w]."""

    kind: ScheduleName = "cosine"
    prediction: Prediction = "v"
    steps: int = 1000

    @property
    def alpha_bar(self) -> NDArray[np.float64]:
        """[steps], strictly falling, in (0, 1)."""
        return alpha_bars(self.kind, self.steps)

    def schedule(self) -> dict[str, Any]:
        """The schedule as the card stores it and samplers take it."""
        return {"kind": self.kind, "prediction": self.prediction, "alpha_bar": self.alpha_bar.tolist()}

    def alpha_bar_at(self, t: Tensor) -> Tensor:
        """ᾱ at each t, f64 [n]."""
        return torch.from_numpy(self.alpha_bar).to(t.device)[t]

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ and √(1-ᾱ) at each t, f32 [n, 1, 1, 1]."""
        alpha_bar = self.alpha_bar_at(t)[:, None, None, None]
        return alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()

    def add_noise(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Sample x_t from q(x_t | x₀) with this noise."""
        signal, rest = self.coefficients(t)
        return signal * image + rest * noise

    def target(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Prediction target of the network."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "x0":
            return image
        signal, rest = self.coefficients(t)
        return signal * noise - rest * image

    def weight(self, t: Tensor, most: float) -> Tensor:
        """Min-SNR-γ loss weight at each t, f32 [n], for this prediction type; γ = ``most``, 0: all weights 1 (Hang et
        al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy", section 3.4)."""
        if not most:
            return torch.ones(len(t), device=t.device)
        alpha_bar = self.alpha_bar_at(t)
        ratio = alpha_bar / (1 - alpha_bar)
        divisor = {"epsilon": ratio, "x0": torch.ones_like(ratio), "v": ratio + 1}[self.prediction]
        return (ratio.clamp_max(most) / divisor).float()
