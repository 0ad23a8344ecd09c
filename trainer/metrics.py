"""Metrics of images and of sets of images: pure functions of tensors, each with its paper."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 1024  # rows compared at once


def squared_error(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each image: two [n, c, h, w] → [n]."""
    return (image - target).square().flatten(1).mean(1)


def peak_signal_to_noise(image: Tensor, target: Tensor) -> Tensor:
    """PSNR of each image in dB, values in 0..1: two [n, c, h, w] → [n]; equal images get 100."""
    return -10 * squared_error(image, target).clamp_min(1e-10).log10()


def structural_similarity(image: Tensor, target: Tensor) -> Tensor:
    """SSIM of each image, values in 0..1: two [n, c, h, w] → [n].

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", section III.B: a
    Gaussian window of 11 pixels and std 1.5, where it fits; a smaller odd window in smaller images.
    """
    channels, height, width = image.shape[1:]
    side = min(11, height - 1 + height % 2, width - 1 + width % 2)
    place = torch.arange(side, dtype=image.dtype, device=image.device) - side // 2
    window = (-place.square() / (2 * 1.5**2)).exp()
    window = window / window.sum()

    def blur(value: Tensor) -> Tensor:
        across = F.conv2d(value, window.view(1, 1, 1, side).repeat(channels, 1, 1, 1), groups=channels)
        return F.conv2d(across, window.view(1, 1, side, 1).repeat(channels, 1, 1, 1), groups=channels)

    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = blur(image), blur(target)
    variance_x, variance_y = blur(image.square()) - mean_x.square(), blur(target.square()) - mean_y.square()
    covariance = blur(image * target) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x.square() + mean_y.square() + c1) * (variance_x + variance_y + c2))
    return similarity.flatten(1).mean(1)


def luma(image: Tensor) -> Tensor:
    """Luma of images [n, c, h, w] in 0..1 → [n, 1, h, w], 16 to 235 of 255 (ITU-R BT.601, as MATLAB's ``rgb2ycbcr``,
    but not rounded): super-resolution is measured on it."""
    weights = image.new_tensor((65.481, 128.553, 24.966)).view(3, 1, 1)
    return ((image * weights).sum(1, keepdim=True) + 16) / 255  # a grey image counts as three equal channels


def sharpness(image: Tensor) -> Tensor:
    """Variance of the Laplacian (4 neighbours) of the luma of each image, values in 0..1: [n, c, h, w] → [n].

    Pech-Pacheco et al. 2000, "Diatom Autofocusing in Brightfield Microscopy", section 2.3: the larger, the sharper.
    """
    weights = image.new_tensor(((0, 1, 0), (1, -4, 1), (0, 1, 0))).view(1, 1, 3, 3)
    return F.conv2d(luma(image), weights).flatten(1).var(1)


def inside(image: Tensor, border: int) -> Tensor:
    """Images [n, c, h, w] without ``border`` pixels on each side."""
    return image[:, :, border : image.shape[2] - border, border : image.shape[3] - border]


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [d] and covariance [d, d] of features [n, d], n at least 2, in f64."""
    features = features.double()
    return features.mean(0), torch.cov(features.T).view(features.shape[1], features.shape[1])


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Fréchet distance between Gaussians of the moments of two sets of features [n, d].

    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6:
    ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½).
    """
    return frechet_of_moments(*moments(one), *moments(other))


