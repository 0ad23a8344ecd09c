"""Layers of a state_dict in the order in which a network runs them, for networks that are plain chains."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: what its tensors say of it."""

    name: str  # its prefix in the state_dict, without the last dot
    kind: str  # linear, conv (either direction), norm, slope (PReLU), or other
    shape: tuple[int, ...]  # of its weight
    bias: bool

    @property
    def kernel(self) -> int:
        return self.shape[-1]


def layers_of(state: Mapping[str, Tensor]) -> list[Layer]:
    """The layers by name, numbers within names counted as numbers: some formats store keys in other orders."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key in sorted(state, key=natural):
        name, _, last = key.rpartition(".")
        parts.setdefault(name, {})[last] = state[key]
    return [_layer(name, tensors) for name, tensors in parts.items()]


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which ``main.10`` comes after ``main.3``."""
    return [(int(part[:9]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _layer(name: str, tensors: Mapping[str, Tensor]) -> Layer:
    weight = tensors.get("weight")
    shape = tuple(weight.shape) if weight is not None else ()
    kinds = {2: "linear", 4: "conv"}
    kind = kinds.get(len(shape), "other")
    if "running_mean" in tensors:
        kind, shape = "norm", tuple(tensors["running_mean"].shape)
    elif tensors.keys() == {"weight"} and len(shape) == 1:
        kind = "slope"
    if kind == "conv" and shape[2] != shape[3]:
        kind = "other"
    if not tensors.keys() <= {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}:
        kind = "other"
    return Layer(name=name, kind=kind, shape=shape, bias="bias" in tensors)


def chained(layers: Sequence[Layer]) -> list[tuple[Layer, Layer | None]] | None:
    """Each linear or convolutional layer with the normalisation that follows it; ``None`` where that cannot be told.

    Layers that are numbered through, as those of ``nn.Sequential``, stand where their numbers say. Elsewhere all but
    the last have a normalisation of their size, or none has one.
    """
    if any(layer.kind not in ("linear", "conv", "norm") for layer in layers):
        return None
    maps = [layer for layer in layers if layer.kind != "norm"]
    norms = [layer for layer in layers if layer.kind == "norm"]
    prefixes = {layer.name.rpartition(".")[0] for layer in layers}
    if len(prefixes) == 1 and all(layer.name.rpartition(".")[2].isdecimal() for layer in layers):
        pairs: list[tuple[Layer, Layer | None]] = []
        for layer in layers:
            if layer.kind != "norm":
                pairs.append((layer, None))
            elif pairs and pairs[-1][1] is None:
                pairs[-1] = (pairs[-1][0], layer)
            else:
                return None
        return pairs
    if norms and len(norms) != len(maps) - 1:
        return None
    return list(zip(maps, [*norms, *([None] * (len(maps) - len(norms)))], strict=True))


def unseen(pairs: Sequence[tuple[Layer, Layer | None]]) -> tuple[str, ...]:
    """A sentence where the numbers of layers leave places for more than an activation between them: what stands there
    has no weights, and may change the images."""
    for (layer, norm), (after, _) in pairwise(pairs):
        (part, _, first), (other, _, then) = (norm or layer).name.rpartition("."), after.name.rpartition(".")
        if part == other and first.isdecimal() and then.isdecimal() and int(then) - int(first) > 2:
            return (
                f"between {(norm or layer).name} and {after.name} are layers without weights: one is taken for the "
                "activation, others for dropout, which does nothing (a normalisation without weights would; then "
                "--module FILE.py:Class)",
            )
    return ()


def square(numbers: int) -> tuple[int, int] | None:
    """Side and channels of a square image, grey or in colour, of so many numbers. No number is both."""
    for channels in (1, 3):
        side = round((numbers / channels) ** 0.5)
        if numbers > 0 and side * side * channels == numbers and side >= 2:
            return side, channels
    return None


def image_of(numbers: int, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Channels, height and width of an image of so many numbers. Raises ``ValueError``."""
    if size is None:
        found = square(numbers)
        if found is None:
            raise ValueError(
                f"images have {numbers} numbers, which is no square, grey or in colour: expected --image-size"
            )
        return found[1], found[0], found[0]
    channels, rest = divmod(numbers, size[0] * size[1])
    if rest or channels not in (1, 3):
        raise ValueError(f"images have {numbers} numbers, which is not {size[1]}x{size[0]} px, grey or in colour")
    return channels, *size


def place(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer where a dotted name says."""
    *parents, last = name.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(last, layer)
