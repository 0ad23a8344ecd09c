"""Write trained networks as ONNX files, and fill in their cards.

The graph takes and gives u8 images, RGB, [n, h, w, c]; the family's module works on floats in 0..1. Nothing is
written unless every file of the export has passed ``export.verify``.

    python -m export runs/cats -o cats.onnx
"""

import contextlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from export.card import BLANK_SEAL, PRECISIONS, SEAL_KEY, Card, CardError, Latent, Port, check_seal, seal
from export.embed import directions_for
from export.graph import TYPES, ExportError, Whole, trace
from export.kinds import KINDS
from export.quantize import quantize
from export.verify import check_pairs, check_parity, measure_drift
from trainer.contract.errors import UserError, require
from trainer.contract.files import check_free, output, sync
from trainer.family import DataSpec, Exportable

_MAX_BYTES = (1 << 31) - 1  # of one protobuf message
_MAX_COVARIANCE = 256  # latent numbers; a larger matrix would outweigh a small network
_MAX_DIRECTIONS = 16
_DTYPES: Mapping[int, str] = {int(number): name for name, number in TYPES.items()}


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where to write files, and what of them is asked for. Raises ``UserError`` where they cannot be written."""

    path: Path  # further files of the same export lie beside it
    precision: str = "fp32"  # see export.quantize
    name: str = ""  # what the card calls the model; that of the file where empty
    licence: str = ""
    directions: Path | None = None  # file of named directions for the generator's card
    force: bool = False  # replace files that exist

    def __post_init__(self) -> None:
        require(self.precision in PRECISIONS, "precision", repr(self.precision), f"one of {', '.join(PRECISIONS)}")
        if self.path.suffix.lower() != ".onnx":
            raise UserError(f"{self.path}: the name ends in {self.path.suffix or 'nothing'!r}, expected .onnx")
        for path in (self.path, *map(self.beside, KINDS)):
            check_free(path, self.force)
        if not os.access(self.path.parent, os.W_OK):
            raise UserError(f"{self.path}: the folder {self.path.parent} cannot be written to")

    def beside(self, kind: str) -> Path:
        """Path of a further file of the same export."""
        return self.path.with_name(f"{self.path.stem}.{kind}.onnx")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where networks come from: fields of all cards of one export."""

    family: str
    spec: DataSpec
    data: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)


def export_run(run: Path, output: Output, weights: str = "best") -> list[Path]:
    """Write a run's networks as ONNX files. ``weights``: ``best``, ``last`` or the step of a checkpoint that is kept.

    Returns the files written, that of ``output`` first. Raises ``UserError`` with one line, and then has written
    nothing.
    """
    from trainer.runs.store import restore  # imports accelerate, which only runs need

    restored = restore(run, weights)
    config, state = restored.run.get("config", {}), restored.state
    data = str(config.get("data", ""))
    training = {
        "run": restored.run.get("run_id"),
        "commit": restored.run.get("commit"),
        "step": state.step,
        "images_seen": state.images_seen,
        "fit": config.get("fit"),  # how the viewer is to bring images to the encoder's size
        "score": state.score,
        "metrics": {key: value for key, value in state.metrics.items() if key != "score"},
        "evaluation": read_evaluation(run, state.step),
    }
    origin = Origin(
        family=type(restored.family).__module__.rpartition(".")[2],
        spec=restored.spec,
        data=data if data.startswith("hub:") else Path(data).name,  # without its folder, which is private
        training={key: value for key, value in training.items() if value not in (None, "", {})},
    )
    return export_networks(restored.family.exports(restored.nets, state.description), origin, output)


def read_evaluation(run: Path, step: int) -> dict[str, Any]:
    """The metrics that ``trainer/evaluate.py`` measured for these weights; empty where it measured others, or none."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((run / "evaluation" / "metrics.json").read_bytes())
        if isinstance(found, dict) and found.get("step") == step:
            return {key: value for key, value in found.items() if key not in ("run", "step", "images_seen")}
    return {}


def export_networks(exportables: Sequence[Exportable], origin: Origin, output: Output) -> list[Path]:
    """Write the files that a family offers: trace, check against torch, lower the precision, add card and seal. Raises
    ``UserError``; nothing is written then."""
    kinds = [item.kind for item in exportables]
    if not kinds or len(set(kinds)) != len(kinds):
        raise ValueError(f"family {origin.family} offers {kinds or 'nothing'} to export, expected one file a kind")
    if output.directions is not None and "generator" not in kinds:
        raise UserError(f"--directions is for generators, found {', '.join(kinds)} to export")
    primary = next(kind for kind in KINDS if kind in kinds)
    files: dict[str, bytes] = {}
    try:
        for item in exportables:
            files[item.kind] = seal(build(item, origin, output).SerializeToString())
        check_pairs(files, {item.kind: item.inputs for item in exportables})
    except (ExportError, CardError) as error:
        raise UserError(f"{output.path}: not written: {error}") from None
    others = {output.beside(kind): data for kind, data in files.items() if kind != primary}
    for path in map(output.beside, KINDS):
        if path.exists() and path not in others:
            raise UserError(
                f"{path}: would be taken for a part of {output.path.name}, which has none: move it away first"
            )
    write_all({**others, output.path: files[primary]}, output.force)  # last: where it exists, the others do
    return [output.path, *others]


def build(item: Exportable, origin: Origin, output: Output) -> onnx.ModelProto:
    """One file's graph with its card, checked against torch; not sealed. Raises ``ExportError``, ``CardError``."""
    network = Whole(item)
    model = trace(network)
    parity = check_parity(network, model)
    if output.precision != "fp32":
        model = quantize(network, model, output.precision)
        parity[output.precision] = measure_drift(network, model, network.draw(24, seed=24))
    card = make_card(item, origin, output, model, parity)
    if output.directions is not None and item.kind == "generator":
        card = replace(card, named_directions=directions_for(card, output.directions, str(output.path)).vectors)
    helper.set_model_props(model, {**card.to_props(), SEAL_KEY: BLANK_SEAL})
    if model.ByteSize() > _MAX_BYTES:
        raise ExportError(f"{item.kind} takes {model.ByteSize() / 2**30:.1f} GiB, expected under 2 GiB: it is one file")
    return model


