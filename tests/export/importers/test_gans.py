"""GANs' generators and translators: whatever program saved them, they draw what its own code draws."""

import copy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.export.importers import published_gans as published
from tests.export.importers.imports import WRAPPED, difference, drawn, exported, inputs_of, read, saved
from trainer.contract.errors import UserError


def from_tanh(image: Tensor) -> Tensor:
    return image / 2 + 0.5


def on_pairs(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """A translator of images in -1..1, for images in 0..1."""
    return lambda image: from_tanh(network(image * 2 - 1))


MADE: dict[str, tuple[str, Callable[[], nn.Module], str]] = {
    "tutorial": ("dcgan", published.TutorialDCGAN, "tanh"),
    "tutorial, grey, 28 px": ("dcgan", lambda: published.TutorialDCGAN(nc=1, first=7), "tanh"),
    "other names": ("dcgan", published.NamedDCGAN, "tanh"),
    "upsampled": ("upsampled_gan", published.Upsampled, "tanh"),
    "upsampled, classes": ("upsampled_gan", lambda: published.Upsampled(classes=4, channels=3), "tanh"),
    "linear": ("mlp_gan", published.Linears, "tanh"),
    "linear, classes": ("mlp_gan", lambda: published.Linears(classes=5, channels=3), "tanh"),
    "linear, other names": ("mlp_gan", published.Plain, "tanh"),
    "residual, instance": ("cyclegan", lambda: published.ResidualGenerator(nn.InstanceNorm2d, 6), "pairs"),
    "residual, nine blocks": ("cyclegan", lambda: published.ResidualGenerator(nn.InstanceNorm2d, 9, True), "pairs"),
    "residual, resized": (
        "cyclegan", lambda: published.ResidualGenerator(nn.InstanceNorm2d, 3, resized=True), "pairs"
    ),
    "leftthomas": ("srresnet", published.LeftThomas, ""),
    "Lornatang": ("srresnet", published.Lornatang, ""),
    "Lornatang, old": ("srresnet", lambda: published.Lornatang(old=True), ""),
    "twtygqyy": ("srresnet", published.Twtygqyy, ""),
    "PyTorch-GAN SRGAN": ("srresnet", published.PyTorchGANSR, ""),
}  # fmt: skip


@pytest.fixture(params=MADE)
def case(request: pytest.FixtureRequest) -> tuple[str, nn.Module, Callable[..., Tensor]]:
    family, make, kind = MADE[request.param]
    torch.manual_seed(0)
    network = published.lively(make())
    theirs = {"tanh": lambda *inputs: from_tanh(network(*inputs)), "pairs": on_pairs(network)}.get(kind, network)
    return family, network, theirs


def test_weights_draw_what_their_program_draws(case: tuple[str, nn.Module, Callable[..., Tensor]]) -> None:
    family, network, theirs = case
    imported = read(network.state_dict())
    inputs = inputs_of(imported)
    expected = theirs(*inputs)
    assert imported.family == family
    assert imported.read_by.startswith(f"by the names and shapes of the tensors, read by {family}: ")
    assert difference(imported.exportables[0].module(*inputs).clamp(0, 1), expected.clamp(0, 1)) < 1e-5
    assert expected.std() > 0.01
    if imported.exportables[0].kind == "generator":
        assert imported.spec.shape == expected.shape[1:]


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [
        *(("tutorial", wrapper) for wrapper in WRAPPED),
        *(
            (name, wrapper)
            for name in ("linear, classes", "leftthomas")
            for wrapper in ("averaged", "sorted", "lightning")
        ),
        ("residual, instance", "generator beside discriminator"),
    ],
)
def test_every_wrapper_gives_the_same_weights(tmp_path: Path, name: str, wrapper: str) -> None:
    torch.manual_seed(0)
    network = published.lively(MADE[name][1]())
    expected = read(network.state_dict()).exportables[0].module.state_dict()
    imported, weights = saved(tmp_path / "w.pth", WRAPPED[wrapper](network.state_dict()))
    found = imported.exportables[0].module.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    assert any("averaged" in remark for remark in weights.remarks) == (wrapper == "averaged")


