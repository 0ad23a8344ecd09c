"""Networks that enlarge and restore images, in the 42 layouts that the library spandrel knows."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from torch import Tensor, nn

from export.context import measured_context
from export.importers._windows import any_number_of_images
from export.importers.base import Imported
from export.memory import bounded
from export.weights import Weights
from trainer.family import CardFields, DataSpec, Exportable
from trainer.parts.superresolution import drawn_images

NAME: Final = "spandrel"
READS: Final = "networks that enlarge or restore images, of the architectures that spandrel knows"
NEEDS: Final = "spandrel"

_TILE: Final = 128  # pixels a side of networks of one size: the results of many are put together
_EXAMPLE: Final = 48  # pixels a side, at least, of what networks of any size are traced with
_NOISY: Final = "which draws new noise for each image: what it makes differs every time, and cannot be compared"
_ASIDE: Final = {  # what cannot be exported or played, and why; by purpose or architecture
    "Inpainting": "which fills in what a mask marks: no mode here takes a mask beside an image",
    "ATD": "which sorts equal values in no fixed order: no two programs would make the same image",
    "HVI-CIDNet": "whose space of colours torch cannot put into ONNX",
    "RestoreFormer": "of whose parts other ones run for each image: no graph holds that",
    "SeemoRe": "of whose experts other ones run for each image: no graph holds that",
    "AuraSR": _NOISY,
    "GFPGAN": _NOISY,
}
# Their code adds a border of its own, which is traced as what it happens to be: none, of multiples of this
_BORDERS: Final = {"FBCNN": 8, "SCUNet": 64}
# Their code counts on a single image, or is traced so
_ONE_IMAGE: Final = frozenset(("DRUNet",))
_ONE_NOISE: Final = {"DRUNet": "it takes noise of 15 levels off, the strength that spandrel calls it with"}


class Restorer(nn.Module):
    """A network that takes and gives images in 0..1, as spandrel calls it."""

    def __init__(self, network: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        for part in network.modules():
            gather: Any = getattr(part, "update_params", None)
            if gather is not None:  # of SPAN: it would put weights together anew at each call, and a tensor of the
                gather()  # tracing, which has no memory, in the place of one that has
                object.__setattr__(part, "update_params", lambda: None)
        self.network = network
        self.call = call

    def forward(self, image: Tensor) -> Tensor:
        with any_number_of_images(self.network):
            return self.call(self.network, image)


def claims(weights: Weights) -> bool:
    """Whether spandrel knows the names, and all weights fit the network that it makes of them."""
    try:
        return load(weights.state) is not None
    except Exception:  # whatever its readers meet in weights of something else
        return False


def read(weights: Weights) -> Imported:
    """The network as a translator: of any size, or else of one."""
    found = load(weights.state)
    if found is None:
        raise ValueError("its names are those of no architecture of spandrel")
    name, purpose = found.architecture.name, found.purpose
    for known in (purpose, name):
        if known in _ASIDE:
            raise ValueError(f"this is {name}, {_ASIDE[known]}")
    for what, channels in (("takes", found.input_channels), ("gives", found.output_channels)):
        if channels not in (1, 3):
            raise ValueError(f"this is {name}, which {what} images of {channels} channels, expected 1 or 3")
    needs = found.size_requirements
    step = max(needs.multiple_of, needs.minimum, _BORDERS.get(name, 1))  # one of these is the smallest that it takes
    network = Restorer(found.model, found._call_fn).eval().requires_grad_(False)
    card = CardFields(
        scale=found.scale,
        channels=found.output_channels,
        input_channels=found.input_channels,
        training={"architecture": name, "purpose": purpose, "averaged": weights.averaged},
    )

    def sized(side: int, fields: CardFields) -> Exportable:
        examples = drawn_images(2, found.input_channels, side)
        return Exportable(kind="translator", module=network, inputs={"image": examples}, card=fields)

    tile = _up(_TILE, step)
    fixed = sized(tile, card)
    spec = DataSpec(image_size=(tile, tile), channels=found.output_channels)
    remarks = [f"this is {name}, {_what(purpose, found.scale)}"]
    if purpose == "FaceSR":
        remarks.append("it takes one face, upright in the middle of the image")
    if name in _ONE_NOISE:
        remarks.append(_ONE_NOISE[name])
    if needs.square or purpose == "FaceSR":
        ways = [fixed]
    else:
        context = measured_context(network, found.input_channels, step, found.scale)
        free = sized(_up(_EXAMPLE, step), replace(card, any_size=True, multiple=step, context=context))
        ways = [free, replace(fixed, card=replace(card, context=context))]
    ways = [replace(way, one_by_one=one) for way in ways for one in ((True,) if name in _ONE_IMAGE else (False, True))]
    return Imported(exportables=ways[:1], otherwise=ways[1:], spec=spec, family=name, remarks=tuple(remarks))


def load(state: Mapping[str, Tensor]) -> Any:
    """What spandrel makes of weights; ``None`` where it knows no such names. Raises whatever its readers raise."""
    from spandrel import MAIN_REGISTRY

    for support in MAIN_REGISTRY:
        if support.architecture.detect(dict(state)):
            with bounded(state), warnings.catch_warnings(action="ignore"):  # torch's, of later releases
                return support.architecture.load(dict(state))
    return None


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def _what(purpose: str, scale: int) -> str:
    return f"which enlarges {scale} times" if scale > 1 else "which restores"
