"""Small ONNX denoisers whose predictions are known exactly, so that one knows what a sampler must arrive at."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from small_models import constant, make_graph, write

from export.card import Card, Port

STEPS = 1000


def alpha_bar(steps: int = STEPS) -> NDArray[np.float64]:
    """Of the linear schedule."""
    return np.cumprod(1 - np.linspace(1e-4, 0.02, steps) * 1000 / steps)


def known_images(count: int = 1, height: int = 16, width: int = 16, channels: int = 3) -> NDArray[np.float32]:
    """Smooth images [count, c, h, w] in -0.9..0.9, each different."""
    y, x = np.mgrid[0:height, 0:width] / 8
    waves = [
        np.sin((1 + number) * x + channel + y * (0.5 + channel))
        for number in range(count)
        for channel in range(channels)
    ]
    return (0.9 * np.stack(waves)).reshape(count, channels, height, width).astype(np.float32)


def make_denoiser(
    path: Path,
    prediction: str = "epsilon",
    channels: int = 3,
    spread: float = 0.0,
    classes: tuple[str, ...] = (),
    side: int = 16,
    card: bool = True,
    taken: int = 0,
    **fields: Any,
) -> Path:
    """The exact denoiser of images spread normally round one known image, of ``spread`` as standard deviation.

    x₀ given x is μ + ᾱ^½ s² / (ᾱ s² + 1 - ᾱ) (x - ᾱ^½ μ). With ``classes``, μ is another image for each of them,
    and for none the last one of ``known_images``. ``taken``: channels that go in, if not those of the images.
    """
    shares = alpha_bar()
    signal, rest = np.sqrt(shares), np.sqrt(1 - shares)
    gain = signal * spread**2 / (shares * spread**2 + 1 - shares)
    means = known_images(len(classes) + 1 if classes else 1, side, side, channels)
    if taken:
        means = np.repeat(means, taken, axis=1)
    tables = {"signal": signal, "rest": rest, "gain": gain}
    constants = [constant(f"{name}s", table.astype(np.float32)) for name, table in tables.items()]
    constants += [constant("means", means), constant("each", np.array([-1, 1, 1, 1]))]
    nodes = []
    for name in tables:
        nodes.append(helper.make_node("Gather", [f"{name}s", "t"], [f"{name}_flat"]))
        nodes.append(helper.make_node("Reshape", [f"{name}_flat", "each"], [name]))
    if classes:
        nodes.append(helper.make_node("Gather", ["means", "label"], ["mean"]))
    else:
        nodes.append(helper.make_node("Identity", ["means"], ["mean"]))
    nodes += [
        helper.make_node("Mul", ["signal", "mean"], ["faded"]),
        helper.make_node("Sub", ["noisy", "faded"], ["off"]),
        helper.make_node("Mul", ["gain", "off"], ["own"]),
        helper.make_node("Add", ["mean", "own"], ["clean"]),
        helper.make_node("Mul", ["signal", "clean"], ["clean_faded"]),
        helper.make_node("Sub", ["noisy", "clean_faded"], ["noise_part"]),
        helper.make_node("Div", ["noise_part", "rest"], ["epsilon"]),
    ]
    if prediction == "v":
        nodes += [
            helper.make_node("Mul", ["signal", "epsilon"], ["one"]),
            helper.make_node("Mul", ["rest", "clean"], ["other"]),
            helper.make_node("Sub", ["one", "other"], ["v"]),
        ]
    nodes.append(helper.make_node("Identity", [{"x0": "clean"}.get(prediction, prediction)], ["prediction"]))
    shape: list[int | str] = ["n", taken or channels, side, side]
    inputs: list[tuple[str, str, list[int | str]]] = [("noisy", "f32", shape), ("t", "i64", ["n"])]
    ports = [
        Port(name="noisy", dtype="f32", shape=(None, *shape[1:])),
        Port(name="t", dtype="i64", shape=(None,)),
    ]
    if classes:
        inputs.append(("label", "i64", ["n"]))
        ports.append(Port(name="label", dtype="i64", shape=(None,)))
    model = make_graph(nodes, inputs, [("prediction", "f32", shape)], constants)
    if not card:
        return write(path, model)
    known = {
        "kind": "denoiser",
        "family": "small",
        "name": path.stem,
        "inputs": tuple(ports),
        "output": Port(name="prediction", dtype="f32", shape=(None, *shape[1:])),
        "image_size": (side, side),
        "channels": channels,
        "classes": classes,
        "schedule": {"kind": "linear", "prediction": prediction, "alpha_bar": shares.tolist()},
    }
    return write(path, model, Card(**{**known, **fields}))
