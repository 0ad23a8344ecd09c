"""Open, check, describe and run a model file.

A file that the export wrote carries a card and a seal. A file of other origin is inspected: its declared shapes and a
few probe runs tell how its arrays are to be read. The images of a ``Model`` are u8 [n, h, w, 3] in OpenCV's BGR order;
the graphs' own order is RGB.
"""

import hashlib
import math
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import SEAL_KEY, Card, CardError, check_seal
from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.recognise import recognise
from trainer.contract.text import printable, say
from viewer.description import Description, an
from viewer.files.png import Image
from viewer.files.resizing import resize
from viewer.graph.declared import check_card
from viewer.graph.layout import (
    AnyLayout,
    NoiseLayout,
    filled,
    image_array,
    latent_array,
    made_size,
    read_image,
    read_images,
    with_channels,
)
from viewer.graph.limits import finish, opening_seconds
from viewer.graph.reading import Range, Reading, flag_of, recalled, remember, remembered
from viewer.graph.screening import ElsewhereError, ScreeningError, screen
from viewer.latents import Latents
from viewer.options import BUILT_IN
from viewer.runtime import Call, Runtime, new_call

if TYPE_CHECKING:
    from viewer.graph.foreign import Run
    from viewer.graph.ports import Ports, Settings

Images = NDArray[np.uint8]  # [n, h, w, 3] BGR

_LARGEST_FILE: Final = 2**31  # bytes; ONNX itself ends here
_MAY_BE: Final = (("generator", "detail"), ("translator", "encoder"))  # what is found, and what else it can be
_PIXELS_A_RUN: Final = 200_000  # more at once falls out of the caches: 12 images of 128 px beat 48 by a fifth


class ModelError(UserError):
    """A model that cannot be opened or run; the message is one line that names the file."""


def open_model(
    path: Path,
    *,
    threads: int = 1,
    wanted: str = "",
    many_sizes: bool = False,
    reading: Reading = Reading(),
    silent: bool = False,
) -> "Model":
    """Open an ONNX file.

    ``threads``: cores that one run may use. ``wanted``: the kind that the caller can use; empty: any. ``many_sizes``:
    images of many sizes will go through it: no memory is planned, and kept, for each. ``reading``: what the user says
    of a file without a card; it is kept beside the file. ``silent``: it is not, and nothing is said on stderr of what
    was guessed. Raises ``ModelError``.
    """
    data, call = _read(path), new_call()
    try:
        sealed = check_seal(data)
        if reading.external_data:
            from viewer.graph.beside import with_weights

            data = with_weights(path, data, sealed)
        nodes = screen(data)
    except ElsewhereError as error:
        from viewer.graph.beside import ways_out

        raise ModelError(f"{path}: {error}{ways_out(path, error)}") from None
    except (CardError, ScreeningError) as error:
        raise ModelError(f"{path}: {error}") from None
    try:
        model = finish(
            lambda: Model(path, data, sealed, threads, many_sizes, reading, call),
            opening_seconds(len(data), nodes),
            partial(setattr, call, "terminate", True),
        )
    except TimeoutError as error:
        raise ModelError(f"{path}: opening it {error}") from None
    if wanted and model.kind != wanted:
        mode = KINDS[model.kind].mode if model.kind in KINDS else ""
        other = f"; for this one there is: python -m viewer {mode}" if mode else ""
        if model.inferred and (model.kind, wanted) in _MAY_BE:
            other = f"; if it is one: {model.export_command} --kind {wanted}"
        raise model.error(f"found {model.what}, expected {an(wanted)} ({KINDS[wanted].does}){other}")
    if not silent:
        for line in (model.recalled, *model.remarks, remember(path, reading)):
            if line:
                say(f"{printable(path)}: {line}")
    return model


def encoder_beside(path: Path) -> Path:
    """Where the export writes the encoder of a generator; in capitals where that is what there is."""
    capitals = path.with_name(f"{path.stem}.ENCODER.ONNX")
    return capitals if path.suffix.isupper() and capitals.is_file() else path.with_name(f"{path.stem}.encoder.onnx")


def open_sibling_encoder(path: Path, *, threads: int = 1) -> "Model":
    """Open the encoder that the export wrote beside a generator. Raises ``ModelError``."""
    beside = encoder_beside(path)
    if not beside.is_file():
        raise ModelError(f"{path}: an image needs its encoder, expected beside it as {beside.name}")
    encoder = open_model(beside, threads=threads, wanted="encoder")
    if encoder.inferred:
        raise encoder.error(f"has no card, expected one that says what its numbers are: {encoder.export_command}")
    return encoder


