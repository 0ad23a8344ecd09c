"""How much better than bicubic interpolation networks enlarge images: PSNR and SSIM, the usual way.

    python tests/bench/bench_srgan.py $IMAGE_DATA/sr/set5 runs/larger larger.onnx larger-int8.onnx

Large images are cut to a multiple of the scale and reduced as MATLAB's ``imresize`` does it, bicubic with
antialiasing, to whole levels. Figures are of whole levels too, without a border as wide as the scale; brightness is
that of MATLAB's ``rgb2ycbcr``, 16 to 235, before rounding (rounded, bicubic has 0.03 dB less on Set5, and is published
with 33.66 dB). SSIM is that of Wang et al. 2004. Seconds are those of the network alone, on one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor

from export.card import Card
from trainer import metrics
from trainer.contract.images import files_in
from trainer.contract.resample import shrink
from trainer.parts.degrade import enlarge, whole_levels
from trainer.runs.store import restore

Enlarger = tuple[int, Callable[[Tensor], Tensor]]  # times, and what does it: [1, c, h, w] in 0..1 to the same


def open_run(folder: Path) -> Enlarger:
    restored = restore(folder)
    (item,) = restored.family.exports(restored.nets, restored.state.description)
    return item.card.scale, item.module


def open_file(file: Path) -> Enlarger:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options)
    card = Card.from_props(session.get_modelmeta().custom_metadata_map)
    if card is None or card.kind != "translator":
        raise SystemExit(f"{file}: not a file of a network that enlarges images")

    def run(image: Tensor) -> Tensor:
        levels = (image * 255).round().byte().permute(0, 2, 3, 1).numpy()
        (found,) = session.run(None, {"image": levels})
        return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255

    return card.scale, run


def as_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def measure(enlarger: Enlarger, images: list[np.ndarray]) -> list[dict[str, float]]:
    """The figures of each image u8 [h, w, 3] RGB."""
    scale, run = enlarger
    rows = []
    for image in images:
        height, width = (side // scale * scale for side in image.shape[:2])
        large, small = as_tensor(image[:height, :width]), as_tensor(shrink(image, scale))
        start = time.perf_counter()
        found = run(small)
        seconds = time.perf_counter() - start
        ours, theirs = (metrics.inside(whole_levels(value.float()), scale) for value in (found, large))
        rows.append(
            {
                "luma": metrics.peak_signal_to_noise(metrics.luma(ours), metrics.luma(theirs)).item(),
                "luma_ssim": metrics.structural_similarity(metrics.luma(ours), metrics.luma(theirs)).item(),
                "rgb": metrics.peak_signal_to_noise(ours, theirs).item(),
                "rgb_ssim": metrics.structural_similarity(ours, theirs).item(),
                "seconds": seconds,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of large images")
    parser.add_argument("models", type=Path, nargs="+", help="run folders and ONNX files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = [path for path in files_in(arguments.images) if cv2.haveImageReader(str(path))]
    images = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in files]
    found: dict[str, list[dict[str, float]]] = {}
    for model in arguments.models:
        enlarger = open_run(model) if model.is_dir() else open_file(model)
        scale = enlarger[0]
        plain: Enlarger = scale, lambda image, scale=scale: enlarge(image, scale)  # type: ignore[misc]
        found.setdefault(f"bicubic x{scale}", measure(plain, images))
        found[model.name] = measure(enlarger, images)
    print(f"{'':24}{'luma':>14}{'RGB':>16}{'seconds':>10}   luma of {', '.join(path.stem for path in files)}")
    for name, rows in found.items():
        mean = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
        each = " ".join(f"{row['luma']:.2f}" for row in rows)
        print(f"{name:24}{mean['luma']:6.2f} {mean['luma_ssim']:.4f}   {mean['rgb']:6.2f} {mean['rgb_ssim']:.4f}"
              f"{mean['seconds']:10.3f}   {each}")  # fmt: skip


if __name__ == "__main__":
    main()
