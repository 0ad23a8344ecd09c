"""Sample sheets: as many images of the averaged networks as there is time for, always from the same inputs."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer.family import Batch, DataSpec, Family, Nets

MAX_SIDE = 16  # samples along each side, however many classes there are


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Samples and what is shown beside them."""

    images: Tensor  # [n, c, h, w] in 0..1
    columns: int
    side: int  # samples along each side
    whole_side: int  # that there would have been with enough time


@torch.no_grad()
def draw_sheet(
    family: Family,
    nets: Nets,
    description: Mapping[str, Any],
    spec: DataSpec,
    shown: Iterator[Batch],
    *,
    seed: int,
    device: torch.device,
    seconds: float,
) -> Sheet:
    """Draw one sample, then three more, then as many rows and columns as ``seconds`` allow, of one sheet: a smaller one
    is the upper left corner. Random numbers come from a generator of its own.

    shown: as ``Family.sample_inputs`` takes them.
    """
    began = time.monotonic()
    classes = len(spec.classes) if family.needs_labels else 0
    whole = max(family.sheet_side, min(classes, MAX_SIDE))
    inputs = family.sample_inputs(whole * whole, spec, torch.Generator().manual_seed(seed), shown)
    drawn: dict[int, Tensor] = {}  # by place on the whole sheet
    side, pace = 0, 0.0  # seconds a sample
    while side < whole:
        taken = time.monotonic()
        side = min(side + 1, whole) if side < 2 else largest(side, whole, pace, seconds - (taken - began))
        places = [row * whole + column for row in range(side) for column in range(side)]
        fresh = [place for place in places if place not in drawn]
        if not fresh:
            break
        chosen = [value[fresh].to(device) for value in inputs]
        samples = family.sample(nets, description, *chosen).cpu()
        drawn.update(zip(fresh, samples, strict=True))
        pace = (time.monotonic() - taken) / len(fresh)
        if side < 2 and pace * 3 > seconds - (time.monotonic() - began):
            break
    places = [row * whole + column for row in range(side) for column in range(side)]
    images = family.sheet(
        torch.stack([drawn[place] for place in places]).to(device), *(value[places].to(device) for value in inputs)
    )
    return Sheet(images=images, columns=len(images) // side, side=side, whole_side=whole)


def largest(side: int, whole: int, pace: float, seconds: float) -> int:
    """Side of the largest sheet that there is time for, ``side`` of which is drawn. ``pace``: seconds a sample."""
    while side < whole and ((side + 1) ** 2 - side**2) * pace <= seconds:
        seconds -= ((side + 1) ** 2 - side**2) * pace
        side += 1
    return side
