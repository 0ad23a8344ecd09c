"""Networks whose code is for a single image give the same in a batch, of any number and size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import card_of, export, run
from torch import Tensor, nn

from trainer.contract.errors import UserError
from trainer.family import CardFields, Exportable


class Single(nn.Module):
    """Adds noise of its own to the image's statistics: of one image only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        _, _, height, width = image.shape
        more = torch.full((1, 1, height, width), 0.3) * image.mean()
        return self.conv(torch.cat([image, more], 1)) + 0.5


def item(one_by_one: bool) -> Exportable:
    torch.manual_seed(0)
    return Exportable(
        kind="translator",
        module=Single().eval(),
        inputs={"image": torch.rand(2, 3, 8, 8)},
        card=CardFields(any_size=True),
        one_by_one=one_by_one,
    )


@pytest.mark.slow
def test_each_image_goes_through_alone(tmp_path: Path) -> None:
    (out,) = export(tmp_path / "a.onnx", item(True))
    assert card_of(out).inputs[0].shape == (None, None, None, 3)
    images = np.random.default_rng(0).integers(0, 256, (4, 11, 6, 3), np.uint8)
    together = run(out, image=images)
    with torch.no_grad():
        given = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        expected = torch.cat([item(True).module(image) for image in given.split(1)]).permute(0, 2, 3, 1)
    assert np.abs(together - (expected.clamp(0, 1) * 255).numpy()).max() <= 0.6
    assert (together[2:3] == run(out, image=images[2:3])).all()


def test_without_it_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not written"):
        export(tmp_path / "a.onnx", item(False))
    assert not list(tmp_path.iterdir())
