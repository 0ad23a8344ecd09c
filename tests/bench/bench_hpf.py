"""Fine detail: how near to held-out photographs, and how sharp, images become by each way of adding it.

    python tests/bench/bench_hpf.py runs/paired runs/independent --sheet three_rows.png

The first run was trained with --low; its images are the autoencoder's, of photographs that it has not seen. To
them are added, as strong as is best by PSNR, as trained, and as strong as makes them as sharp as the photographs: what
the first run draws of their latents; what the second one draws of the same latents, as the viewer does, or of those
that its own encoder gives (which looks at the photograph's own detail for that); and what the viewer's 3x3 kernel adds.
Sharp: the variance of the Laplacian, divided by the photograph's, the geometric mean
of all. The sheet has rows of images without detail, with
the first run's, and sharpened.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from trainer import metrics
from trainer.data.batches import open_data
from trainer.data.batches.stream import ordered
from trainer.families.hpf import HPF, high_pass
from trainer.runs.store import restore
from viewer.sessions.detail_layer import Layer

GAINS = [2.0 ** (step / 8) for step in range(-40, 41)]


def sharpened(low: Tensor) -> Tensor:
    """What the viewer's kernel adds to images [n, c, h, w] in 0..1."""
    levels = (low * 255).round().byte().permute(0, 2, 3, 1).numpy()
    unused = np.zeros((len(levels), 1), np.float32)
    return torch.from_numpy(Layer().of(unused, levels)).permute(0, 3, 1, 2) / 255


def sharpness(made: Tensor, real: Tensor) -> float:
    """How sharp images are for photographs: 1 as sharp."""
    return float((metrics.sharpness(made) / metrics.sharpness(real)).log().mean().exp())


def measure(name: str, low: Tensor, detail: Tensor, real: Tensor, given: float) -> float:
    """Print a row for each of three gains; the gain that makes images as sharp as photographs are."""

    def made(gain: float) -> Tensor:
        return (low + gain * detail).clamp(0, 1)

    def ratio(gain: float) -> float:
        return sharpness(made(gain), real)

    nearest = max(GAINS, key=lambda gain: float(metrics.peak_signal_to_noise(made(gain), real).mean()))
    sharp = min(GAINS, key=lambda gain: abs(np.log(max(ratio(gain), 1e-6))))
    for gain, what in ((nearest, "nearest"), (given, "as made"), (sharp, "as sharp")):
        psnr = float(metrics.peak_signal_to_noise(made(gain), real).mean())
        ssim = float(metrics.structural_similarity(made(gain), real).mean())
        print(f"{name:28} {what:9} gain {gain:6.3f}  {psnr:6.2f} dB  SSIM {ssim:.4f}  sharpness {ratio(gain):.3f}")
    return sharp


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paired", type=Path)
    parser.add_argument("independent", type=Path, nargs="?")
    parser.add_argument("--weights", default="best", help="checkpoint of the first run")
    parser.add_argument("--sheet", type=Path, help="a PNG of three rows")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--drawn", action="store_true", help="the sheet shows random latents, no photographs'")
    arguments = parser.parse_args()

    run = restore(arguments.paired, arguments.weights)
    family = run.family
    assert isinstance(family, HPF)
    assert family.paired, "the first run has to be a paired one"
    images = open_data(family.config, family.reading())
    held_out = images.split(family.config.hold_out)[1]
    (batch,) = ordered(images, held_out, batch_size=len(held_out), device=torch.device("cpu"), image_range=(0, 1))
    real = batch.image
    encode, decode = (family.low.files[kind].module for kind in ("encoder", "generator"))
    latent = encode(real)
    low = decode(latent).clamp(0, 1)
    print(f"{len(real)} held-out images")
    for name, made in (("without detail", low), ("photographs", real)):
        psnr = float(metrics.peak_signal_to_noise(made, real).mean()) if made is low else float("inf")
        ssim = float(metrics.structural_similarity(made, real).mean())
        ratio = sharpness(made, real)
        print(f"{name:49}  {psnr:6.2f} dB  SSIM {ssim:.4f}  sharpness {ratio:.3f}")

    draw: Callable[[Tensor], Tensor] = family.drawn(run.nets, run.state.description)
    measure("paired", low, draw(latent), real, 1.0)
    if arguments.independent is not None:
        other = restore(arguments.independent)
        assert isinstance(other.family, HPF)
        assert not other.family.paired
        network = other.nets.detail
        own = network.decode(network.gaussian(high_pass(real, other.family.config.sigma))[0])
        if latent.shape[1] == other.family.latent.size:
            same = other.family.drawn(other.nets, other.state.description)(latent)
            measure("independent, same latents", low, same, real, 1.0)
        measure("independent, own encoder", low, own, real, 1.0)
    alpha = measure("3x3 kernel", low, sharpened(low), real, 0.2)

    if arguments.sheet is not None:
        if arguments.drawn:
            latent = torch.randn(arguments.columns, latent.shape[1], generator=torch.Generator().manual_seed(0))
            low = decode(latent).clamp(0, 1)
        latent, low = latent[: arguments.columns], low[: arguments.columns]
        rows = [low, (low + draw(latent)).clamp(0, 1), (low + alpha * sharpened(low)).clamp(0, 1)]
        sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
        levels = (sheet * 255).round().byte().permute(1, 2, 0).numpy()
        cv2.imwrite(str(arguments.sheet), cv2.cvtColor(levels, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
