"""What a saved image was made from, as a page to read."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import UserError
from viewer import opening
from viewer.files.inputs import photo_size

_FEW: Final = 8  # numbers that are shown as they are
_LISTED: Final = (
    "mode",
    "model",
    "models",
    "file",
    "sha256",
    "rows",
    "cols",
    "image",
    "gap",
    "labels",
    "latent",
    "latents",
)


def describe_saved(path: Path, recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of a name and a text. Raises ``UserError``."""
    height, width = photo_size(path)
    yield "file", str(path)
    yield "what", f"{_what(recipe)}, {width}x{height} pixels"
    yield "mode", _text(recipe.get("mode", "unknown"))
    signers = [one for one in opening.models_of(recipe) if "file" in one]
    for one in signers:
        file, name = _text(one["file"]), _text(one.get("model", ""))
        text = f"{file}, {name}" if name not in ("", Path(file).stem) else file
        yield "made by" if "sha256" in one else "from", text
    for key, value in recipe.items():
        if key not in _LISTED and (text := _text(value)):
            yield key.replace("_", " "), text
    for key in ("latent", "latents"):
        if key in recipe:
            yield key, _numbers(recipe[key])
    yield from _again(path, recipe)
    for one in signers:
        if "sha256" in one:
            yield "sha256", f"{_text(one['sha256'])} of {'the model' if len(signers) == 1 else _text(one['file'])}"


def _what(recipe: Mapping[str, Any]) -> str:
    rows, columns, image = (recipe.get(key) for key in ("rows", "cols", "image"))
    if isinstance(image, str):
        return f"made of {_text(image)}"
    if not (type(rows) is int and type(columns) is int and 0 < rows * columns < 1 << 31):
        return "an image"
    page = f"{rows} row{'s' * (rows > 1)} of {columns}"
    if type(image) is int and rows * columns > 1:
        return f"image {image} of 0-{rows * columns - 1} on a page of {page}"
    return "an image" if rows * columns == 1 or "latent" in recipe else f"a page of images, {page}"


def _again(path: Path, recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The command that leads back, and which of its files are missing; none where the mode has no way back."""
    mode = opening.mode_of(recipe)
    if mode is None:
        return
    name = "again" if "" in mode.saved[opening.word_of(recipe)] else "of these"  # with its settings, or without
    try:
        back = opening.way_back(recipe, path)
    except UserError as error:
        words = opening.words_back(mode, recipe, path, lambda name, _: [name])
        models = [str(one.get("file", "")) for one in opening.models_of(recipe)]
        yield name, _command(mode.name, [*models, *words])
        yield "", str(error).removeprefix(f"{path}: ").partition("; ")[0]
    else:
        if back is not None:
            yield name, _command(back.mode, back.words)


def _command(mode: str, words: Sequence[str]) -> str:
    return f"python -m viewer {mode} {shlex.join(words)}"


def _text(value: Any) -> str:
    """A value in words; a long list by what it holds."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items() if one not in ("", None))
    if isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            counts = Counter(value)
            words = [f"{word} ({count})" if count > 1 else word for word, count in counts.most_common(_FEW)]
            return ", ".join(words) + (f" and {len(counts) - _FEW} more" if len(counts) > _FEW else "")
        return _numbers(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _numbers(value: Any) -> str:
    """Numbers, or lists of them: as they are, or how many, and how they are spread."""
    flat = _flat(value)
    if not flat:
        return f"{len(value)} entries" if isinstance(value, list) else _text(value)
    if len(flat) <= _FEW:
        return str(value)
    each = len(flat) == len(value)
    words = [f"{len(flat)} numbers" if each else f"{len(value)} times {len(value[0])} numbers"]
    words.append(f"{min(flat):.3g} to {max(flat):.3g}")
    if any(isinstance(one, float) for one in flat):
        mean = math.fsum(flat) / len(flat)
        deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in flat) / len(flat))
        words += [f"mean {mean:.3g}", f"deviation {deviation:.3g}"]
    return f"{', '.join(words)} (all: --json)"


def _flat(value: Any) -> list[float]:
    """The finite numbers of a list, or of lists of one length; none where there is anything else."""
    rows = value if isinstance(value, list) and value and all(isinstance(one, list) for one in value) else [value]
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        return []
    flat = [one for row in rows for one in row]
    return flat if all(type(one) in (int, float) and abs(one) < 1e30 for one in flat) else []
