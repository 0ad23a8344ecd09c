"""What a user says of weights that do not say it themselves: flags of the export, for the readers of weights."""

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from export.kinds import KINDS

ACTIVATIONS = ("relu", "leaky_relu", "elu", "silu", "gelu", "tanh")
LAST = ("tanh", "sigmoid", "none")
PREDICTIONS = ("epsilon", "x0", "v")
SCHEDULES = ("linear", "cosine", "sigmoid", "quadratic")
STATISTICS = ("image", "stored")
STANDARDISATIONS = ("published", "corrected")
OF_ALL = ("kind", "low")  # fields that no reader looks at: they are of whatever was read
_MOST_PX = 4096
_MOST_LATENT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a user says; where a field is empty, the reader decides, and says so where that is a guess."""

    image_size: tuple[int, int] | None = None  # height, width in pixels
    activation: str = ""  # between layers
    last_activation: str = ""  # of the image: tanh (-1..1), sigmoid (0..1), none (0..1)
    before_maps: str = ""  # between the linear layers and the convolutions of a VAE's decoder: activation or nothing
    prediction: str = ""  # of denoisers
    noise_schedule: str = ""
    noise_steps: int = 0
    standardisation: str = ""  # of weights in the annotated-diffusion tutorial: as in its text, or corrected
    statistics: str = ""  # that batch normalisation of translators uses
    kind: str = ""  # "detail": images of high frequencies, to be added to those of ``low``
    low: Path | None = None
    module: str = ""  # FILE.py:Class, the definition of the network
    module_args: str = ""  # JSON, by name
    latent: tuple[int, ...] = ()  # shape of one
    channels: int = 0  # of images that go in
    input_range: tuple[float, float] | None = None  # what black and white are
    output_range: tuple[float, float] | None = None

    def beyond(self, names: Sequence[str]) -> list[str]:
        """The fields that say something, and are not among ``names``."""
        return [
            item.name for item in fields(self) if getattr(self, item.name) != item.default and item.name not in names
        ]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags, in a group of their own."""
    group = parser.add_argument_group("what weights do not say themselves")
    group.add_argument("--image-size", type=image_size, metavar="N|WxH", help="pixels of the images")
    group.add_argument("--activation", choices=ACTIVATIONS, default="", help="between layers of GANs and VAEs")
    group.add_argument(
        "--last-activation",
        choices=LAST,
        default="",
        help="of the images of GANs and VAEs: tanh gives -1..1, the others 0..1",
    )
    group.add_argument(
        "--before-maps",
        choices=("activation", "nothing"),
        default="",
        help="between the linear layers and the convolutions of a VAE's decoder",
    )
    group.add_argument("--prediction", choices=PREDICTIONS, default="", help="what a denoiser predicts")
    group.add_argument("--noise-schedule", choices=SCHEDULES, default="", help="of a denoiser")
    group.add_argument("--noise-steps", type=steps, default=0, metavar="N", help="steps of a denoiser's schedule")
    group.add_argument(
        "--standardisation",
        choices=STANDARDISATIONS,
        default="",
        help="of weights in the annotated-diffusion tutorial: as its text has it, or as corrected copies",
    )
    group.add_argument(
        "--statistics",
        choices=STATISTICS,
        default="",
        help="of batch normalisation in translators: of each image, or stored",
    )
    group.add_argument(
        "--kind", choices=tuple(KINDS), default="", help="detail: images of high frequencies only; others with --module"
    )
    group.add_argument("--low", type=Path, metavar="FILE", help="with --kind detail: weights whose images get it")


def add_own(parser: argparse.ArgumentParser) -> None:
    """The flags of somebody's own definition of a network."""
    group = parser.add_argument_group("your own definition of a network")
    group.add_argument(
        "--module", default="", metavar="FILE.py:Class", help="is run as your own code, and all weights loaded into it"
    )
    group.add_argument("--module-args", default="", metavar="JSON", help="what Class takes, such as '{\"width\": 8}'")
    group.add_argument("--latent", type=shape, default=(), metavar="N|CxHxW", help="shape of a generator's latent")
    group.add_argument("--channels", type=int, choices=(1, 3), default=0, help="of images that go in (3)")
    for name, what in (("--input-range", "images that go in"), ("--output-range", "images that come out")):
        group.add_argument(name, type=value_range, metavar="LOW..HIGH", help=f"of {what}, such as -1..1 (0..1)")


def joined(words: Sequence[str]) -> list[str]:
    """The words of a command line with ranges fastened to their flags: ``-1..1`` begins as an option does."""
    made: list[str] = []
    for word in words:
        if made and made[-1] in ("--input-range", "--output-range"):
            made[-1] += f"={word}"
        else:
            made.append(word)
    return made


def value_range(text: str) -> tuple[float, float]:
    """``-1..1`` → (-1, 1). Raises ``argparse.ArgumentTypeError``."""
    number = r"([+-]?\d{1,6}(?:\.\d{0,6})?)"
    found = re.fullmatch(rf"{number}\.\.{number}", text)
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not low < high:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}, expected LOW..HIGH, such as 0..1, -1..1 or 0..255")
    return low, high


def shape(text: str) -> tuple[int, ...]:
    """``100`` or ``100x1x1`` → lengths. Raises ``argparse.ArgumentTypeError``."""
    lengths = tuple(int(part) if re.fullmatch(r"\d{1,5}", part) else 0 for part in text.split("x"))
    if not 0 < math.prod(lengths) <= _MOST_LATENT or len(lengths) > 4:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}, expected numbers such as 100 or 100x1x1")
    return lengths


def flag(name: str) -> str:
    """A field as it is typed."""
    return "--" + name.replace("_", "-")


def take(options: dict[str, Any]) -> Given:
    """Take what belongs here out of the options of a command line."""
    return Given(**{item.name: options.pop(item.name) for item in fields(Given)})


def image_size(text: str) -> tuple[int, int]:
    """``64`` or ``96x64`` (width, height) → height, width. Raises ``argparse.ArgumentTypeError``."""
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    width = int(found[1]) if found else 0
    height = int(found[2] or found[1]) if found else 0
    if not (1 < width <= _MOST_PX and 1 < height <= _MOST_PX):
        raise argparse.ArgumentTypeError(f"{text!r}, expected pixels such as 64 or 96x64, at most {_MOST_PX}")
    return height, width


def steps(text: str) -> int:
    """A number of noise steps. Raises ``argparse.ArgumentTypeError``."""
    if not (text.isdecimal() and 2 <= int(text[:9]) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}, expected 2 to 10000")
    return int(text)
