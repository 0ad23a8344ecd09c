"""Presets: options to begin with, by name. Each family lists its own beside its options."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from trainer.contract.errors import UserError

COLUMNS = 96  # of what --preset help prints
INDENT = "    "
HARD = "\x1f"  # a space at which no line is broken


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Options to begin with; flags and files change them."""

    about: str  # what it is for; of a paper, also where it is silent, and what cannot be set here
    options: Mapping[str, Any]  # name of a field → its value
    source: str = "this project, see docs/benchmarks.md and the model's page"


# Of every model that was compared on MNIST. Processors that cannot compute in bf16 are quicker with --precision fp32.
DIGITS: Final[Mapping[str, Any]] = MappingProxyType({"flip": False, "hold_out": 12, "precision": "bf16"})
# Of runs that end by the clock, not by --steps.
UNTIL_MINUTES: Final[Mapping[str, Any]] = MappingProxyType({"steps": 1_000_000, "precision": "bf16"})
# Papers export the last weights, and mirror nothing, unless they say so.
PLAIN: Final[Mapping[str, Any]] = MappingProxyType({"flip": False, "ema": 0})


def flag(name: str, value: Any) -> str:
    """An option as it is typed."""
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{dashed}" if value else f"--no-{dashed}"
    words = value if isinstance(value, tuple) else (value,)
    return " ".join((f"--{dashed}", *(str(word).removesuffix(".0") for word in words)))


def find(presets: Mapping[str, Preset], name: str) -> Preset:
    """The preset of a name. Raises ``UserError`` with those that there are."""
    if name not in presets:
        known = ", ".join(presets) or "none: this model has no presets"
        raise UserError(f"--preset is {name}, expected one of {known} (--preset help describes them)")
    return presets[name]


def described(presets: Mapping[str, Preset]) -> Iterator[str]:
    """Lines about all presets: what each is, where it is from, its flags."""
    for name, preset in presets.items():
        yield name
        flags = " ".join(flag(*option).replace(" ", HARD) for option in preset.options.items())
        for text in (preset.about, f"From: {preset.source}.", flags or "(the defaults)"):
            for line in textwrap.wrap(text, COLUMNS - len(INDENT), break_on_hyphens=False):
                yield INDENT + line.replace(HARD, " ")
        yield ""
