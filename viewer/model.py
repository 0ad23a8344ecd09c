"""Open, check, describe and run a model file. The only module that knows onnxruntime.

A file that the export wrote carries a card and a seal. A file of other origin is inspected: its declared shapes and a
few probe runs tell how its arrays are to be read. The images of a ``Model`` are u8 [n, h, w, 3] in OpenCV's BGR order;
the graphs' own order is RGB.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.card import SEAL_KEY, Card, CardError, Latent, check_seal
from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.recognise import recognise
from trainer.contract.text import printable
from viewer.files.png import Image
from viewer.files.resizing import resize
from viewer.graph.inspection import check_card, describe, feature_layout, infer
from viewer.graph.layout import (
    ImageLayout,
    Layout,
    find_scale,
    image_array,
    latent_array,
    read_image,
    read_images,
    with_channels,
)
from viewer.graph.limits import GIB, allowed_memory, finish, opening_seconds, run_seconds
from viewer.graph.screening import ScreeningError, screen
from viewer.latents import Latents
from viewer.options import BUILT_IN

Images = NDArray[np.uint8]  # [n, h, w, 3] BGR

_LARGEST_FILE: Final = 2**31  # bytes; ONNX itself ends here
_PIXELS_A_RUN: Final = 200_000  # more at once falls out of the caches: 12 images of 128 px beat 48 by a fifth
_LARGEST_FOLDED: Final = 2**30  # bytes of a constant that onnxruntime may compute while it opens a file
_NO_MEMORY: Final = ("bad_alloc", "bad allocation", "Available memory of", "Failed to allocate", "would require more")


class ModelError(UserError):
    """A model that cannot be opened or run; the message is one line that names the file."""


def open_model(path: Path, *, threads: int = 1, wanted: str = "", many_sizes: bool = False) -> "Model":
    """Open an ONNX file.

    ``threads``: cores that one run may use. ``wanted``: the kind that the caller can use; empty: any. ``many_sizes``:
    images of many sizes will go through it: no memory is planned, and kept, for each. Raises ``ModelError``.
    """
    data, call = _read(path), onnxruntime.RunOptions()
    try:
        sealed = check_seal(data)
        screen(data)
    except (CardError, ScreeningError) as error:
        raise ModelError(f"{path}: {error}") from None
    try:
        model = finish(
            lambda: Model(path, data, sealed, threads, many_sizes, call),
            opening_seconds(len(data)),
            partial(setattr, call, "terminate", True),
        )
    except TimeoutError as error:
        raise ModelError(f"{path}: opening it {error}") from None
    if wanted and model.kind != wanted:
        mode = KINDS[model.kind].mode if model.kind in KINDS else ""
        other = f"; for this one there is: python -m viewer {mode}" if mode else ""
        raise model.error(f"found {an(model.kind)}{model.found}, expected {an(wanted)} ({KINDS[wanted].does}){other}")
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
        raise ModelError(f"{beside}: has no card, expected an encoder that the export wrote")
    return encoder


class Model:
    """An open model. ``generate`` and ``encode`` may be called from any one thread at a time."""

    def __init__(
        self, path: Path, data: bytes, sealed: bool, threads: int, many_sizes: bool, opening: onnxruntime.RunOptions
    ) -> None:
        """As ``open_model`` opens it, of the bytes of a file. ``opening``: for the runs of inspection, which the caller
        limits."""
        self.path = path
        self.sealed = sealed
        self._digest = hashlib.sha256()
        self._hashing = threading.Thread(target=self._digest.update, args=(data,), daemon=True)
        self._hashing.start()  # beside the opening: only images that are saved need it
        self._session = _open_session(path, data, threads, many_sizes)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            card = Card.from_props(properties)
        except CardError as error:
            raise self.error(str(error)) from None
        if card is not None and SEAL_KEY in properties and not sealed:
            raise self.error("its SHA-256 seal is damaged")
        self.inferred = card is None
        self.found = ""  # ports of a file without a card, for messages
        self._opening: onnxruntime.RunOptions | None = opening
        self._overdue: onnxruntime.RunOptions | None = None  # a run that was called off and has not ended
        self._inputs, self._outputs = self._session.get_inputs(), self._session.get_outputs()
        # of the first input, without a card: a card's names are the same for all files of a kind
        self._source = str(self._inputs[0].name) if self.inferred and self._inputs else ""
        try:
            if card is None:
                self.found = ": {} → {}".format(*self.ports)
                card, self._layout = infer(path.stem, self._inputs, self._outputs, self._run)
            else:
                self._layout = check_card(card, self._inputs, self._outputs)
        except ScreeningError as error:
            raise self.error(str(error)) from None
        except CardError as error:  # sizes that no card may have
            raise self.error(str(error).replace("card ", "inferred ", 1)) from None
        self.card = card
        self.kind = "other" if card is None else card.kind
        self.name = printable((card.name if card else "") or path.stem, 80)
        self._opening = None

    def error(self, text: str) -> ModelError:
        """An error that names the file."""
        return ModelError(f"{self.path}: {text}")

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal."""
        self._hashing.join()
        return self._digest.hexdigest()

    @property
    def latent(self) -> Latent:
        """What the latents look like. Raises ``ModelError`` where the model has none."""
        if self.card is None or self.card.latent is None:
            raise self.error(f"found {an(self.kind)}, expected a model with latents")
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
    def layout(self) -> Layout:
        """How the graph's arrays are arranged. Raises ``ModelError`` where this is no generator."""
        if not isinstance(self._layout, Layout):
            raise self.error(f"found {an(self.kind)}, expected a generator")
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
        return describe(self._inputs), describe(self._outputs)

    def generate(self, latents: Latents, labels: NDArray[np.int64] | None = None) -> Images:
        """Images u8 [n, h, w, 3] BGR of latents f32 [n, d], of models with classes those of ``labels`` i64 [n], or of
        class 0. Raises ``ModelError``."""
        layout, count = self.layout, len(latents)
        height, width = self.image_size
        images = np.empty((count, height, width, 3), np.uint8)
        batched = layout.batched_input and layout.batched_output
        size = (layout.batch or max(1, _PIXELS_A_RUN // (height * width))) if batched else 1
        wants_label = any(port.name == "label" for port in self._inputs)
        for first in range(0, count, size):
            part = latents[first : first + size]
            feeds: dict[str, NDArray[Any]] = {self._source or "latent": latent_array(layout, part)}
            if wants_label:
                chosen = np.zeros(count, np.int64) if labels is None else labels
                feeds["label"] = chosen[first : first + size]
            try:
                read_images(layout, self._run(feeds, layout.output), images[first : first + len(part)])
            except ValueError as error:
                raise self.error(f"{error}") from None
        return images

    def encode(self, images: Images) -> Latents:
        """Latents f32 [n, d] of images u8 [n, h, w, 3] BGR of the model's own size. Raises ``ModelError``."""
        if self.kind != "encoder" or self.inferred:
            raise self.error(f"found {an(self.kind)}, expected an encoder with a card")
        if images.shape[1:] != (*self.image_size, 3):
            raise self.error(f"got an image of {images.shape[1:]}, expected {self.image_size}")
        feeds = {"image": np.ascontiguousarray(images[..., ::-1])}
        return self._floats(feeds, "latent", (len(images), self.latent.size))

    @cached_property
    def feature_layout(self) -> ImageLayout:
        """How images go into a network that says something of them: an encoder, a classifier, a feature extractor.
        Floats are taken to be in 0..1, which no file without a card says. Raises ``ModelError``."""
        layout = feature_layout(self._inputs)
        if layout is None:
            raise self.error(f"takes {self.ports[0]}, expected images: f32 [n, c, h, w] or u8 [n, h, w, c]")
        return layout

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

    @property
    def image_layout(self) -> ImageLayout:
        """How images go through a translator. Raises ``ModelError`` where there is none that can be used."""
        if not isinstance(self._layout, ImageLayout):
            raise self.error(f"found {an(self.kind)}{self.found}, expected a translator that "
                             "takes one image of 1 or 3 channels and gives one")  # fmt: skip
        return self._layout

    def translate(self, image: NDArray[np.uint8], latent: Latents | None = None) -> NDArray[np.uint8]:
        """The image u8 [h·scale, w·scale, 3] BGR that a translator makes of one.

        ``image``: u8 [h, w, 3] BGR or [h, w, 1] grey, whichever ``image_layout`` says. ``latent``: f32 [d], for
        models that have one. Raises ``ModelError``.
        """
        layout, (height, width, channels) = self.image_layout, image.shape
        if channels != layout.channels:
            raise self.error(f"got {channels} channels, expected {layout.channels}")
        feeds: dict[str, NDArray[Any]] = {self._source or "image": image_array(layout, image)}
        if self.card is not None and self.card.latent is not None:
            feeds["latent"] = np.zeros((1, self.latent.size), np.float32) if latent is None else latent[None]
        output = self._run(feeds, layout.output)
        scale = find_scale(layout.output_axes, output.shape, height, width)
        if scale != layout.scale:
            raise self.error(
                f"made an array {output.shape} of an image {width}x{height}, expected one {layout.scale} times as large"
            )
        return read_image(layout, output)

    def denoise(
        self, noisy: NDArray[np.float32], t: NDArray[np.int64], labels: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """What a denoiser predicts, f32 [n, c, h, w], of images of that shape at steps t i64 [n]. ``labels``: i64 [n],
        for models with classes; as many as there are classes: of none. Raises ``ModelError``."""
        feeds: dict[str, NDArray[Any]] = {"noisy": noisy, "t": t}
        if labels is not None:
            feeds["label"] = labels
        return self._floats(feeds, "prediction", noisy.shape)

    def _floats(self, feeds: Mapping[str, NDArray[Any]], output: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        result = self._run(feeds, output)
        if result.shape != shape or not np.isfinite(result).all():
            raise self.error(f"gave {output} {result.shape}, expected {shape}, all finite")
        return np.asarray(result, np.float32)

    def _run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        try:
            if self._opening is not None:
                return self._result(feeds, output, self._opening)
            if self._overdue is not None:
                raise self.error("is still at work on a run that was called off")
            call = onnxruntime.RunOptions()
            try:
                return finish(
                    lambda: self._result(feeds, output, call), run_seconds(self.kind), lambda: self._call_off(call)
                )
            except TimeoutError as error:
                raise self.error(f"one run {error}") from None
        except ModelError:
            raise
        except Exception as error:  # onnxruntime raises many kinds
            raise self.error(f"cannot be run: {_reason(error)}") from None

    def _result(self, feeds: Mapping[str, NDArray[Any]], output: str, call: onnxruntime.RunOptions) -> NDArray[Any]:
        try:
            result: NDArray[Any] = self._session.run([output], dict(feeds), call)[0]
        finally:
            if self._overdue is call:
                self._overdue = None
        return result

    def _call_off(self, call: onnxruntime.RunOptions) -> None:
        """Have a run end at its next operator, and until then begin no other."""
        self._overdue = call
        call.terminate = True


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
            raise ModelError(f"{path}: found {size} bytes, expected an ONNX file of fewer than {_LARGEST_FILE}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {_reason(error)}") from None


def _open_session(path: Path, data: bytes, threads: int, many_sizes: bool) -> onnxruntime.InferenceSession:
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(threads, 1)
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = not many_sizes
    options.log_severity_level = 4  # errors come as exceptions; nothing else is shown
    settings = {
        "session.intra_op.allow_spinning": "0",  # waiting costs no core
        "session.inter_op.allow_spinning": "0",
        "session.load_model_format": "ONNX",  # not onnxruntime's own, which was not screened
        "session.use_env_allocators": "1",  # the one of _bound_memory
        "optimization.constant_folding_max_output_size_in_bytes": str(min(_LARGEST_FOLDED, allowed_memory() // 4)),
    }
    for name, value in settings.items():
        options.add_session_config_entry(name, value)
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path}: not an ONNX model that can be run: {_reason(error)}") from None


@cache
def _bound_memory() -> None:
    """Let all models together take as much memory as is allowed, and no more; set once for the process."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    usual = -1  # of how it grows
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(allowed_memory(), usual, usual, usual))


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return f"needs more than {allowed_memory() / GIB:.3g} GiB of memory, or the machine has less (--max-memory)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(lines[0], 200)


def an(kind: str) -> str:
    """A kind with its article, for messages."""
    if kind == "other":
        return "a model that is not for images"
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"
