"""Write an ONNX file of another program as one file with a card, so that what was guessed is guessed once.

python -m export FILE.onnx -o one.onnx
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError
from onnx import helper

from export.card import BLANK_SEAL, SCHEMA, SEAL_KEY, Card, Port, seal
from export.foreign.checking import compare
from export.foreign.kinds import batches, wrap
from export.foreign.options import Options
from export.foreign.wrapping import Unfit
from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.files import check_free, output
from trainer.contract.text import printable
from viewer.graph.beside import LARGEST_MODEL, with_weights
from viewer.graph.limits import GIB, limits
from viewer.graph.screening import ScreeningError
from viewer.model import Model, ModelError, open_model

_ALSO: Final[Mapping[str, tuple[str, ...]]] = {  # what a kind that was found may be instead
    "generator": ("detail",),
    "translator": ("encoder",),
}


def adopt(
    source: Path, path: Path, options: Options, name: str = "", licence: str = "", force: bool = False
) -> tuple[list[str], str]:
    """Write ``source`` as ``path``. Returns sentences of what was guessed and assumed, and what was written, in one
    line. Raises ``UserError``; nothing is written then."""
    if path.suffix.lower() != ".onnx":
        raise UserError(f"{path}: the name ends in {path.suffix or 'nothing'!r}, expected .onnx")
    check_free(path, force)
    with limits(round(options.max_memory * GIB), options.max_seconds):
        foreign = open_model(source, reading=replace(options.reading, external_data=True), silent=True)
        if not foreign.inferred:
            raise UserError(
                f"{source}: has a card already, expected a model without one: python -m viewer opens it as it is, and "
                "--directions FILE puts named directions into its card"
            )
        kind = _kind(foreign, options.kind)
        card, size, difference = _write(foreign, kind, path, (name, licence), force)
    ports = f"{', '.join(map(_words, card.inputs))} -> {_words(card.output)}"
    shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
    return [
        *foreign.remarks,
        f"read as {_read(foreign, kind)}",
    ], f"{printable(path)}: {kind}, {ports}, {shown}; {difference}"


def _kind(foreign: Model, asked: str) -> str:
    """What it becomes. Raises ``UserError`` where it can be nothing, or not what is asked for."""
    found = foreign.kind
    if asked not in ("", found, *_ALSO.get(found, ())):
        raise foreign.error(f"--kind is {asked}, found {foreign.what}")
    if (asked or found) in KINDS and (foreign.arrangement is not None or (asked or found) == "encoder"):
        return asked or found
    if (asked or found) == "translator":
        _ = foreign.image_layout  # which says why there is none
    expected = ", ".join(f"{kind} ({KINDS[kind].does})" for kind in KINDS)
    raise foreign.error(f"found {foreign.what}, expected one of: {expected}; if it is one, --output-name, "
                        "--layout or --set may tell how")  # fmt: skip


def _whole(foreign: Model) -> onnx.ModelProto:
    """The model that was opened, all weights in it."""
    data = foreign.path.read_bytes()
    with contextlib.suppress(ScreeningError):
        data = with_weights(foreign.path, data)
    if hashlib.sha256(data).hexdigest() != foreign.sha256:
        raise foreign.error("changed while it was read, expected it to rest")
    return onnx.load_from_string(data)


def _write(foreign: Model, kind: str, path: Path, words: tuple[str, str], force: bool) -> tuple[Card, int, str]:
    """Write the file if it does what the other one does: for any number of images at once, or for as many as that one
    takes. Returns its card, its bytes, and how far it is from the other. ``words``: name and licence."""
    failed = ""
    for batch in batches(foreign, kind):
        card, written = _made(foreign, kind, batch, path, words)
        try:
            with output(path, force) as file:
                size = file.write(written)
                file.flush()
                del written  # large models are in memory often enough
                return card, size, compare(foreign, Path(file.name), kind)
        except ModelError as error:
            failed = failed or str(error).partition(": ")[2]
    raise foreign.error(f"nothing is written: as one file with a card it {failed}")


def _made(foreign: Model, kind: str, batch: int | None, path: Path, words: tuple[str, str]) -> tuple[Card, bytes]:
    """The card and the bytes of the file."""
    try:
        model, card = wrap(foreign, _whole(foreign), kind, batch)
    except Unfit as error:
        raise foreign.error(str(error)) from None
    except (ValueError, DecodeError) as error:  # names that are no text, sizes that no card may have
        raise foreign.error(f"cannot be written anew: {printable(' '.join(str(error).split()), 200)}") from None
    card = _signed(card, foreign, model, path, *words)
    return card, _sealed(model, card)


def _signed(card: Card, foreign: Model, model: onnx.ModelProto, path: Path, name: str, licence: str) -> Card:
    """The card with what is known beside the graph."""
    half = Counter(one.data_type == onnx.TensorProto.FLOAT16 for one in model.graph.initializer if len(one.dims) > 1)
    origin: dict[str, Any] = {
        "file": printable(foreign.path.name, 200),
        "sha256": foreign.sha256,
        "read": _read(foreign, card.kind),
    }
    if foreign.reading.kept:
        origin["said"] = foreign.reading.kept
    return replace(
        card,
        name=name or printable(path.stem, 200),
        licence=licence,
        training={"origin": origin},
        precision="fp16" if half[True] > half[False] else "fp32",
        schema=SCHEMA,
    )


def _sealed(model: onnx.ModelProto, card: Card) -> bytes:
    """The file. Raises ``UserError`` where it would be larger than any may be."""
    ours = {item.name for item in fields(Card)} | {SEAL_KEY}
    own = {item.key: item.value for item in model.metadata_props if item.key not in ours}  # which readers ignore
    helper.set_model_props(model, {**own, **card.to_props(), SEAL_KEY: BLANK_SEAL})
    model.producer_name = "utsuroi"
    size = model.ByteSize()
    if size >= LARGEST_MODEL:
        raise UserError(f"{size} bytes in one file, expected fewer than {LARGEST_MODEL}: export it in fp16")
    return seal(model.SerializeToString())


def _read(foreign: Model, kind: str) -> str:
    """How the arrays of the graph were understood, which is now fixed."""
    layout = foreign.feature_layout if kind == "encoder" else foreign.arrangement
    words = "" if layout is None else layout.describe()
    if kind != "encoder":
        return words
    guessed = foreign.reading.input_range is None and foreign.feature_layout.input_range is not None
    return words.partition(" → ")[0] + " (a guess: --input-range says otherwise)" * guessed


def _words(port: Port) -> str:
    return f"{port.name} [{', '.join('any' if size is None else str(size) for size in port.shape)}]"
