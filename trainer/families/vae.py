"""Variational autoencoders: two stochastic layers of an MLP, or a convolutional one.

``hierarchical``: two stochastic layers of small MLPs (Sønderby et al. 2016, "Ladder Variational Autoencoders", section
2.1, the plain hierarchy). ``conv``: residual blocks with GroupNorm around one Gaussian latent (Kingma & Welling 2014,
"Auto-Encoding Variational Bayes"; β from Higgins et al. 2017, free bits from Kingma et al. 2016). Its exported latents
are whitened (see ``trainer.parts.latent_whitening``).

**Differs from the papers.** The loss is Σ(x̂ - x)² + 2 β KL, -2 times the ELBO of a Gaussian decoder of unit variance
but for a constant (``--reconstruction bernoulli``: the negative ELBO in nats of a Bernoulli decoder). ``hierarchical``
has two layers of one size, p(z₁|z₂) of unit variance, and neither batch normalisation nor KL warm-up; reconstructions
and exports use means, not samples. ``--divergence analytic`` is no bound: it takes KL(q(z₁|x) ‖ p(z₁|z₂)) in closed
form although z₂ was drawn from the same z₁, which leaves their covariance out. The program whose layout
``hierarchical`` has does that. Free bits hold for each dimension, not for groups.

    accelerate launch trainer/train_vae.py --data cats.npy --out runs/cats --arch conv
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from trainer.blocks import Call
from trainer.config import RunConfig, least, multiple_of
from trainer.family import Batch, DataSpec, Exportable, Family, Nets, Pairs, Reading, Turn
from trainer.metrics import squared_error
from trainer.parts.latent_generator import latent_files
from trainer.parts.latent_whitening import latent_statistics, posterior_statistics, whitened_files
from trainer.parts.perceptual import PerceptualDistance
from trainer.parts.vae_networks import ConvVAE, HierarchicalVAE


@dataclass(frozen=True, kw_only=True)
class VAEConfig(RunConfig):
    """Options of the variational autoencoders."""

    BEFORE: ClassVar = {**RunConfig.BEFORE, "divergence": "analytic"}
    AUTO: ClassVar = {**RunConfig.AUTO, "divergence": "sampled"}

    arch: Literal["hierarchical", "conv"] = "hierarchical"
    """Two stochastic layers of MLPs, or a convolutional encoder and decoder."""
    latent_size: Annotated[int, least(1)] = 10
    """Dimensions of the latent."""
    hidden_size: Annotated[int, least(1)] = 50
    """Width of the hidden layers (hierarchical)."""
    width: Annotated[int, multiple_of(16)] = 32
    """Channels of the finest level, doubled with each coarser one, up to 8 times; a multiple of 16
    (conv)."""
    basis: Annotated[int, least(0)] = 0
    """Hidden units of an MLP added to the convolutional encoder and decoder, for sharper images of aligned sets such as
    faces; 0: none (conv)."""
    learning_rate: Annotated[float, least(0)] = 0.0
    """Adam's learning rate; 0: 1e-4 for hierarchical, 1e-3 for conv."""
    reconstruction: Literal["squared", "bernoulli"] = "squared"
    """Reconstruction error: squared, or the cross-entropy of a Bernoulli decoder (the loss is then -ELBO in nats)."""
    divergence: Literal["auto", "sampled", "analytic"] = "auto"
    """How the divergence of the lower latents is taken: sampled, which makes the loss the bound, or analytic, which
    leaves out how the upper ones depend on them; auto: sampled, or what a run that is resumed has done so far
    (hierarchical)."""
    beta: Annotated[float, least(0)] = 1.0
    """Weight β of the KL divergence."""
    free_bits: float = 0.0
    """Free bits: nats per latent dimension below which the KL divergence is not minimised."""
    detail: Annotated[float, least(0)] = 0.0
    """Weight of the Laplacian pyramid loss, for sharper edges (conv)."""
    perceptual: Annotated[float, least(0)] = 0.0
    """Weight of the VGG19 perceptual loss (conv)."""
    vgg: Path | None = None
    """Local VGG19 weights (torchvision's state_dict) for --perceptual; unset: downloaded."""
    target: Path | None = None
    """Images to reconstruct instead of those of --data that are encoded (blurred ones, say): a .npy file of as many, or
    a folder of the same names."""


