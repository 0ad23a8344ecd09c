"""Files of lower precision: how small they are, and how close to the full ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_networks import LATENT, card_of, encoder, export, generator, run
from torch import Tensor, nn

from export.card import Card
from trainer.contract.errors import UserError
from trainer.family import CardFields, Exportable, Latent


class Wide(nn.Module):
    """Enough weights in one linear map that int8 runs it on integers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LATENT, 50), nn.ReLU(), nn.Linear(50, 3 * 24 * 24), nn.Sigmoid())

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent).unflatten(1, (3, 24, 24))


def drifts(tmp_path: Path, precision: str, items: Sequence[Exportable]) -> tuple[float, Card, NDArray[np.generic]]:
    for name, of in (("full", "fp32"), ("small", precision)):
        export(tmp_path / f"{name}.onnx", *items, precision=of)
    size = (tmp_path / "small.onnx").stat().st_size / (tmp_path / "full.onnx").stat().st_size
    latents = np.random.default_rng(5).standard_normal((16, LATENT)).astype(np.float32)
    small = run(tmp_path / "small.onnx", latent=latents).astype(int)
    return size, card_of(tmp_path / "small.onnx"), np.abs(small - run(tmp_path / "full.onnx", latent=latents))


@pytest.mark.parametrize(("precision", "largest_size"), [("fp16", 0.6), ("int8", 0.65)])
def test_lower_precision_is_smaller_and_within_one_level(tmp_path: Path, precision: str, largest_size: float) -> None:
    torch.manual_seed(0)
    wide = Wide().eval()
    wide.layers[2].weight.data *= 5  # images with contrast
    item = Exportable(
        kind="generator",
        module=wide,
        inputs={"latent": torch.randn(2, LATENT)},
        card=CardFields(latent=Latent(size=LATENT)),
    )
    size, card, error = drifts(tmp_path, precision, [item])
    assert size < largest_size
    assert card.precision == precision
    assert card.parity[precision]["psnr_db"] > 50
    assert error.max() <= 1


def test_int8_convolutions_keep_their_images(tmp_path: Path) -> None:
    _, card, error = drifts(tmp_path, "int8", [generator(), encoder()])
    assert card.parity["int8"]["psnr_db"] > 45
    assert error.max() <= 4


def test_too_much_drift_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.verify.MIN_PSNR_DB", 200.0)
    with pytest.raises(UserError, match=r"dB \(PSNR\) from fp32"):
        export(tmp_path / "a.onnx", generator(), precision="fp16")
    assert not list(tmp_path.iterdir())
