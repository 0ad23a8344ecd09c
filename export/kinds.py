"""What each kind of model takes and gives, and how export and viewer treat it. Standard library only.

To add a kind: an entry in ``KINDS``, and a viewer mode that runs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, kw_only=True)
class PortKind:
    """What a kind of model has as an input or as its output."""

    name: str
    dtype: str  # f32, i64 or u8
    axes: str  # a letter an axis: n batch, h height, w width, c channels, d numbers of a latent
    meaning: str
    optional: bool = False
    rgb: bool = False  # three channels even where the network works on grey images

    @property
    def is_image(self) -> bool:
        """Whether the viewer shows or reads it as an image: channels last, as image files have them."""
        return self.axes == "nhwc"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of model: all that export and viewer need to know of it. To add one: docs/extending/kind.md."""

    does: str  # from what to what, in words
    inputs: tuple[PortKind, ...]
    output: PortKind
    mode: str = ""  # viewer mode that opens such a file; empty: a file that other modes use beside another
    seconds: float = 4.0  # that one run may take by default: a page that nobody would want to wait for
    has_schedule: bool = False  # its card needs a noise schedule
    inputs_correlate: bool = False  # checks draw all inputs from the same example, instead of each at random
    int8_convolutions: str = ""  # that int8 files run on integers: all, inner (no image going in or out), or none
    inverts: str = ""  # kind whose output it takes, and whose input it gives

    @property
    def needs_latent(self) -> bool:
        """Whether its card must describe the latents."""
        return any(port.name == "latent" and not port.optional for port in (*self.inputs, self.output))

    @property
    def translates(self) -> bool:
        """Whether it makes an image of an image."""
        return self.output.is_image and any(port.is_image for port in self.inputs)


_LATENT: Final = PortKind(name="latent", dtype="f32", axes="nd", meaning="what an image is generated from")
_LABEL: Final = PortKind(name="label", dtype="i64", axes="n", meaning="class of each image", optional=True)
# Of the files of one export, that of the first of these kinds gets the name asked for.
KINDS: Final[Mapping[str, Kind]] = {
    "generator": Kind(
        does="latent → image",
        inputs=(_LATENT, _LABEL),
        output=PortKind(name="image", dtype="u8", axes="nhwc", meaning="generated image"),
        mode="grid",
        int8_convolutions="all",
    ),
    "translator": Kind(
        does="image → image",
        inputs=(
            PortKind(name="image", dtype="u8", axes="nhwc", meaning="condition, of any size where the graph says so"),
            replace(_LATENT, optional=True),
        ),
        # ONNX allows no output the name of an input
        output=PortKind(name="translated", dtype="u8", axes="nhwc", meaning="image, `scale` times as large"),
        mode="translate",
        seconds=60.0,  # images are as large as those of the person
        int8_convolutions="inner",
    ),
    "denoiser": Kind(
        does="noise → image, step by step",
        inputs=(
            PortKind(name="noisy", dtype="f32", axes="nchw", meaning="noisy image: √ᾱ x + √(1-ᾱ) ε, x in -1..1"),
            PortKind(name="t", dtype="i64", axes="n", meaning="step of each image in the noise schedule"),
            replace(_LABEL, meaning="class of each image; the number of classes: none"),
        ),
        output=PortKind(name="prediction", dtype="f32", axes="nchw", meaning="noise, image or v, as `schedule` says"),
        mode="diffuse",
        seconds=60.0,
        has_schedule=True,
        inputs_correlate=True,  # noise alone is not what a network sees
        int8_convolutions="inner",
    ),
    "detail": Kind(
        does="latent → fine detail",
        inputs=(_LATENT,),
        output=PortKind(name="detail", dtype="f32", axes="nhwc", meaning="high frequencies to add to an image in 0..1"),
    ),
    "encoder": Kind(
        does="image → latent",
        inputs=(PortKind(name="image", dtype="u8", axes="nhwc", meaning="image to encode", rgb=True),),
        output=_LATENT,
        inverts="generator",
    ),
}
