"""A kind of model that nobody has heard of: its entry in the table is all that export and viewer need."""

from pathlib import Path

import pytest
import torch
from small_networks import card_of, export
from torch import Tensor, nn

from export.kinds import KINDS, Kind, PortKind
from trainer.family import CardFields, Exportable
from viewer.graph.limits import run_seconds
from viewer.model import ModelError, open_model
from viewer.modes.info.headless import describe_model

RESTORER = Kind(
    does="image, strength → image",
    inputs=(
        PortKind(name="image", dtype="u8", axes="nhwc", meaning="image to restore"),
        PortKind(name="strength", dtype="f32", axes="nd", meaning="0: leave it, 1: restore it fully"),
    ),
    output=PortKind(name="restored", dtype="u8", axes="nhwc", meaning="restored image"),
    mode="restore",
    seconds=7.0,
    int8_convolutions="inner",
)


class Restorer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor, strength: Tensor) -> Tensor:
        return image + strength[:, :, None, None] * self.convolution(image)


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> Exportable:
    monkeypatch.setitem(KINDS, "restorer", RESTORER)
    torch.manual_seed(0)
    inputs = {"image": torch.rand(2, 3, 8, 8), "strength": torch.rand(2, 1)}
    return Exportable(kind="restorer", module=Restorer().eval(), inputs=inputs, card=CardFields(any_size=True))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_new_kind_is_exported_and_opened(tmp_path: Path, restorer: Exportable, precision: str) -> None:
    (path,) = export(tmp_path / "small.onnx", restorer, precision=precision)
    card = card_of(path)
    assert [port.shape for port in card.inputs] == [(None, None, None, 3), (None, 1)]
    assert (card.kind, card.output.shape, card.parity["cases"]) == ("restorer", (None, None, None, 3), 6)
    model = open_model(path, wanted="restorer")
    assert model.image_layout.output == "restored"
    assert dict(describe_model(model))["kind"] == "restorer"
    assert run_seconds("restorer") == 7
    with pytest.raises(ModelError, match=r"found a restorer.*; for this one there is: python -m viewer restore"):
        open_model(path, wanted="generator")
