"""The protocol between the training loop and a model family.

A family says what its networks are, what one training step does, how to sample, and which files it can write.
The loop says when: devices, ranks, precision, optimiser steps, checkpoints and logs are no family's concern.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn

Inputs: TypeAlias = tuple[Tensor, ...]  # of samples, each [count, ...]: latents f32, labels i64, conditions f32


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a family may know of its data before it builds its networks."""

    image_size: tuple[int, int]  # height, width in pixels
    channels: int  # 1 or 3
    classes: tuple[str, ...] = ()  # class names by label; empty: no labels
    condition_channels: int = 0  # of the other side of each pair, 1 or 3; 0: there is none

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.channels, *self.image_size

    def __str__(self) -> str:
        """Size and channels of images and conditions, for messages."""
        conditions = f", conditions of {self.condition_channels}" if self.condition_channels else ""
        return f"{self.image_size[1]}x{self.image_size[0]} px, {self.channels} channel(s){conditions}"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How ``trainer.data.batches`` reads the data of a family. This base class: whole images of one size."""

    rgb_only: bool = False  # leave out image files that are not stored in three colours


@dataclass(frozen=True, kw_only=True)
class Pairs(Reading):
    """Pairs of an image and the condition that it is generated from."""

    condition: str  # a folder of images of the same names, a .npy file, "given", "halves" (left → right), or "edges"
    swapped: bool = False  # the condition is generated from the image instead
    enlarge: float = 1.0  # read at this many times the size, of which training cuts windows at random
    channels: int = 0  # of the images to generate: 1 or 3; 0: as the data are
    condition_channels: int = 0  # the same of the conditions
    sigma: float = 0.33  # of "edges": how far the thresholds are from the median
    flag: str = "--condition"  # the option that names the condition, for error messages


@dataclass(frozen=True, kw_only=True)
class Crops(Reading):
    """Square crops of images of any size, each with its downscaled version as condition."""

    size_px: int  # side of the crops; smaller images are named and left out
    scale: int = 1  # downscaling factor of the condition
    condition: str = ""  # folder of the reduced images, of the same names; empty: bicubic with antialiasing
    validation: str = ""  # folder of images of any size that are held out, instead of some of the others
    turn: bool = False  # whether training rotates crops by multiples of 90 degrees
    least_px: int = 0  # shortest side of images; 0: that of the crops


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The part of a batch that one rank trains on, on its device."""

    image: Tensor  # f32 [n, c, h, w], channels-last in memory, in the family's image_range
    label: Tensor | None = None  # i64 [n]
    condition: Tensor | None = None  # f32 [n, c', h', w'] in the same range, the other side of a pair

    @property
    def input(self) -> Tensor:
        """The input of a translator or encoder: the conditions, or the images where there are none."""
        return self.image if self.condition is None else self.condition


class Nets(dict[str, nn.Module]):
    """The networks of a family by name, also as attributes: ``nets.generator(latent)``. One name is one optimiser:
    networks that train together (encoder and decoder) are one network."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"no network named {name!r}; there are: {', '.join(self)}")
        return self[name]


class Turn(Protocol):
    """One network's turn to learn; the loop passes it to ``Family.step``.

    ``with turn("generator") as loss:`` - inside, only that network requires gradients; the body fills ``loss``
    with named scalar terms. On leaving, their sum is minimised by one optimiser step.
    """

    @property
    def step(self) -> int:
        """Training steps finished before this one, resumed ones included: what the stages of a run depend on."""

    @property
    def progress(self) -> float:
        """Finished fraction of the run, 0..1, by --steps or --minutes: what schedules depend on."""

    def __call__(self, name: str) -> AbstractContextManager[dict[str, Tensor]]: ...


@dataclass(frozen=True, kw_only=True)
class Latent:
    """The latents of a network, as its card describes them."""

    size: int
    prior: Literal["normal", "uniform"] = "normal"
    mean: Sequence[float] = ()  # [size] of the latents of training images; empty: unknown
    covariance: Sequence[Sequence[float]] = ()  # [size, size] of the same
    samples: Sequence[Sequence[float]] = ()  # [k, size] of a few training images

    def draw(self, count: int, device: torch.device | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Sample from the prior, f32 [count, size]."""
        if self.prior == "uniform":
            return torch.rand(count, self.size, device=device, generator=generator) * 2 - 1
        return torch.randn(count, self.size, device=device, generator=generator)

    def measured(self, description: Mapping[str, Any]) -> "Latent":
        """The same with what ``Family.describe`` returned of the latents of training images, where it did."""
        mean, covariance = description.get("latent_mean", ()), description.get("latent_covariance", ())
        return replace(self, mean=mean, covariance=covariance, samples=description.get("sample_latents", ()))


@dataclass(frozen=True, kw_only=True)
class CardFields:
    """Fields of a file's card that neither its graph nor the data of its run tell; see ``export.card.Card``."""

    latent: Latent | None = None
    any_size: bool = False  # images may have any height and width, instead of those of the data
    channels: int = 0  # of the images that the network works on; 0: as the data
    input_channels: int = 0  # of the images that go in; 0: as the images that come out
    scale: int = 1  # output pixels an input pixel
    multiple: int = 1  # height and width of the input must be multiples of this
    context: int = 0  # pixels around a part of the input that its output depends on; 0: all of them, or unknown
    condition: Mapping[str, Any] = field(default_factory=dict)  # how the input is made of a photograph
    schedule: Mapping[str, Any] = field(default_factory=dict)  # of the noise
    training: Mapping[str, Any] = field(default_factory=dict)  # added to what is known of the run


