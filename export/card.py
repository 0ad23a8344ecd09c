"""The card: everything that a viewer must know of a model, stored inside its ONNX file.

Stored in the ``metadata_props`` of the file, one JSON value a key. This module is the whole contract between those
who write such files and those who read them; it needs the standard library only.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final

from export.kinds import KINDS

SCHEMA: Final = "1.2"  # major.minor: readers refuse a newer major and ignore keys that they do not know

DTYPES: Final = ("f32", "i64", "u8")
PRIORS: Final = ("normal", "uniform")
PRECISIONS: Final = ("fp32", "fp16", "int8")  # that the export writes
_MAX_LATENT: Final = 1 << 16
_MAX_SIDE_PX: Final = 1 << 14
_MAX_CLASSES: Final = 2**16
_SIZE: Final = f"height and width, 1..{_MAX_SIDE_PX}"
_MAX_MULTIPLE: Final = 1 << 12
CONDITIONS: Final = ("given", "edges")  # kinds of conditions that every reader can make
_MAX_SIGMA: Final = 1.0
_MAX_BLUR: Final = 99  # pixels
_MAX_PALETTE: Final = 64  # colours
PREDICTIONS: Final = ("epsilon", "x0", "v")  # of denoisers: the noise, the image, or √ᾱ ε - √(1-ᾱ) x
_MAX_STEPS: Final = 10_000
_MAX_NAMED: Final = 256  # directions; these two as in ``trainer.contract.directions``
_MAX_NAME: Final = 64  # characters
_MAX_MESSAGE: Final = 300  # characters: a hostile file must not fill the screen with its error


class CardError(ValueError):
    """A card that cannot be used; the message says in one line what was found and what was expected."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…")


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or the output of the graph. ``None`` in a shape is a size that may vary; axis 0 is the batch."""

    name: str
    dtype: str  # f32, i64 or u8
    shape: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Latent:
    """What the latents of a model look like."""

    size: int
    prior: str = "normal"  # normal: N(0, I); uniform: -1..1
    mean: tuple[float, ...] = ()  # [size] of the training images' latents, where known
    covariance: tuple[tuple[float, ...], ...] = ()  # [size, size] of the same


@dataclass(frozen=True, kw_only=True)
class Card:
    """A model's description of itself. What is unknown is empty, never guessed."""

    kind: str  # one of KINDS
    family: str  # "vae", "dcgan", ...
    name: str
    inputs: tuple[Port, ...]
    output: Port
    image_size: tuple[int, int] | None = None  # height, width in pixels; None: any
    channels: int = 3  # of the image that the network works on: 1 or 3
    input_channels: int = 0  # of the image that goes in (translator): 1..4; 0: as ``channels``
    scale: int = 1  # output pixels an input pixel (translator)
    multiple: int = 1  # height and width of the image that goes in must be multiples of this (translator)
    context: int = 0  # pixels round a part of the input that its output depends on; 0: all of them, or unknown
    # how the image that goes in is made of a photograph: {} or {"kind": "given"}: as it is;
    # {"kind": "edges", "sigma": 0.33, "blur": 3, "invert": false}: its edges, white on black; of either kind, where
    # known, "size": [height, width] that it was trained with, and "palette": [[r, g, b], ...] colours that it means
    condition: Mapping[str, Any] = field(default_factory=dict)
    latent: Latent | None = None
    classes: tuple[str, ...] = ()  # class names by label
    # of a denoiser {"kind": "cosine", "prediction": "v", "alpha_bar": [...]}: what it predicts, and ᾱ of each step t,
    # the fraction of the variance that is the image's, falling; an image at t is √ᾱ x + √(1-ᾱ) ε, with x in -1..1
    schedule: Mapping[str, Any] = field(default_factory=dict)
    # [k, size] principal directions of the training latents, strongest first, each one std long
    directions: tuple[tuple[float, ...], ...] = ()
    # {"smile": [...]}: directions that somebody found and named, [size] each, one std long; since schema 1.2
    named_directions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    sample_latents: tuple[tuple[float, ...], ...] = ()  # [k, size] latents of a few training images
    licence: str = ""
    data: str = ""  # what it was trained on
    training: Mapping[str, Any] = field(default_factory=dict)  # run id, commit, images seen, metrics
    parity: Mapping[str, Any] = field(default_factory=dict)  # measured largest difference to torch
    precision: str = "fp32"  # fp32, fp16 or int8
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        _check(self)

    def to_props(self) -> dict[str, str]:
        """The card as ONNX metadata: one JSON text a key; empty fields are left out. Raises ``CardError`` where a value
        cannot be JSON: NaN, infinity, an object, a lone surrogate."""
        props = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _REQUIRED or value not in (None, (), {}, ""):
                try:
                    props[item.name] = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
                    props[item.name].encode()
                except (TypeError, ValueError, RecursionError) as error:
                    raise CardError(f"card {item.name} cannot be written: {error}") from None
        return props

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Card | None":
        """Read a card from ONNX metadata; ``None`` where there is none. Raises ``CardError`` where there is one that
        cannot be used."""
        if "schema" not in props:
            return None
        known = {item.name for item in fields(cls)}
        values = {key: _parse(key, text) for key, text in props.items() if key in known}
        missing = sorted(_REQUIRED - values.keys())
        schema = values.pop("schema")
        if not isinstance(schema, str) or not re.fullmatch(r"\d{1,6}\.\d{1,6}", schema):
            raise CardError(f"card schema is {schema!r}, expected a version such as {SCHEMA!r}")
        if int(schema.split(".")[0]) > int(SCHEMA.split(".")[0]):
            raise CardError(f"card schema is {schema}, this program reads up to {SCHEMA}: please update utsuroi")
        if missing:
            raise CardError(f"card lacks {', '.join(missing)}")
        try:
            return cls(**{key: _READERS[key](value) if key in _READERS else value for key, value in values.items()})
        except CardError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise CardError(f"card is malformed: {error}") from None


