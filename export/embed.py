"""Write a copy of an exported model whose card holds named directions; its graph stays as it is, and needs no torch.

python -m export cats.onnx -o named.onnx --directions cats.directions.json
"""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import helper

from export.card import BLANK_SEAL, SCHEMA, SEAL_KEY, Card, CardError, check_seal, seal
from trainer.contract.directions import Named, Vector, read_directions
from trainer.contract.errors import UserError
from trainer.contract.files import check_free, output, reading
from trainer.contract.text import printable


def embed(source: Path, path: Path, directions: Path, force: bool = False) -> str:
    """Write ``source`` as ``path`` with the directions of a file in its card, beside those that it has; of two with one
    name the file's is taken. Returns what was written, in one line. Raises ``UserError``; nothing is written then."""
    if path.suffix.lower() != ".onnx":
        raise UserError(f"{path}: the name ends in {path.suffix or 'nothing'!r}, expected .onnx")
    check_free(path, force)
    with reading(source):
        data = source.read_bytes()
    try:
        check_seal(data)
        model = onnx.load_from_string(data)
        properties = {item.key: item.value for item in model.metadata_props}
        card = Card.from_props(properties)
    except CardError as error:
        raise UserError(f"{source}: {error}") from None
    except DecodeError:
        raise UserError(f"{source}: is no ONNX file, or only a part of one; expected all: copy it again") from None
    if card is None:
        raise UserError(
            f"{source}: has no card, expected a generator with one: python -m export {shlex.quote(str(source))} "
            "-o one.onnx gives it one"
        )
    read = directions_for(card, directions, str(source))
    named = {**card.named_directions, **read.vectors}
    try:
        new = replace(card, named_directions=named, schema=SCHEMA)
        helper.set_model_props(model, {**properties, **new.to_props(), SEAL_KEY: BLANK_SEAL})
        written = seal(model.SerializeToString())
    except CardError as error:
        raise UserError(f"{path}: not written: {error}") from None
    with output(path, force) as file:
        file.write(written)
    replaced = [name for name in read.vectors if name in card.named_directions]
    words = f"; in place of older ones: {', '.join(replaced)}" if replaced else ""
    return f"{path}: generator with {counted(named)}{words}"


def directions_for(card: Card, path: Path, name: str) -> Named:
    """The directions of a file, for a card; of those that were found in another model a line on stderr says so. Raises
    ``UserError``. ``name``: of what the card is of."""
    if card.kind != "generator" or card.latent is None:
        raise UserError(f"{name}: is of kind {card.kind}, expected a generator: only its card holds named directions")
    read = read_directions(path, card.latent.size)
    if strangers := read.strangers(card.training):
        others = printable(", ".join(strangers), 200)
        where = f"warning: {printable(path)}"
        print(f"{where}: found in another model, may mean nothing in this one: {others}", file=sys.stderr)
    return read


def counted(named: dict[str, Vector]) -> str:
    """Directions in words."""
    return f"{len(named)} named direction{'s' * (len(named) != 1)}: {', '.join(named)}"
