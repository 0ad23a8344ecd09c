"""Runs and networks that others stand on, small ones."""

from pathlib import Path

import torch
from commands import train
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.family import BaseRun, CardFields, DataSpec, Exportable, Latent

SIDE = 8  # of what is left of an image


class Shrink(nn.Module):
    """Images [n, c, h, w] → latents [n, c·8·8]: their averages, about 0."""

    def forward(self, image: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(image, SIDE).flatten(1) * 4 - 2


class Grow(nn.Module):
    """The smooth images of such latents."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, latent: Tensor) -> Tensor:
        small = (latent.unflatten(1, (self.spec.channels, SIDE, SIDE)) + 2) / 4
        return F.interpolate(small, size=self.spec.image_size, mode="bilinear").clamp(0, 1)


def blurring(spec: DataSpec) -> BaseRun:
    """An autoencoder that blurs, as a finished run would be."""
    size = spec.channels * SIDE * SIDE
    latent = torch.randn(2, size, generator=torch.Generator().manual_seed(0))
    card = CardFields(latent=Latent(size=size))
    grow, shrink = Grow(spec).eval(), Shrink().eval()
    files = (
        Exportable(kind="generator", module=grow, inputs={"latent": latent}, card=card),
        Exportable(kind="encoder", module=shrink, inputs={"image": grow(latent)}, card=card),
    )
    return BaseRun(run="blurring", spec=spec, files={item.kind: item for item in files})


def blurring_run(data: Path, image_size: int) -> Path:
    """The run of an autoencoder on some images, trained once for all that stand on it."""
    run = data.parent / f"{data.stem}-low"
    if not (run / "config.json").exists():
        done = train(
            "--data", data, "--image-size", image_size, "--out", run, "--steps", 2, "--batch-size", 4, "--hold-out", 5,
            "--hidden-size", 8, "--latent-size", 3,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return run
