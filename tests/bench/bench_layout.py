"""Does a denoiser keep the layout of a VAE's image? Drawn both ways: from noise, and from the VAE's images.

    python tests/bench/bench_layout.py runs/denoiser runs/vae --features runs/classifier --sheet sheet.png --out l.json

The VAE makes blurred images, of held-out images (its reconstructions) and of latents from its prior. To each the noise
of a step of the schedule is added (``--starts``, fractions of it), and the denoiser draws from there: SDEdit (Meng et
al. 2022, "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations"). Beside that it draws
from pure noise. All ways have the same sampler and as many steps of it (DDIM, ``--steps`` for the whole schedule, fewer
for a part of it), and the same noise.

Printed and written for each way, with ``--seeds`` of noise and their standard deviation:

- ``layout``: PSNR and SSIM of what was drawn against the VAE's image that it came from, both averaged to 8x8 pixels and
  SSIM at 16x16: how much of the layout is kept. Of noise: against a VAE's image that it has nothing to do with.
- ``source``: the same against the held-out image that was encoded.
- ``near``: the share of images whose 8x8 is nearest to that of their own VAE's image, of all of them.
- ``features``: Fréchet distance from held-out images in the features of a classifier or an ONNX file (--features), and
  without one in averages of 4x4 px (``pixels``), which says less of what is fine.
- ``low``: Fréchet distance of 8x8 averages from those of held-out images: whether layouts are those of images.
- ``sharpness``: variance of the Laplacian, over that of held-out images.

The sheet has, for some held-out images, the image, the VAE's, and one row a start; and last a row from noise.
"""

import argparse
import json
import statistics
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer import metrics
from trainer.contract.errors import UserError
from trainer.contract.samplers import ddim
from trainer.data.batches import open_data
from trainer.data.batches.stream import ordered
from trainer.evaluation.features import open_features
from trainer.families.ddpm import DDPM
from trainer.log import contact_sheet, write_image
from trainer.parts.denoiser_unet import folded
from trainer.runs.store import restore

BATCH = 25
LOW_PX = 8
Row = dict[str, float]


def low(image: Tensor, side: int = LOW_PX) -> Tensor:
    """Averages of an image [n, c, h, w] over side x side parts."""
    return F.adaptive_avg_pool2d(image, side)


def kept(made: Tensor, wanted: Tensor, name: str) -> Row:
    """How near layouts are to those that are wanted, both [n, c, h, w] in 0..1."""
    return {
        f"{name}_psnr": float(metrics.peak_signal_to_noise(low(made), low(wanted)).mean()),
        f"{name}_ssim": float(metrics.structural_similarity(low(made, 16), low(wanted, 16)).mean()),
    }


def near(made: Tensor, wanted: Tensor) -> float:
    """The share of images that lie nearer to their own wanted layout than to any other."""
    distances = torch.cdist(low(made).flatten(1), low(wanted).flatten(1))
    return float((distances.argmin(1) == torch.arange(len(made))).double().mean())


class Drawing:
    """A denoiser's run, and how it draws."""

    def __init__(self, run: Path, weights: str, steps: int) -> None:
        self.restored = restore(run, weights)
        family = self.restored.family
        if not isinstance(family, DDPM):
            raise UserError(f"{run}: holds a run of {type(family).__name__}, expected one of trainer/train_ddpm.py")
        self.family, self.steps = family, steps
        self.diffusion = family.config.diffusion
        self.predict = family.predictor(folded(self.restored.nets.denoiser))

    def draw(self, image: Tensor | None, start: float, noise: Tensor) -> Tensor:
        """Images in 0..1: of ``image`` with the noise of that fraction of the schedule, or of noise alone."""
        count = self.diffusion.steps if image is None else max(1, round(start * self.diffusion.steps))
        steps = self.steps if image is None else max(1, round(start * self.steps))
        if image is not None:
            t = torch.full((len(image),), count - 1)
            noise = self.diffusion.add_noise(image * 2 - 1, t, noise)
        parts = []
        for x in noise.split(BATCH):
            drawn = deque(ddim(self.predict, self.diffusion.schedule(), x, count, steps), maxlen=1).pop()[1]
            parts.append(drawn.clamp(-1, 1) * 0.5 + 0.5)
        return torch.cat(parts)