class Model(Description):
    """An open model. ``generate`` and ``encode`` may be called from any one thread at a time."""

    def __init__(
        self,
        path: Path,
        data: bytes,
        sealed: bool,
        threads: int,
        many_sizes: bool,
        reading: Reading,
        opening: Call,
    ) -> None:
        """As ``open_model`` opens it, of the bytes of a file. ``opening``: for the runs of inspection, which the caller
        limits."""
        self.path = path
        self.sealed = sealed
        self._digest = hashlib.sha256()
        self._hashing = threading.Thread(target=self._digest.update, args=(data,), daemon=True)
        self._hashing.start()  # beside the opening: only images that are saved need it
        self._runtime = Runtime(data, threads, many_sizes, opening, self.error)
        properties = self._runtime.properties
        try:
            card = Card.from_props(properties)
        except CardError as error:
            way = "" if "please update" in str(error) else "; the file was changed: copy it again, or export it again"
            raise self.error(f"{error}{way}") from None
        if card is not None and SEAL_KEY in properties and not sealed:
            raise self.error("its SHA-256 seal is damaged: copy or download the file again")
        self.inferred = card is None
        self._features_in: Range = (0.0, 1.0)  # of floats that go into a network which gives no images
        self.reading = Reading()  # what the user says of a file without a card, now or earlier
        self.recalled = ""  # what was said of it earlier, in a sentence
        self.remarks: tuple[str, ...] = ()  # of a file without a card: what was guessed, what was assumed
        self.kind = "other"
        self.found = ""  # ports of a file without a card, for messages
        self.unbatched: frozenset[str] = frozenset()  # names of its ports that lack a batch axis
        self._with_batch: Run | None = None  # a run of arrays with one
        self._declared = self._inputs, self._outputs = self._runtime.inputs, self._runtime.outputs
        self._layout: AnyLayout | None = None
        self._ports: Ports | None = None  # without a card; a card's names are the same for all files of a kind
        try:
            if card is None:
                self.found = ": {} → {}".format(*self.ports)
                kept = remembered(path)
                self.reading = reading.over(kept)
                card = self._inspect(data)
                self.recalled = recalled(path, kept, reading)
            else:
                if reading.kept:
                    words = ", ".join(f"{flag_of(name)} {text}" for name, text in reading.kept.items())
                    raise self.error(f"found {words}, expected none: its card says how it is read")
                self._layout = check_card(card, self._inputs, self._outputs)
        except ScreeningError as error:
            way = "" if card is None else "; the file was changed, or its card is of another one: export it again"
            raise self.error(f"{error}{way}") from None
        except CardError as error:  # sizes that no card may have
            raise self.error(str(error).replace("card ", "inferred ", 1)) from None
        self.card = card
        if card is not None:
            self.kind = card.kind
        self.name = printable((card.name if card else "") or path.stem, 80)
        self._runtime.opened()

    def _inspect(self, data: bytes) -> Card | None:
        """Find out what a file without a card is. Raises ``CardError`` and ``ScreeningError``."""
        from viewer.graph.foreign import Foreign
        from viewer.graph.inspection import infer, taken_range
        from viewer.graph.unbatched import batched, running, without_batch

        self.unbatched = without_batch(self._inputs, self._outputs)
        if self.unbatched:
            self._inputs, self._outputs = (batched(ports, self.unbatched) for ports in (self._inputs, self._outputs))
            self._with_batch = running(self._run_graph, self.unbatched)
        source, properties = (self._inputs, self._outputs), self._runtime.properties
        graph = Foreign(self.path.stem, *source, self._run, self.reading, data, properties)
        card, self._layout, self._ports = infer(graph)
        if card is not None and card.kind == "encoder":
            self._features_in = taken_range(graph)
        self.remarks = tuple(graph.remarks)
        return card

    def error(self, text: str) -> ModelError:
        """An error that names the file."""
        return ModelError(f"{self.path}: {text}")

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal."""
        self._hashing.join()
        return self._digest.hexdigest()

    def _feeds(self, array: NDArray[Any], source: str, **others: Any) -> dict[str, NDArray[Any]]:
        """The arrays of a run, by names of inputs. ``array``: of the input ``source``, as cards call it. ``others``: as
        ``Ports.feeds`` takes them. Raises ``ModelError``."""
        if self._ports is None:
            named = {"label": others.get("labels"), "latent": others.get("latents"), "t": others.get("t")}
            given = {name: filled(one, len(array)) for name, one in named.items() if one is not None}
            return {source: array} | given
        try:
            return self._ports.feeds(array, **{name: one for name, one in others.items() if one is not None})
        except ScreeningError as error:
            raise self.error(str(error)) from None

    def generate(
        self, latents: Latents, labels: NDArray[np.int64] | None = None, settings: "Settings | None" = None
    ) -> Images:
        """Images u8 [n, h, w, 3] BGR of latents f32 [n, d], of models with classes those of ``labels`` i64 [n], or of
        class 0. ``settings``: values of other inputs than those of ``Model.settings``. Raises ``ModelError``."""
        layout, count, own = self.layout, len(latents), math.prod(self.layout.latent_shape)
        height, width = self.image_size
        images = np.empty((count, height, width, 3), np.uint8)
        batched = layout.batched_input and layout.batched_output
        size = (layout.batch or max(1, _PIXELS_A_RUN // (height * width))) if batched else 1
        wanted = np.zeros(count, np.int64) if labels is None and self.classes else labels
        size = 1 if self._ports is not None and self._ports.one_by_one(wanted) else size
        for first in range(0, count, size):
            part = latents[first : first + size]
            chosen = None if wanted is None else wanted[first : first + size]
            more = part[:, own:] if own < part.shape[1] else None
            array = latent_array(layout, part[:, :own])
            feeds = self._feeds(array, "latent", labels=chosen, latents=more, settings=settings)
            try:
                read_images(layout, self._run(feeds, layout.output), images[first : first + len(part)])
            except ValueError as error:
                raise self.error(f"{error}") from None
        return images

    def encode(self, images: Images) -> Latents:
        """Latents f32 [n, d] of images u8 [n, h, w, 3] BGR of the model's own size. Raises ``ModelError``."""
        if self.kind != "encoder":
            raise self.error(f"found {self.what}, expected an encoder")
        if self.inferred:
            raise self.error(f"has no card, expected one that says what its numbers are: {self.export_command}")
        if images.shape[1:] != (*self.image_size, 3):
            raise self.error(f"got an image of {images.shape[1:]}, expected {self.image_size}")
        feeds = {"image": np.ascontiguousarray(images[..., ::-1])}
        return self._floats(feeds, "latent", (len(images), self.latent.size))

    def features(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """What the first output says of images u8 [h, w, 3] BGR of any size, as rows f32 [n, d]. They are brought to
        the size and the channels of the input. Raises ``ModelError``."""
        layout, batch = self.feature_layout, self._inputs[0].shape[0]
        height, width = (side or own for side, own in zip(layout.size, images[0].shape, strict=False))
        arrays = [image_array(layout, with_channels(resize(one, height, width), layout.channels)) for one in images]
        size, rows = batch if isinstance(batch, int) else len(images), []
        for first in range(0, len(images), size):
            part = arrays[first : first + size]
            count = len(part)
            part += part[-1:] * (size - count if isinstance(batch, int) else 0)
            found = self._run({self._inputs[0].name: np.concatenate(part)}, self._outputs[0].name)
            if found.ndim < 1 or len(found) != len(part) or not np.issubdtype(found.dtype, np.number):
                raise self.error(f"gave {found.dtype} {found.shape} for {len(part)} images, expected rows of numbers")
            rows.append(np.asarray(found[:count], np.float32).reshape(count, -1))
        features = np.concatenate(rows)
        if not np.isfinite(features).all():
            raise self.error("gave features that are not finite")
        return features

    def detail(self, latents: Latents) -> NDArray[np.float32]:
        """The fine detail f32 [n, h, w, 3] BGR of latents f32 [n, d], to be added to images in 0..1. Raises
        ``ModelError``."""
        count, (height, width) = len(latents), self.image_size
        details = np.empty((count, height, width, 3), np.float32)
        size = max(1, _PIXELS_A_RUN // (height * width))
        for first in range(0, count, size):
            part = details[first : first + size]
            feeds = {"latent": np.ascontiguousarray(latents[first : first + size])}
            part[:] = self._floats(feeds, "detail", part.shape)[..., ::-1]
        return details

    def translate(
        self, image: NDArray[np.uint8], latent: Latents | None = None, settings: "Settings | None" = None
    ) -> NDArray[np.uint8]:
        """What a translator makes of an image of a size that it accepts: u8 [h·scale - border, w·scale - border, 3]
        BGR, or [..., 4] with its alpha.

        ``image``: u8 [h, w, 3] BGR, [h, w, 4] BGRA or [h, w, 1] grey, whichever ``image_layout`` says. ``latent``: f32
        [d], for models that have one. ``settings``: as in ``generate``. Raises ``ModelError``.
        """
        layout, (height, width, channels) = self.image_layout, image.shape
        if channels != layout.channels:
            raise self.error(f"got {channels} channels, expected {layout.channels}")
        rows = None
        if self.card is not None and self.card.latent is not None:
            rows = np.zeros((1, self.latent.size), np.float32) if latent is None else latent[None]
        feeds = self._feeds(image_array(layout, image), "image", latents=rows, settings=settings)
        output = self._run(feeds, layout.output)
        if made_size(layout, output) != layout.made(height, width):
            lacking = f", less {layout.border} pixels" if layout.border else ""
            raise self.error(
                f"made an array {output.shape} of an image {width}x{height}, "
                f"expected one {float(layout.scale):g} times as large{lacking}"
            )
        return read_image(layout, output)

    def denoise(
        self, noisy: NDArray[np.float32], t: NDArray[np.int64], labels: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """What a denoiser predicts, f32 [n, c, h, w], of images of that shape at steps t i64 [n]. ``labels``: i64 [n],
        for models with classes; as many as there are classes: of none. Raises ``ModelError``."""
        if not isinstance(self._layout, NoiseLayout):
            return self._floats(self._feeds(noisy, "noisy", t=t, labels=labels), "prediction", noisy.shape)
        layout, predictions = self._layout, np.empty_like(noisy, np.float32)
        size = layout.batch or len(noisy)
        size = 1 if self._ports is not None and self._ports.one_by_one(labels, t) else size
        for first in range(0, len(noisy), size):
            part, chosen = slice(first, first + size), None if labels is None else labels[first : first + size]
            array = layout.array(noisy[part])
            feeds = self._feeds(array, "noisy", t=t[part], labels=chosen)
            shape = (len(array), layout.gives, *array.shape[2:])
            predictions[part] = self._floats(feeds, layout.output, shape)[: len(noisy[part]), : layout.channels]
        return predictions

    def _floats(self, feeds: Mapping[str, NDArray[Any]], output: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        result = self._in_batches(feeds, output)
        if result.shape != shape or not np.isfinite(result).all():
            raise self.error(f"gave {output} {result.shape}, expected {shape}, all finite")
        return np.asarray(result, np.float32)

    def _in_batches(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """A run for as many images as there are, of a card whose every run is of so many."""
        size = self.card.inputs[0].shape[0] if self.card is not None and not self.inferred else None
        if size is None:
            return self._run(feeds, output)
        count = len(next(iter(feeds.values())))
        parts = [
            self._run({name: filled(one[first : first + size], size) for name, one in feeds.items()}, output)
            for first in range(0, count, size)
        ]
        return np.concatenate(parts)[:count]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The output that the card names, of all inputs by name. Raises ``ModelError``."""
        if self.card is None:
            raise self.error("has no card, which says what it gives")
        return self._run(feeds, self.card.output.name)

    def _run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        return (self._with_batch or self._run_graph)(feeds, output)

    def _run_graph(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        return self._runtime.run(feeds, output, self.kind)


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            built_in = "the built-in model is missing from this installation; name an ONNX file"
            raise ModelError(f"{path}: {built_in if path == BUILT_IN else 'no such file'}")
        found = recognise(path)
        if found is not None and found.kind != "model":
            from viewer.files.misfits import A_MODEL, misfit  # for this message alone

            raise ModelError(f"{path}: {misfit(path, A_MODEL, found)}")
        size = path.stat().st_size
        if size >= _LARGEST_FILE:
            raise ModelError(
                f"{path}: found {size} bytes, expected an ONNX file of fewer than {_LARGEST_FILE}: export it in fp16"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        from viewer.graph.reasons import reason  # for messages alone

        raise ModelError(f"{path}: cannot be read: {reason(error)}") from None
