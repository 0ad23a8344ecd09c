"""What keywords of the API say of a file without a card, as the viewer's flags do; errors that name keywords."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from trainer.contract.errors import UserError

if TYPE_CHECKING:
    from viewer.graph.reading import Reading


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Errors of the viewer name its flags: ``--label is 'dog'`` becomes ``label is 'dog'``, ``--condition given``
    becomes ``condition="given"``."""
    try:
        yield
    except UserError as error:
        flag = r"(?<!\S)--(label|guidance|start|condition) "
        text = re.sub(rf"{flag}(?!is )(\w+)", r'\1="\2"', re.sub(rf"{flag}is ", r"\1 is ", str(error)))
        raise UserError(text) from None


class ReadingWords(TypedDict, total=False):
    """How a file without a card is to be read, where that is not to be guessed."""

    input_range: str | tuple[float, float]  # what black and white are in float images that go in: "-1..1" or (-1, 1)
    output_range: str | tuple[float, float]  # of those that come out
    layout: Literal["chw", "hwc"]
    channels: Literal["rgb", "bgr"]
    output_name: str  # of the output that holds the images
    classes: str | int | Sequence[str]  # their names, a file of them, or how many there are
    set: str | Mapping[str, float | str]  # what inputs are given: {"psi": 0.7}
    schedule: str  # of a denoiser's noise: "linear", "cosine:1000", or the scheduler_config.json of diffusers
    prediction: Literal["epsilon", "x0", "v"]  # of a denoiser
    image_size: str | int  # of a denoiser, width and height: 64 or "96x64"
    external_data: bool  # whether weights may be read that the model keeps in other files of its folder


def reading_of(words: Mapping[str, Any]) -> "Reading":
    """What ``load`` is told, for ``open_model``. Raises ``UserError``, and ``TypeError`` for an unknown word."""
    from viewer.graph.reading import Reading, parse

    unknown = words.keys() - ReadingWords.__annotations__.keys()
    if unknown:
        raise TypeError(f"load() got an unexpected keyword argument {min(unknown)!r}")
    values: dict[str, Any] = {"external_data": bool(words.get("external_data"))}
    for name, value in words.items():
        if name == "external_data":
            continue
        text = _as_text(name, value)
        try:
            values[name] = parse(name, text) if isinstance(text, str) else None
        except ValueError as error:
            raise UserError(f"{name} is {value!r}, expected {error}") from None
        if values[name] is None and value is not None:
            raise UserError(f"{name} is {value!r}, expected text")
    return Reading(**values)


def _as_text(name: str, value: Any) -> Any:
    """A word of ``ReadingWords`` as its flag takes it; what can be none, as it is."""
    if name == "classes" and isinstance(value, list | tuple):
        return json.dumps(list(value))
    if name == "set" and isinstance(value, Mapping):
        return ",".join(f"{one}={given}" for one, given in value.items())
    if name in ("classes", "image_size") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name in ("input_range", "output_range") and isinstance(value, tuple) and len(value) == 2:
        return "{}..{}".format(*value)
    return value