class VAE(Family):
    """Variational autoencoder, hierarchical or convolutional."""

    Config = VAEConfig
    image_range = (0.0, 1.0)
    channels_last = False
    has_likelihood = True

    @property
    def scored_by(self) -> str:
        return "exported" if self.config.arch == "hierarchical" else ""  # once by way of z1, which is not exported

    def reading(self) -> Reading:
        target = self.config.target
        return Pairs(condition=str(target.absolute()), swapped=True, flag="--target") if target else Reading()

    def build(self, spec: DataSpec) -> Nets:
        if spec.condition_channels not in (0, spec.channels):
            found = f"{spec.condition_channels} channel(s), those of --target {spec.channels}"
            raise ValueError(f"images have {found}, expected as many")
        network = HierarchicalVAE if self.config.arch == "hierarchical" else ConvVAE
        return Nets(vae=network(spec, self.config))

    def begin(self, nets: Nets) -> None:
        if self.config.perceptual and self.config.arch == "conv":
            nets.vae.perceptual = [PerceptualDistance(self.config.vgg)]

    @property
    def kl_weight(self) -> float:
        """Weight of the KL divergence beside the reconstruction error at β = 1: squared errors sum to -2 log N(x; x̂, 1)
        but for a constant, cross-entropies to -log of a Bernoulli likelihood."""
        return 1.0 if self.config.reconstruction == "bernoulli" else 2.0

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        rate = self.config.learning_rate or {"hierarchical": 1e-4, "conv": 1e-3}[self.config.arch]
        return torch.optim.Adam(parameters, lr=rate, fused=fused)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        batch = next(batches)
        with turn("vae") as loss:
            terms = nets.vae(batch.input, batch.image)
            divergence = terms.divergence.mean(0).clamp_min(self.config.free_bits)
            loss["reconstruction"] = terms.reconstruction.mean()
            if self.config.detail:
                loss["detail"] = self.config.detail * terms.detail.mean()
            loss["divergence"] = self.config.beta * self.kl_weight * divergence.sum()
            if self.config.perceptual:
                loss["perceptual"] = self.config.perceptual * terms.perceptual.mean()

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean squared errors; for ``bernoulli`` also -ELBO in nats, from one sample of the latents. What is exported
        decides: of ``hierarchical``, the encoder and decoder by way of z2."""
        exported = own = squared_error(nets.vae.decode(nets.vae.encode(batch.input)), batch.image)
        if self.config.arch == "hierarchical":
            own = squared_error(nets.vae.reconstruct(batch.input), batch.image)
        figures = {"mse": own, "mse_exported": exported}
        if self.config.reconstruction == "squared":
            return {"score": exported, **figures}
        terms = nets.vae(batch.input, batch.image)
        figures["bound"] = terms.reconstruction + self.kl_weight * terms.divergence.sum(1)
        if self.config.arch == "conv":
            return {"score": figures["bound"], **figures}
        figures["bound_exported"] = nets.vae.exported_bound(batch.input, batch.image)
        return {"score": figures["bound_exported"], **figures}

    def log_weights(self, nets: Nets, batch: Batch, count: int) -> Tensor:
        return nets.vae.log_weights(batch.input, batch.image, count)

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        if self.config.arch == "hierarchical":
            return latent_statistics(nets.vae.encode, batches)
        return posterior_statistics(nets.vae.gaussian(batch.input) for batch in batches)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        decode, encode = Call(nets.vae, "decode"), Call(nets.vae, "encode")
        if self.config.arch == "hierarchical":  # z2 needs no whitening
            return latent_files(self.latent.measured(description), decode, encode)
        return whitened_files(self.latent, description, decode, encode)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], name: str) -> tuple["VAE", DataSpec, Nets]:
        """Import a bare ``hierarchical`` state_dict of square images flattened in h·w·BGR order. Raises ``ValueError``
        or ``RuntimeError`` for other keys or sizes."""
        expected = set(HierarchicalVAE(DataSpec(image_size=(2, 2), channels=3), VAEConfig()).state_dict())
        if set(state) != expected:
            odd = sorted(set(state) ^ expected)[:4]
            raise ValueError(f"{name}: keys differ from the hierarchical VAE's in {', '.join(odd)}")
        first = state["encoder1.linear.weight"]
        hidden, pixels = first.shape if first.ndim == 2 else (0, 0)
        side = round((pixels / 3) ** 0.5)
        if side * side * 3 != pixels or side == 0:
            raise ValueError(f"{name}: encoder1.linear takes {tuple(first.shape)} inputs, expected side² · 3")
        spec = DataSpec(image_size=(side, side), channels=3)
        latent = len(state["encoder1.linear_mu.bias"])
        family = cls(VAEConfig(arch="hierarchical", latent_size=latent, hidden_size=hidden, image_size=side))
        rgb = torch.arange(pixels).view(-1, 3).flip(1).flatten()  # b, g, r of each pixel → r, g, b
        state = dict(state)
        state["encoder1.linear.weight"] = first[:, rgb]
        for key in ("decoder1.linear2.weight", "decoder1.linear2.bias"):
            state[key] = state[key][rgb]
        nets = family.build(spec)
        nets.vae.load_state_dict(state)
        nets.vae.eval()
        return family, spec, nets
