"""Small convolutional classifier: a feature extractor for evaluating generators of one kind of image.

Convolutions and pooling down to a few pixels, one hidden linear layer, cross-entropy. The hidden layer gives features
for images where those of a network trained on photographs say little (digits, for one). Its sheets show, for each
class, an image that maximises the class score (Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 2).

**Differs from the paper.** Of the visualisation: gradients are smoothed and normalised, and images start near black;
the network is small and of no paper.

    accelerate launch trainer/train_classifier.py --data mnist/ --out runs/digits --steps 1000
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Call
from trainer.config import BELOW_ONE, POSITIVE, RunConfig, least, multiple_of
from trainer.family import Batch, CardFields, DataSpec, Exportable, Family, Inputs, Latent, Nets, Turn

LEAST_PX = 8  # images are halved three times
ASCENT_STEPS = 48
ASCENT_RATE = 0.1  # of the image range, in the first step; falls linearly to 0
WEIGHT = 0.02  # λ, L2 regularisation of the visualisation


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(RunConfig):
    """Options of the classifier."""

    width: Annotated[int, multiple_of(8)] = 32
    """Channels of the first convolution, a multiple of 8; the later ones have twice as many."""
    feature_size: Annotated[int, least(2)] = 128
    """Units of the hidden layer: dimensions of the features."""
    learning_rate: Annotated[float, POSITIVE] = 1e-3
    """Adam's learning rate."""
    dropout: Annotated[float, BELOW_ONE] = 0.3
    """Dropout probability of the features."""
    flip: bool = False
    """Mirror each image left to right with probability one half (off: few digits and letters are symmetric)."""


class SmallCNN(nn.Module):
    """Three convolutions, each with normalisation and pooling; a hidden layer; one logit a class."""

    def __init__(self, spec: DataSpec, config: ClassifierConfig) -> None:
        super().__init__()
        self.shape = spec.shape
        widths = (spec.channels, config.width, 2 * config.width, 2 * config.width)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [convolution, nn.MaxPool2d(2, ceil_mode=True), nn.GroupNorm(8, outputs), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        height, width = (-(-side // 8) for side in spec.image_size)
        self.hidden = nn.Linear(widths[-1] * height * width, config.feature_size)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.feature_size, len(spec.classes))

    def features(self, image: Tensor) -> Tensor:
        """[n, c, h, w] in -1..1 → [n, feature_size], none below 0."""
        return F.relu(self.hidden(self.convolutions(image)))

    def encode(self, image: Tensor) -> Tensor:
        """The features of images in 0..1."""
        return self.features(2 * image - 1)

    def forward(self, image: Tensor) -> Tensor:
        """[n, c, h, w] in -1..1 → logits [n, classes]."""
        return self.output(self.dropout(self.features(image)))


class Classifier(Family):
    """Convolutional classifier, a feature extractor for evaluation."""

    Config = ClassifierConfig
    needs_labels = True
    generates = False
    view = "info {file}"

    def build(self, spec: DataSpec) -> Nets:
        if len(spec.classes) < 2:
            raise ValueError(f"{len(spec.classes)} class(es), expected at least 2 to tell apart")
        if min(spec.image_size) < LEAST_PX:
            raise ValueError(f"images are {spec.image_size[1]}x{spec.image_size[0]} px, expected at least {LEAST_PX}")
        return Nets(classifier=SmallCNN(spec, self.config))

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        batch = next(batches)
        assert batch.label is not None, "the loop refuses data without labels"
        with turn("classifier") as loss:
            loss["cross_entropy"] = F.cross_entropy(nets.classifier(batch.image), batch.label)

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        """Initial noise, and all classes in turn."""
        noise = torch.randn(count, spec.channels, *spec.image_size, generator=generator)
        return 0.05 * noise - 0.5, torch.arange(count) % len(spec.classes)

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        """Maximise S_c(I) - λ ‖I‖² over images I by gradient ascent, from near black. Gradients are smoothed, or the
        images would be full of speckles."""
        image, label = inputs
        for step in range(ASCENT_STEPS):
            with torch.enable_grad():
                image = image.detach().requires_grad_()
                chosen = nets.classifier(image).float().gather(1, label[:, None]).squeeze(1)
                objective = chosen - WEIGHT * (image + 1).square().flatten(1).sum(1)
                (gradient,) = torch.autograd.grad(objective.sum(), image)
            smooth = F.avg_pool2d(F.avg_pool2d(gradient, 3, 1, 1), 3, 1, 1)
            smooth = smooth / smooth.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-8)
            rate = 2 * ASCENT_RATE * (1 - step / ASCENT_STEPS)
            image = (image.detach() + rate * smooth).clamp(-1, 1)
        return (image + 1) / 2

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        assert batch.label is not None, "the loop refuses data without labels"
        logits = nets.classifier(batch.image).float()
        wrong = (logits.argmax(1) != batch.label).float()
        return {"score": wrong, "error": wrong, "cross_entropy": F.cross_entropy(logits, batch.label, reduction="none")}

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        """The features as an encoder: a file that evaluations can use as feature extractor."""
        network = nets.classifier
        image = torch.rand(2, *network.shape, generator=torch.Generator().manual_seed(0))
        card = CardFields(latent=Latent(size=self.config.feature_size))
        return [Exportable(kind="encoder", module=Call(network, "encode"), inputs={"image": image}, card=card)]
