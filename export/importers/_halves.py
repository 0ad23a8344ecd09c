"""Autoencoders: which of a file's layers encode, which decode, and which give the latent's mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from export.importers._chain import Layer, layers_of

Pair = tuple[Layer, Layer | None]  # a layer, and the normalisation after it
SPREAD = re.compile(r"var|sigma|std|scale", re.IGNORECASE)
MEAN = re.compile(r"mu(?![a-z])|mean|loc", re.IGNORECASE)
MOST_LAYERS = 64


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Layers of an autoencoder in the order in which they are run."""

    encoder: tuple[Pair, ...]  # without the heads
    mean: Layer  # gives the mean; or mean and spread, one after the other
    spread: Layer | None  # gives the other one, which an export leaves out
    decoder: tuple[Pair, ...]
    latent: int


def halves_of(state: Mapping[str, Tensor]) -> Halves | None:
    """Encoder, heads and decoder; ``None`` where layers and names do not tell them."""
    pairs = _paired(layers_of(state))
    if pairs is None or not 3 <= len(pairs) <= MOST_LAYERS:
        return None
    found = [item for heads in _heads(pairs) if (item := _split(pairs, *heads)) is not None]
    return found[0] if len(found) == 1 else None


def _paired(layers: Sequence[Layer]) -> list[Pair] | None:
    """Each layer with the normalisation that stands right after it."""
    pairs: list[Pair] = []
    for layer in layers:
        if layer.kind in ("linear", "conv"):
            pairs.append((layer, None))
        elif layer.kind == "norm" and pairs and pairs[-1][1] is None and _beside(pairs[-1][0].name, layer.name):
            pairs[-1] = (pairs[-1][0], layer)
        else:
            return None
    return pairs


def _beside(name: str, norm: str) -> bool:
    """Whether both are numbered within the same part: ``encoder.0`` and ``encoder.1``."""
    (part, _, place), (other, _, after) = name.rpartition("."), norm.rpartition(".")
    return part == other and place.isdecimal() and after.isdecimal()


def _heads(pairs: Sequence[Pair]) -> list[tuple[Layer, Layer | None, int]]:
    """Layers that may give the latent: two of one shape, of which names or their order tell the mean, or one of which
    the first half is the mean."""
    linear = [layer for layer, norm in pairs if layer.kind == "linear" and norm is None]
    found: list[tuple[Layer, Layer | None, int]] = []
    for index, one in enumerate(linear):
        for other in linear[index + 1 :]:
            if one.shape != other.shape or not _named_alike(one.name, other.name):
                continue
            first, second = (other, one) if SPREAD.search(_last(one.name)) else (one, other)
            if not MEAN.search(_last(second.name)):
                found.append((first, second, one.shape[0]))
    if not found:
        found = [(layer, None, layer.shape[0] // 2) for layer in linear if layer.shape[0] % 2 == 0]
    return found


def _last(name: str) -> str:
    """The part of a name that tells layers apart: the last that is no number."""
    return next((part for part in reversed(name.split(".")) if not part.isdecimal()), name)


def _named_alike(one: str, other: str) -> bool:
    """Whether two names are those of a mean and of a spread, or numbered next to each other (``fc21``, ``fc22``)."""
    told = {bool(SPREAD.search(_last(name))) for name in (one, other)} == {True, False}
    numbers = [re.fullmatch(r"(\D*)(\d+)", name) for name in (one, other)]
    first, second = numbers
    close = first is not None and second is not None and first[1] == second[1] and int(second[2]) - int(first[2]) == 1
    return told or (close and len(first[2]) > 1 if first is not None else False)


def _split(pairs: Sequence[Pair], mean: Layer, spread: Layer | None, latent: int) -> Halves | None:
    """Split the other layers in two, so that one half leads to the heads and one from the latent: as names say, else
    where they stand."""
    others = [pair for pair in pairs if pair[0] not in (mean, spread)]
    encodes = [bool(re.match(r"enc|inference|q_", pair[0].name, re.IGNORECASE)) for pair in others]
    named = [pair for pair, yes in zip(others, encodes, strict=True) if yes]
    rest = [pair for pair, yes in zip(others, encodes, strict=True) if not yes]
    ways = [(others[:place], others[place:]) for place in range(1, len(others))]
    ways = [(named, rest)] if named and rest else [*ways, *((two, one) for one, two in ways)]
    found = []
    for before, after in ways:
        encoder = sorted(before, key=lambda pair: pair[0].kind == "linear")
        decoder = sorted(after, key=lambda pair: pair[0].kind != "linear")
        if _leads(encoder, None, mean.shape[1]) and _leads(decoder, latent, None):
            found.append(Halves(
                encoder=tuple(encoder), mean=mean, spread=spread, decoder=tuple(decoder), latent=latent,
            ))  # fmt: skip
    return found[0] if len(found) == 1 else None


def _leads(pairs: Sequence[Pair], first: int | None, last: int | None) -> bool:
    """Whether layers follow each other, from ``first`` numbers, to ``last``. Where linear and convolutional layers
    meet, numbers are channels times places. An encoder has convolutions first, a decoder linear layers."""
    encodes = first is None
    kinds = [layer.kind for layer, _ in pairs]
    given = first
    for (layer, norm), before in zip(pairs, [None, *kinds[:-1]], strict=True):
        takes, gives = (layer.shape[1], layer.shape[0]) if encodes or layer.kind == "linear" else layer.shape[:2]
        if layer.kind == "conv" and not encodes and given is not None and takes != given and before == "conv":
            takes, gives = gives, takes  # an ordinary convolution among transposed ones
        meets = before is not None and before != layer.kind
        if meets and (given is None or not given or not takes or max(given, takes) % min(given, takes)):
            return False
        if not meets and given is not None and takes != given:
            return False
        if norm is not None and norm.shape != (gives,):
            return False
        given = gives
    if last is None or given == last:
        return True
    return encodes and kinds[-1] == "conv" and given is not None and given > 0 and last % given == 0