@pytest.mark.slow
def test_exported_files_draw_the_same(
    case: tuple[str, nn.Module, Callable[..., Tensor]], tmp_path: Path
) -> None:  # at three batches and two sizes by the export's own check; here against the program's arithmetic
    _, network, theirs = case
    path, card = exported(network.state_dict(), tmp_path)
    imported = read(network.state_dict())
    inputs = inputs_of(imported)
    if card.kind == "translator":
        levels = (inputs[0] * 255).round().to(torch.uint8)
        expected = theirs(levels / 255).clamp(0, 1).numpy()
        found = drawn(path, image=levels.permute(0, 2, 3, 1).contiguous())
    else:
        expected = theirs(*inputs).expand(-1, 3, -1, -1).numpy()
        found = drawn(path, **dict(zip(imported.exportables[0].inputs, inputs, strict=True)))
    assert abs(found - expected).max() < 1.01 / 255
    assert card.family == case[0]


@pytest.mark.slow
def test_a_dcgan_is_exported(tmp_path: Path) -> None:
    network = published.lively(published.TutorialDCGAN())
    path, card = exported(network.state_dict(), tmp_path)
    latent = torch.randn(4, 12, generator=torch.Generator().manual_seed(3))
    assert abs(drawn(path, latent=latent) - from_tanh(network(latent)).numpy()).max() < 1.01 / 255
    assert (card.kind, card.family, card.image_size, card.latent.size) == ("generator", "dcgan", (16, 16), 12)


def test_batch_normalised_translators_use_each_image() -> None:
    network = published.lively(published.ResidualGenerator(nn.BatchNorm2d, 2))
    state = copy.deepcopy(network.state_dict())
    image = inputs_of(read(state))[0][:1]
    stored = from_tanh(network(image * 2 - 1))
    alone = from_tanh(network.train()(image * 2 - 1))  # as the reference code: a batch of one, in train mode
    imported = read(state)
    assert difference(imported.exportables[0].module(image), alone) < 1e-5
    assert any("--statistics stored" in remark for remark in imported.remarks)
    asked = read(state, statistics="stored")
    assert difference(asked.exportables[0].module(image), stored) < 1e-5
    assert difference(stored, alone) > 0.01


def test_statistics_that_old_versions_stored_are_left_out() -> None:
    network = published.lively(published.ResidualGenerator(nn.InstanceNorm2d, 2))
    state = network.state_dict()
    old = {**state, "model.2.running_mean": torch.ones(4), "model.2.running_var": torch.ones(4)}
    image = inputs_of(read(state))[0]
    assert difference(read(old).exportables[0].module(image), from_tanh(network(image * 2 - 1))) < 1e-5


def test_images_that_are_no_squares_have_their_size_given() -> None:
    network = published.lively(published.Linears(channels=3, size=(8, 10)))
    with pytest.raises(UserError, match="no reader knows"):
        read(network.state_dict())
    imported = read(network.state_dict(), image_size=(8, 10))
    inputs = inputs_of(imported)
    assert difference(imported.exportables[0].module(*inputs), from_tanh(network(*inputs))) < 1e-6
    with pytest.raises(UserError, match=r"240 numbers, which is not 9x9 px"):
        read(network.state_dict(), family="mlp_gan", image_size=(9, 9))


def test_activations_are_said_and_can_be_given() -> None:
    network = published.lively(published.NamedDCGAN())
    imported = read(network.state_dict())
    assert any("--activation" in remark for remark in imported.remarks)
    assert not any("--activation" in remark for remark in read(published.TutorialDCGAN().state_dict()).remarks)
    other = read(network.state_dict(), activation="leaky_relu", last_activation="sigmoid")
    latent = inputs_of(imported)[0]
    assert difference(other.exportables[0].module(latent), imported.exportables[0].module(latent)) > 0.01


def test_kernels_that_do_not_tell_the_size_are_said() -> None:
    layers = [nn.ConvTranspose2d(6, 8, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 1, 5, 2, 2, 1)]
    network = published.lively(nn.Sequential(*layers, nn.Tanh()))
    state = network.state_dict()
    assert read(state).spec.image_size == (8, 8)
    assert any("--image-size" in remark for remark in read(state).remarks)
    assert not any("--image-size" in remark for remark in read(state, image_size=(4, 4)).remarks)
    with pytest.raises(UserError, match="square images of 8, 4 px, asked for 9x9"):
        read(state, image_size=(9, 9))


