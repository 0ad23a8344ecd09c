"""Diffusion models of denoising-diffusion-pytorch, from version 1.9 on, and of the annotated-diffusion tutorial.

That library saves its U-Net inside its diffusion model, whose buffers hold the noise schedule, and by a weight of the
loss say what is predicted. A U-Net by itself, and the tutorial's, say nothing of it: then what these programs train
with is taken, unless the network's own answers tell otherwise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.given import Given
from export.importers._denoising import checked, denoiser, likeness
from export.importers._fitting import fitted
from export.importers._unet import Layout, UNet
from export.importers.base import Imported
from export.weights import Weights
from trainer.parts.noise_schedule import Prediction, ScheduleName, alpha_bars

NAME: Final = "ddpm_unet"
READS: Final = (
    "diffusion models of denoising-diffusion-pytorch 1.9 and later, its trainer's files too, and of the "
    "annotated-diffusion tutorial (downs.0.0.block1.proj.weight ...)"
)
NEEDS: Final = ""
USES: Final = ("image_size", "prediction", "noise_schedule", "noise_steps", "standardisation")
INNER: Final = "model."  # the U-Net within the diffusion model
BUFFERS: Final = frozenset((
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2", "loss_weight",
))  # fmt: skip
MOST_LEVELS: Final = 8
PROBE_PX: Final = 16  # about the side of images that a network is asked about
ALIKE: Final = 0.7  # correlation from which an answer is taken for what went in


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A schedule and what is predicted, with sentences of what was assumed."""

    alpha_bar: NDArray[np.float64]
    kind: str
    prediction: Prediction
    remarks: tuple[str, ...] = ()


def claims(weights: Weights) -> bool:
    """Whether first and last layers and a block are there, with or without the diffusion model around them."""
    state, _ = _parts(weights.state)
    needed = ("init_conv.weight", "time_mlp.1.weight", "downs.0.0.block1.proj.weight", "final_conv.weight")
    return all(key in state for key in needed) and "downs.0.0.mlp.1.weight" in state


