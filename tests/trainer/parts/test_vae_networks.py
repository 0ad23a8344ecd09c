"""The bounds of the VAEs: against linear-Gaussian models whose likelihood is known, and against Monte-Carlo estimates
of their definition by torch.distributions."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal

from trainer.families.vae import VAE, VAEConfig
from trainer.family import Batch, DataSpec, Nets
from trainer.parts.vae_networks import ConvVAE, HierarchicalVAE

SPEC = DataSpec(image_size=(2, 2), channels=1)
PIXELS = 4
MEAN, STD1, STD2 = 0.7, 0.5, 0.3  # of q(z1|x), and the std of q(z2|z1)


@torch.no_grad()
def make_linear(layers: Any, slope: float, offset: float, last: str) -> None:
    """Make an MLP of one hidden layer of two units or more the map slope · value + offset: relu(v) - relu(-v) is v."""
    first, output = next(layers.children()), getattr(layers, last)
    for layer in (first, output):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    first.weight[0, 0], first.weight[1, 0] = 1.0, -1.0
    output.weight[:, 0], output.weight[:, 1] = slope, -slope
    nn.init.constant_(output.bias, offset)


def linear_gaussian(sign: float, divergence: Any) -> HierarchicalVAE:
    """One latent a layer: q(z1|x) = N(0.7, 0.5²) whatever x is, q(z2|z1) = N(sign · z1, 0.3²), p(z1|z2) = N(z2, 1),
    p(x|z1) = N(z1, 1) for each of the pixels."""
    network = HierarchicalVAE(SPEC, VAEConfig(latent_size=1, hidden_size=2, divergence=divergence))
    make_linear(network.encoder1, 0.0, MEAN, "linear_mu")
    make_linear(network.encoder2, sign, 0.0, "linear_mu")
    for head, std in ((network.encoder1, STD1), (network.encoder2, STD2)):
        nn.init.zeros_(head.linear_logvar.weight)
        nn.init.constant_(head.linear_logvar.bias, 2 * math.log(std))
    make_linear(network.decoder2, 1.0, 0.0, "linear2")
    make_linear(network.decoder1, 1.0, 0.0, "linear2")
    network.error = lambda found, wanted: (found - wanted).square()
    return network


def divergence(sign: float) -> float:
    """KL(q(z1, z2|x) ‖ p(z1, z2)) of two Gaussians of two dimensions, by their means and covariances."""
    chain = torch.tensor([[1.0, 0.0], [sign, 1.0]])  # z2 = sign · z1 + noise
    covariance = chain @ torch.diag(torch.tensor([STD1**2, STD2**2])) @ chain.T
    posterior = MultivariateNormal(torch.tensor([MEAN, sign * MEAN]), covariance)
    prior = MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 1.0], [1.0, 1.0]]))  # z1 = z2 + noise
    return float(torch.distributions.kl_divergence(posterior, prior))


@pytest.mark.parametrize(("sign", "exact", "without_covariance"), [(1.0, 1.358, 1.607), (-1.0, 2.837, 2.587)])
def test_the_divergence_of_two_layers_is_that_of_the_joint_distributions(
    sign: float, exact: float, without_covariance: float
) -> None:
    assert divergence(sign) == pytest.approx(exact, abs=1e-3)
    torch.manual_seed(0)
    images = torch.zeros(100_000, 1, 2, 2)
    with torch.no_grad():
        found = {
            name: float(linear_gaussian(sign, name)(images).divergence.sum(1).mean())
            for name in ("sampled", "analytic")
        }
    assert found["sampled"] == pytest.approx(divergence(sign), abs=0.02)
    assert found["analytic"] == pytest.approx(without_covariance, abs=0.02)  # and so no bound


def test_gradients_are_those_of_the_exact_divergence() -> None:
    """What is learnt, not only what is logged: the derivative by the mean of z1, and by the std of z1."""
    torch.manual_seed(0)
    network = linear_gaussian(-1.0, "sampled")
    network(torch.zeros(200_000, 1, 2, 2)).divergence.sum(1).mean().backward()
    # KL = ½ (4 m² + 4 s1² + s2²) + ½ (m² + s1² + s2²) - log s1 - log s2 + constant, by hand, for z2 = -z1
    assert float(network.encoder1.linear_mu.bias.grad) == pytest.approx(5 * MEAN, abs=0.03)
    assert float(network.encoder1.linear_logvar.bias.grad) == pytest.approx((5 * STD1**2 - 1) / 2, abs=0.03)


def exact_likelihood(image: Tensor) -> Tensor:
    """log p(x) of the linear-Gaussian model, [n]: all pixels are z1 + noise, z1 has variance 2."""
    covariance = 2 * torch.ones(PIXELS, PIXELS) + torch.eye(PIXELS)
    return MultivariateNormal(torch.zeros(PIXELS), covariance).log_prob(image.flatten(1))


@torch.no_grad()
def test_weights_under_the_exact_posterior_are_the_likelihood() -> None:
    network = linear_gaussian(1.0, "sampled")
    image = torch.full((3, 1, 2, 2), 1.0)
    # by hand: z1|x of prior N(0, 2) and four pixels of 1; z2|z1 of prior N(0, 1) and z1 of variance 1
    variance = 1 / (0.5 + PIXELS)
    make_linear(network.encoder1, 0.0, variance * PIXELS, "linear_mu")
    nn.init.constant_(network.encoder1.linear_logvar.bias, math.log(variance))
    make_linear(network.encoder2, 0.5, 0.0, "linear_mu")
    nn.init.constant_(network.encoder2.linear_logvar.bias, math.log(0.5))
    weights = network.log_weights(image, image, 7)
    assert weights.shape == (7, 3)
    assert torch.allclose(weights, exact_likelihood(image).expand(7, 3), atol=1e-5)


@torch.no_grad()
def test_more_samples_bound_the_likelihood_ever_closer() -> None:
    """With q(z2|z1) exact, one sample's bound falls short by KL(q(z1|x) ‖ p(z1|x)), both Gaussians."""
    torch.manual_seed(0)
    family = VAE(VAEConfig(latent_size=1, hidden_size=2))
    image = torch.full((400, 1, 2, 2), 0.5)
    network = linear_gaussian(1.0, "sampled")
    make_linear(network.encoder2, 0.5, 0.0, "linear_mu")
    nn.init.constant_(network.encoder2.linear_logvar.bias, math.log(0.5))
    weights = family.log_weights(Nets(vae=network), Batch(image=image), 500)
    bounds = [float((weights[:count].logsumexp(0) - math.log(count)).mean()) for count in (1, 10, 500)]
    assert bounds[0] < bounds[1] < bounds[2]
    exact = float(exact_likelihood(image)[0])
    assert bounds[2] == pytest.approx(exact, abs=0.005)
    precision = 0.5 + PIXELS
    posterior = Normal(torch.tensor(PIXELS * 0.5 / precision), torch.tensor(precision**-0.5))
    short = float(torch.distributions.kl_divergence(Normal(torch.tensor(MEAN), torch.tensor(STD1)), posterior))
    assert float(weights.mean()) == pytest.approx(exact - short, abs=0.01)
    assert short > 0.1


