"""Fine detail for the images of a generator: drawn by a second network from the same latents, or by sharpening.

Both are layers: what is added to an image, times a gain. The layer of an image is made once, with the image, and
the gain changes without it being recomputed.
"""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError, open_model
from viewer.sessions.replay import SavedRecipe
from viewer.sessions.sheet_state import DETAIL, SHARPENING, Gain

Details = NDArray[np.float32]  # [n, h, w, 3] BGR, in levels of 0..255, of either sign

# What a 3x3 kernel of sum 1 adds to an image: flat areas stay, and with a gain of 1 the image is the kernel's result.
_KERNEL: Final = np.array([[-2, -4, -2], [-4, 24, -4], [-2, -4, -2]], np.float32)


class Layer:
    """Makes what is added to images: a detail network draws it of their latents; without one, it sharpens them."""

    def __init__(self, model: Model | None = None) -> None:
        self.model = model
        self.gain = SHARPENING if model is None else DETAIL  # to begin with

    def of(self, latents: Latents, images: Images) -> Details:
        """The layers of images [n, h, w, 3] that were drawn of latents [n, d], not limited to 0..255, so that blends of
        an image and the sharpened one are exact. Raises ``ModelError``."""
        if self.model is None:
            return np.stack([np.asarray(cv2.filter2D(image, cv2.CV_32F, _KERNEL), np.float32) for image in images])
        details = self.model.detail(latents)
        details *= 255.0
        return details

    @property
    def recipe(self) -> dict[str, str]:
        """Its file; empty where there is none."""
        model = self.model
        return {"file": "" if model is None else model.path.name, "sha256": "" if model is None else model.sha256}


def open_layer(low: Model, path: Path | None, *, threads: int = 1) -> Layer:
    """The detail network of a file for the generator ``low``, or sharpening. Raises ``ModelError`` for no pair."""
    if path is None:
        return Layer()
    detail = open_model(path, threads=threads, wanted="detail")
    if detail.inferred:
        raise detail.error(f"has no card, expected that of a detail network: {detail.export_command} --kind detail")
    for what, found, expected in (
        ("latents of {} numbers", detail.latent.size, low.latent.size),
        ("a {} prior", detail.latent.prior, low.latent.prior),
        ("images of {} pixels", *("{1}x{0}".format(*model.image_size) for model in (detail, low))),
    ):
        if found != expected:
            raise ModelError(f"{path}: is for {what.format(found)}, expected {expected} as {low.path} has them")
    return Layer(detail)


def other_low(low: Model, layer: Layer) -> str:
    """A line on a detail network that is known to be trained beside another generator than ``low``; else empty."""
    if layer.model is None or low.card is None or layer.model.card is None:
        return ""
    wanted, found = layer.model.card.training.get("low"), low.card.training.get("run")
    name = printable(layer.model.path.name, 60)
    return f"{name} was trained beside another model" if wanted and found and wanted != found else ""


def first_gain(wanted: float | None, layer: Layer | None, saved: SavedRecipe | None) -> Gain | None:
    """How much of a layer is added first: as ``--gain`` says, the image to begin from, or the layer itself. Raises
    ``UserError``."""
    if saved is not None:
        own = layer.recipe if layer is not None else {"file": "", "sha256": ""}
        found = saved.values.get("detail")
        if (found.get("sha256", "") if isinstance(found, dict) else "") != own["sha256"]:
            name = repr(own["file"]) if own["file"] else "none"
            raise UserError(f"{saved.path}: made with another detail network, found {name}")
        if wanted is None and "gain" in saved.values:
            wanted = saved.number("gain", 0, DETAIL.scale[-1])
    if layer is None:
        return None
    if wanted is not None and wanted > layer.gain.scale[-1]:
        raise UserError(f"--gain is {wanted:g}, expected 0..{layer.gain.scale[-1]:g} for sharpening")
    return layer.gain if wanted is None else layer.gain.at(wanted)
