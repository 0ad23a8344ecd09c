"""What flags say of the inputs of a graph, as text and as values: settings, names of classes, a noise schedule.

Each ``read_`` raises ``ValueError`` with what is expected; the text of each ``write_`` is read as the same value, so
that it can be kept. Standard library only.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Settings = tuple[tuple[str, float | str], ...]  # names of inputs, and what they are given

PREDICTIONS: Final = ("epsilon", "x0", "v")

KINDS: Final = ("linear", "scaled_linear", "cosine")
_ENDS: Final = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "cosine": (0.0, 0.999)}  # of beta
_USUAL_STEPS: Final = 1000
_MOST_STEPS: Final = 10_000
_LARGEST_FILE: Final = 1 << 20  # bytes
_MOST_CLASSES: Final = 1 << 16
_LARGEST_SIDE: Final = 4096  # pixels
_LONGEST_NAMES: Final = 1 << 15  # characters of all names: what is kept of them has to fit into a sidecar
_SCHEDULE: Final = f"one of {', '.join(KINDS)}, perhaps with its steps as in linear:1000, or a scheduler_config.json"
_CLASSES: Final = f"how many there are, at most {_MOST_CLASSES}, or a file of their names: a line each, or JSON"
_BETAS: Final = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}  # of diffusers
_TARGETS: Final = {"epsilon": "epsilon", "sample": "x0", "v_prediction": "v"}


def read_settings(text: str) -> Settings:
    """``psi=0.7`` or several, joined by commas; a value is a number or a word."""
    found = []
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.rpartition("="))
        if not (name and equals and value) or len(text) > _LONGEST_NAMES:
            raise ValueError("NAME=VALUE, the name of an input and a number, such as psi=0.7")
        words = {"true": 1.0, "yes": 1.0, "ones": 1.0, "false": 0.0, "no": 0.0, "zeros": 0.0}
        number: float | str = words.get(value.lower(), value)
        if isinstance(number, str) and not number.isalpha():
            try:
                number = float(value)
            except ValueError:
                number = math.nan
        if isinstance(number, float) and not abs(number) <= 1e30:
            raise ValueError(f"a number for {name}, such as {name}=0.7")
        found.append((name, number))
    return tuple(dict(found).items())


def write_settings(values: Settings) -> str:
    """The same as text."""
    return ",".join(
        f"{name}={value if isinstance(value, str) else repr(value).removesuffix('.0')}" for name, value in values
    )


def read_classes(text: str) -> tuple[str, ...]:
    """How many classes there are, a file of their names, or the names as a JSON list."""
    if text.startswith("["):
        return _class_names(_parsed(text))
    if text.isascii() and text.isdigit():
        if len(text) > 6 or not 1 <= int(text) <= _MOST_CLASSES:
            raise ValueError(_CLASSES)
        return tuple(map(str, range(int(text))))
    content = _content(text, _CLASSES)
    names = _parsed(content) if content.lstrip()[:1] in ("[", "{") else content.splitlines()
    return _class_names(names)


def write_classes(names: Sequence[str]) -> str:
    """The same as text."""
    import json

    plain = list(names) == [str(number) for number in range(len(names))]
    return str(len(names)) if plain else json.dumps(list(names), ensure_ascii=False)


def _class_names(found: Any) -> tuple[str, ...]:
    names = names_of(found)
    if not names or sum(map(len, names)) + 4 * len(names) > _LONGEST_NAMES:
        raise ValueError(f"{_CLASSES}; of names at most {_LONGEST_NAMES} letters")
    return names


def names_of(found: Any) -> tuple[str, ...]:
    """Names of classes from a list of them, or from a mapping of numbers to names or of names to numbers; empty where
    it is neither."""
    if isinstance(found, dict):
        pairs = [(name, key) if isinstance(name, int) else (key, name) for key, name in found.items()]
        if not all(str(number).isascii() and str(number).isdigit() for number, _ in pairs):
            return ()
        by_number = {int(number): name for number, name in pairs}
        if sorted(by_number) != list(range(len(pairs))):
            return ()
        found = [by_number[number] for number in range(len(pairs))]
    if not isinstance(found, list | tuple) or not all(isinstance(name, str | int) for name in found):
        return ()
    names = [str(name).strip() for name in found]
    while names and not names[-1]:
        names.pop()
    return tuple(names) if all(names) and len(names) <= _MOST_CLASSES else ()


def read_size(text: str) -> tuple[int, int]:
    """Height and width of ``64`` or ``96x64``, the width first."""
    found = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text)
    width = int(found[1]) if found else 0
    height = int(found[2] or width) if found else 0
    if not 8 <= min(width, height) <= max(width, height) <= _LARGEST_SIDE:
        raise ValueError(f"a side in pixels, or width and height as in 96x64, 8..{_LARGEST_SIDE}")
    return height, width


def write_size(size: tuple[int, int]) -> str:
    """The same as text."""
    return f"{size[1]}x{size[0]}"


@dataclass(frozen=True)
class ScheduleSaid:
    """A noise schedule: how beta goes from its first to its last value in so many steps."""

    kind: str = "linear"
    steps: int = _USUAL_STEPS
    ends: tuple[float, float] = _ENDS["linear"]
    prediction: str = ""  # of PREDICTIONS; empty: not said
    no_signal_left: bool = False  # rescaled, so that the last step is noise alone


def read_schedule(text: str) -> ScheduleSaid:
    """``linear``, ``linear:1000``, ``linear:1000:0.0001..0.02``, perhaps with ``:epsilon`` and ``:zero`` behind it; or
    the file of a scheduler of diffusers."""
    kind, *parts = text.split(":")
    if kind not in KINDS:
        return _of_diffusers(_parsed(_content(text, _SCHEDULE)))
    no_signal_left = parts[-1:] == ["zero"]
    parts = parts[:-1] if no_signal_left else parts
    prediction = parts.pop() if parts and parts[-1] in PREDICTIONS else ""
    steps, ends = _USUAL_STEPS, _ENDS[kind]
    if parts:
        steps = int(parts[0]) if parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 6 else 0
        factor = _USUAL_STEPS / steps if steps and kind != "cosine" else 1.0  # as much noise in all
        ends = min(ends[0] * factor, 0.5), min(ends[1] * factor, 0.999)
    if len(parts) > 1:
        found = re.fullmatch(r"([\d.e-]{1,24})\.\.([\d.e-]{1,24})", parts[1])
        try:
            ends = (float(found[1]), float(found[2])) if found and len(parts) == 2 else (1.0, 0.0)
        except ValueError:
            ends = 1.0, 0.0
    return _checked(ScheduleSaid(kind, steps, ends, prediction, no_signal_left))


def read_prediction(text: str) -> str:
    """What a denoiser predicts."""
    if text not in PREDICTIONS:
        raise ValueError(" or ".join(PREDICTIONS))
    return text


def write_schedule(said: ScheduleSaid) -> str:
    """The same as text."""
    ends = f"{said.ends[0]!r}..{said.ends[1]!r}"
    return ":".join(filter(None, (said.kind, str(said.steps), ends, said.prediction, "zero" * said.no_signal_left)))


def _checked(said: ScheduleSaid) -> ScheduleSaid:
    if not (1 <= said.steps <= _MOST_STEPS and 0 <= said.ends[0] <= said.ends[1] < 1 and said.ends[1] > 0):
        raise ValueError(f"{_SCHEDULE}, of 1..{_MOST_STEPS} steps, and beta within 0..1")
    if said.kind != "cosine" and said.ends[0] <= 0:
        raise ValueError(f"{_SCHEDULE}, of beta above 0")
    return said


def _of_diffusers(found: Any) -> ScheduleSaid:
    """Of the JSON file that diffusers writes for a scheduler."""
    if not isinstance(found, dict) or "num_train_timesteps" not in found:
        raise ValueError(f"{_SCHEDULE} of diffusers, with num_train_timesteps")
    if found.get("trained_betas") is not None:
        raise ValueError(f"{_SCHEDULE} whose beta follows a formula, found trained_betas")
    kind, target = str(found.get("beta_schedule", "linear")), str(found.get("prediction_type", "epsilon"))
    if kind not in _BETAS or target not in _TARGETS:
        known = f"{', '.join(_BETAS)} and {', '.join(_TARGETS)}"
        raise ValueError(f"{_SCHEDULE} with {known}, found {kind[:40]!r} and {target[:40]!r}")
    usual = (0.0, 0.999) if _BETAS[kind] == "cosine" else _ENDS["linear"]
    ends = usual if _BETAS[kind] == "cosine" else (found.get("beta_start", usual[0]), found.get("beta_end", usual[1]))
    steps = found["num_train_timesteps"]
    if type(steps) is not int or not all(isinstance(end, int | float) for end in ends):
        raise ValueError(f"{_SCHEDULE} whose num_train_timesteps, beta_start and beta_end are numbers")
    zero = found.get("rescale_betas_zero_snr") is True
    return _checked(ScheduleSaid(_BETAS[kind], steps, (float(ends[0]), float(ends[1])), _TARGETS[target], zero))


def _content(name: str, expected: str) -> str:
    path = Path(name)
    try:
        if not path.is_file():
            raise ValueError(f"{expected}; found no such file")
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{expected}; found more than {_LARGEST_FILE} bytes")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{expected}; found what cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{expected}; found no text") from None


def _parsed(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("a file of JSON, or all of it") from None
