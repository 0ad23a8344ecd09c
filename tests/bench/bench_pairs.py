"""How close a pix2pix run comes to the images that it held out, beside what needs no network at all.

    python tests/bench/bench_pairs.py runs/beasts --sheet beasts.png

Mean absolute differences of images in 0..1: of the run's; of the mean colour and of the mean image of those it was
trained on; and of the training image whose condition is nearest, blurred a little, so that edges beside each other
count as near. The sheet has, from left to right, the condition, what the run makes of it, the nearest, and the image.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from trainer.data.batches import open_data
from trainer.data.batches.stream import ordered
from trainer.runs.store import restore

BLUR_PX = 3.0  # standard deviation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--weights", default="best")
    parser.add_argument("--sheet", type=Path, help="PNG to write")
    arguments = parser.parse_args()
    restored = restore(arguments.run, arguments.weights)
    family: Any = restored.family
    config = family.config
    images = open_data(config, family.reading(), progress=False)

    def read(indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Conditions and images [n, c, h, w] in 0..1."""
        batches = ordered(
            images, indices, batch_size=8, device=torch.device("cpu"), image_range=(0, 1), memory_gib=config.memory
        )
        found = list(batches)
        return torch.cat([batch.input for batch in found]), torch.cat([batch.image for batch in found])

    training, held_out = (read(indices) for indices in images.split(config.hold_out))
    with torch.no_grad():
        latent = family.latent(len(held_out[0]), generator=torch.Generator().manual_seed(0))
        made = family.sample(restored.nets, {}, held_out[0] * 2 - 1, *latent).clamp(0, 1)
    soft, soft_training = (
        np.stack([cv2.GaussianBlur(row.mean(0).numpy(), (0, 0), BLUR_PX) for row in side[0]])
        for side in (held_out, training)
    )
    nearest = training[1][[int(np.abs(soft_training - row).mean((1, 2)).argmin()) for row in soft]]
    others = {
        "the run": made,
        "mean colour": training[1].mean((0, 2, 3), keepdim=True),
        "mean image": training[1].mean(0, keepdim=True),
        "nearest condition": nearest,
    }
    print(f"{len(made)} held-out images, {len(training[1])} to train on")
    for name, images_made in others.items():
        each = (images_made - held_out[1]).abs().mean((1, 2, 3)).tolist()
        print(f"{name:20} {statistics.mean(each):.4f}   each {' '.join(f'{value:.3f}' for value in each)}")
    if arguments.sheet is not None:
        sides = [side.expand(-1, 3, -1, -1) for side in (held_out[0], made, nearest, held_out[1])]
        rows = torch.cat([torch.cat(list(side), 1) for side in sides], 2)  # [3, n·h, 4·w]
        levels = (rows * 255).round().byte().permute(1, 2, 0).numpy()
        cv2.imwrite(str(arguments.sheet), cv2.cvtColor(levels, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
