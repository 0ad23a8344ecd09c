"""Networks of spandrel: built at random by the library, saved, exported, compared with the library, played."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from restorers import difference
from small_networks import card_of
from torch import nn

spandrel = pytest.importorskip("spandrel")

from small_restorers import SMALL, small, ways  # noqa: E402

from export.from_weights import export_weights  # noqa: E402
from export.importers import spandrel as importer  # noqa: E402
from export.memory import bounded  # noqa: E402
from export.to_onnx import Output  # noqa: E402
from export.weights import Weights, read_weights  # noqa: E402
from trainer.contract.errors import UserError  # noqa: E402
from viewer import __main__ as viewer  # noqa: E402

NONE = {  # by what they need, or by torch
    "RestoreFormer.RestoreFormer": "this is RestoreFormer, of whose parts other ones run for each image",
    "HVICIDNet.HVICIDNet": "this is HVI-CIDNet, whose space of colours torch cannot put into ONNX",
    "SeemoRe.SeemoRe": "this is SeemoRe, of whose experts other ones run for each image",
    "LaMa.LaMa": "this is LaMa, which fills in what a mask marks",
    "ATD.ATD": "this is ATD, which sorts equal values in no fixed order",
    "AuraSR.AuraSR": "this is AuraSR, which draws new noise for each image",
    "GFPGAN.GFPGAN": "this is GFPGAN, which draws new noise for each image",
}


def exported(network: nn.Module, folder: Path, way: str = "bare") -> tuple[Path, list[str]]:
    said: list[str] = []
    torch.save(ways(network.state_dict())[way](), folder / "w.pth")
    (out,) = export_weights(folder / "w.pth", Output(path=folder / "out.onnx", force=True), say=said.append)
    return out, said


def plays(out: Path, folder: Path) -> None:
    """The viewer makes an image file of a photograph."""
    y, x = np.mgrid[:60, :90]
    cv2.imwrite(str(folder / "photo.png"), np.stack([x * 2, y * 4, 255 - x * 2], 2).astype(np.uint8))
    mode = "upscale" if card_of(out).scale > 1 else "translate"
    arguments = [mode, str(out), str(folder / "photo.png"), "-o", str(folder / "made"), "--max-seconds", "99"]
    assert viewer.main(arguments) == 0
    (made,) = [path for path in (folder / "made").rglob("*.png") if path.is_file()]
    image = cv2.imread(str(made))
    if mode == "upscale":
        assert image.shape == (60 * card_of(out).scale, 90 * card_of(out).scale, 3)
    assert np.ptp(image) > 0


@pytest.mark.parametrize(
    "way", ["params_ema", *(pytest.param(way, marks=pytest.mark.slow) for way in ("bare", "generator"))]
)
def test_a_small_network_from_any_wrapper(tmp_path: Path, way: str) -> None:
    network = small("Compact.Compact")
    out, said = exported(network, tmp_path, way)
    card = card_of(out)
    assert (card.kind, card.scale, card.channels, card.image_size) == ("translator", 2, 3, None)
    assert (card.family, card.training["purpose"]) == ("RealESRGAN Compact", "SR")
    assert 0 < card.context <= 8, "of six 3x3 convolutions: 6 pixels"
    assert any("enlarges 2 times" in line for line in said)
    assert any("read by spandrel" in line for line in said)
    assert any("averaged" in line for line in said) is (way == "params_ema")
    assert difference(network, out) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SMALL if name not in NONE])
def test_every_architecture(tmp_path: Path, name: str) -> None:
    network = small(name)
    for way in ways({}):
        torch.save(ways(network.state_dict())[way](), tmp_path / "w.pth")
        assert any(importer.claims(view) for one in read_weights(tmp_path / "w.pth") for view in one.views()), way
    out, _ = exported(network, tmp_path, "params_ema")
    assert difference(network, out) <= 1e-4
    plays(out, tmp_path)


@pytest.mark.parametrize("name", ["SPAN.SPAN", "NAFNet.NAFNet"])  # all by test_every_architecture
def test_the_layout_is_known_in_every_wrapper(tmp_path: Path, name: str) -> None:
    network = small(name)
    for way in ways({}):
        torch.save(ways(network.state_dict())[way](), tmp_path / "w.pth")
        assert any(importer.claims(view) for one in read_weights(tmp_path / "w.pth") for view in one.views()), way


def test_four_channels_are_refused_in_words() -> None:
    state = small("ESRGAN.ESRGAN", in_nc=4, out_nc=4).state_dict()
    with pytest.raises(ValueError, match="ESRGAN, which takes images of 4 channels, expected 1 or 3"):
        importer.read(Weights(path=Path("w.pth"), state=state))


@pytest.mark.slow
def test_grey_networks_keep_their_channel() -> None:
    state = small("ESRGAN.ESRGAN", in_nc=1, out_nc=1).state_dict()
    imported = importer.read(Weights(path=Path("w.pth"), state=state))
    assert imported.exportables[0].inputs["image"].shape[1] == 1
    assert (imported.exportables[0].card.channels, imported.exportables[0].card.input_channels) == (1, 1)


def hostile() -> Any:
    state = dict(small("SwinIR.SwinIR").state_dict())
    for key, value in state.items():
        if key.endswith("qkv.bias") or key == "conv_first.bias":
            state[key] = torch.zeros(1).expand(1 << 22)
        elif value.ndim == 2:
            state[key] = torch.zeros(1, 1).expand(*(size << 10 for size in value.shape))
    return state


def test_shapes_of_a_huge_network_build_nothing(tmp_path: Path) -> None:
    assert not importer.claims(Weights(path=Path("w.pth"), state=hostile()))


def test_a_bound_is_kept_before_memory_is_taken() -> None:
    with pytest.raises(ValueError, match="far larger than its weights"), bounded({"a.weight": torch.zeros(8)}):
        nn.Linear(1 << 20, 1 << 20)
    with bounded({"a.weight": torch.zeros(8)}):
        nn.Linear(100, 100)


def test_lost_and_strange_keys_are_no_network_of_it() -> None:
    state = dict(small("SPAN.SPAN").state_dict())
    assert importer.claims(Weights(path=Path("w.pth"), state=state))
    key = next(key for key in state if key.endswith("weight"))
    for changed in ({**state, "strange.weight": torch.zeros(1)}, {name: state[name] for name in state if name != key},
                    {**state, key: torch.zeros(3)}, {**state, key: torch.tensor(1.0)}):  # fmt: skip
        assert not importer.claims(Weights(path=Path("w.pth"), state=changed))


@pytest.mark.slow
@pytest.mark.parametrize("name", NONE)
def test_what_cannot_be_played_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=NONE[name]) as caught:
        exported(small(name), tmp_path)
    assert "\n" not in str(caught.value)