_REQUIRED: Final = {"schema", "kind", "family", "name", "inputs", "output"}


def _parse(key: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CardError(f"card entry {key!r} is not JSON: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _plain(value: Any) -> Any:
    """What JSON makes an object of, as a dictionary; for ``json.dumps``."""
    if isinstance(value, Port | Latent):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    return dict(value)


def _items(value: Any, what: str, of: str) -> tuple[Any, ...]:
    if not _is_list(value):
        raise CardError(f"{what} is {type(value).__name__}, expected a list of {of}")
    return tuple(value)


def _numbers(value: Any, what: str) -> tuple[float, ...]:
    numbers = _items(value, what, "numbers")
    for item in numbers:
        if not _is_number(item):
            raise CardError(f"{what} holds {item!r}, expected finite numbers")
    return tuple(map(float, numbers))


def _rows(value: Any, what: str) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(row, what) for row in _items(value, what, "lists"))


def _named(value: Any) -> dict[str, tuple[float, ...]]:
    if not isinstance(value, Mapping):
        raise CardError(f"card named_directions is {type(value).__name__}, expected a mapping")
    return {name: _numbers(row, f"card named_directions {name[:_MAX_NAME]!r}") for name, row in value.items()}


def _port(value: Any) -> Port:
    return Port(name=value["name"], dtype=value["dtype"], shape=tuple(value["shape"]))


def _latent(value: Any) -> Latent | None:
    if value is None:
        return None
    return Latent(
        size=value["size"],
        prior=value.get("prior", "normal"),
        mean=_numbers(value.get("mean", ()), "latent mean"),
        covariance=_rows(value.get("covariance", ()), "latent covariance"),
    )


_READERS: Final[Mapping[str, Any]] = {
    "inputs": lambda value: tuple(_port(item) for item in value),
    "output": _port,
    "image_size": lambda value: None if value is None else tuple(value),
    "latent": _latent,
    "classes": lambda value: _items(value, "classes", "texts"),
    "directions": lambda value: _rows(value, "directions"),
    "named_directions": _named,
    "sample_latents": lambda value: _rows(value, "sample_latents"),
}


def _expect(condition: bool, what: str, found: Any, expected: str) -> None:
    """Raise ``CardError`` unless the condition holds."""
    if not condition:
        raise CardError(f"card {what} is {found!r}, expected {expected}")


def _check(card: Card) -> None:
    for key in ("kind", "family", "name", "licence", "data", "precision"):
        _expect(isinstance(getattr(card, key), str), key, getattr(card, key), "text")
    _expect(card.precision != "", "precision", "", "one such as fp32")
    _expect(card.kind in KINDS, "kind", card.kind, f"one of {', '.join(KINDS)}")
    _check_ports(card)
    if card.image_size is not None:
        _expect(_is_size(card.image_size), "image_size", card.image_size, _SIZE)
    for key, low, high in (("channels", 1, 4), ("input_channels", 0, 4), ("scale", 1, 16),
                           ("multiple", 1, _MAX_MULTIPLE), ("context", 0, _MAX_SIDE_PX)):  # fmt: skip
        _expect(_whole(getattr(card, key), low, high), key, getattr(card, key), f"{low}..{high}")
    _expect(all(isinstance(name, str) for name in card.classes), "classes", card.classes, "texts")
    if len(card.classes) > _MAX_CLASSES:
        raise CardError(f"card has {len(card.classes)} classes, expected {_MAX_CLASSES} at most")
    for key in ("schedule", "training", "parity", "condition"):
        if not isinstance(getattr(card, key), Mapping):
            raise CardError(f"card {key} is {type(getattr(card, key)).__name__}, expected a mapping")
    if card.condition:
        _check_condition(card.condition)
    if KINDS[card.kind].has_schedule:
        _check_noise(card)
    for name in card.named_directions:
        sound = 0 < len(name) <= _MAX_NAME and name.isprintable() and name == name.strip()
        _expect(sound, "named_directions name", name[: _MAX_NAME + 1], f"1..{_MAX_NAME} printable characters")
    _expect(len(card.named_directions) <= _MAX_NAMED, "named_directions", len(card.named_directions),
            f"at most {_MAX_NAMED}")  # fmt: skip
    if card.latent is not None:
        _check_latent(card, card.latent)
    elif KINDS[card.kind].needs_latent:
        raise CardError(f"card of a {card.kind} lacks latent")


def _check_condition(condition: Mapping[str, Any]) -> None:
    """Check the values that readers compute with; unknown kinds and keys are allowed, and ignored."""
    kind, size, palette = condition.get("kind"), condition.get("size", (1, 1)), condition.get("palette", ())
    _expect(isinstance(kind, str), "condition kind", kind, f"one of {', '.join(CONDITIONS)}")
    _expect(_is_size(size), "condition size", size, _SIZE)
    few = _is_list(palette) and len(palette) <= _MAX_PALETTE and all(_list_of(colour, 3, 255) for colour in palette)
    _expect(few, "condition palette", palette, f"at most {_MAX_PALETTE} of [r, g, b], 0..255")
    if kind != "edges":
        return
    sigma, blur, invert = condition.get("sigma", 0.33), condition.get("blur", 3), condition.get("invert", False)
    _expect(_is_number(sigma) and 0 <= sigma <= _MAX_SIGMA, "condition sigma", sigma, f"0..{_MAX_SIGMA:g}")
    odd = _whole(blur, 0, _MAX_BLUR) and (blur == 0 or blur % 2 == 1)
    _expect(odd, "condition blur", blur, f"0 or an odd number of pixels, at most {_MAX_BLUR}")
    _expect(isinstance(invert, bool), "condition invert", invert, "true or false")


def _check_noise(card: Card) -> None:
    """Check the noise schedule that samplers compute with."""
    if not card.schedule:
        raise CardError(f"card of a {card.kind} lacks schedule")
    prediction = card.schedule.get("prediction")
    _expect(prediction in PREDICTIONS, "schedule prediction", prediction, f"one of {', '.join(PREDICTIONS)}")
    alpha_bar = _numbers(card.schedule.get("alpha_bar"), "card schedule alpha_bar")
    if not 1 <= len(alpha_bar) <= _MAX_STEPS:
        raise CardError(f"card schedule alpha_bar has {len(alpha_bar)} steps, expected 1..{_MAX_STEPS}")
    if not (alpha_bar[-1] > 0 and alpha_bar[0] < 1 and all(one > other for one, other in pairwise(alpha_bar))):
        raise CardError("card schedule alpha_bar is not a list of numbers that fall within 0..1")
    if any(port.name == "label" for port in card.inputs) and not card.classes:
        raise CardError(f"card of a {card.kind} that takes labels lacks classes")


def _is_size(value: Any) -> bool:
    return _list_of(value, 2, _MAX_SIDE_PX, low=1)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _list_of(value: Any, count: int, high: int, low: int = 0) -> bool:
    return _is_list(value) and len(value) == count and all(_whole(item, low, high) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_ports(card: Card) -> None:
    kind = KINDS[card.kind]
    for port in (*card.inputs, card.output):
        if not isinstance(port.name, str) or port.dtype not in DTYPES:
            raise CardError(f"card port {port.name!r} has type {port.dtype!r}, expected one of {', '.join(DTYPES)}")
        sizes = all(size is None or _whole(size, 0, 1 << 31) for size in port.shape)
        _expect(sizes, f"shape of port {port.name!r}", port.shape, "whole numbers or null")
    found = {port.name: port.dtype for port in card.inputs}
    _expect(len(found) == len(card.inputs), "inputs", [port.name for port in card.inputs], "each name once")
    possible = {port.name: port.dtype for port in kind.inputs}
    needed = {port.name: port.dtype for port in kind.inputs if not port.optional}
    fit = needed.items() <= found.items() <= possible.items()
    _expect(fit, "inputs", found, f"{needed} for a {card.kind}")
    output, expected = (card.output.name, card.output.dtype), (kind.output.name, kind.output.dtype)
    _expect(output == expected, "output", output, f"{expected} for a {card.kind}")


def _check_latent(card: Card, latent: Latent) -> None:
    _expect(_whole(latent.size, 1, _MAX_LATENT), "latent size", latent.size, f"1..{_MAX_LATENT}")
    _expect(latent.prior in PRIORS, "latent prior", latent.prior, f"one of {', '.join(PRIORS)}")
    for what, row_list in (("latent mean", (latent.mean,) if latent.mean else ()),
                           ("latent covariance", latent.covariance), ("directions", card.directions),
                           ("named_directions", tuple(card.named_directions.values())),
                           ("sample_latents", card.sample_latents)):  # fmt: skip
        if any(len(row) != latent.size for row in row_list):
            raise CardError(f"card {what} does not fit the latent size {latent.size}")
    if latent.covariance and len(latent.covariance) != latent.size:
        raise CardError(f"card latent covariance has {len(latent.covariance)} rows, expected {latent.size}")


# The seal: a hash over the whole file, kept inside it.

SEAL_KEY: Final = "sha256"
_SEAL: Final = re.compile(rb'"sealed:([0-9a-f]{64})"')
BLANK_SEAL: Final = '"sealed:' + "0" * 64 + '"'  # the metadata value of SEAL_KEY before sealing


def seal(data: bytes) -> bytes:
    """Put the SHA-256 of an ONNX file, counted with ``BLANK_SEAL`` in place, where its blank seal stands. Raises
    ``CardError`` unless there is exactly one blank seal."""
    blank = BLANK_SEAL.encode()
    if data.count(blank) != 1:
        raise CardError(f"file holds {data.count(blank)} blank seals, expected one")
    return data.replace(blank, f'"sealed:{hashlib.sha256(data).hexdigest()}"'.encode())


def check_seal(data: bytes) -> bool:
    """Whether a file's bytes carry a seal. Raises ``CardError`` where the bytes are not those that were sealed."""
    found = _SEAL.findall(data)
    if not found:
        return False
    blanked = _SEAL.sub(BLANK_SEAL.encode(), data)
    if len(found) != 1 or hashlib.sha256(blanked).hexdigest() != found[0].decode():
        raise CardError("contents do not match their SHA-256 seal: the file is damaged or was changed; copy it again")
    return True
