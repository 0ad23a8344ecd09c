"""Denoisers without a card: a noisy image and a step go in, a prediction of the image's size comes out.

What such a file does not say is its noise schedule and what it predicts: flags do, or what is usual is assumed, and
said.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Port
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.graph.foreign import Foreign
from viewer.graph.layout import NoiseLayout
from viewer.graph.ports import TYPES, Ports, shown
from viewer.graph.roles import named
from viewer.graph.said import ScheduleSaid
from viewer.graph.screening import ScreeningError

_USUAL_SIDE: Final = 64  # pixels, where the graph takes any size and nobody says one
_OTHER_SIDES: Final = (32, 128, 256)  # tried where the usual one cannot be
_LEAST_ALPHA_BAR: Final = 1e-8  # of a last step of noise alone
_LARGEST_SIDE: Final = 4096


def is_denoiser(source: Any, outputs: Sequence[Any], ports: Ports) -> bool:
    """Whether a graph takes an image and a step, and gives an array of the image's axes."""
    return bool(ports.of_role("step")) and len(source.shape) == 4 and any(len(one.shape) == 4 for one in outputs)


def check_step_of_latents(source: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Raises ``ScreeningError`` for a denoiser of latents: a map of them and a step go in, and their like comes out."""
    channels = source.shape[1] if len(source.shape) == 4 else 1
    alike = any(len(one.shape) == 4 and one.shape[1] in (channels, 2 * channels) for one in outputs)
    if channels not in (1, 3) and alike and any(named(port.name, "step") for port in inputs if port is not source):
        raise ScreeningError(_of_latents(source))


def _of_latents(source: Any) -> str:
    found = f"{shown(source.name)} {list(source.shape)}"
    latent = ": it works on the latents of another network" if source.shape[1] == 4 else ""
    return f"takes noisy images {found}{latent}, expected [n, c, h, w] of 1 or 3 channels"


def infer_denoiser(
    graph: Foreign, source: Any, outputs: Sequence[Any], ports: Ports, names: Sequence[str]
) -> tuple[Card, NoiseLayout]:
    """The card and the layout of a denoiser. ``graph.run``: gives the other inputs what ``ports`` says. ``names``: of
    classes. Raises ``ScreeningError``."""
    batch, channels, *sides = source.shape
    if channels not in (1, 3):
        raise ScreeningError(_of_latents(source))
    try:
        layout = _probed(graph, source, outputs, batch if isinstance(batch, int) else None, channels, sides)
    except ScreeningError as error:
        step = shown(ports.of_role("step")[0].name)
        raise ScreeningError(f"{error}; if {step} is no step of diffusion: --set {step}=VALUE") from None
    if layout.gives != channels:
        told = f"gives {layout.gives} channels: the first {channels} are the prediction, the variance is not used"
        graph.remarks.append(told)
    height, width = layout.size
    inputs = [Port(name="noisy", dtype="f32", shape=(None, channels, height, width)),
              Port(name="t", dtype="i64", shape=(None,))]  # fmt: skip
    inputs += [Port(name="label", dtype="i64", shape=(None,))] if names else []
    card = Card(
        kind="denoiser",
        family="",
        name=graph.name,
        inputs=tuple(inputs),
        output=Port(name="prediction", dtype="f32", shape=(None, channels, height, width)),
        image_size=(height, width),
        channels=channels,
        classes=tuple(names),
        schedule=_schedule(graph),
    )
    return card, layout


def _probed(
    graph: Foreign, source: Any, outputs: Sequence[Any], batch: int | None, channels: int, sides: Sequence[Any]
) -> NoiseLayout:
    """The layout, by running noise through the graph. One that gives twice the channels predicts a variance beside.
    Raises ``ScreeningError``."""
    said, fixed = graph.reading.image_size, [side for side in sides if isinstance(side, int)]
    if said is not None and any(isinstance(side, int) and side != own for side, own in zip(sides, said, strict=True)):
        raise ScreeningError(f"--image-size is {said[1]}x{said[0]}, expected none: it takes images of {list(sides)}")
    reason = ""
    for usual in (_USUAL_SIDE, *_OTHER_SIDES):
        height, width = said or (side if isinstance(side, int) else usual for side in sides)
        if max(height, width) > _LARGEST_SIDE:
            raise ScreeningError(f"takes images of {width}x{height}, expected at most {_LARGEST_SIDE} a side")
        noise = np.random.default_rng(0).standard_normal((batch or 1, channels, height, width))
        for port in outputs:
            try:
                found = graph.run({source.name: noise.astype(TYPES[source.type])}, port.name).shape
            except UserError as error:
                reason = str(error).rpartition(".onnx: ")[2]
                continue
            reason = f"it gives {shown(port.name)} {list(found)} for noisy images {list(noise.shape)}"
            if found in (noise.shape, (len(noise), 2 * channels, height, width)):
                if said is None and len(fixed) < 2:
                    told = f"takes images of any size: {width}x{height} is assumed; --image-size says otherwise"
                    graph.remarks.append(told)
                return NoiseLayout(port.name, channels, found[1], (height, width), TYPES[source.type], batch)
        if said is not None or len(fixed) == 2:
            break
    raise ScreeningError(f"found no prediction of a noisy image's size: {printable(reason, 160)}")


def _schedule(graph: Foreign) -> Mapping[str, Any]:
    """The schedule that flags say, or a usual one."""
    said, target = graph.reading.schedule, graph.reading.prediction
    used = said or ScheduleSaid()
    prediction = target or used.prediction or "epsilon"
    if said is None:
        low, high = used.ends
        graph.remarks.append(f"has no noise schedule: {used.kind}, {used.steps} steps, beta {low:g}..{high:g}, is "
                             "assumed; --schedule says otherwise")  # fmt: skip
    if not target and not used.prediction:
        graph.remarks.append(f"is taken to predict the noise ({prediction}); --prediction says otherwise")
    return {"kind": used.kind, "prediction": prediction, "alpha_bar": alpha_bars(used).tolist()}


def alpha_bars(said: ScheduleSaid) -> NDArray[np.float64]:
    """ᾱ at each step, [steps], falling within 0..1: the product of 1 - β.

    β is linear between its ends, or √β is (``scaled_linear``, Rombach et al. 2022), or ᾱ is the square of a cosine
    (Nichol & Dhariwal 2021, "Improved DDPM", equation 17). ``no_signal_left``: √ᾱ is shifted and scaled so that the
    last step keeps nothing (Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm
    1); the little that samplers need to divide by stays.
    """
    low, high = said.ends
    if said.kind == "linear":
        betas = np.linspace(low, high, said.steps, dtype=np.float64)
    elif said.kind == "scaled_linear":
        betas = np.linspace(low**0.5, high**0.5, said.steps, dtype=np.float64) ** 2
    else:
        curve = np.cos((np.arange(said.steps + 1) / said.steps + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - curve[1:] / curve[:-1], high)
    found = np.asarray(np.cumprod(1 - betas), np.float64)
    if said.no_signal_left and said.steps > 1:
        roots = np.sqrt(found)
        roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
        found = np.asarray(np.maximum(roots**2, _LEAST_ALPHA_BAR), np.float64)
    return found
