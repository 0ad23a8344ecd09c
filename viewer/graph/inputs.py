"""Which input of a graph without a card an image is made of, which of its outputs holds it, and its classes."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from viewer.graph.foreign import Foreign
from viewer.graph.nodes import read_graph
from viewer.graph.ports import TYPES, Ports, shown, whole_shape
from viewer.graph.roles import LARGEST_CLASSES, MOST_INPUTS, check_inputs, count_in_graph, named, sort_extras
from viewer.graph.said import names_of
from viewer.graph.screening import ScreeningError

_LARGEST_SPATIAL_LATENT: Final = 64  # pixels a side: larger arrays of four channels are images with alpha
_MOST_REMARKS: Final = 6  # on inputs
_USUAL_CLASSES: Final = 10
_USUAL_SIDE: Final = 64  # pixels of an image that only tells how many classes there are
_PROBE_SECONDS: Final = 1.0  # that counting classes may take of the viewer's start
_LEAST_STEP: Final = 0.05  # from the last class to none, in that from the first one
_LEAST_EFFECT: Final = 0.02  # of one class for another, in that of one latent for another
_LONGEST_PROPERTY: Final = 1 << 20  # characters
_NAMES_KEYS: Final = ("classes", "class_names", "names", "labels", "label_names", "id2label", "categories")
_MASK_LIKE: Final = r"mask|alpha|depth|seg|attention|aux|logit|mu$|sigma|var"
_IMAGE_LIKE: Final = r"image|img|rgb|fake|(^|_)(out|output|y|sr|hr|x|sample|recon|reconstruction)(_|$)"


def is_spatial_latent(port: Any) -> bool:
    """Whether an input of four axes is a latent and no image: few pixels of other channels than images have."""
    if len(port.shape) != 4:
        return False
    channels, *sides = port.shape[1:]
    if not all(isinstance(size, int) for size in port.shape[1:]):  # as decoders of latent diffusion declare it
        return isinstance(channels, int) and channels not in (1, 3) and named(port.name, "latent")
    if channels in (1, 3) or port.shape[3] in (1, 3):
        return named(port.name, "latent") and not re.search(_IMAGE_LIKE, port.name.lower()[:200])
    alpha = 4 in (channels, port.shape[3])
    return not alpha or named(port.name, "latent") or (channels == 4 and max(sides) <= _LARGEST_SPATIAL_LATENT)


def by_preference(outputs: Sequence[Any]) -> list[Any]:
    """Outputs, first those that are images rather than masks: by their channels, names and sizes."""

    def place(port: Any) -> tuple[bool, int, bool, int]:
        shape, name = port.shape, port.name.lower()[:200]
        known = [size for size in shape[1:] if isinstance(size, int)]
        rank = 1 if len(shape) != 4 or len(known) < len(shape) - 1 else 2
        if len(shape) == 4 and (shape[1] in (3, 4) or shape[3] in (3, 4)):
            rank = 0
        return re.search(_MASK_LIKE, name) is not None, rank, re.search(_IMAGE_LIKE, name) is None, -math.prod(known)

    return sorted(outputs, key=place)


def is_for_images(inputs: Sequence[Any], is_image: Callable[[Any], bool], is_latent: Callable[[Any], bool]) -> bool:
    """Whether these inputs can be those of a model of images: few, arrays of numbers, and an image or a latent among
    them. Raises ``ScreeningError`` for arrays that are too large for any."""
    if not 1 <= len(inputs) <= MOST_INPUTS or any(port.type not in TYPES for port in inputs):
        return False
    check_inputs(inputs)
    return any(is_image(port) or is_latent(port) for port in inputs)


def sort_inputs(
    graph: Foreign, is_image: Callable[[Any], bool], is_latent: Callable[[Any], bool]
) -> tuple[Foreign, Ports, bool]:
    """The graph as one of a single input: that which an image is made of, the others being given what they need; the
    ports; and whether that input is an image. Raises ``ScreeningError``."""
    source = _source(graph.inputs, is_image, is_latent)
    of_image = is_image(source)
    if len(graph.inputs) == 1:
        if graph.reading.set:
            name = graph.reading.set[0][0]
            raise ScreeningError(f"--set {shown(name)} names none of its inputs: it takes {shown(source.name)} alone")
        return graph, Ports(source.name, tuple(source.shape)), of_image
    ports = sort_extras(source, graph.inputs, read_graph(graph.data), dict(graph.reading.set or ()), of_image)
    ports = _without_effect(graph, source, ports)
    graph.remarks.extend(ports.remarks[:_MOST_REMARKS])
    if len(ports.remarks) > _MOST_REMARKS:
        more = len(ports.remarks) - _MOST_REMARKS
        graph.remarks.append(
            f"{more} more of its inputs are given what is usual, which info shows; --set says otherwise"
        )
    return replace(graph, inputs=(source,), run=_running(graph, ports)), ports, of_image


def _running(graph: Foreign, ports: Ports, label: int = 0) -> Callable[..., NDArray[Any]]:
    def run(feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        return graph.run(ports.feeds(feeds[ports.source], labels=(label,)), output)

    return run


def _source(inputs: Sequence[Any], is_image: Callable[[Any], bool], is_latent: Callable[[Any], bool]) -> Any:
    if len(inputs) == 1:
        return inputs[0]
    images = [port for port in inputs if is_image(port)]
    latents = [
        port for port in inputs if is_latent(port) and port not in images and math.prod(whole_shape(port.shape)) > 1
    ]
    images.sort(key=lambda port: (_beside(port), 3 not in port.shape[1:]))
    if images and latents:  # noise beside a latent has a fixed size and one channel
        first = images[0]
        free = not all(isinstance(size, int) for size in first.shape[1:]) or 3 in first.shape[1:]
        images = images if free and not _beside(first) else []
    if images:
        return images[0]
    if not latents:
        return inputs[0]
    return min(latents, key=lambda port: (not named(port.name, "latent"), named(port.name, "label"), _beside(port),
                                          len(port.shape) > 3))  # fmt: skip


def _beside(port: Any) -> bool:
    """Whether an input is called something that goes in beside an image or a latent."""
    return named(port.name, "mask") or named(port.name, "noise")


def _without_effect(graph: Foreign, source: Any, ports: Ports) -> Ports:
    """The ports, where a one-hot row was guessed by its size alone and hardly matters as one, with a latent instead."""
    for extra in ports.of_role("onehot"):
        size = extra.shape[-1]
        if named(extra.name, "label") or extra.name in dict(graph.reading.set or ()) or not isinstance(size, int):
            continue
        latent = replace(ports, extras=tuple(
            replace(one, role="latent") if one is extra else one for one in ports.extras
        ))  # fmt: skip
        array, output = _trial_array(source), by_preference(graph.outputs)[0].name
        draws = np.random.default_rng(0).standard_normal((2, size)).astype(np.float32)
        try:
            classes = [graph.run(ports.feeds(array, labels=(label,)), output) for label in (0, 1)]
            latents = [graph.run(latent.feeds(array, latents=row[None]), output) for row in draws]
        except UserError:
            return ports
        one, other = _apart(*classes), _apart(*latents)
        if one < _LEAST_EFFECT * other:
            told = f"{shown(extra.name)} is taken for a part of the latent: as a class it hardly matters; " \
                   f"--set {shown(extra.name)}=onehot says otherwise"  # fmt: skip
            others = tuple(line for line in ports.remarks if not line.startswith(f"{shown(extra.name)} "))
            return replace(latent, remarks=(*others, told))
    return ports


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """How far two arrays are apart, on average."""
    return float(np.abs(np.subtract(one, other, dtype=np.float64)).mean())


def _trial_array(source: Any) -> NDArray[Any]:
    """Something that the first input takes: numbers of 0..1."""
    shape = [
        size if isinstance(size, int) else 1 if axis == 0 else _USUAL_SIDE for axis, size in enumerate(source.shape)
    ]
    return np.random.default_rng(1).random(shape).astype(TYPES[source.type])


def find_classes(
    graph: Foreign, ports: Ports, original: Foreign, *, spare: bool = False
) -> tuple[Ports, tuple[str, ...]]:
    """The ports with the number of classes, and their names; none where no input is a class.

    What is said, the file's metadata, its nodes, and at last runs with higher and higher labels tell. ``original``:
    the graph with all its inputs. ``spare``: one label more than there are classes may stand for images of any, as
    those are trained that are to be guided. Raises ``ScreeningError``.
    """
    asked = [*ports.of_role("label"), *ports.of_role("onehot")]
    said, name = graph.reading.classes, shown(asked[0].name) if asked else ""
    if not asked:
        if said:
            raise ScreeningError("--classes is given, expected none: it takes no class")
        return ports, ()
    extra = asked[0]
    known = count_in_graph(read_graph(graph.data), extra)
    if not known and not said:
        known = _count_by_runs(original, ports)
    if known > LARGEST_CLASSES:
        raise ScreeningError(f"{name} tells {known} classes apart, expected at most {LARGEST_CLASSES}")
    if said:
        if known and len(said) > known:
            raise ScreeningError(f"--classes gives {len(said)} classes, expected at most {known}, which {name} takes")
        return replace(ports, classes=known or len(said)), said
    names = _names_in(graph.properties)
    if names and known and (len(names) == known or (spare and len(names) == known - 1)):
        return replace(ports, classes=known), names
    if names and not known:
        return replace(ports, classes=len(names)), names
    if not known:
        known = _USUAL_CLASSES
        graph.remarks.append(
            f"does not tell how many classes {name} can be: {known} are assumed; --classes says otherwise"
        )
    elif extra.role == "label":
        graph.remarks.append(f"{name} is a class, one of {known}; --classes FILE names them")
    return replace(ports, classes=known), tuple(map(str, range(known)))


def _count_by_runs(original: Foreign, ports: Ports) -> int:
    """How many labels the graph takes before it fails, or before all make the same; 0: that cannot be seen."""
    source = next(port for port in original.inputs if port.name == ports.source)
    array, output = _trial_array(source), by_preference(original.outputs)[0].name
    until = time.monotonic() + _PROBE_SECONDS

    def made(label: int) -> NDArray[Any] | None:
        if time.monotonic() > until:
            raise TimeoutError
        try:
            return original.run(ports.feeds(array, labels=(label,)), output)
        except UserError:
            return None

    def most(fine: Callable[[int], bool], low: int, high: int) -> int:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fine(middle) else (low, middle)
        return low + 1

    def differs(image: NDArray[Any] | None) -> bool:
        return image is None or far is None or not np.array_equal(image, far)

    far: NDArray[Any] | None = None
    try:
        first, last = made(0), 0
        if first is None:
            return 0
        label = 1
        while label < LARGEST_CLASSES:
            if made(label) is None:
                return most(lambda one: made(one) is not None, last, label)
            last, label = label, 2 * label + 1
        far, beside = made(LARGEST_CLASSES - 1), made(LARGEST_CLASSES - 2)
        if far is None or beside is None or not np.array_equal(far, beside) or np.array_equal(far, first):
            return 0
        count = most(lambda one: differs(made(one)), 0, LARGEST_CLASSES - 2)
        last_one = made(count - 1)  # classes end at once; what saturates comes near to its end by and by
        return count if last_one is not None and _apart(last_one, far) > _LEAST_STEP * _apart(first, far) else 0
    except TimeoutError:
        return 0


def _names_in(properties: Mapping[str, str]) -> tuple[str, ...]:
    """Names of classes in the metadata of a file, as exporters write them: JSON, a printed dictionary, or a list."""
    for key, text in properties.items():
        if key.lower() not in _NAMES_KEYS or len(text) > _LONGEST_PROPERTY:
            continue
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            pairs = re.findall(r"(\d{1,6})\s*:\s*(?:'([^']*)'|\"([^\"]*)\")", text)
            found = {number: one or other for number, one, other in pairs} or re.findall(r"'([^']*)'", text)
            found = found or re.split(r"[,\n]", text)
        if names := names_of(found):
            return names
    return ()
