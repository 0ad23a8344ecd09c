"""Small networks that several of the export's tests write, and what they do with the files."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.card import Card
from export.graph import Whole, trace
from export.to_onnx import Origin, Output, export_networks
from trainer.family import CardFields, DataSpec, Exportable, Latent

LATENT, SIDE = 4, 8


class Decoder(nn.Module):
    """A small network with the parts that exporters get wrong: normalisation, dropout, upsampling."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 16 * 4 * 4)
        self.rest = nn.Sequential(
            nn.GroupNorm(4, 16),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.Dropout(0.5),
            nn.Conv2d(16, channels, 3, padding=1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.rest(self.first(latent).unflatten(1, (16, 4, 4))) + 0.5  # some values outside 0..1


class Encoder(nn.Module):
    """One linear map."""

    def __init__(self, channels: int = 3, latent: int = LATENT) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE * SIDE, latent))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


def generator(channels: int = 3, **latent: Any) -> Exportable:
    torch.manual_seed(0)
    card = CardFields(latent=Latent(size=LATENT, **latent))
    return Exportable(
        kind="generator", module=Decoder(channels).eval(), inputs={"latent": torch.randn(2, LATENT)}, card=card
    )


def encoder(channels: int = 3, latent: int = LATENT) -> Exportable:
    torch.manual_seed(1)
    return Exportable(
        kind="encoder",
        module=Encoder(channels, latent).eval(),
        inputs={"image": torch.rand(2, channels, SIDE, SIDE)},
        card=CardFields(latent=Latent(size=latent)),
    )


def origin(channels: int = 3) -> Origin:
    spec = DataSpec(image_size=(SIDE, SIDE), channels=channels)
    return Origin(family="small", spec=spec, data="drawn", training={"step": 7})


def export(out: Path, *items: Exportable, channels: int = 3, **options: Any) -> list[Path]:
    return export_networks(items, origin(channels), Output(path=out, name="small", licence="CC0-1.0", **options))


_TRACED: dict[str, bytes] = {}  # by all that the graph follows from


def traced(network: Whole) -> onnx.ModelProto:
    """The graph of ``export.graph.trace``, made once for networks with the same layers, weights and inputs.

    Tracing takes most of the time of an export, which compares each graph with its network all the same.
    """
    inputs = [(name, value.shape, value.dtype) for name, value in network.examples.items()]
    digest = hashlib.sha256(repr((network.kind, network, inputs, network.card.any_size)).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    key = digest.hexdigest()
    if key not in _TRACED:
        _TRACED[key] = trace(network).SerializeToString()
    return onnx.load_from_string(_TRACED[key])


def card_of(path: Path) -> Card:
    card = Card.from_props({item.key: item.value for item in onnx.load(path).metadata_props})
    assert card is not None
    return card


def run(path: Path, **inputs: NDArray[np.generic]) -> NDArray[np.generic]:
    return onnxruntime.InferenceSession(path).run(None, inputs)[0]
