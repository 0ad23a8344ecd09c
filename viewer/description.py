"""What an open model is: its kind, its sizes and classes, how its arrays are arranged, what its inputs are given."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.card import Card, Latent
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.graph.declared import describe
from viewer.graph.layout import AnyLayout, ImageLayout, Layout
from viewer.graph.reading import Range, Reading
from viewer.latents import Latents

if TYPE_CHECKING:
    from viewer.graph.ports import Extra, Ports, Settings


class Description(ABC):
    """What is known of a model, by its card or by inspection."""

    path: Path
    card: Card | None
    kind: str
    inferred: bool  # without a card
    found: str  # ports of a file without a card, for messages
    reading: Reading  # what the user says of a file without a card, now or earlier
    _declared: tuple[Sequence[Any], Sequence[Any]]  # inputs and outputs, as the graph has them
    _inputs: Sequence[Any]  # with a batch axis each
    _outputs: Sequence[Any]
    _layout: AnyLayout | None
    _ports: "Ports | None"  # without a card; a card's names are the same for all files of a kind
    _features_in: Range  # of floats that go into a network which gives no images

    @abstractmethod
    def error(self, text: str) -> UserError:
        """An error that names the file."""

    @property
    def what(self) -> str:
        """What it was found to be, for messages: its kind, and without a card its inputs and outputs."""
        return f"{an(self.kind) if self.kind != 'other' else self._other()}{self.found}"

    def _other(self) -> str:
        from viewer.graph.inspection import has_images  # for this message alone

        images = has_images((*self._inputs, *self._outputs))
        return "a model whose images are not understood" if images else an(self.kind)

    @property
    def export_command(self) -> str:
        """What gives a file without a card one."""
        import shlex  # for messages alone

        return f"python -m export {shlex.quote(str(self.path))} -o one.onnx"

    @property
    def latent(self) -> Latent:
        """What the latents look like. Raises ``ModelError`` where the model has none."""
        if self.card is None or self.card.latent is None:
            raise self.error(f"found {self.what}, expected a model with latents")
        return self.card.latent

    @cached_property
    def samples(self) -> Latents:
        """The latents f32 [k, d] of a few training images that the card keeps; k is 0 where it keeps none."""
        rows = () if self.card is None else self.card.sample_latents
        return np.array(rows, np.float32).reshape(-1, self.latent.size)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels. Raises ``ModelError`` where they are not fixed."""
        if self.card is None or self.card.image_size is None:
            raise self.error("its card gives no image_size, expected height and width")
        return self.card.image_size

    @property
    def arrangement(self) -> AnyLayout | None:
        """How the graph's arrays are arranged, whatever its kind; ``None`` where that is not known or not needed."""
        return self._layout

    @property
    def inputs_beside(self) -> "Ports | None":
        """What the inputs are given, of a model without a card."""
        return self._ports

    @property
    def layout(self) -> Layout:
        """How the graph's arrays are arranged. Raises ``ModelError`` where this is no generator."""
        if not isinstance(self._layout, Layout):
            raise self.error(f"found {self.what}, expected a generator")
        return self._layout

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that can be asked for, by label, fit to be printed; none where none can be."""
        if self.card is None or all(port.name != "label" for port in self.card.inputs):
            return ()
        return tuple(printable(name, 40) or "?" for name in self.card.classes)

    @property
    def ports(self) -> tuple[str, str]:
        """Inputs and outputs as the graph declares them, in words."""
        return describe(self._declared[0]), describe(self._declared[1])

    @property
    def free_label(self) -> bool:
        """Whether a label beyond the classes stands for images of any: those that a card describes have one."""
        return bool(self.classes) and (self._ports is None or self._ports.classes > len(self.classes))

    @property
    def read_as(self) -> Reading:
        """How a model without a card is read: as was said, and with the ranges that were found."""
        layout = self._layout if self.inferred else None
        if isinstance(layout, ImageLayout):
            return replace(self.reading, input_range=layout.input_range, output_range=layout.output_range)
        return replace(self.reading, output_range=layout.value_range) if isinstance(layout, Layout) else self.reading

    @property
    def given(self) -> str:
        """What inputs beside the first one are given, in words; empty where a card says what they are."""
        return "" if self._ports is None else self._ports.describe()

    @property
    def settings(self) -> "Settings":
        """What can be set of a model without a card: what inputs are filled with, by their names."""
        return {} if self._ports is None else self._ports.settings

    @property
    def knob(self) -> "Extra | None":
        """The scalar input that keys change, of a model without a card."""
        return None if self._ports is None else self._ports.knob

    @cached_property
    def feature_layout(self) -> ImageLayout:
        """How images go into a network that says something of them: an encoder, a classifier, a feature extractor.
        Raises ``ModelError``."""
        from viewer.graph.inspection import feature_layout  # for these networks alone

        layout = feature_layout(self._inputs, self.reading, self._features_in)
        if layout is None:
            raise self.error(f"takes {self.ports[0]}, expected images: f32 [n, c, h, w] or u8 [n, h, w, c]")
        return layout

    @property
    def enlarges(self) -> bool:
        """Whether this is a translator whose results are larger than what it takes."""
        return isinstance(self._layout, ImageLayout) and self._layout.scale > 1

    @property
    def image_layout(self) -> ImageLayout:
        """How images go through a translator. Raises ``ModelError`` where there is none that can be used."""
        if not isinstance(self._layout, ImageLayout):
            if self.kind == "translator":
                from viewer.graph.no_image import said_of  # for this message alone

                raise self.error(said_of(self._outputs, self.found))
            raise self.error(f"found {self.what}, expected a translator")
        return self._layout


def an(kind: str) -> str:
    """A kind with its article, for messages."""
    if kind == "other":
        return "a model that is not for images"
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"
