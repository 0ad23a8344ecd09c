"""What models make of the images of a set, beside the images that they should make: reconstructions, enlargements,
translations, and what is seen through noise."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.contract.images import Fit, crop
from trainer.contract.resample import shrink
from trainer.contract.samplers import add_noise, predict_x0
from viewer.files.inputs import Photo
from viewer.files.png import Image
from viewer.files.resizing import resize
from viewer.latents import normal
from viewer.modes.compare.makers import DenoiserMaker, GeneratorMaker, Maker, TranslatorMaker

_SIGNAL: Final = (0.9, 0.5, 0.1)  # fractions of the variance that are the image's, at which denoisers are measured


@dataclass(frozen=True, eq=False)
class Reproduced:
    """Images of the set as a model should give them, and as it does."""

    targets: Sequence[Image]
    results: Sequence[Image]
    at: str = ""  # for the names of figures: where they were measured, if in several places
    on_luma: int = 0  # measured on the luma without so many pixels at each edge; 0: on all colours and pixels


def takes_images(maker: TranslatorMaker) -> bool:
    """Whether it needs other images than those it is to make."""
    return maker.upscaler is None and maker.translator.how.kind == "given"


def fit_of(maker: Maker) -> Fit | None:
    """How images were brought to its size in training, where it says so."""
    return maker.fit if isinstance(maker, GeneratorMaker) else None


def fitted(image: Image, size: tuple[int, int], fit: Fit | None) -> Image:
    """An image at this height and width; ``None``: its middle is cut out."""
    return np.asarray((fit or crop)(image, *size), np.uint8)


def reproduced(
    maker: Maker,
    read: Sequence[tuple[int, Image, Image | None]],
    seed: int,
    labels: NDArray[np.int64] | None,
) -> Iterator[Reproduced]:
    """Images of a set, and what a model makes of them; nothing where it cannot be asked. Raises ``UserError``."""
    if not read:
        return
    if isinstance(maker, GeneratorMaker) and maker.encoder is not None:
        targets = [fitted(image, maker.model.image_size, maker.fit) for _, image, _ in read]
        encoder = maker.encoder
        inputs = [fitted(image, encoder.image_size, maker.fit) for _, image, _ in read]
        known = labels is not None and maker.model.classes
        own = np.array([labels[number] for number, _, _ in read], np.int64) if known and labels is not None else None
        if own is not None:
            own = np.minimum(own, len(maker.model.classes) - 1)
        yield Reproduced(targets, list(maker.model.generate(encoder.encode(np.stack(inputs)), own)))
    elif isinstance(maker, TranslatorMaker):
        yield _translated(maker, [(image, other) for _, image, other in read], seed)
    elif isinstance(maker, DenoiserMaker):
        yield from _denoised(maker, read, seed)


def _translated(maker: TranslatorMaker, read: Sequence[tuple[Image, Image | None]], seed: int) -> Reproduced:
    targets, results, border = [], [], 0
    for image, other in read:
        if maker.upscaler is not None:
            scale, border = maker.upscaler.scale, math.ceil(maker.upscaler.scale)
            smaller = [min(int(side // scale), maker.cut) for side in image.shape[:2]]
            smaller = [side // scale.denominator * scale.denominator for side in smaller]
            rows, columns = (int(side * scale) for side in smaller)
            top, left = ((side - length) // 2 for side, length in zip(image.shape[:2], (rows, columns), strict=True))
            if min(rows, columns) <= 2 * border:
                continue  # nothing is left of it without the border
            target = np.ascontiguousarray(image[top : top + rows, left : left + columns])
            photo = Photo(
                np.ascontiguousarray(shrink(target, scale) if isinstance(scale, int) else resize(target, *smaller))
            )
            result = maker.upscaler.result_of(photo)[..., :3]
        else:
            source = image if other is None else other
            maker.shrunk += maker.takes(*source.shape[:2]) != source.shape[:2]
            result = maker.translated(source, seed)
            target = resize(image, *result.shape[:2])
        targets.append(target)
        results.append(result)
    return Reproduced(targets, results, on_luma=border)


def _denoised(maker: DenoiserMaker, read: Sequence[tuple[int, Image, Image | None]], seed: int) -> Iterator[Reproduced]:
    """What a denoiser takes noisy images for, in one step. The noise of an image is the same for all models of its
    size."""
    denoiser = maker.denoiser
    targets = [fitted(image, (denoiser.height, denoiser.width), None) for _, image, _ in read]
    clean = denoiser.array(np.stack(targets))
    size = math.prod(denoiser.shape)
    noise = np.stack([normal(f"figures {seed} {number}", size) for number, _, _ in read]).reshape(clean.shape)
    shares = np.array(denoiser.schedule["alpha_bar"])
    label = len(maker.model.classes) if maker.model.free_label else 0
    labels = [label] * len(read) if denoiser.names else []
    for share in _SIGNAL:
        t = int(np.abs(shares - share).argmin())
        noisy = add_noise(denoiser.schedule, clean, t + 1, noise)
        prediction = denoiser.predict(noisy, t, labels)
        results = denoiser.images(predict_x0(denoiser.schedule, prediction, noisy, t))
        shown = denoiser.images(clean)  # grey where the model is
        yield Reproduced(list(shown), list(results), f" at {round(100 * (1 - share))} % noise")