@pytest.mark.parametrize(
    ("family", "change", "expected"),
    [
        ("tutorial", ("main.3.weight", None), "no reader knows|main.3.weight"),
        ("tutorial", ("main.1.weight", torch.zeros(9)), "nearly a DCGAN generator, but main.1.weight is 9, expected"),
        ("tutorial", ("main.9.thing", torch.zeros(2)), "no reader knows"),
        ("residual, instance", ("model.12.conv_block.5.bias", None), "but model.12.conv_block.5.bias is missing"),
        ("residual, instance", ("model.4.weight", torch.zeros(8, 4, 3, 2)), "but model.4.weight is 8x4x3x2, expected"),
        ("residual, instance", ("model.99.weight", torch.zeros(2)), "there is no place for model.99.weight 2"),
        ("leftthomas", ("block3.bn1.running_var", None), "but block3.bn1.running_var is missing"),
        ("linear, classes", ("model.3.running_mean", torch.zeros(7)), "no reader knows"),
        ("upsampled", ("conv_blocks.3.weight", torch.zeros(0)), "conv_blocks.3.weight is 0, expected 8"),
    ],
)  # fmt: skip
def test_what_almost_fits_is_named(family: str, change: tuple[str, Tensor | None], expected: str) -> None:
    state = dict(MADE[family][1]().state_dict())
    key, value = change
    if value is None:
        del state[key]
    else:
        state[key] = value
    with pytest.raises(UserError, match=expected) as caught:
        read(state)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [nn.InstanceNorm2d, nn.BatchNorm2d])
def test_layers_without_weights_are_said(make: Callable[[int], nn.Module]) -> None:
    layers = [nn.ConvTranspose2d(6, 8, 4), make(8), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh()]
    said = " ".join(read(nn.Sequential(*layers).state_dict()).remarks)
    assert ("between 0 and 3 are layers without weights" in said) == (make is nn.InstanceNorm2d)
    linear = [nn.Linear(6, 8), nn.LeakyReLU(), nn.Dropout(), nn.Linear(8, 64)]
    told = read(nn.Sequential(*linear).state_dict(), family="mlp_gan")
    assert any("dropout" in remark for remark in told.remarks)


def test_whole_numbers_are_no_weights() -> None:
    state = {key: value.to(torch.int8) for key, value in published.TutorialDCGAN().state_dict().items()}
    with pytest.raises(UserError, match=r"main\.0\.weight holds torch\.int8, expected floats"):
        read(state)


def test_flags_that_a_reader_does_not_take_are_refused() -> None:
    with pytest.raises(UserError, match="--noise-steps: dcgan takes none"):
        read(published.TutorialDCGAN().state_dict(), noise_steps=100)


@pytest.mark.parametrize("widths", [(13, 64, 100), (8, 16, 784), (10, 20, 40, 64), (30, 20, 40, 300), (4, 8, 256, 256)])
def test_regressors_become_generators_only_if_told_so(widths: tuple[int, ...]) -> None:
    state = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(widths))).state_dict()
    with pytest.raises(UserError, match=r"no reader knows .* --family mlp_gan takes them for GAN generators") as caught:
        read(state)
    assert "\n" not in str(caught.value)
    imported = read(state, family="mlp_gan")
    assert imported.spec.channels * imported.spec.image_size[0] ** 2 == widths[-1]
    assert imported.read_by.startswith("as --family mlp_gan says, read by mlp_gan: GAN generators of linear layers")


def test_one_linear_layer_is_no_generator() -> None:
    state = nn.Linear(13, 100).state_dict()
    with pytest.raises(UserError, match="no reader knows") as caught:
        read(state)
    assert "--family mlp_gan" not in str(caught.value)
    with pytest.raises(UserError, match="no chain of linear layers"):
        read(state, family="mlp_gan")


def test_the_size_of_images_tells_that_they_are_images() -> None:
    state = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 784)).state_dict()
    assert read(state, image_size=(28, 28)).spec.shape == (1, 28, 28)


def test_discriminators_are_not_taken_for_generators() -> None:
    layers = [nn.Conv2d(3, 4, 4, 2, 1, bias=False), nn.LeakyReLU(), nn.Conv2d(4, 1, 4, 1, 0, bias=False)]
    discriminator = nn.Module()
    discriminator.main = nn.Sequential(*layers)
    with pytest.raises(UserError, match="no reader knows"):
        read(discriminator.state_dict())
    with pytest.raises(UserError, match="no reader knows"):
        read(nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)).state_dict())
