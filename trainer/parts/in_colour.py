"""Denoisers of grey images for images of three channels."""

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer.parts.noise_schedule import Prediction


class InColour(nn.Module):
    """A denoiser for images of three channels, whether it works on colour or on grey.

    A grey one takes the first channel alone. Its prediction for the others leads to the same x₀ whatever their noise:
    x₀ = (x - √(1-ᾱ) ε) / √ᾱ is the same where ε differs by the difference of x over √(1-ᾱ). ``alpha_bar``: [steps].
    """

    per_difference: Tensor  # [steps]

    def __init__(self, net: nn.Module, channels: int, prediction: Prediction, alpha_bar: NDArray) -> None:
        super().__init__()
        self.net, self.channels = net, channels
        known = torch.from_numpy(alpha_bar)
        factors = {"epsilon": torch.ones_like(known), "v": known.sqrt(), "x0": torch.zeros_like(known)}
        self.register_buffer("per_difference", (factors[prediction] / (1 - known).sqrt()).float())
        self.training = net.training

    def forward(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        if self.channels != 1:
            return self.net(noisy, t, label)
        first = noisy[:, :1]
        return self.net(first, t, label) + (noisy - first) * self.per_difference[t][:, None, None, None]