@dataclass(frozen=True, kw_only=True)
class Exportable:
    """A file that a family can write; ``export`` makes the ONNX graph and the card of it.

    The module works on floats in 0..1, [n, c, h, w]; the conversions from and to u8 [n, h, w, c] RGB are added by
    the export, so that they are the same for every family.
    """

    kind: str  # one of export.kinds.KINDS: generator, translator, denoiser, detail, encoder
    module: nn.Module  # in eval mode
    inputs: Mapping[str, Tensor]  # example inputs by name, batch of 2: latent f32, image f32 0..1, label i64, ...
    card: CardFields = field(default_factory=CardFields)
    one_by_one: bool = False  # the module is called with one image at a time: its code is for no other number


@dataclass(frozen=True, kw_only=True)
class BaseRun:
    """A finished run that another one builds on: its networks, frozen, as exported."""

    run: str  # its id
    spec: DataSpec
    files: Mapping[str, Exportable]  # by kind


class Family(ABC):
    """Base of every model family. Subclasses give ``Config``, ``build``, ``step`` and ``exports``."""

    Config: ClassVar[type]  # a frozen dataclass, a subclass of trainer.config.RunConfig
    image_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)  # what Batch.image is scaled to
    needs_labels: ClassVar[bool] = False
    generates: ClassVar[bool] = True  # whether samples are new images, which evaluation compares with real ones as sets
    has_likelihood: ClassVar[bool] = False  # whether there are ``log_weights``
    shardable: bool = False  # whether tested with FSDP; double backward is unsupported there
    channels_last: bool = True  # memory format of the networks; False where it was measured slower
    sheet_side: ClassVar[int] = 8  # samples along each side of a sheet
    score_batch: ClassVar[int] = 64  # images that are scored at once
    view: ClassVar[str] = "grid {file}"  # how the viewer opens an export; also {base}, of the base run, and {image}

    def __init__(self, config: Any) -> None:
        self.config = config

    def draft(self) -> "Family":
        """The same with coarser samples that take less time, where there are such: for the sheet before training."""
        return self

    def reading(self) -> Reading:
        """How to read the data."""
        return Reading()

    def base_run(self) -> Path | None:
        """Folder of the run that this one builds on, or ``None``. Its best weights are copied into this run, so that
        neither resuming nor exporting needs the folder later. Raises ``UserError``."""
        return None

    def use_base(self, base: BaseRun) -> None:
        """Use the networks of ``base_run``: called before ``build``. Raises ``UserError`` with one line."""
        raise NotImplementedError(f"{type(self).__name__} builds on no other run")

    @abstractmethod
    def build(self, spec: DataSpec) -> Nets:
        """Build the networks. Raises ``ValueError`` with one line where the data cannot fit them."""

    def begin(self, nets: Nets) -> None:
        """Load what only training needs, such as pretrained weights: called whenever training begins or resumes, and
        never to export or evaluate. Raises ``UserError`` with one line."""
        return None

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        """Make the optimiser of one network; by default Adam with the options ``learning_rate``, ``beta1`` (else 0.9)
        and ``beta2`` (else 0.999). ``fused``: the device has fused kernels."""
        betas = (getattr(self.config, "beta1", 0.9), getattr(self.config, "beta2", 0.999))
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, betas=betas, fused=fused)

    def optimizer_options(self, progress: float) -> Mapping[str, Any]:
        """Options of the optimisers that change during the run, such as ``betas``, at a finished fraction of it, 0..1.
        The learning rate follows ``--schedule`` by itself."""
        return {}

    @abstractmethod
    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        """One training step, as the paper's algorithm box has it."""

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        """Draw the fixed inputs of the sample grids, on the CPU; by default latents.

        ``batches``: held-out images, then training ones, each once and always in the same order; read only when asked
        for, and possibly fewer than ``count``.
        """
        return (self.latent.draw(count, generator=generator),)

    @property
    def latent(self) -> Latent:
        """Size and prior of the latents, by the options ``latent_size`` and ``prior`` (normal where there is none)."""
        return Latent(size=self.config.latent_size, prior=getattr(self.config, "prior", "normal"))

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        """Generate images [n, c, h, w] in 0..1 from what ``sample_inputs`` returned, as the exported file would: by
        default those of its module. Networks are unwrapped and in eval mode. ``description``: what ``describe``
        returned."""
        return self.exports(nets, description)[0].module(*inputs).clamp(0, 1)

    def sheet(self, samples: Tensor, *inputs: Tensor) -> Tensor:
        """What a sheet shows of samples [n, c, h, w] in 0..1: the samples, or each beside its input, an equal number of
        images for each."""
        return samples

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Metrics of one held-out batch, each f32 [n], one per image; ``score`` is what *best* means (lower is
        better). Empty: there is no such metric, and the last checkpoint is the best."""
        return {}

    @property
    def scored_by(self) -> str:
        """A word for what ``score`` means, to be changed with it: scores of other meanings are not compared."""
        return ""

    def log_weights(self, nets: Nets, batch: Batch, count: int) -> Tensor:
        """log p(image, z) - log q(z|input) in nats, f32 [count, n], at ``count`` samples z of the encoder's Gaussian
        for each image: their log-mean-exp bounds the log-likelihood of the image (Burda et al. 2016, "Importance
        Weighted Autoencoders", equation 8)."""
        raise NotImplementedError(f"{type(self).__name__} has no likelihood of images")

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        """Values for the card that need the training data (aggregate posterior, sample latents); JSON-able. What is too
        large for a card may go into buffers of ``nets``, the averaged networks, which are saved right after."""
        return {}

    @abstractmethod
    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        """The files that this family can write. ``description``: what ``describe`` returned, or empty."""
