"""Layers of several families, and the image sizes that they take."""

from collections.abc import Callable, Iterable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

Norm = Callable[[int], nn.Module]  # makes the normalisation of so many channels


def halvings(image_size: tuple[int, int], least_px: int = 3, even: bool = False) -> list[tuple[int, int]]:
    """Sizes (h, w) of an image halved repeatedly while both are at least ``least_px``: rounding down, or with ``even``
    only as long as nothing is rounded.

    With 3, digits of 28 px get three levels; with 7 px as the coarsest, a generator learns strokes, not digits.
    Raises ``ValueError`` where it cannot be halved once.
    """
    sizes = [image_size]
    while min(sizes[-1]) // 2 >= least_px and not (even and any(length % 2 for length in sizes[-1])):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    if len(sizes) == 1:
        expected = f"at least {2 * least_px} px{', and even numbers' if even else ''}"
        raise ValueError(f"images are {image_size[1]}x{image_size[0]} px, expected {expected}")
    return sizes


def require_multiple(image_size: tuple[int, int], multiple: int) -> None:
    """Raise ``ValueError`` unless height and width are multiples of a number."""
    height, width = image_size
    if height % multiple or width % multiple:
        raise ValueError(f"images are {width}x{height} px, expected multiples of {multiple} px")


class ResidualBlock(nn.Module):
    """x + conv(SiLU(norm(conv(SiLU(norm(x)))))); the last convolution is zero-initialised."""

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
    """Strided convolution to half the size, then a residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 4, 2, padding=1), ResidualBlock(outputs))


def sub_pixel(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Sub-pixel convolution to twice the size, initialised as a convolution followed by nearest-neighbour upsampling,
    so that no checkerboard shows (Aitken et al. 2017)."""
    convolution = nn.Conv2d(inputs, outputs * 4, kernel, padding=kernel // 2)
    for parameter in convolution.parameters():
        parameter.data = parameter.data[::4].repeat_interleave(4, 0).contiguous()
    return nn.Sequential(convolution, nn.PixelShuffle(2))


class UpBlock(nn.Sequential):
    """Sub-pixel convolution to twice the size, then a residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(sub_pixel(inputs, outputs, 1), ResidualBlock(outputs))


class FlattenImage(nn.Module):
    """Images [n, c, h, w] → [n, h·w·c], without a copy: batches are channels-last in memory."""

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 2, 3, 1).flatten(1)


class UnflattenImage(nn.Module):
    """[n, h·w·c] → images [n, c, h, w], without a copy."""

    def __init__(self, image_size: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.shape = (*image_size, channels)

    def forward(self, value: Tensor) -> Tensor:
        return value.unflatten(1, self.shape).permute(0, 3, 1, 2)


def linear_layers(*sizes: int, between: Callable[[], Iterable[nn.Module]]) -> list[nn.Module]:
    """Fully connected layers of these sizes, and the layers that ``between`` makes after each but the last."""
    first, *others = (nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
    return [first, *(layer for linear in others for layer in (*between(), linear))]


class TransposedGenerator(nn.Sequential):
    """Latents [n, d] → images [n, c, h, w] in -1..1, by 4x4 transposed convolutions that double the size.

    The widespread form of DCGAN's generator (Radford et al. 2016): batch normalisation and ReLU, tanh at the end.
    ``width``: channels of half the image's size; they double with every halving, up to 8 times. Any image of at
    least 6 px. Raises ``ValueError`` for smaller ones.
    """

    def __init__(self, latent: int, image_size: tuple[int, int], channels: int, width: int) -> None:
        sizes = halvings(image_size)[::-1]  # small to large
        widths = [width * min(2**level, 8) for level in range(len(sizes) - 1)][::-1]
        first = nn.ConvTranspose2d(latent, widths[0], sizes[0], bias=False)
        layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1)), first]
        for large, inputs, outputs in zip(sizes[1:], widths, [*widths[1:], channels], strict=True):
            odd = (large[0] % 2, large[1] % 2)  # what rounding down took away
            convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, output_padding=odd, bias=False)
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution]
        super().__init__(*layers, nn.Tanh())


class StridedDiscriminator(nn.Sequential):
    """Images [n, c, h, w] → scores [n], by 4x4 convolutions that halve the size: ``TransposedGenerator``'s mirror.
    Leaky ReLU of slope 0.2; ``norm`` makes the layer after each convolution but the first and the last."""

    def __init__(self, image_size: tuple[int, int], channels: int, width: int, norm: Norm) -> None:
        sizes = halvings(image_size)
        widths = [width * min(2**level, 8) for level in range(len(sizes) - 1)]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), norm(outputs), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, sizes[-1]), nn.Flatten(0))


class Call(nn.Module):
    """A method of a network as a module of its own, for export."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network, self.method = network, method
        self.training = network.training

    def forward(self, *values: Tensor) -> Tensor:
        return getattr(self.network, self.method)(*values)


def small_normal(module: nn.Module) -> None:
    """DCGAN's weight initialisation, for ``network.apply``: N(0, 0.02), and N(1, 0.02) for batch normalisation."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)


def scale_keeping(module: nn.Module) -> None:
    """He initialisation of linear layers (He et al. 2015), for ``network.apply``: with torch's default, deep linear
    generators map all latents to nearly the same image, and do not recover."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, 0.2)
        nn.init.zeros_(module.bias)
