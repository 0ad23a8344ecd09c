"""What is particular to the variational autoencoders."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from trainer.contract.errors import UserError
from trainer.data.batches import open_data
from trainer.families.vae import VAE, VAEConfig
from trainer.family import Batch, DataSpec
from trainer.parts.vae_networks import pyramid_error

SPEC = DataSpec(image_size=(32, 32), channels=3)


def test_the_basis_learns_beside_the_convolutions() -> None:
    torch.manual_seed(0)
    network = VAE(VAEConfig(arch="conv", width=16, basis=8)).build(SPEC).vae
    terms = network(torch.rand(4, 3, 32, 32))
    (terms.reconstruction.mean() + terms.divergence.sum()).backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    # behind a last convolution that starts at zero, gradients arrive one step later
    assert all(".conv1." in name or ".norm1." in name or ".norm2." in name for name in silent), silent
    assert any("into_basis" in name for name, _ in network.named_parameters())


def test_its_figures_are_those_of_the_exported_pair() -> None:
    family = VAE(VAEConfig(arch="hierarchical", hidden_size=8, latent_size=3))
    nets = family.build(SPEC)
    image = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        figures = family.score(nets, Batch(image=image))
        again = nets.vae.decode(nets.vae.encode(image))
    assert torch.allclose(figures["mse_exported"], (again - image).square().flatten(1).mean(1))
    assert not torch.allclose(figures["mse_exported"], figures["mse"])


def test_detail_sees_edges_that_the_squared_error_forgives() -> None:
    sharp = torch.zeros(1, 1, 16, 16)
    sharp[..., 8:] = 1
    blurred = torch.nn.functional.avg_pool1d(sharp[0, 0], 5, 1, 2, count_include_pad=False)[None, None]
    tinted = sharp + (blurred - sharp).square().mean().sqrt()  # the same squared error, all of it in the mean colour
    assert torch.isclose((tinted - sharp).square().sum(), (blurred - sharp).square().sum())
    assert pyramid_error(blurred - sharp) > 10 * pyramid_error(tinted - sharp)


@pytest.mark.parametrize("arch", ["hierarchical", "conv"])
def test_the_bernoulli_loss_is_the_negative_bound_in_nats(arch: Literal["hierarchical", "conv"]) -> None:
    torch.manual_seed(0)
    family = VAE(VAEConfig(arch=arch, reconstruction="bernoulli", width=16))
    nets = family.build(SPEC)
    image = (torch.rand(3, 3, 32, 32) > 0.5).float()
    with torch.no_grad():
        torch.manual_seed(1)
        bound = family.score(nets, Batch(image=image))["bound"]
        torch.manual_seed(1)
        logits = []
        nets.vae.error = lambda found, wanted: logits.append((found, wanted)) or torch.zeros_like(wanted)
        terms = nets.vae(image)
    found, wanted = logits[0]
    likelihood = torch.distributions.Bernoulli(logits=found).log_prob(wanted).flatten(1).sum(1)
    assert torch.allclose(bound, terms.divergence.sum(1) - likelihood, rtol=1e-4)


@pytest.mark.parametrize("arch", ["hierarchical", "conv"])
def test_a_target_is_what_is_reconstructed(tmp_path: Path, arch: Literal["hierarchical", "conv"]) -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    np.save(tmp_path / "sharp.npy", sharp)
    np.save(tmp_path / "blurred.npy", sharp // 2 + 64)
    files = {"data": str(tmp_path / "blurred.npy"), "target": tmp_path / "sharp.npy"}
    family = VAE(VAEConfig(arch=arch, width=16, **files))
    images = open_data(family.config, family.reading(), progress=False)
    assert (np.asarray(images.images) == sharp).all()
    assert (np.asarray(images.conditions) == sharp // 2 + 64).all()

    torch.manual_seed(0)
    nets = family.build(images.spec)
    given, wanted = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        figures = family.score(nets, Batch(image=wanted, condition=given))
        again = nets.vae.decode(nets.vae.encode(given))
        assert torch.allclose(figures["mse_exported"], (again - wanted).square().flatten(1).mean(1))
        torch.manual_seed(1)
        terms = nets.vae(given, wanted)
        torch.manual_seed(1)
        own = nets.vae(given)
    assert torch.equal(terms.divergence, own.divergence)
    assert not torch.allclose(terms.reconstruction, own.reconstruction)


def test_targets_that_do_not_fit_are_told_by_their_flag(tmp_path: Path) -> None:
    for name, count in (("few", 2), ("many", 5)):
        np.save(tmp_path / f"{name}.npy", np.zeros((count, 32, 32, 3), np.uint8))
    config = VAEConfig(data=str(tmp_path / "many.npy"), target=tmp_path / "few.npy")
    with pytest.raises(UserError, match=r"--target .*few\.npy holds 2 images of 32x32 px, expected the 5 "):
        open_data(config, VAE(config).reading(), progress=False)
    config = VAEConfig(data=str(tmp_path), target=tmp_path / "edges")
    with pytest.raises(UserError, match=r"--target is .*edges, expected a folder of images, or a \.npy file"):
        open_data(config, VAE(config).reading(), progress=False)
    with pytest.raises(ValueError, match=r"1 channel\(s\), those of --target 3"):
        VAE(config).build(DataSpec(image_size=(32, 32), channels=3, condition_channels=1))
