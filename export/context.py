"""How far a network looks, measured."""

import torch
from torch import Tensor, nn

_LADDER = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # pixels
_LEAST = 0.5 / 255  # half a level: what nobody can see
_MIDDLE = 8  # columns that are compared


def measured_context(network: nn.Module, channels: int, step: int, scale: int) -> int:
    """Input pixels round a part of an image that change the result there by half a level or more; 0 where it depends on
    all of the image.

    Measured on a strip, at little cost: what lies farther off than a distance is replaced by another image, and the
    middle compared. ``step``: sides must be multiples of it.
    """
    height = -(-16 // step) * step
    width = -(-(2 * _LADDER[-1] + _MIDDLE) // step) * step
    one, other = (_texture(channels, height, width, seed) for seed in range(2))
    start = width // 2 - _MIDDLE // 2
    kept = slice(start * scale, (start + _MIDDLE) * scale)

    def middle(image: Tensor) -> Tensor:
        with torch.no_grad():
            return network(image)[..., kept].clamp(0, 1)

    whole = middle(one)
    low, high = 0, len(_LADDER)
    while low < high:  # the first distance that does
        distance = _LADDER[(low + high) // 2]
        changed = other.clone()
        near = slice(max(start - distance, 0), start + _MIDDLE + distance)
        changed[..., near] = one[..., near]
        if float((middle(changed) - whole).abs().max()) < _LEAST:
            high = (low + high) // 2
        else:
            low = (low + high) // 2 + 1
    return _LADDER[low] if low < len(_LADDER) else 0


def _texture(channels: int, height: int, width: int, seed: int) -> Tensor:
    """Flat patches of several sizes and noise, f32 [1, c, h, w] in 0..1."""
    random = torch.Generator().manual_seed(seed)
    image = torch.zeros(1, channels, height, width)
    for side, share in ((16, 0.5), (4, 0.3), (1, 0.2)):
        coarse = torch.rand(1, channels, -(-height // side), -(-width // side), generator=random)
        image += share * coarse.repeat_interleave(side, 2).repeat_interleave(side, 3)[..., :height, :width]
    return image
