"""Whether a model that was written anew does what it did: both are run by the viewer, on the same inputs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from viewer.files.png import Image
from viewer.files.resizing import resize
from viewer.latents import draw_many
from viewer.model import Model, open_model
from viewer.sessions.fitting import through

_COUNTS: Final = (1, 3)  # images at once
_SIZES: Final = ((48, 64), (61, 75))  # heights and widths of images, where a network takes any
_MOST_LEVELS: Final = 1
_MOST_DIFFERENCE: Final = 1e-3  # of the largest number


def compare(foreign: Model, path: Path, kind: str) -> str:
    """How far what was written as ``path`` is from the model that it was made of, in words. Raises ``ModelError``."""
    whole = open_model(path, wanted=kind, silent=True)
    return _WAYS[kind](foreign, whole)


def _generated(foreign: Model, whole: Model) -> str:
    most = 0
    for count in _COUNTS:
        latents = draw_many(whole.latent, count, range(count))
        labels = np.arange(count) % len(foreign.classes) if foreign.classes else None
        pair = (model.generate(latents, labels) for model in (foreign, whole))
        most = max(most, _levels(whole, *pair))
    return _words(most)


def _details(foreign: Model, whole: Model) -> str:
    most, (low, high) = 0, foreign.layout.value_range or (0.0, 1.0)
    for count in _COUNTS:
        latents = draw_many(whole.latent, count, range(count))
        details = whole.detail(latents) - low / (high - low)
        images = np.clip(np.rint(255 * details), 0, 255).astype(np.uint8)
        most = max(most, _levels(whole, foreign.generate(latents), images))
    return _words(most)


def _translated(foreign: Model, whole: Model) -> str:
    most, layout = 0, foreign.image_layout
    for seed, size in enumerate(_SIZES):
        # Of lengths that are no multiples, what is made up beyond the edge differs, and so does the edge a little.
        height, width = (max(length // layout.multiple, 1) * layout.multiple for length in size)
        image = photo(seed, layout.largest[0] or height, layout.largest[1] or width, layout.channels)
        latent = draw_many(whole.latent, seed, range(1))[0] if whole.card and whole.card.latent else None
        pair = (through(model, image, latent) for model in (foreign, whole))
        most = max(most, _levels(whole, *pair))
    return _words(most)


def _encoded(foreign: Model, whole: Model) -> str:
    height, width = whole.image_size
    images = np.stack([photo(seed, height, width, 3) for seed in range(max(_COUNTS))])
    most = 0.0
    for count in _COUNTS:
        most = max(most, _floats(whole, foreign.features([*images[:count]]), whole.encode(images[:count])))
    return f"largest difference {most:.2g}"


def _denoised(foreign: Model, whole: Model) -> str:
    card, beside, most = whole.card, foreign.inputs_beside, 0.0
    assert card is not None  # of a file with a card
    assert beside is not None  # of one without
    channels, (height, width), steps = card.channels, whole.image_size, len(card.schedule["alpha_bar"])
    for count in _COUNTS:
        noisy = np.random.default_rng(count).normal(size=(count, channels, height, width)).astype(np.float32)
        t = np.linspace(0, steps - 1, count).astype(np.int64)
        if not all(step.batched for step in beside.of_role("step")):
            t[:] = t[-1]  # a graph of one step for all images: samplers ask no other
        labels = np.arange(count) % len(foreign.classes) if foreign.classes else None
        pair = (model.denoise(noisy, t, labels) for model in (foreign, whole))
        most = max(most, _floats(whole, *pair))
    return f"largest difference {most:.2g}"


_WAYS: Final[Mapping[str, Callable[[Model, Model], str]]] = {
    "generator": _generated,
    "detail": _details,
    "translator": _translated,
    "encoder": _encoded,
    "denoiser": _denoised,
}


def photo(seed: int, height: int, width: int, channels: int) -> Image:
    """An image u8 [h, w, c] with large shapes and fine grain, the same for a seed."""
    random = np.random.default_rng(seed)
    shapes = resize(random.integers(0, 256, (6, 8, 3), np.uint8), height, width)
    grain = random.integers(-20, 21, (height, width, 3))
    image = np.clip(shapes.astype(np.int64) + grain, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.concatenate([image, 255 - image[..., :1]], axis=2)[..., :channels])


def _levels(whole: Model, expected: NDArray[np.uint8], found: NDArray[np.uint8]) -> int:
    """The largest difference. Raises ``ModelError`` where it is too large."""
    if expected.shape != found.shape:
        raise whole.error(f"gives images {list(found.shape)}, expected {list(expected.shape)}")
    levels = int(np.abs(expected.astype(np.int16) - found).max(initial=0))
    if levels > _MOST_LEVELS:
        raise whole.error(f"differs by {levels} levels of 255, expected at most {_MOST_LEVELS}")
    return levels


def _floats(whole: Model, expected: NDArray[Any], found: NDArray[Any]) -> float:
    if expected.shape != found.shape:
        raise whole.error(f"gives {list(found.shape)}, expected {list(expected.shape)}")
    difference = float(np.abs(expected - found).max() / max(1.0, float(np.abs(expected).max())))
    if not difference <= _MOST_DIFFERENCE:
        raise whole.error(f"differs by {difference:.2g}, expected at most {_MOST_DIFFERENCE:g}")
    return difference


def _words(levels: int) -> str:
    return f"max levels {levels}"
