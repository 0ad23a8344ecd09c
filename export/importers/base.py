"""What a module of this package offers, and what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from export.weights import Weights
from trainer.family import DataSpec, Exportable


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Networks that were read from weights, ready to be exported."""

    exportables: Sequence[Exportable]  # one a kind
    # where torch cannot trace the one network: the same in other ways, to be tried one after another
    otherwise: Sequence[Exportable] = ()
    spec: DataSpec  # size and channels of the images that the networks make
    family: str  # what the card calls it
    training: Mapping[str, Any] = field(default_factory=dict)  # for the card: what is known of where they come from
    remarks: tuple[str, ...] = ()  # sentences of what was assumed, said to the user
    read_by: str = ""  # a sentence: which reader, and why that one; filled in by ``import_weights``


class Importer(Protocol):
    """A module of ``export.importers``; see docs/extending/importer.md.

    What ``claims`` is given may be anything, of any origin: it looks at names and shapes only, and builds nothing.
    """

    @property
    def NAME(self) -> str:
        """What ``--family`` calls it."""

    @property
    def READS(self) -> str:
        """What it reads, in a few words, for the documentation and for messages."""

    @property
    def NEEDS(self) -> str:
        """The package that it needs beside PyTorch; "": none. Imported when it reads, and not before."""

    # A reader whose weights do not say all has a tuple ``USES``, too: the fields of ``Weights.given`` that it looks at.
    # One that does not claim all that it can read has ``possible``, which takes weights as ``claims`` does: whether
    # they may be its own, and something else as well. A user is told of it, and then says ``--family``.

    def claims(self, weights: Weights) -> bool:
        """Whether names and shapes, and the configuration where there is one, tell that these are its weights."""

    def read(self, weights: Weights) -> Imported:
        """Build the networks and load the weights, all of them. Raises ``ValueError`` (one line, without the file's
        name) for what does not fit; where shapes do not, whatever torch raises will do."""
