"""Denoisers: schedules, checks of them, and the file, which readers of diffusion models share."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.importers.base import Imported
from trainer.family import CardFields, DataSpec, Exportable
from trainer.parts.in_colour import InColour
from trainer.parts.noise_schedule import Prediction
from trainer.parts.superresolution import drawn_images

MOST_STEPS = 10_000  # that a card holds
LEAST_ALPHA_BAR = 2.0**-24  # a schedule that ends in noise alone ends here: √ᾱ is divided by
EXAMPLES = 4


def checked(alpha_bar: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """A schedule [steps] that samplers can compute with. Raises ``ValueError``."""
    if alpha_bar.ndim != 1 or not 2 <= len(alpha_bar) <= MOST_STEPS:
        raise ValueError(f"{what} has {alpha_bar.size} steps, expected 2 to {MOST_STEPS}")
    alpha_bar = alpha_bar.astype(np.float64, copy=True)
    if alpha_bar[-1] == 0:
        alpha_bar[-1] = min(LEAST_ALPHA_BAR, alpha_bar[-2] / 2)
    if not (np.isfinite(alpha_bar).all() and alpha_bar[-1] > 0 and alpha_bar[0] < 1 and (np.diff(alpha_bar) < 0).all()):
        raise ValueError(f"{what} does not take the image away step by step: expected numbers that fall within 0..1")
    return alpha_bar


def denoiser(
    net: nn.Module,
    family: str,
    *,
    channels: int,
    size: tuple[int, int],
    alpha_bar: NDArray[np.float64],
    prediction: Prediction,
    kind: str,
    classes: int = 0,
    training: Mapping[str, Any] | None = None,
    remarks: tuple[str, ...] = (),
) -> Imported:
    """The file of a network of noisy images [n, c, h, w], steps i64 [n] and, with classes, labels i64 [n], of which the
    number of classes stands for none. ``kind``: what the card calls the schedule."""
    if channels not in (1, 3):
        raise ValueError(f"makes images of {channels} channels, expected 1 or 3: those of latents need their VAE")
    schedule = {"kind": kind, "prediction": prediction, "alpha_bar": alpha_bar.tolist()}
    times = torch.linspace(len(alpha_bar) - 1, 0, EXAMPLES).long()
    known = torch.from_numpy(alpha_bar)[times].float()[:, None, None, None]
    side = max(size)
    images = drawn_images(EXAMPLES, channels, side)[:, :, : size[0], : size[1]].expand(-1, 3, -1, -1) * 2 - 1
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    inputs = {"noisy": known.sqrt() * images + (1 - known).sqrt() * noise, "t": times}
    if classes:
        inputs["label"] = torch.arange(EXAMPLES) * max(1, classes // (EXAMPLES - 1)) % (classes + 1)
    names = tuple(map(str, range(classes)))
    module = InColour(net, channels, prediction, alpha_bar)
    item = Exportable(kind="denoiser", module=module, inputs=inputs, card=CardFields(schedule=schedule))
    spec = DataSpec(image_size=size, channels=channels, classes=names)
    return Imported(exportables=[item], spec=spec, family=family, training=training or {}, remarks=remarks)


@torch.no_grad()
def likeness(
    predict: Callable[[Tensor, Tensor], Tensor], channels: int, size: tuple[int, int], t: int, noisy: bool
) -> float:
    """Correlation between what a network is given and what it answers, -1..1: at the last step of a schedule one that
    predicts the noise gives back the noise; at the first one that predicts the image gives back the image."""
    random = torch.Generator().manual_seed(0)
    given = torch.randn(2, channels, *size, generator=random)
    if not noisy:
        given = drawn_images(2, channels, max(size))[:, :, : size[0], : size[1]] * 2 - 1
    answer = predict(given, torch.full((2,), t))
    found = float(np.corrcoef(given.flatten().numpy(), answer.flatten().numpy())[0, 1])
    return found if np.isfinite(found) else 0.0
