"""Readers of weights that other programs saved, one module each: to add one is to add a file here.

A model family that has ``from_state_dict`` is a reader too.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from export.given import OF_ALL, flag
from export.importers.base import Imported, Importer
from export.weights import Weights, joined, listed, shown_keys
from trainer.contract.errors import UserError, require
from trainer.contract.packages import how_to_install
from trainer.families import family_names, load_family

_SHARED = ("base",)  # modules here that read nothing


def importer_names() -> list[str]:
    """What ``--family`` may be: the modules here, and the families that read weights."""
    families = [name for name in family_names() if hasattr(load_family(name), "from_state_dict")]
    return sorted({*_modules(), *families})


def load_importer(name: str) -> Importer:
    """The reader of a name, one of ``importer_names()``."""
    if name in _modules():
        return cast(Importer, importlib.import_module(f"{__name__}.{name}"))
    return FamilyImporter(name)


def _modules() -> list[str]:
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if name not in _SHARED and not name.startswith("_")]


class FamilyImporter:
    """A model family that has ``from_state_dict``."""

    NEEDS = ""

    def __init__(self, name: str) -> None:
        self.NAME = name
        self.kind: Any = load_family(name)

    @property
    def READS(self) -> str:
        """What the family says of it."""
        said = " ".join((self.kind.from_state_dict.__doc__ or "").split(".")[0].split())
        return said.removeprefix("Import ").replace("``", "")

    def claims(self, weights: Weights) -> bool:
        """Whether the family takes these weights. Families check names and shapes before they build."""
        try:
            self.kind.from_state_dict(weights.state, weights.path.name)
        except MISFITS:
            return False
        return True

    def read(self, weights: Weights) -> Imported:
        """The family's own networks with these weights."""
        made, spec, nets = self.kind.from_state_dict(weights.state, weights.path.name)
        return Imported(exportables=made.exports(nets, {}), spec=spec, family=self.NAME)


MISFITS = (ValueError, IndexError, KeyError, RuntimeError, TypeError, AttributeError, AssertionError, ArithmeticError)


def import_weights(candidates: Sequence[Weights], family: str = "") -> tuple[Imported, Weights]:
    """The networks of whichever of these weights a reader claims. ``family``: the reader's name; else the one reader
    that claims them. Raises ``UserError`` with one line."""
    if family:
        names = importer_names()
        require(family in names, "family", repr(family), f"one of {', '.join(names)}")
        importer = load_importer(family)
        if not _installed(importer):
            raise UserError(
                f"--family {family} needs {importer.NEEDS}, which is not installed: {how_to_install('weights')}"
            )
        claimed = _claimed(candidates, [importer]) or [(importer, one) for one in candidates]
    else:
        importers = [load_importer(name) for name in importer_names()]
        claimed = _claimed(candidates, [importer for importer in importers if _installed(importer)])
    path = candidates[0].path
    if not claimed:
        raise UserError(_unknown(candidates, importers))
    # of a network and a part of it the whole: it has a place for all tensors
    keys = [weights.key for _, weights in claimed]
    claimed = [item for item in claimed if not any(_within(item[1].key, key) for key in keys)]
    if len({weights.key for _, weights in claimed}) > 1:
        chosen = listed([weights for _, weights in claimed])
        raise UserError(f"{path}: holds several networks: {chosen}; expected --key NAME, one of them")
    if len(claimed) > 1:
        names = [importer.NAME for importer, _ in claimed]
        raise UserError(f"{path}: may be {' or '.join(names)}: expected --family NAME, one of these")
    importer, weights = claimed[0]
    unused = weights.given.beyond((*getattr(importer, "USES", ()), *OF_ALL))
    if unused:
        raise UserError(f"{flag(unused[0])}: {importer.NAME} takes none, {path} is read by it")
    why = f"as --family {family} says" if family else "by the names and shapes of the tensors"
    try:
        return replace(importer.read(weights), read_by=f"{why}, read by {importer.NAME}: {importer.READS}"), weights
    except MISFITS as error:
        said = " ".join(str(error).split())[:300]
        said = said.removeprefix(f"{path.name}: ")
        raise UserError(
            f"{path}: does not fit {importer.NAME}: {said} (the file's own: {shown_keys(weights.state)})"
        ) from None


def _within(key: str, whole: str) -> bool:
    """Whether a network of a file is a part of another one of it."""
    return key != whole and (not whole or key.startswith(f"{whole}."))


def _claimed(candidates: Sequence[Weights], importers: Sequence[Importer]) -> list[tuple[Importer, Weights]]:
    """Who reads which of the weights: networks beside each other as one, where somebody reads them so, else each by
    itself; as they are, else without what their names begin with."""
    together = joined(candidates) if len(candidates) > 1 else None
    for group in ([together] if together else [], candidates):
        claimed = []
        for weights in group:
            for view in weights.views():
                found = [(importer, view) for importer in importers if importer.claims(view)]
                claimed += found
                if found:
                    break
        if claimed:
            return claimed
    return []


def _installed(importer: Importer) -> bool:
    return not importer.NEEDS or importlib.util.find_spec(importer.NEEDS) is not None


def _unknown(candidates: Sequence[Weights], importers: Sequence[Importer]) -> str:
    """One line for weights that nobody reads."""
    first = candidates[0]
    tried = [importer.NAME for importer in importers if _installed(importer)]
    absent = sorted({importer.NEEDS for importer in importers if not _installed(importer)})
    way_out = f"; not tried for want of {', '.join(absent)}: {how_to_install('weights')}" if absent else ""
    more = f", one of the {len(candidates)} networks in it ({listed(candidates)})" if len(candidates) > 1 else ""
    maybe = [
        f"; --family {importer.NAME} takes them for {importer.READS}"
        for importer in importers
        if any(getattr(importer, "possible", lambda _: False)(one) for one in candidates)
    ]
    return (
        f"{first.path}: no reader knows these weights{more}: {shown_keys(first.state)}; "
        f"tried: {', '.join(tried)}{''.join(maybe)}{way_out}; "
        "expected one of these, or --module FILE.py:Class with the definition of the network"
    )
