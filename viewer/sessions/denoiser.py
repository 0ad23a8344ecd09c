"""A denoiser at work: what its card says of it, guidance, grey images, and images as arrays in -1..1."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.samplers import Schedule
from viewer.model import Images, Model, ModelError

Floats = NDArray[np.float32]

NO_CLASS = "none"  # name of the label beyond the classes, which stands for images of any


class Denoiser:
    """A model that tells images from noise. Raises ``ModelError`` where its card does not say enough."""

    def __init__(self, model: Model, guidance: float = 0.0) -> None:
        """``guidance`` w: (1 + w) times the prediction for a class, less w times that for none (Ho & Salimans 2022)."""
        card = model.card
        assert card is not None  # of a denoiser
        self.model = model
        self.guidance = guidance
        self.schedule: Schedule = card.schedule
        self.steps = len(card.schedule["alpha_bar"])
        self.height, self.width = model.image_size
        self.channels = card.channels
        self.shape = self.channels, self.height, self.width  # of an image in the network's order
        self.names = (*model.classes, *[NO_CLASS] * model.free_label)  # of the labels, if it draws classes
        taken = next(port.shape for port in card.inputs if port.name == "noisy")
        self._taken = (taken[1] if len(taken) == 4 else 0) or self.channels
        if len(taken) != 4 or self.channels not in (1, 3) or self._taken not in (self.channels, 3):
            raise ModelError(
                f"{model.path}: takes {list(taken)} with {self.channels} channels, expected [n, c, h, w] with 1 or 3"
            )
        if guidance and not model.classes:
            raise ModelError(f"--guidance is {guidance:g}, expected none: {model.path} draws no classes")
        if guidance and not model.free_label:
            raise ModelError(
                f"--guidance is {guidance:g}, expected none: {model.path} has no label for images of any class; if the "
                f"last of its {len(model.classes)} stands for them, say --classes {len(model.classes) - 1}"
            )

    def predict(self, x: Floats, t: int, labels: Sequence[int] = ()) -> Floats:
        """What the network says of images [n, c, h, w] at step t. ``labels``: one an image, if it knows classes."""
        noisy = np.ascontiguousarray(np.broadcast_to(x, (len(x), self._taken, *x.shape[2:])))
        steps = np.full(len(x), t, np.int64)
        wanted = np.array(labels, np.int64) if labels else None
        if wanted is None or not self.guidance:
            return self.model.denoise(noisy, steps, wanted)[:, : self.channels]
        both_labels = np.concatenate([wanted, np.full_like(wanted, len(self.model.classes))])
        both = self.model.denoise(np.tile(noisy, (2, 1, 1, 1)), np.tile(steps, 2), both_labels)
        asked, free = np.split(both[:, : self.channels], 2)
        return np.asarray((1 + self.guidance) * asked - self.guidance * free, np.float32)

    def array(self, images: Images) -> Floats:
        """Images u8 [n, h, w, 3] BGR of the model's size as arrays f32 [n, c, h, w] in -1..1."""
        if self.channels == 1:
            pixels: NDArray[np.uint8] = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images])[:, None]
        else:
            pixels = images[..., ::-1].transpose(0, 3, 1, 2)
        return np.ascontiguousarray(pixels, np.float32) / 127.5 - 1

    def images(self, x: Floats) -> Images:
        """Arrays f32 [n, c, h, w] as images u8 [n, h, w, 3] BGR."""
        levels = np.clip(np.rint(x * 127.5 + 127.5), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(np.broadcast_to(levels[..., ::-1], (*levels.shape[:3], 3)))
