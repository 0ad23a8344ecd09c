"""Fine detail for the images of a generator: drawn by a second network from the same latents, or by sharpening.

Both are layers: what is added to an image, times a gain. The layer of an image is made once, with the image, and
the gain changes without it being recomputed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.text import printable
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError, open_model
from viewer.sessions.gain import DETAIL, SHARPENING, Gain

Details = NDArray[np.float32]  # [n, h, w, 3] BGR, in levels of 0..255, of either sign

_KERNEL: Final = np.array([[-2, -4, -2], [-4, 25, -4], [-2, -4, -2]], np.float32)  # of sum 1: flat areas stay


class Layer(Protocol):
    """Makes what is added to images."""

    gain: Gain  # to begin with

    def of(self, latents: Latents, images: Images) -> Details:
        """The layer of each image [n, h, w, 3], which was drawn of its latent [n, d]. Raises ``ModelError``."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is, for recipes."""


class Sharpening:
    """What a 3x3 kernel adds to an image: with a gain of 1, the image is what the kernel makes of it."""

    gain = SHARPENING

    def of(self, latents: Latents, images: Images) -> Details:
        """The kernel's result less the image, not limited to 0..255, so that blends of the two are exact."""
        kernel = _KERNEL - np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)
        return np.stack([np.asarray(cv2.filter2D(image, cv2.CV_32F, kernel), np.float32) for image in images])

    @property
    def facts(self) -> Mapping[str, Any]:
        """That there is no second file."""
        return {"detail": {"file": "", "sha256": ""}}


class DetailLayer:
    """What a detail network draws of the latents of a generator."""

    gain = DETAIL

    def __init__(self, model: Model) -> None:
        self.model = model

    def of(self, latents: Latents, images: Images) -> Details:
        """Levels of the network's floats."""
        details = self.model.detail(latents)
        details *= 255.0
        return details

    @property
    def facts(self) -> Mapping[str, Any]:
        """Its file."""
        return {"detail": {"file": self.model.path.name, "sha256": self.model.sha256}}


def open_layer(low: Model, path: Path | None, *, threads: int = 1) -> Layer:
    """The detail network of a file, for the generator ``low``; without a file, sharpening.

    Raises ``ModelError`` where the two are no pair.
    """
    if path is None:
        return Sharpening()
    detail = open_model(path, threads=threads, wanted="detail")
    if detail.inferred:
        raise ModelError(f"{path}: has no card, expected a detail network that the export wrote")
    for what, found, expected in (
        ("latents of {} numbers", detail.latent.size, low.latent.size),
        ("a {} prior", detail.latent.prior, low.latent.prior),
        ("images of {} pixels", *("{1}x{0}".format(*model.image_size) for model in (detail, low))),
    ):
        if found != expected:
            raise ModelError(f"{path}: is for {what.format(found)}, expected {expected} as {low.path} has them")
    return DetailLayer(detail)


def other_low(low: Model, layer: Layer) -> str:
    """A line on a detail network that was trained beside another generator than ``low``; empty where that is not
    known."""
    if not isinstance(layer, DetailLayer) or low.card is None or layer.model.card is None:
        return ""
    wanted, found = layer.model.card.training.get("low"), low.card.training.get("run")
    name = printable(layer.model.path.name, 60)
    return f"{name} was trained beside another model" if wanted and found and wanted != found else ""