def held_out_images(drawing: Drawing, data: str, most: int) -> Tensor:
    """Images [n, c, h, w] in 0..1 that the denoiser has not seen; or all of another set."""
    config: Any = drawing.family.config
    images = open_data(config, drawing.family.reading(), progress=False)
    chosen = images.split(config.hold_out)[1]
    if data:
        images = open_data(replace(config, data=data), drawing.family.reading(), progress=False)
        chosen = images.split(0)[0]
    if not len(chosen):
        raise UserError("the denoiser's run held out no image: choose some with --data")
    spread = chosen[:: max(1, len(chosen) // most)][:most]
    batches = ordered(images, spread, batch_size=BATCH, device=torch.device("cpu"), image_range=(0, 1))
    return torch.cat([batch.image for batch in batches])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("denoiser", type=Path)
    parser.add_argument("vae", type=Path)
    parser.add_argument("--weights", default="last", help="checkpoint of the denoiser")
    parser.add_argument("--data", default="", help="held-out images; without it those of the denoiser's run")
    parser.add_argument("--features", default="", help="run of a classifier, an .onnx file, or inception")
    parser.add_argument("--starts", type=float, nargs="+", default=[0.3, 0.5, 0.7, 0.85])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path, help="JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        work(options)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def work(options: argparse.Namespace) -> None:
    drawing = Drawing(options.denoiser, options.weights, options.steps)
    restored = restore(options.vae)
    files = {item.kind: item for item in restored.family.exports(restored.nets, restored.state.description)}
    if not {"encoder", "generator"} <= files.keys():
        raise UserError(f"{options.vae}: makes {', '.join(files)}, expected an encoder and a generator")
    if restored.spec.image_size != drawing.restored.spec.image_size:
        raise UserError(f"{options.vae}: of {restored.spec}, expected the denoiser's {drawing.restored.spec}")
    real = held_out_images(drawing, options.data, options.images)
    encode, decode = files["encoder"].module, files["generator"].module
    blurred = decode(encode(real)).clamp(0, 1)
    extractor = open_features(options.features, None, torch.device("cpu")) if options.features else None

    def features(image: Tensor) -> Tensor:
        if extractor is not None:
            return torch.cat([extractor.embed(part) for part in image.split(BATCH)])
        return low(image, image.shape[2] // 4).flatten(1)

    def figures(made: Tensor, wanted: Tensor | None, source: Tensor | None) -> Row:
        row = {
            "features" if extractor else "pixels": metrics.frechet_distance(features(real), features(made)),
            "low": metrics.frechet_distance(low(real).flatten(1), low(made).flatten(1)),
            "sharpness": float(metrics.sharpness(made).mean() / metrics.sharpness(real).mean()),
        }
        if wanted is not None:
            row |= {"near": near(made, wanted), **kept(made, wanted, "layout")}
        return row | ({} if source is None else kept(made, source, "source"))

    found: dict[str, list[Row]] = {"VAE, reconstructions": [figures(blurred, blurred, real)]}
    rows = [real, blurred]
    for seed in range(options.seeds):
        chance = torch.Generator().manual_seed(seed)
        noise = torch.randn(real.shape, generator=chance)
        latent = restored.family.latent.draw(len(real), generator=chance)
        imagined = decode(latent).clamp(0, 1)
        found.setdefault("VAE, of its prior", []).append(figures(imagined, imagined, None))
        made = drawing.draw(None, 1.0, noise)
        found.setdefault("from noise", []).append(figures(made, blurred, real))
        last = made
        for start in options.starts:
            made = drawing.draw(blurred, start, noise)
            found.setdefault(f"from reconstructions, {start:g}", []).append(figures(made, blurred, real))
            rows += [made] if seed == 0 else []
            of_prior = drawing.draw(imagined, start, noise)
            found.setdefault(f"from the prior's, {start:g}", []).append(figures(of_prior, imagined, None))
        rows += [last] if seed == 0 else []
    means = {}
    for name, measured in found.items():
        keys = list(measured[0])
        means[name] = {key: statistics.mean(row[key] for row in measured) for key in keys}
        spread = {key: statistics.stdev(row[key] for row in measured) for key in keys} if len(measured) > 1 else {}
        text = ", ".join(
            f"{key} {value:.4g}" + (f" ± {spread[key]:.2g}" if spread else "") for key, value in means[name].items()
        )
        print(f"{name:28} {text}", flush=True)
    if options.sheet is not None:
        columns = min(len(real), 12)
        write_image(options.sheet, contact_sheet(torch.cat([row[:columns] for row in rows]), columns=columns))
    if options.out is not None:
        state = drawing.restored.state
        result = {
            "denoiser_step": state.step, "vae_step": restored.state.step, "images": len(real), "steps": options.steps,
            "seeds": options.seeds, "features": extractor.name if extractor else "averages of 4x4 px", "ways": means,
        }  # fmt: skip
        options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
