"""Weights that people already have: the networks of a file, whatever program saved it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from export.given import Given
from export.weight_files import MAX_CONTENTS, check_size, read_content
from export.weight_folder import file_of
from export.wrappers import Found, at, merged, networks, uncovered
from trainer.contract.errors import UserError
from trainer.contract.text import printable

_SHOWN: Final = 6  # names in a message


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one network, as an importer reads them."""

    path: Path  # the file
    state: Mapping[str, Tensor]  # on the CPU; floats are f32 and finite
    config: Mapping[str, Any] = field(default_factory=dict)  # ``config.json`` beside the file; empty: none
    key: str = ""  # where in the file, with dots; "" for all of it
    averaged: bool = False  # over the steps of the training
    remarks: tuple[str, ...] = ()  # sentences of what was chosen
    given: Given = field(default_factory=Given)  # what the user says that the file does not

    def beside(self, name: str) -> dict[str, Any]:
        """The content of another JSON file of the folder, such as a scheduler's; empty where there is none, or none
        that can be read."""
        return _json(self.path.parent / name)

    def views(self) -> Iterator["Weights"]:
        """These weights, then the same without what all names begin with, where that may be a wrapper's name."""
        return (replace(self, state=state) for state in uncovered(dict(self.state)))


def read_weights(path: Path, key: str = "") -> list[Weights]:
    """The networks of a file, or of a folder as the field's libraries save them, that may be meant. Averaged weights
    are taken where there are such. ``key``: where in the file, instead. Raises ``UserError`` with one line."""
    file = file_of(path)
    content = read_content(file)
    if not isinstance(content, Mapping):
        raise UserError(f"{file}: holds {_described(content)}, expected a state_dict: tensors by name")
    found = at(content, key) if key else networks(content)
    if not found:
        every = networks(content)
        if key and every:
            one = "one network, which needs no --key" if [item.key for item in every] == [""] else listed(every)
            raise UserError(f"{file}: --key {key!r} is not in it; it holds {one}")
        raise UserError(f"{file}: holds {_described(content)}, expected a state_dict: tensors by name")
    config = _json(file.parent / "config.json")
    shared: dict[int, Tensor] = {}  # of several views of the same tensors
    return [
        Weights(
            path=file,
            state=_checked(item.state, file, shared),
            config=config,
            key=item.key,
            averaged=item.averaged,
            remarks=_remarks(item, content) if not key else (),
        )
        for item in found
    ]


def joined(weights: Sequence[Weights]) -> Weights | None:
    """Networks beside each other as one, such as ``encoder`` and ``decoder``; ``None`` where they are not."""
    state = merged([Found(item.key, dict(item.state)) for item in weights])
    return replace(weights[0], key="", state=state, remarks=()) if state else None


def listed(found: Sequence[Found | Weights]) -> str:
    """The names of networks, for messages."""
    names = [printable(item.key, 60) or "all of it" for item in found]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def shown_keys(state: Mapping[str, Tensor]) -> str:
    """What the names of tensors look like, with shapes, for messages."""
    keys = [f"{printable(key, 60)} {list(value.shape)}" for key, value in list(state.items())[:4]]
    return ", ".join(keys) + (f" and {len(state) - 4} more" if len(state) > 4 else "")


def _remarks(found: Found, content: Mapping[Any, Any]) -> tuple[str, ...]:
    if found.averaged and not found.key:
        return ("the file holds averaged weights",)
    if found.averaged:
        return (f"the averaged weights are taken, {printable(found.key, 60)!r} (--key NAME takes others)",)
    others = [str(name) for name, value in content.items() if isinstance(value, Mapping) and value]
    if found.key and len(others) > 1:
        return (f"the weights are those of {printable(found.key, 60)!r} (--key NAME takes others)",)
    return ()


def _described(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    names = sorted(printable(str(key), 40) for key in list(content)[:1000])
    return f"a dictionary of {', '.join(names[:_SHOWN]) or 'nothing'}"


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.is_file() and file.stat().st_size <= MAX_CONTENTS:
            found = json.loads(file.read_bytes())
            return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        pass
    return {}


def _checked(state: Mapping[str, Tensor], file: Path, shared: dict[int, Tensor]) -> dict[str, Tensor]:
    """Refuse tensors that no network here can take, and make floats f32. Sizes come first: a broadcast tensor can claim
    any. ``shared``: tensors that were checked before, by id."""
    for key, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            kind = "quantised" if value.is_quantized else f"{value.layout} on {value.device}"
            raise UserError(f"{file}: {printable(key, 100)} is {kind}, expected a plain tensor")
        if value.is_complex():
            raise UserError(f"{file}: {printable(key, 100)} holds {value.dtype}, expected real numbers")
    check_size(file, sum(value.numel() * max(4, value.element_size()) for value in state.values()), "set of tensors")
    for key, value in state.items():
        if id(value) in shared:
            continue
        plain = value.detach()
        if plain.is_floating_point():
            plain = plain.float()
            if not bool(torch.isfinite(plain).all()):
                raise UserError(f"{file}: {printable(key, 100)} holds values that are not finite")
        shared[id(value)] = plain
    return {key: shared[id(value)] for key, value in state.items()}