def make_card(
    item: Exportable, origin: Origin, output: Output, model: onnx.ModelProto, parity: Mapping[str, Any]
) -> Card:
    """The card of a graph. Raises ``CardError`` where the family's fields do not fit the graph."""
    fields, spec = item.card, origin.spec
    *inputs, result = (_port(port) for port in (*model.graph.input, model.graph.output[0]))
    takes = {port.name for port in inputs}
    latent, about = None, fields.latent if "latent" in takes | {result.name} else None
    covariance = np.array(about.covariance if about else (), dtype=np.float64)
    if about is not None:
        small = len(covariance) <= _MAX_COVARIANCE
        latent = Latent(
            size=about.size,
            prior=about.prior,
            mean=_numbers(about.mean),
            covariance=tuple(map(_numbers, covariance)) if small else (),
        )
    return Card(
        kind=item.kind,
        family=origin.family,
        name=output.name or readable(output.path.stem),
        inputs=tuple(inputs),
        output=result,
        image_size=None if fields.any_size else spec.image_size,
        channels=fields.channels or spec.channels,
        input_channels=fields.input_channels,
        scale=fields.scale,
        multiple=fields.multiple,
        context=fields.context,
        condition={"size": list(spec.image_size), **fields.condition} if fields.condition else {},
        latent=latent,
        classes=tuple(spec.classes) if "label" in takes else (),
        schedule=fields.schedule,
        directions=tuple(map(_numbers, principal_directions(covariance))),
        sample_latents=tuple(map(_numbers, about.samples if about else ())),
        licence=output.licence,
        data=origin.data,
        training=_short({**origin.training, **fields.training}),
        parity=parity,
        precision=output.precision,
    )


def principal_directions(covariance: np.ndarray) -> np.ndarray:
    """[d, d] → at most 16 eigenvectors [k, d], strongest first, each one std long."""
    if not covariance.size:
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(covariance)
    strongest = [index for index in np.argsort(-values) if values[index] > 1e-6 * values.max()][:_MAX_DIRECTIONS]
    rows = vectors.T[strongest]
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])  # an eigenvector's own sign is arbitrary
    return rows * (signs * np.sqrt(values[strongest]))[:, None]


def write_all(contents: Mapping[Path, bytes], force: bool) -> None:
    """Write all files or none: each is synced to disk before the first is renamed; they are renamed in this order.

    Without ``force``, nothing that appeared in the meantime is overwritten. Raises ``UserError``; no temporary file is
    left.
    """
    with contextlib.ExitStack() as stack:
        for path, data in reversed(list(contents.items())):  # the stack unwinds in reverse
            file = stack.enter_context(output(path, force))
            file.write(data)
            sync(file)


def _port(port: onnx.ValueInfoProto) -> Port:
    tensor = port.type.tensor_type
    if tensor.elem_type not in _DTYPES:
        raise CardError(f"port {port.name} has ONNX type {tensor.elem_type}, expected f32, i64 or u8")
    shape = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return Port(name=port.name, dtype=_DTYPES[tensor.elem_type], shape=shape)


def _numbers(row: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in row)


def _short(value: Any) -> Any:
    """Round floats to six digits: people read cards, too."""
    if isinstance(value, Mapping):
        return {str(key): _short(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None  # JSON has no NaN
    return value


def summary(path: Path) -> str:
    """Describe a written file in one line, read back from it."""
    data = path.read_bytes()
    check_seal(data)
    props = {item.key: item.value for item in onnx.load_from_string(data).metadata_props}
    card = Card.from_props(props)
    assert card is not None, "a file of ours has a card"
    ports = (*card.inputs, card.output)
    shapes = (", ".join("any" if size is None else str(size) for size in port.shape) for port in ports)
    *inputs, output = (f"{port.name} [{shape}]" for port, shape in zip(ports, shapes, strict=True))
    size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 1e5 else f"{len(data) / 1e3:.1f} kB"
    figures = ", ".join(_figures(card.parity))
    return f"{readable(path)}: {card.kind}, {' '.join(inputs)} -> {output}, {size}; {figures}"


def readable(name: str | Path) -> str:
    """A file name as printable text, whatever its bytes."""
    return os.fsencode(name).decode(errors="replace")


def _figures(parity: Mapping[str, Any]) -> list[str]:
    figures = []
    for key, value in parity.items():
        inner = f"{key}: {', '.join(_figures(value))}" if isinstance(value, Mapping) else f"{key} {value}"
        figures.append(inner.replace("_", " "))
    return figures
