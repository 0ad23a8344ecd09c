"""Write weights that other programs saved as ONNX files.

python -m export RealESRGAN_x4plus.pth -o x4.onnx
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.as_detail import as_detail
from export.given import Given
from export.importers import import_weights
from export.own_network import import_own
from export.to_onnx import Origin, Output, export_networks
from export.weights import read_weights
from trainer.contract.errors import UserError, require
from trainer.contract.text import printable
from trainer.family import DataSpec, Exportable


def export_weights(
    source: Path,
    output: Output,
    family: str = "",
    key: str = "",
    say: Callable[[str], None] = lambda line: None,
    given: Given | None = None,
) -> list[Path]:
    """Write the networks of a file or folder of weights; returns the files as ``export_run`` does.

    ``family``: who reads them, a name of ``export.importers``, else whoever claims them. ``key``: which of several
    networks of the file. ``given``: what the file does not say. ``say`` is told, in a sentence each, what was chosen
    and assumed. Raises ``UserError`` with one line, and then has written nothing.
    """
    candidates = [replace(weights, given=given or Given()) for weights in read_weights(source, key)]
    if given is not None and given.module:
        require(not family, "family", family, "none with --module, which has the definition")
        require(given.low is None, "low", given.low, "none with --module")
        imported, weights = import_own(candidates, given), candidates[0]
    else:
        imported, weights = import_weights(candidates, family)
        if given is not None and (given.kind or given.low):
            imported = as_detail(imported, given, weights.path)
    for remark in filter(None, (*weights.remarks, imported.read_by, *imported.remarks)):
        say(remark)
    origin = Origin(family=imported.family, spec=imported.spec, training=imported.training)
    attempts = [imported.exportables, *([item] for item in imported.otherwise)]
    failed = ""
    for exportables in attempts:
        try:
            written = export_networks(exportables, origin, output)
        except UserError as error:
            if exportables is attempts[-1]:
                raise
            failed = failed or str(error).removeprefix(f"{printable(output.path)}: not written: ")[:160]
            continue
        if failed:
            say(f"{_instead(exportables[0], imported.spec)}: otherwise, {failed}")
        break
    return written


def _instead(item: Exportable, spec: DataSpec) -> str:
    """What was written in place of a network that takes any number of images of any size."""
    height, width = spec.image_size
    sizes = "" if item.card.any_size else f"it takes images of {width}x{height} px, and larger ones in parts"
    return " and ".join(filter(None, (sizes, "images go through it one by one" if item.one_by_one else "")))