def frechet_of_moments(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """The same from means [d] and covariances [d, d], f64.

    Σ₁Σ₂ has the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½, so that no root of a general matrix is needed.
    """
    values, vectors = torch.linalg.eigh(covariance1)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ covariance2 @ root).clamp_min(0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace() - 2 * mixed
    return max(0.0, float(distance))


def kernel_distance(
    one: Tensor, other: Tensor, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Kernel distance of two sets of features [n, d]: mean and std of unbiased estimates over random subsets.

    Bińkowski et al. 2018, "Demystifying MMD GANs", section 4.3: squared maximum mean discrepancy under the kernel
    (x·y / d + 1)³. Unbiased: it may be a little below 0.
    """
    size = min(size, len(one), len(other))
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(subsets):
        x, y = (rows[torch.randperm(len(rows), generator=generator)[:size]].double() for rows in (one, other))
        found.append(squared_discrepancy(x, y))
    values = torch.tensor(found, dtype=torch.float64)
    return float(values.mean()), float(values.std(correction=0))


def squared_discrepancy(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate of one pair of subsets [n, d], [m, d], both at least 2, f64.

    Gretton et al. 2012, "A Kernel Two-Sample Test", equation 3.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        values = kernel(a, a)
        return (values.sum() - values.trace()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


def precision_recall(real: Tensor, sampled: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Precision and recall of samples in features [n, d], [m, d], more than ``neighbours`` each: fractions of the
    samples within the manifold of real images, and of the real images within that of samples.

    Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", equations 1 and 2:
    a point belongs to a set where it lies within the distance of some member to that member's k-th neighbour.
    """

    def fraction_within(points: Tensor, members: Tensor) -> float:
        radii = torch.cat([
            torch.cdist(block, members).kthvalue(neighbours + 1).values  # the first is the member itself
            for block in members.split(BLOCK)
        ])  # fmt: skip
        within = [(torch.cdist(block, members) <= radii).any(1) for block in points.split(BLOCK)]
        return float(torch.cat(within).double().mean())

    real, sampled = real.double(), sampled.double()
    return fraction_within(sampled, real), fraction_within(real, sampled)


def entropy(classes: Tensor, count: int) -> float:
    """Entropy in nats of the distribution of ``count`` classes in i64 [n]; ln(count) where it is uniform."""
    fractions = torch.bincount(classes, minlength=count).double() / len(classes)
    return float(torch.special.entr(fractions).sum())


class Nearest(NamedTuple):
    """The k nearest rows to each of n points, nearest first."""

    distances: Tensor  # [n, k]
    indices: Tensor  # i64 [n, k]


def nearest(points: Tensor, pieces: Iterable[tuple[Tensor, Tensor]], count: int = 1) -> Nearest:
    """Search for the ``count`` nearest rows to points [n, d], or as many as there are.

    pieces: the rows in parts, each as indices i64 [m] and rows [m, d], so that they need not fit in memory.
    """
    found = Nearest(points.new_empty(len(points), 0), torch.empty(len(points), 0, dtype=torch.int64))
    for indices, rows in pieces:
        blocks = [torch.cdist(block, rows).topk(min(count, len(rows)), largest=False) for block in points.split(BLOCK)]
        distances, places = (torch.cat(parts) for parts in zip(*blocks, strict=True))
        found = merge_nearest([found, Nearest(distances, indices[places])], count)
    return found


def merge_nearest(parts: Sequence[Nearest], count: int) -> Nearest:
    """Merge the results of searches through different rows for the same points."""
    distances = torch.cat([part.distances for part in parts], 1)
    indices = torch.cat([part.indices for part in parts], 1)
    best = distances.topk(min(count, distances.shape[1]), largest=False)
    return Nearest(best.values, indices.gather(1, best.indices))


def copying(sampled: Tensor, held_out: Tensor) -> float:
    """Fraction of pairs (sample, held-out image) in which the sample lies nearer to the training images.

    Takes distances to the nearest training image, [n] and [m]. Meehan et al. 2020, "A Non-Parametric Test to Detect
    Data-Copying in Generative Models", section 3.1: 0.5 where samples lie as new images do, 1 where they are copies.
    """
    ordered, sampled = held_out.sort().values.contiguous(), sampled.contiguous()
    below = torch.searchsorted(ordered, sampled, right=False)  # held-out distances smaller than the sample's
    up_to = torch.searchsorted(ordered, sampled, right=True)
    nearer = len(ordered) - (below + up_to).double() / 2  # ties count half
    return float((nearer / len(ordered)).mean())
