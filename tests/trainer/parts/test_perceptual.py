"""The distance in VGG19's features, on random weights of its layout."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import vgg19

from trainer.contract.errors import UserError
from trainer.families.vae import VAE, VAEConfig
from trainer.family import Batch, DataSpec
from trainer.parts.perceptual import ContentDistance, PerceptualDistance


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in vgg19(init_weights=False).features.state_dict().items()}
    random = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in shapes.items():
        scale = (2 / max(shape[1:].numel(), 1)) ** 0.5 if len(shape) == 4 else 0.0
        state[f"features.{key}"] = torch.randn(shape, generator=random) * scale
    torch.save(state, path)
    return path


def blurred(image: Tensor, width: int) -> Tensor:
    return torch.nn.functional.avg_pool2d(image, width, 1, width // 2, count_include_pad=False)


def test_it_grows_with_blur_and_is_nothing_between_equals(weights: Path) -> None:
    distance = PerceptualDistance(weights)
    image = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    none, little, much = (distance(blurred(image, width), image) for width in (1, 3, 7))
    assert none.tolist() == [0, 0]
    assert (little > 0).all()
    assert (little < much).all()


def test_the_distance_of_contents_is_that_of_the_last_features(weights: Path) -> None:
    distance = ContentDistance(weights)
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    soft = blurred(image, 5).requires_grad_(True)
    assert distance(image, image).tolist() == [0, 0]
    found = distance(soft, image)
    ours, theirs = (distance.features(distance.normalised(value)) for value in (soft, image))
    assert ours.shape == (2, 512, 2, 2)
    assert torch.allclose(found, (ours - theirs).square().mean((1, 2, 3)))
    found.sum().backward()
    assert soft.grad is not None
    assert (soft.grad.abs().sum((1, 2, 3)) > 0).all()


def test_the_vae_learns_from_it_and_is_rebuilt_without_its_weights(weights: Path) -> None:
    family = VAE(VAEConfig(arch="conv", width=16, perceptual=1.0, vgg=weights))
    nets = family.build(DataSpec(image_size=(32, 32), channels=3))
    before = set(nets.vae.state_dict())
    family.begin(nets)
    assert set(nets.vae.state_dict()) == before
    nets.vae(torch.rand(2, 3, 32, 32)).perceptual.sum().backward()
    assert nets.vae.expand.weight.grad.abs().sum() > 0
    exported = VAE(VAEConfig(arch="conv", width=16, perceptual=1.0, vgg=Path("gone.pth")))
    again = exported.build(DataSpec(image_size=(32, 32), channels=3))
    assert exported.score(again, Batch(image=torch.rand(2, 3, 32, 32)))["score"].isfinite().all()


@pytest.mark.parametrize("content", [None, b"not weights", "another"], ids=["missing", "rubbish", "another network"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save({"conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(UserError) as caught:
        PerceptualDistance(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