@torch.no_grad()
def test_the_bound_of_nonlinear_layers_is_that_of_its_definition() -> None:
    """E[log p(x, z1, z2) - log q(z1, z2|x)] by torch.distributions, within the errors of both estimates."""
    torch.manual_seed(0)
    options = VAEConfig(latent_size=3, hidden_size=8, reconstruction="bernoulli", divergence="sampled")
    network = HierarchicalVAE(SPEC, options)
    for name, parameter in network.named_parameters():  # upper latents that depend much on the lower ones
        parameter.copy_((0.1 if "logvar" in name else 0.4) * torch.randn_like(parameter))
    image = (torch.rand(1, 1, 2, 2) > 0.5).float().expand(200_000, -1, -1, -1)

    def normal(mean: Tensor, std: Tensor) -> Independent:
        return Independent(Normal(mean, std), 1)

    def of(head: Any, value: Tensor) -> Independent:
        mean, log_variance = head(value)
        return normal(mean, (log_variance / 2).exp())

    lower = of(network.encoder1, network.flat(image))
    z1 = lower.sample()
    upper = of(network.encoder2, z1)
    z2 = upper.sample()
    pixels = Independent(Bernoulli(logits=network.decoder1(z1)), 1)
    one = torch.ones(3)
    joint = pixels.log_prob(network.flat(image)) + normal(network.decoder2(z2), one).log_prob(z1)
    expected = joint + normal(0 * one, one).log_prob(z2) - lower.log_prob(z1) - upper.log_prob(z2)
    terms = network(image)
    found = -terms.reconstruction - terms.divergence.sum(1)
    weights = network.log_weights(image[:10_000], image[:10_000], 20).flatten()
    for values in (found, weights):
        error = math.sqrt(float(expected.var() / len(expected) + values.var() / len(values)))
        assert float(values.mean()) == pytest.approx(float(expected.mean()), abs=4 * error)
    network.analytic = True
    terms = network(image)
    without_covariance = -float((terms.reconstruction + terms.divergence.sum(1)).mean())
    assert without_covariance != pytest.approx(float(expected.mean()), abs=8 * error)


@pytest.mark.parametrize("reconstruction", ["squared", "bernoulli"])
@torch.no_grad()
def test_the_weights_of_the_convolutional_network_are_those_of_its_definition(reconstruction: Any) -> None:
    torch.manual_seed(0)
    spec = DataSpec(image_size=(8, 8), channels=1)
    network = ConvVAE(spec, VAEConfig(arch="conv", width=16, latent_size=2, reconstruction=reconstruction))
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    image = (torch.rand(2, 1, 8, 8) > 0.5).float()
    mean, log_variance = network.gaussian(image)
    posterior = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    torch.manual_seed(1)
    weights = network.log_weights(image, image, 1)[0]
    torch.manual_seed(1)
    latent = mean + torch.randn(1, *mean.shape)[0] * (0.5 * log_variance).exp()
    logits = network.logits(latent)
    pixels = Bernoulli(logits=logits) if reconstruction == "bernoulli" else Normal(logits.sigmoid(), 1.0)
    likelihood = pixels.log_prob(image).flatten(1).sum(1)
    prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    assert torch.allclose(weights, likelihood + prior.log_prob(latent) - posterior.log_prob(latent), atol=1e-3)


@torch.no_grad()
def test_the_exported_bound_is_of_the_exported_pair() -> None:
    """-ELBO of the decoder that goes from z2 straight to the mean of z1, by its definition."""
    torch.manual_seed(0)
    family = VAE(VAEConfig(latent_size=2, hidden_size=4, reconstruction="bernoulli"))
    nets = family.build(SPEC)
    image = (torch.rand(1, 1, 2, 2) > 0.5).float().expand(20_000, -1, -1, -1)
    mean, log_variance = nets.vae.encoder2(nets.vae.encoder1(nets.vae.flat(image))[0])
    posterior = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    z2 = posterior.sample()
    pixels = Bernoulli(probs=nets.vae.decode(z2)).log_prob(image).flatten(1).sum(1)
    prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    expected = (posterior.log_prob(z2) - prior.log_prob(z2) - pixels).mean()
    figures = family.score(nets, Batch(image=image))
    assert float(figures["score"].mean()) == pytest.approx(float(expected), abs=0.03)
    assert torch.equal(figures["score"], figures["bound_exported"])
