"""Layers that several families share."""

from torch import Tensor, nn
from torch.nn import functional as F


def pyramid(image_size: tuple[int, int], least_px: int) -> tuple[int, tuple[int, int]]:
    """How often both sides can be halved before one is under ``least_px``, and what is left: (levels, (h, w)).

    Raises ``ValueError`` where they cannot be halved at all.
    """
    height, width = image_size
    levels = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= least_px:
        height, width, levels = height // 2, width // 2, levels + 1
    if levels == 0:
        raise ValueError(f"pictures are {image_size[1]}x{image_size[0]} px, expected sides that can be halved")
    return levels, (height, width)


class ResidualBlock(nn.Module):
    """x + conv(SiLU(norm(conv(SiLU(norm(x)))))); the last convolution starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, value: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(value)))
        return value + self.conv2(F.silu(self.norm2(hidden)))


class DownBlock(nn.Sequential):
    """Half the size, other channels, one residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 4, 2, padding=1), ResidualBlock(outputs))


def sub_pixel(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution whose channels become pixels, twice the size. The four of a pixel begin equal, so that they grow
    apart only where the data ask for it and no grid shows (Aitken et al. 2017)."""
    convolution = nn.Conv2d(inputs, outputs * 4, kernel, padding=kernel // 2)
    for parameter in convolution.parameters():
        parameter.data = parameter.data[::4].repeat_interleave(4, 0).contiguous()
    return nn.Sequential(convolution, nn.PixelShuffle(2))


class UpBlock(nn.Sequential):
    """Other channels, twice the size, one residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(sub_pixel(inputs, outputs, 1), ResidualBlock(outputs))
