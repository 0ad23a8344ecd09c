"""Files that the export writes: what they promise, what stops them, and what is left behind when they fail."""

import json
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from small_networks import LATENT, SIDE, card_of, encoder, export, generator, run, traced
from torch import Tensor, nn

from export import to_onnx
from export.card import CardError, check_seal
from export.graph import ExportError, Whole, trace
from export.to_onnx import principal_directions
from export.verify import check_pairs, check_parity
from trainer.contract.errors import UserError
from trainer.family import CardFields, Exportable, Latent


def expected_levels(item: Exportable, latent: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        image = item.module(torch.from_numpy(latent))
    return (image.clamp(0, 1) * 255).round().permute(0, 2, 3, 1).numpy()


@pytest.fixture
def latents() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((7, LATENT)).astype(np.float32)


def test_generator_and_encoder_are_written_beside_each_other(tmp_path: Path, latents: NDArray[np.float32]) -> None:
    out = tmp_path / "small.onnx"
    item = generator()
    assert export(out, encoder(), item) == [out, tmp_path / "small.encoder.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.encoder.onnx", "small.onnx"]
    for count in (1, 3, 7):
        image = run(out, latent=latents[:count])
        assert image.dtype == np.uint8
        assert image.shape == (count, SIDE, SIDE, 3)
        assert np.abs(image - expected_levels(item, latents[:count])).max() <= 1
    again = run(tmp_path / "small.encoder.onnx", image=image)
    assert again.shape == (7, LATENT)


def test_the_card_says_what_the_graph_does(tmp_path: Path) -> None:
    covariance = [[4.0, 0, 0, 0], [0, 9.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 0]]
    latent = {"mean": [0.123456789] * 4, "covariance": covariance, "samples": [[1.0] * 4] * 2}
    export(tmp_path / "small.onnx", generator(**latent))
    card = card_of(tmp_path / "small.onnx")
    assert (card.kind, card.family, card.licence, card.data) == ("generator", "small", "CC0-1.0", "drawn")
    assert card.inputs[0].shape == (None, LATENT)
    assert card.output.shape == (None, SIDE, SIDE, 3)
    assert card.image_size == (SIDE, SIDE)
    assert card.training == {"step": 7}
    assert card.parity["max_difference"] <= 1e-4
    assert card.parity["max_levels"] <= 1
    assert card.latent is not None
    assert card.latent.mean == (0.12346,) * 4
    assert card.directions == ((0, 3, 0, 0), (2, 0, 0, 0), (0, 0, 1, 0))  # strongest first, the dead one left out
    assert card.sample_latents == ((1.0,) * 4,) * 2
    for item in onnx.load(tmp_path / "small.onnx").metadata_props:
        json.loads(item.value)


def test_files_are_sealed_and_keep_no_secrets(tmp_path: Path) -> None:
    export(tmp_path / "small.onnx", generator())
    data = (tmp_path / "small.onnx").read_bytes()
    assert check_seal(data)
    for secret in (b".py", str(Path.cwd()).encode(), b"forward"):
        assert secret not in data
    chance = random.Random(0)
    for _ in range(100):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            assert not check_seal(bytes(damaged))
        except CardError:
            continue


def test_the_graph_has_no_idle_nodes() -> None:
    names = {node.op_type for node in traced(Whole(generator())).graph.node}
    assert not names & {"Identity", "Constant", "Dropout", "Clip", "Round"}


class Shuffler(nn.Module):
    """The operators that are rewritten: groups normalised, pixels shuffled. The factors of each channel differ."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 8 * 4 * 2)
        self.rest = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, channels * 16, 1), nn.PixelShuffle(4))
        nn.init.normal_(self.rest[0].weight)
        nn.init.normal_(self.rest[0].bias)

    def forward(self, latent: Tensor) -> Tensor:
        return self.rest(self.first(latent).unflatten(1, (8, 4, 2))).sigmoid()


@pytest.mark.parametrize("channels", [1, 3])
def test_slow_operators_are_replaced_by_equal_ones(channels: int) -> None:
    torch.manual_seed(0)
    card = CardFields(latent=Latent(size=LATENT))
    item = Exportable(
        kind="generator", module=Shuffler(channels).eval(), inputs={"latent": torch.randn(2, LATENT)}, card=card
    )
    network = Whole(item)
    model = trace(network)
    names = [node.op_type for node in model.graph.node]
    assert names.count("BatchNormalization") == 1
    assert not {"DepthToSpace", "Add"} & set(names)
    assert check_parity(network, model)["max_difference"] < 1e-5


def test_grey_networks_speak_rgb(tmp_path: Path, latents: NDArray[np.float32]) -> None:
    export(tmp_path / "grey.onnx", generator(1), encoder(1), channels=1)
    image = run(tmp_path / "grey.onnx", latent=latents)
    assert image.shape == (7, SIDE, SIDE, 3)
    assert np.array_equal(image[..., 0], image[..., 2])
    assert card_of(tmp_path / "grey.onnx").channels == 1
    color = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    color[..., 1] = 200
    luma = torch.full((1, 1, SIDE, SIDE), 200 * 0.587 / 255)
    found = run(tmp_path / "grey.encoder.onnx", image=color)
    assert np.allclose(found, encoder(1).module(luma).detach().numpy(), atol=1e-5)


class Doubler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).sigmoid()


def test_translators_take_any_size(tmp_path: Path) -> None:
    item = Exportable(
        kind="translator",
        module=Doubler().eval(),
        inputs={"image": torch.rand(2, 3, 6, 8)},
        card=CardFields(any_size=True, scale=2),
    )
    export(tmp_path / "up.onnx", item)
    card = card_of(tmp_path / "up.onnx")
    assert card.inputs[0].shape == (None, None, None, 3)
    assert (card.scale, card.image_size, card.parity["cases"]) == (2, None, 6)
    assert run(tmp_path / "up.onnx", image=np.zeros((3, 5, 9, 3), np.uint8)).shape == (3, 10, 18, 3)


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.embedding = nn.Embedding(10, 3)

    def forward(self, noisy: Tensor, t: Tensor) -> Tensor:
        return self.convolution(noisy) + self.embedding(t)[:, :, None, None]


def test_sizes_are_checked_that_no_border_inside_a_network_makes_equal() -> None:
    module = nn.Conv2d(3, 3, 3, padding=1).eval()
    inputs, card = {"image": torch.rand(2, 3, 48, 48)}, CardFields(any_size=True, multiple=2)
    network = Whole(Exportable(kind="translator", module=module, inputs=inputs, card=card))
    first, second = (network.draw(1, seed=1, steps=steps)[0].shape for steps in (0, 1))
    assert (first, second) == ((1, 48, 48, 3), (1, 50, 100, 3))  # 64 and 128 pixels, where tiles of 64 are filled up


def test_denoisers_give_floats(tmp_path: Path) -> None:
    schedule = {"kind": "linear", "prediction": "x0", "alpha_bar": [0.9 - 0.08 * t for t in range(10)]}
    item = Exportable(
        kind="denoiser",
        module=Denoiser().eval(),
        inputs={"noisy": torch.randn(2, 3, SIDE, SIDE), "t": torch.tensor([0, 9])},
        card=CardFields(schedule=schedule),
    )
    export(tmp_path / "d.onnx", item)
    noisy = np.random.default_rng(0).standard_normal((3, 3, SIDE, SIDE)).astype(np.float32)
    t = np.array([1, 5, 9])
    found = run(tmp_path / "d.onnx", noisy=noisy, t=t)
    assert np.allclose(found, item.module(torch.from_numpy(noisy), torch.from_numpy(t)).detach(), atol=1e-4)
    assert card_of(tmp_path / "d.onnx").schedule["prediction"] == "x0"


def test_train_mode_is_refused(tmp_path: Path) -> None:
    item = generator()
    item.module.rest[4].train()
    with pytest.raises(UserError, match=r"train mode \(rest\.4\)"):
        export(tmp_path / "a.onnx", item)
    assert not list(tmp_path.iterdir())


def test_a_sabotaged_graph_is_refused_with_the_figure() -> None:
    network = Whole(generator())
    model = traced(network)
    for tensor in model.graph.initializer:
        if "rest.6.bias" in tensor.name:
            bias = onnx.numpy_helper.to_array(tensor) + np.float32(0.001)
            tensor.CopyFrom(onnx.numpy_helper.from_array(bias, tensor.name))
    with pytest.raises(ExportError, match=r"differs from torch by 0\.00\d+, expected 0\.0001"):
        check_parity(network, model)


def test_a_changed_cast_is_refused() -> None:
    network = Whole(generator())
    model = traced(network)
    step = next(tensor for tensor in model.graph.initializer if tensor.name == "level")
    step.CopyFrom(onnx.numpy_helper.from_array(np.array(1 / 127, np.float32), "level"))
    with pytest.raises(ExportError, match=r"levels, expected 1"):
        check_parity(network, model)


class Random(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return torch.rand(latent.shape[0], 3, SIDE, SIDE)


class Broken(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return (latent / 0).mean(1)[:, None, None, None].expand(-1, 3, SIDE, SIDE)


class FixedBatch(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return latent.reshape(2, 1, 2, 2).expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ("module", "expected"),
    [(Random(), "differs from torch by"), (Broken(), "not finite"), (FixedBatch(), "cannot be traced")],
)
def test_networks_that_cannot_pass_write_nothing(tmp_path: Path, module: nn.Module, expected: str) -> None:
    item = Exportable(kind="generator", module=module.eval(), inputs={"latent": torch.randn(2, LATENT)},
                      card=CardFields(latent=Latent(size=LATENT)))  # fmt: skip
    with pytest.raises(UserError, match=expected) as caught:
        export(tmp_path / "a.onnx", item)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_encoder_and_generator_must_agree(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder gives latents \[2, 5\], the generator takes \[2, 4\]"):
        export(tmp_path / "a.onnx", generator(), encoder(latent=5))
    assert not list(tmp_path.iterdir())
    check_pairs({}, {})


def test_existing_files_stay_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    out.write_bytes(b"precious")
    with pytest.raises(UserError, match="--force"):
        export(out, generator())
    item = generator()
    item.module.train()
    with pytest.raises(UserError, match="train mode"):
        export(out, item, force=True)
    assert out.read_bytes() == b"precious"
    export(out, generator(), force=True)
    assert check_seal(out.read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_an_encoder_of_another_model_is_not_left_beside(tmp_path: Path) -> None:
    other = tmp_path / "a.encoder.onnx"
    other.write_bytes(b"of another model")
    with pytest.raises(UserError, match=r"a\.encoder\.onnx"):
        export(tmp_path / "a.onnx", generator(), force=True)
    assert other.read_bytes() == b"of another model"
    assert not (tmp_path / "a.onnx").exists()


def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.onnx"
    out.write_bytes(b"precious")
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer.contract.files.os.fsync", fsync)
    with pytest.raises(UserError, match="No space left"):
        export(out, generator(), encoder(), force=True)
    assert out.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_a_file_that_appears_while_exporting_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.onnx"
    monkeypatch.setattr(to_onnx, "sync", lambda file: out.write_bytes(b"precious"))
    with pytest.raises(UserError, match="exists; give --force"):
        to_onnx.write_all({out: b"new"}, force=False)
    assert out.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.slow
def test_two_exports_of_the_same_weights_are_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "trace", trace)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export(tmp_path / name / "small.onnx", generator())
    assert (tmp_path / "a" / "small.onnx").read_bytes() == (tmp_path / "b" / "small.onnx").read_bytes()


def test_directions_are_eigenvectors_one_deviation_long() -> None:
    chance = np.random.default_rng(0)
    root = chance.standard_normal((40, 40))
    covariance = root @ root.T
    found = principal_directions(covariance)
    assert found.shape == (16, 40)
    for row in found:
        assert np.allclose(covariance @ row, (row @ row) * row)
    lengths = np.linalg.norm(found, axis=1)
    assert all(np.diff(lengths) <= 0)
    assert principal_directions(np.array([])).shape[0] == 0
