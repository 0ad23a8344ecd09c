"""Files of networks that enlarge images: any size, tiles without seams, lower precisions."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from small_networks import card_of, run
from torch import nn

from export.to_onnx import Origin, Output, export_networks
from trainer.families.srgan import SRGAN, SRGANConfig
from trainer.family import DataSpec, Nets
from trainer.parts.superresolution import drawn_images

SPEC = DataSpec(image_size=(32, 32), channels=3, condition_channels=3)


def made(**options: Any) -> tuple[SRGAN, Nets]:
    """A network with statistics and slopes of its own, that paints images."""
    torch.manual_seed(0)
    family = SRGAN(SRGANConfig(blocks=2, features=24, crop_size=32, skip=True, pretrain=1 << 30, **options))
    nets = family.build(SPEC)
    nn.init.normal_(nets.generator.tail.weight, std=0.005)
    nets.generator.train()
    with torch.no_grad():
        for _ in range(3):
            nets.generator(drawn_images(4, 3, 24))
    for layer in nets.generator.modules():
        if isinstance(layer, nn.PReLU):
            layer.weight.data.uniform_(0.1, 0.4)
    nets.generator.eval().requires_grad_(False)
    return family, nets


def written(path: Path, family: SRGAN, nets: Nets, precision: str = "fp32") -> Path:
    origin = Origin(family="srgan", spec=SPEC)
    return export_networks(family.exports(nets, {}), origin, Output(path=path, precision=precision))[0]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("files") / "full.onnx", *made())


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    drawn = drawn_images(1, 3, max(height, width))[:, :, :height, :width]
    return (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()


def test_the_card_says_what_a_viewer_must_know(file: Path) -> None:
    card = card_of(file)
    assert (card.kind, card.family, card.scale, card.channels, card.image_size) == ("translator", "srgan", 2, 3, None)
    assert card.context == 4 + 2 * 2 + 1 + 1 + 2
    assert card.inputs[0].shape == (None, None, None, 3)
    assert card.output.shape == (None, None, None, 3)


def test_normalisation_is_part_of_the_convolutions(file: Path) -> None:
    kinds = [node.op_type for node in onnx.load(file).graph.node]
    assert not {"BatchNormalization", "PRelu"} & set(kinds)
    assert kinds.count("LeakyRelu") == 4
    assert kinds.count("Conv") == 1 + 2 * 2 + 1 + 1 + 1 + 1  # head, blocks, their end, sub-pixel, tail, shortcut


@pytest.mark.parametrize("size", [(17, 23), (1, 5), (40, 33)])
def test_any_size_comes_out_twice_as_large(file: Path, size: tuple[int, int]) -> None:
    _, nets = made()
    image = random_image(*size)
    found = run(file, image=image)
    expected = nets.generator(torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255).clamp(0, 1)
    expected = (expected * 255).round().permute(0, 2, 3, 1).numpy()
    assert found.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.abs(found - expected).max() <= 1


def test_tiles_with_their_context_leave_no_seam(file: Path) -> None:
    image, context = random_image(64, 60), card_of(file).context
    whole = run(file, image=image).astype(int)
    part = run(file, image=image[:, 20 - context : 36 + context, 16 - context : 32 + context]).astype(int)
    part = part[:, 2 * context : -2 * context, 2 * context : -2 * context]
    assert np.abs(part - whole[:, 40:72, 32:64]).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "least_db", "largest"), [("fp16", 60, 0.65), ("int8", 45, 0.6)])
def test_lower_precisions_are_smaller_and_say_what_they_cost(
    tmp_path: Path, file: Path, precision: str, least_db: float, largest: float
) -> None:
    small = written(tmp_path / "small.onnx", *made(), precision=precision)
    card = card_of(small)
    assert card.precision == precision
    assert card.parity[precision]["psnr_db"] > least_db
    assert small.stat().st_size < largest * file.stat().st_size
    image = random_image(40, 40)
    error = run(small, image=image).astype(float) - run(file, image=image)
    assert 10 * np.log10(255**2 / np.square(error).mean()) > least_db


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"norm": "none"}, {"scale": 4}])
def test_other_networks_export_too(tmp_path: Path, options: dict[str, Any]) -> None:
    card = card_of(written(tmp_path / "a.onnx", *made(**options)))
    assert card.scale == options.get("scale", 2)
