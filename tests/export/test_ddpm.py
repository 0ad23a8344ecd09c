"""Denoisers as files: constant weights, what the card says, and lower precision that leads to the same images."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from small_networks import card_of

from export.to_onnx import Origin, Output, export_networks
from trainer.contract.samplers import ddim
from trainer.families.ddpm import DDPM, DDPMConfig
from trainer.family import Batch, DataSpec, Nets
from viewer.model import open_model

SIDE = 16
CLASSES = ("dark", "light")


def network(channels: int, steps: int = 40) -> tuple[DDPM, DataSpec, Nets]:
    """A denoiser that has learnt a little of images of two classes; what it keeps of them is with it."""
    torch.manual_seed(0)
    spec = DataSpec(image_size=(SIDE, SIDE), channels=channels, classes=CLASSES)
    family = DDPM(DDPMConfig(width=16, multipliers=(1, 2), learning_rate=2e-3))
    nets = family.build(spec)
    optimizer = family.optimizer("denoiser", list(nets.denoiser.parameters()), False)
    for _ in range(steps):
        label = torch.arange(16) % 2
        coarse = torch.rand(16, channels, 4, 4) - 1 + label[:, None, None, None]
        image = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
        t, noise = torch.randint(1000, (16,)), torch.randn_like(image)
        prediction = nets.denoiser(family.config.diffusion.add_noise(image, t, noise), t, label)
        optimizer.zero_grad()
        family.error(prediction, image, t, noise).mean().backward()
        optimizer.step()
    nets.denoiser.eval()
    with torch.no_grad():
        family.describe(nets, iter([Batch(image=image, label=label)]))
    return family, spec, nets


class Files:
    """The same network in every precision, written when it is asked for."""

    def __init__(self, channels: int, lower: tuple[str, ...], folder: Path) -> None:
        self.lower, self.folder = lower, folder
        family, self.spec, nets = network(channels)
        self.exports = family.exports(nets, {})

    def __getitem__(self, precision: str) -> Path:
        path = self.folder / f"{precision}.onnx"
        if not path.exists():
            origin = Origin(family="ddpm", spec=self.spec)
            export_networks(self.exports, origin, Output(path=path, precision=precision))
        return path


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((1, ("fp16",)), id="grey"),
        pytest.param((1, ("int8",)), id="grey-int8", marks=pytest.mark.slow),
        pytest.param((3, ("fp16", "int8")), id="rgb", marks=pytest.mark.slow),
    ],
)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    channels, lower = request.param
    return Files(channels, lower, tmp_path_factory.mktemp("files"))


def test_weights_are_constants_and_the_card_leads_the_sampler(files: Files) -> None:
    model = onnx.load(files["fp32"])
    constants = {tensor.name for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    assert all(node.input[1] in constants for node in convolutions)
    card = card_of(files["fp32"])
    assert card.schedule["kind"] == "cosine"
    assert len(card.schedule["alpha_bar"]) == 1000
    assert card.classes == CLASSES
    assert card.inputs[0].shape == (None, 3, SIDE, SIDE)


BOUNDS = {"fp16": (0.7, 0.002), "int8": (0.6, 0.03)}  # of the size of the file, and of the range of an image


@pytest.mark.slow
def test_lower_precision_leads_to_the_same_images(files: Files) -> None:
    for precision in files.lower:
        largest_size, largest_error = BOUNDS[precision]
        assert files[precision].stat().st_size < largest_size * files["fp32"].stat().st_size
        assert card_of(files[precision]).parity[precision]["psnr_db"] > 35
        error = drawn(files[precision]) - drawn(files["fp32"])
        assert np.sqrt(np.square(error).mean()) / 2 < largest_error


def drawn(file: Path) -> NDArray[np.float32]:
    """Two images of each class and of none, -1..1, by ten steps, from different noise in each channel."""
    model = open_model(file)
    noisy = np.random.default_rng(0).standard_normal((6, 3, SIDE, SIDE)).astype(np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2])
    card = card_of(file)
    *_, (_, image) = ddim(lambda x, t: model.denoise(x, np.full(6, t), labels), card.schedule, noisy, 1000, 10)
    return image


def test_labels_and_the_channels_of_grey_images_count(files: Files) -> None:
    image = drawn(files["fp32"])
    assert image[2:4].mean() > image[:2].mean() + 0.3
    if card_of(files["fp32"]).channels == 1:
        assert np.ptp(image, axis=1).max() < 1e-3


def test_calibration_sees_images_at_many_steps() -> None:
    family, _, nets = network(3, steps=1)
    (item,) = family.exports(nets, {})
    t, noisy = item.inputs["t"], item.inputs["noisy"]
    assert len(t.unique()) > 30
    assert t.min() < 50
    assert t.max() == 999
    calm, loud = (noisy[chosen].diff(dim=3).abs().mean() for chosen in (t < 100, t > 900))
    assert calm < loud / 2  # images where there is little noise
    assert item.inputs["label"].unique().tolist() == [0, 1, 2]
