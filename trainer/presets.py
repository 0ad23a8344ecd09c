"""Presets: options to begin with, by name, in a TOML file beside the family that they are of."""

import inspect
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError

COLUMNS = 96  # of what --preset help prints
INDENT = "    "
HARD = "\x1f"  # a space at which no line is broken


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Options to begin with; flags and files change them."""

    about: str  # what it is for; of a paper, also where it is silent, and what cannot be set here
    source: str = "this project, see docs/benchmarks.md and the model's page"
    options: Mapping[str, Any]  # name of a field → its value, as TOML has it


def preset_file(config_class: type[Any]) -> Path:
    """Where the presets of a family are, by its class of options."""
    return Path(inspect.getfile(config_class)).with_suffix(".toml")


def read_presets(path: Path) -> dict[str, Preset]:
    """The presets in a file, none where there is no file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    presets = {}
    for name, table in tables.items():
        words = {key: table.pop(key) for key in ("about", "source") if key in table}
        presets[name] = Preset(**words, options=table)
    return presets


def presets_of(config_class: type[Any]) -> dict[str, Preset]:
    """The presets of a family, by its class of options."""
    return read_presets(preset_file(config_class))


def flag(name: str, value: Any) -> str:
    """An option as it is typed."""
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{dashed}" if value else f"--no-{dashed}"
    words = value if isinstance(value, list | tuple) else (value,)
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
