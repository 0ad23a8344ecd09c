"""Degradation of training images for super-resolution, batched and on their device: blur, downscaling, noise, JPEG."""

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.contract.resample import matrix

# ITU-T T.81, tables K.1 and K.2: quantisation of luma and chroma coefficients at quality 50.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
# JFIF: RGB → luma and two chroma differences, the latter about 128.
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_BEST = 95  # highest JPEG quality sampled


def degrade(image: Tensor, small: Tensor, *, blur: float = 0.0, noise: float = 0.0, jpeg: int = 0) -> Tensor:
    """Degrade large images f32 [n, c, h, w] in 0..1 → small ones in whole levels of 255. Strengths are drawn for each
    image from torch's default generator on the CPU: they are the same for every device.

    ``small``: the large images, only downscaled, in 0..1. ``blur``: largest std of the Gaussian blur, in pixels of the
    large image. ``noise``: largest std of the noise, in levels of 255. ``jpeg``: lowest quality, 1 to 95; 0: no JPEG.
    """
    blurs, noises, qualities = torch.rand(3, len(image))
    if blur:
        small = reduce(image, image.shape[2] // small.shape[2], (blur * blurs).clamp_min(1e-3))
    if noise:
        grain = torch.randn(small.shape) * (noise / 255 * noises)[:, None, None, None]
        small = small + grain.to(small.device)
    if jpeg:
        small = jpeg_artefacts(small, (jpeg + (_BEST + 1 - jpeg) * qualities).floor())
    return whole_levels(small)


def whole_levels(image: Tensor) -> Tensor:
    """Quantise images in 0..1 to 8 bits."""
    return (image.clamp(0, 1) * 255).round() / 255


def reduce(image: Tensor, scale: int, blur: Tensor | None = None) -> Tensor:
    """f32 [n, c, h, w] → [n, c, h / scale, w / scale], bicubic with antialiasing. ``blur``: std [n] in pixels of
    a Gaussian applied before. Height and width are multiples of ``scale``."""
    rows, columns = (_resizing(side, side // scale, 1 / scale, image.device) for side in image.shape[2:])
    if blur is None:
        return rows @ image.contiguous() @ columns.T
    soft_rows, soft_columns = (_gaussian(side, blur).to(image.device)[:, None] for side in image.shape[2:])
    return (rows @ soft_rows) @ image.contiguous() @ (columns @ soft_columns).mT


def _resizing(side: int, new_side: int, scale: float, device: torch.device) -> Tensor:
    return torch.from_numpy(matrix(side, new_side, scale)).to(device)


def enlarge(image: Tensor, scale: int) -> Tensor:
    """f32 [n, c, h, w] → [n, c, h · scale, w · scale], bicubic: the baseline of super-resolution."""
    rows, columns = (_resizing(side, side * scale, scale, image.device) for side in image.shape[2:])
    return rows @ image.contiguous() @ columns.T


def _gaussian(side: int, std: Tensor) -> Tensor:
    """Matrices [n, side, side] of Gaussian blurs of std [n] in pixels, for rows."""
    place = torch.arange(side)
    weights = (-(place - place[:, None]).square() / (2 * std[:, None, None] ** 2)).exp()
    return weights / weights.sum(2, keepdim=True)


def jpeg_artefacts(image: Tensor, quality: Tensor) -> Tensor:
    """JPEG artefacts at qualities [n] of 1 to 100 on images f32 [n, c, h, w] in 0..1: baseline JPEG with 4:2:0 chroma,
    without its lossless entropy coding."""
    height, width = image.shape[2:]
    value = F.pad(image, (0, -width % 16, 0, -height % 16), "replicate") * 255
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).to(image.device)[:, None, None]
    tables = [
        ((torch.tensor(table, device=image.device) * percent + 50) / 100).floor().clamp(1, 255)[:, None, None, None]
        for table in (_LUMA, _CHROMA)
    ]  # [n, 1, 1, 1, 8, 8]
    if image.shape[1] == 1:
        decoded = _quantised(value - 128, tables[0]) + 128
    else:
        to_ycc = torch.tensor(_YCC, device=image.device)
        colours = torch.einsum("kc,nchw->nkhw", to_ycc, value)
        brightness = _quantised(colours[:, :1] - 128, tables[0]) + 128
        difference = _quantised(F.avg_pool2d(colours[:, 1:], 2), tables[1])
        difference = F.interpolate(difference, scale_factor=2, mode="bilinear", align_corners=False)
        decoded = torch.einsum("kc,nchw->nkhw", to_ycc.inverse(), torch.cat((brightness, difference), 1))
    return decoded[:, :, :height, :width] / 255


def _quantised(value: Tensor, table: Tensor) -> Tensor:
    """Blocks of 8x8 levels with their coefficients rounded to multiples of ``table`` [n, 1, 1, 1, 8, 8]."""
    place = torch.arange(8, device=value.device)
    basis = (torch.pi / 8 * (place + 0.5) * place[:, None]).cos() / 2
    basis[0] /= 2**0.5
    blocks = value.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # [n, c, rows, columns, 8, 8]
    steps = (basis @ blocks @ basis.T / table).round()
    return (basis.T @ (steps * table) @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
