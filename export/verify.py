"""Compare a graph in onnxruntime with its module in torch; where they differ, nothing is written."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.graph import ExportError, Whole, float_output
from export.kinds import KINDS

BATCHES = (1, 2, 5)
MAX_DIFFERENCE = 1e-4  # of the floats before the cast to u8; relative where the outputs are larger than 1
MAX_LEVELS = 1  # of 255, after the cast
MIN_PSNR_DB = 35.0  # of fp16 and int8 files against fp32 torch


def check_parity(network: Whole, model: onnx.ModelProto) -> dict[str, Any]:
    """Compare a traced graph with torch at three batch sizes, and two image sizes where they may vary. Returns the
    largest differences found, for the card. Raises ``ExportError`` where they are too large."""
    delivered, with_floats = open_session(model), open_session(float_output(model))
    differences, levels = [], []
    for steps, batch in product((0, 1) if network.card.any_size else (0,), BATCHES):
        values = network.draw(batch, seed=batch, steps=steps)
        expected = run_torch(network, values)
        what = f"{network.name} at batch {batch}, inputs {[list(value.shape) for value in values]}"
        differences.append(_difference(expected, run_onnx(with_floats, network, values)[-1], what))
        found = run_onnx(delivered, network, values)[0]
        if network.kind.output.dtype != "u8":
            _difference(expected, found, what)
            continue
        levels.append(int(np.abs(found.astype(np.int16) - as_levels(expected)).max()))
        if levels[-1] > MAX_LEVELS:
            raise ExportError(f"{what}: differs from torch by {levels[-1]} levels, expected {MAX_LEVELS}")
    parity = {"max_difference": float(f"{max(differences):.2g}"), "cases": len(differences)}
    return {**parity, "max_levels": max(levels)} if levels else parity


def measure_drift(network: Whole, model: onnx.ModelProto, values: Sequence[Tensor]) -> dict[str, Any]:
    """Measure the difference of a graph of lower precision to fp32 torch, for the card. ``psnr_db`` is against 255 for
    images, against the range of the outputs elsewhere. Raises ``ExportError`` where it is below ``MIN_PSNR_DB``."""
    expected, error = compare(network, model, values)
    if network.kind.output.dtype == "u8":
        peak, drift = 255.0, {"max_levels": int(error.max()), "mean_levels": float(f"{error.mean():.3g}")}
    else:
        peak, drift = float(np.ptp(expected)), {"max_difference": float(f"{error.max():.3g}")}
    psnr_db = 10 * np.log10(max(peak, 1e-12) ** 2 / max(float(np.square(error).mean()), 1e-12))
    if not psnr_db >= MIN_PSNR_DB:
        raise ExportError(
            f"{network.name} is {psnr_db:.1f} dB (PSNR) from fp32 in the lower precision, expected {MIN_PSNR_DB:.0f}"
        )
    return {**drift, "psnr_db": round(float(psnr_db), 1)}


def compare(
    network: Whole, model: onnx.ModelProto, values: Sequence[Tensor]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """What fp32 torch gives, images as levels of 255, and the absolute difference of a graph to it, both [n, ...]."""
    floats = run_torch(network, values)
    expected = as_levels(floats) if network.kind.output.dtype == "u8" else floats
    return expected, np.abs(run_onnx(open_session(model), network, values)[0].astype(np.float64) - expected)


def check_pairs(files: Mapping[str, bytes], inputs: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Check that an encoder takes its generator's images, and the generator its latents. Raises ``ExportError``.
    ``files``: the finished files by kind; ``inputs``: example inputs by kind and name."""
    for kind in files:
        other = KINDS[kind].inverts
        if other not in files or len(inputs[other]) > 1:
            continue
        (latent,) = (value.float().numpy() for value in inputs[other].values())
        generator, encoder = (open_session(files[name]) for name in (other, kind))
        image = generator.run(None, {generator.get_inputs()[0].name: latent})[0]
        found = encoder.run(None, {encoder.get_inputs()[0].name: image})[0]
        if found.shape != latent.shape:
            raise ExportError(f"the {kind} gives latents {list(found.shape)}, the {other} takes {list(latent.shape)}")


def run_torch(network: Whole, values: Sequence[Tensor]) -> NDArray[np.float32]:
    """The floats that torch gives, [n, ...]. Raises ``ExportError`` where it cannot run on such inputs."""
    try:
        with torch.inference_mode():
            return network(*values).float().contiguous().numpy()
    except Exception as error:  # whatever a network's code raises, which may be for one image only
        shapes = [list(value.shape) for value in values]
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ExportError(f"{network.name} does not run in torch on {shapes}: {said}") from error


def run_onnx(session: onnxruntime.InferenceSession, network: Whole, values: Sequence[Tensor]) -> list[NDArray[Any]]:
    """All outputs of a graph. Raises ``ExportError`` where it cannot run on such inputs."""
    feed = {name: value.numpy() for name, value in zip(network.ports, values, strict=True)}
    try:
        return session.run(None, feed)
    except Exception as error:  # onnxruntime's exceptions have no useful base class
        shapes = {name: list(value.shape) for name, value in feed.items()}
        raise ExportError(f"{network.name} does not run on {shapes}: {' '.join(str(error).split())[:300]}") from error


def as_levels(floats: NDArray[np.float32]) -> NDArray[np.int16]:
    """Floats in 0..1 [n, h, w, c] → the u8 values of the RGB image, in a type that can be subtracted."""
    levels = np.rint(floats.clip(0, 1) * 255).astype(np.int16)
    return np.repeat(levels, 3, axis=3) if levels.shape[3] == 1 else levels


def open_session(model: onnx.ModelProto | bytes) -> onnxruntime.InferenceSession:
    """Open a graph as a viewer will. Raises ``ExportError``."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = model if isinstance(model, bytes) else model.SerializeToString()
    try:
        return onnxruntime.InferenceSession(data, options)
    except Exception as error:
        raise ExportError(f"onnxruntime cannot open the graph: {' '.join(str(error).split())[:300]}") from error


def _difference(expected: NDArray[Any], found: NDArray[Any], what: str) -> float:
    if found.shape != expected.shape:
        raise ExportError(f"{what}: onnxruntime gives {list(found.shape)}, torch {list(expected.shape)}")
    if not np.isfinite(expected).all():
        raise ExportError(f"{what}: torch gives values that are not finite")
    difference = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not difference <= MAX_DIFFERENCE:
        raise ExportError(f"{what}: onnxruntime differs from torch by {difference:.2g}, expected {MAX_DIFFERENCE:g}")
    return difference
