"""What is particular to the VAE-GAN."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from plain_turns import PlainTurns
from torchvision.models import resnet18

from trainer.contract.errors import UserError
from trainer.data.batches import open_data
from trainer.families.vaegan import VAEGAN, VAEGANConfig
from trainer.family import Batch, DataSpec
from trainer.parts.gan_losses import generator_loss
from trainer.parts.gaussian import kl_to_standard_normal

SPEC = DataSpec(image_size=(96, 64), channels=1)


def test_every_32_pixels_are_one_patch() -> None:
    nets = VAEGAN(VAEGANConfig(discriminator="resnet50")).build(SPEC)
    assert nets.discriminator(torch.rand(2, 1, 96, 64))[0].shape == (2, 1, 3, 2)
    assert nets.vae.decoder[0].out_features == 512 * 3 * 2


def test_a_discriminator_can_begin_with_weights_made_elsewhere(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "resnet18.pth"
    weights = resnet18().state_dict()
    torch.save(weights, file)
    family = VAEGAN(VAEGANConfig(discriminator="resnet18", discriminator_weights=file))
    nets = family.build(SPEC)
    family.begin(nets)
    for key, value in nets.discriminator.state_dict().items():
        assert key.startswith("patch.") or torch.equal(value, weights[key])


def test_weights_that_are_missing_or_of_another_network_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pth")
    for name in ("missing.pth", "text.pth", "resnet18.pth"):
        family = VAEGAN(VAEGANConfig(discriminator="resnet50", discriminator_weights=tmp_path / name))
        with pytest.raises(UserError, match=name) as caught:
            family.begin(family.build(SPEC))
        assert "\n" not in str(caught.value)


class GradientsOnly(PlainTurns):
    """Turns that keep the gradients of the VAE and change nothing."""

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, torch.Tensor]]:
        loss: dict[str, torch.Tensor] = {}
        yield loss
        if name == "vae":
            total = torch.stack(list(loss.values())).sum()
            self.found = torch.autograd.grad(total, list(self.nets.vae.parameters()), allow_unused=True)


@pytest.mark.parametrize("gamma", [0.01, 3.0])
def test_gradients_are_those_of_algorithm_1(gamma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the encoder KL + error of features; of the decoder γ times this error, and the adversarial loss of
    reconstructions and of samples of the prior: each computed by itself."""
    torch.manual_seed(0)
    config = VAEGANConfig(
        arch="paper", latent_size=3, divergence=3.0, reconstruction="features", judged="both",
        adversarial_into="decoder", gamma=gamma,
    )  # fmt: skip
    family = VAEGAN(config)
    nets = family.build(DataSpec(image_size=(16, 16), channels=1))
    image = torch.rand(4, 1, 16, 16)
    noise = torch.randn(4, 3)
    drawn = torch.randn(4, 3)
    monkeypatch.setattr("trainer.families.vaegan.sample_gaussian", lambda mean, log: mean + noise * (log / 2).exp())
    monkeypatch.setattr("trainer.family.Latent.draw", lambda *_: drawn)
    turns = GradientsOnly(family, nets)
    family.step(nets, iter([Batch(image=image)]), turns)

    mean, log_variance = nets.vae.gaussian(image)
    latent = mean + noise * (log_variance / 2).exp()
    prior = kl_to_standard_normal(mean, log_variance).sum(1).mean()
    decoded = nets.vae.decode(latent)
    apart = nets.discriminator(decoded)[1] - nets.discriminator(image)[1].detach()
    like = 0.5 * apart.square().flatten(1).sum(1).mean()
    encoder, decoder = list(nets.vae.encoder.parameters()), list(nets.vae.decoder.parameters())
    fakes = [nets.vae.decode(latent.detach()), nets.vae.decode(drawn)]
    adversarial = sum(generator_loss("bce", nets.discriminator(fake)[0]) for fake in fakes)
    expected = [
        *torch.autograd.grad(prior + like, encoder, retain_graph=True),
        *torch.autograd.grad(gamma * like + adversarial, decoder),
    ]
    for found, wanted in zip(turns.found, expected, strict=True):
        assert torch.allclose(found, wanted, rtol=2e-3, atol=1e-4 * float(wanted.abs().max()) + 1e-5)


def test_the_networks_of_table_1() -> None:
    nets = VAEGAN(VAEGANConfig(arch="paper", latent_size=128)).build(DataSpec(image_size=(64, 64), channels=3))
    shapes = [tuple(value.shape) for value in nets.vae.parameters() if value.ndim > 1]
    assert shapes[:4] == [(64, 3, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5), (2048, 8 * 8 * 256)]
    assert shapes[5:] == [(8 * 8 * 256, 128), (256, 256, 5, 5), (256, 128, 5, 5), (128, 32, 5, 5), (3, 32, 5, 5)]
    judge = [tuple(value.shape) for value in nets.discriminator.parameters() if value.ndim > 1]
    assert judge == [(32, 3, 5, 5), (128, 32, 5, 5), (256, 128, 5, 5), (256, 256, 5, 5), (512, 8 * 8 * 256), (1, 512)]
    scores, features = nets.discriminator(torch.rand(2, 3, 64, 64))
    assert (scores.shape, features.shape) == ((2,), (2, 256, 8, 8))


def test_sides_that_cannot_be_halved_five_times_are_refused() -> None:
    with pytest.raises(ValueError, match="28x28 px, expected multiples of 32 px"):
        VAEGAN(VAEGANConfig()).build(DataSpec(image_size=(28, 28), channels=3))


def test_only_images_of_three_colours_are_learnt_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for name, channels in (("grey.png", 1), ("grey.jpg", 1), ("clear.png", 4), ("rgb.png", 3), ("rgb.jpg", 3)):
        cv2.imwrite(str(tmp_path / name), random.integers(0, 256, (32, 32, channels), np.uint8))
    family = VAEGAN(VAEGANConfig(data=str(tmp_path), image_size=32))
    assert len(open_data(family.config, family.reading(), progress=False)) == 2
    said = capsys.readouterr().err
    assert said.count(": not stored in three colours\n") == 3
    assert "2 of 5 files taken, left out: 3 not stored in three colours" in said
    family = VAEGAN(VAEGANConfig(data=str(tmp_path), image_size=32, rgb_only=False))
    assert len(open_data(family.config, family.reading(), progress=False)) == 5
