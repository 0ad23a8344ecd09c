"""A graph without a card, as those see it who infer what it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from viewer.graph.reading import Reading

Run = Callable[[Mapping[str, NDArray[Any]], str], NDArray[Any]]
"""Gives an output of some inputs, both by their names. May raise ``UserError``."""


@dataclass(frozen=True)
class Foreign:
    """A graph without a card, and what is known of it."""

    name: str  # of the model, for its card
    inputs: Sequence[Any]  # ports as onnxruntime declares them: name, type, shape
    outputs: Sequence[Any]
    run: Run
    reading: Reading = Reading()  # what the user says: never to be guessed
    data: bytes = b""  # of the file
    properties: Mapping[str, str] = field(default_factory=dict)  # its metadata
    remarks: list[str] = field(default_factory=list)
    """Sentences for the user, without the file's name, to be added to: what was guessed, what was assumed."""