def read(weights: Weights) -> Imported:
    """The denoiser."""
    state, buffers = _parts(weights.state)
    given = weights.given
    layout = layout_of(state)
    channels = layout.inputs // 2 if layout.inputs in (2, 6) else layout.inputs
    size, remarks = _size(layout, channels, given)
    noise = _noise(buffers, layout, given)
    names = {key: INNER + key for key in (name.rpartition(".")[0] for name in state)} if buffers else {}

    probe = (max(PROBE_PX // layout.multiple, 1) * layout.multiple,) * 2

    def network(layout: Layout) -> UNet:
        return fitted(lambda: UNet(layout), state, "a U-Net of denoising-diffusion-pytorch", names)

    net = network(layout)
    if layout.residual:
        other = network(replace(layout, standardised="corrected"))
        net, said = _standardised(net, other, channels, probe, len(noise.alpha_bar) - 1, given)
        remarks += said
    elif not buffers and not given.prediction:
        noise = _told(net, noise, channels, probe)
    if layout.inputs == 2 * channels:
        remarks += ("self-conditioning is told nothing, as in half of its training",)
    if layout.outputs == 2 * channels:
        remarks += ("learnt variances are left out: samplers here know the noise of each step",)
    return denoiser(
        net, NAME, channels=channels, size=size,
        alpha_bar=noise.alpha_bar, prediction=noise.prediction, kind=noise.kind,
        remarks=remarks + noise.remarks,
    )  # fmt: skip


def _parts(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The U-Net's own tensors, and the buffers of the diffusion model around it, where there is one."""
    if f"{INNER}init_conv.weight" not in state:
        return dict(state), {}
    buffers = {key: value for key, value in state.items() if key in BUFFERS}
    inner = {key.removeprefix(INNER): value for key, value in state.items() if key not in BUFFERS}
    return inner, buffers


def layout_of(state: Mapping[str, Tensor]) -> Layout:
    """Read the layout from names and shapes. Raises ``ValueError``."""

    def shape(key: str, axes: int) -> tuple[int, ...]:
        value = state.get(key)
        if value is None or value.ndim != axes:
            raise ValueError(f"{key} is {'missing' if value is None else list(value.shape)}, expected {axes} axes")
        return tuple(value.shape)

    numbers = {int(match[1]) for key in state if (match := re.match(r"downs\.(\d{1,3})\.", key))}
    if numbers != set(range(len(numbers))) or not 1 <= len(numbers) <= MOST_LEVELS:
        raise ValueError(f"downs has levels {sorted(numbers)[:12]}, expected 0 to at most {MOST_LEVELS - 1}")
    levels = len(numbers)
    first, inputs, kernel, _ = shape("init_conv.weight", 4)
    widths = [shape(f"downs.{level}.3.1.weight", 4)[0] for level in range(levels - 1)]
    widths.append(shape(f"downs.{levels - 1}.3.weight", 4)[0])
    residual = "downs.0.2.fn.fn.to_qkv.weight" in state
    if residual and "downs.0.2.fn.norm.weight" not in state:
        raise ValueError(
            "downs.0.2.fn.norm.weight is missing: attention is that of a version before 1.9, expected later ones"
        )
    memory = (0, 4, shape("mid_attn.fn.fn.to_qkv.weight", 4)[0] // 12, 0) if residual else shape("mid_attn.mem_kv", 4)
    _, heads, learnt, head_width = memory if not residual else (0, memory[1], 0, memory[2])
    return Layout(
        inputs=inputs, outputs=shape("final_conv.weight", 4)[0], width=shape("time_mlp.1.weight", 2)[1], first=first,
        widths=tuple(widths), first_kernel=kernel, residual=residual, rms="downs.0.0.block1.norm.g" in state,
        groups=4 if residual else 8, heads=heads, head_width=head_width, memory=learnt,
        full=tuple(f"downs.{level}.2.to_out.weight" in state for level in range(levels)),
        standardised="published" if residual else "",
    )  # fmt: skip


def _size(layout: Layout, channels: int, given: Given) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Height and width: as given, or those of the program's own example."""
    multiple = layout.multiple
    if given.image_size:
        if any(side % multiple for side in given.image_size):
            height, width = given.image_size
            raise ValueError(f"--image-size {width}x{height}: expected multiples of {multiple}, it halves that often")
        return given.image_size, ()
    side = 28 if channels == 1 and 28 % multiple == 0 else 32 if channels == 1 else 128
    side = -(-side // multiple) * multiple
    return (side, side), (f"images are taken to be {side}x{side} px, which the file does not say (--image-size)",)


def _noise(buffers: Mapping[str, Tensor], layout: Layout, given: Given) -> Noise:
    """The schedule: as the buffers have it, as given, or as the program trains by default."""
    if "alphas_cumprod" in buffers:
        asked = [flag for flag in ("noise_schedule", "noise_steps") if getattr(given, flag)]
        if asked:
            raise ValueError(f"--{asked[0].replace('_', '-')}: the file has its schedule, expected none")
        alpha_bar = checked(buffers["alphas_cumprod"].double().numpy(), "alphas_cumprod")
        told = _predicted(buffers)
        remarks = () if told or given.prediction else ("it is taken to predict v, the default (--prediction)",)
        return Noise(alpha_bar=alpha_bar, kind="given", prediction=_prediction(given) or told or "v", remarks=remarks)
    usual: tuple[int, str, Prediction] = (300, "linear", "epsilon") if layout.residual else (1000, "sigmoid", "v")
    steps, kind = given.noise_steps or usual[0], given.noise_schedule or usual[1]
    prediction = _prediction(given) or usual[2]
    bars = alpha_bars(cast(ScheduleName, kind), steps)
    if layout.residual and kind == "linear":  # which the tutorial does not scale by the number of steps
        bars = np.cumprod(1 - np.linspace(1e-4, 0.02, steps)).astype(np.float64)
    remarks = ()
    if not (given.noise_schedule and given.noise_steps):
        remarks = (f"a {kind} schedule of {steps} steps is assumed (--noise-schedule, --noise-steps)",)
    return Noise(alpha_bar=checked(bars, f"the {kind} schedule"), kind=kind, prediction=prediction, remarks=remarks)


def _prediction(given: Given) -> Prediction | None:
    return cast(Prediction, given.prediction) if given.prediction else None


def _predicted(buffers: Mapping[str, Tensor]) -> Prediction | None:
    """What is predicted, by the weights of the loss: the signal-to-noise ratio, cut off at a height or nowhere, over a
    divisor that differs between predictions."""
    weight = buffers.get("loss_weight")
    if weight is None or weight.shape != buffers["alphas_cumprod"].shape:
        return None
    known = buffers["alphas_cumprod"].double()
    ratio = known / (1 - known)
    divisors: dict[Prediction, Tensor] = {"epsilon": ratio, "x0": torch.ones_like(ratio), "v": ratio + 1}
    for prediction, divisor in divisors.items():
        found = weight.double() * divisor
        if torch.allclose(found, ratio.clamp_max(float(found.max())), rtol=1e-3):
            return prediction
    return None


def _told(net: UNet, noise: Noise, channels: int, size: tuple[int, int]) -> Noise:
    """The same with what is predicted as the network's answers tell it."""
    last = len(noise.alpha_bar) - 1
    if likeness(net, channels, size, last, noisy=True) > ALIKE:
        found: Prediction = "epsilon"
        why = "at the last step it gives back the noise"
    elif likeness(net, channels, size, 0, noisy=False) > ALIKE:
        found, why = "x0", "at the first step it gives back the image"
    else:
        found, why = noise.prediction, "the default"
    return replace(
        noise, prediction=found, remarks=(*noise.remarks, f"it is taken to predict {found}: {why} (--prediction)")
    )


def _standardised(
    net: UNet, other: UNet, channels: int, size: tuple[int, int], last: int, given: Given
) -> tuple[UNet, tuple[str, ...]]:
    """The tutorial's text multiplies weights by their std where it means to divide; copies of it that were corrected
    (``other``) save the same names. The one that gives back the noise at the last step is right."""
    if given.standardisation:
        return (other if given.standardisation == "corrected" else net), ()
    text, corrected = (likeness(one, channels, size, last, noisy=True) for one in (net, other))
    chosen, whose = (other, "corrected copies of") if corrected > max(text, ALIKE) else (net, "the text of")
    sure = max(text, corrected) > ALIKE
    why = f"so it finds {max(text, corrected):.0%} of the noise" if sure else "which is a guess"
    return chosen, (f"weights are standardised as in {whose} the tutorial, {why} (--standardisation)",)
