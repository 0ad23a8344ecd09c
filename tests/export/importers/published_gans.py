"""Small networks with the names and the arithmetic of published programs, to save and to compare with.

Each is written from its published keys; images are as the program's own code gives them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """In eval mode, with statistics, factors and offsets of normalisations that are not those of the start."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase | nn.GroupNorm):
            for name, low, high in (("running_mean", -0.4, 0.4), ("running_var", 0.5, 2.0), ("weight", 0.5, 1.5),
                                    ("bias", -0.3, 0.3)):  # fmt: skip
                value = getattr(part, name, None)
                if value is not None:
                    value.data.uniform_(low, high, generator=generator)
        elif isinstance(part, nn.PReLU):
            part.weight.data.uniform_(0.1, 0.4, generator=generator)
    return network.eval().requires_grad_(False)


class TutorialDCGAN(nn.Module):
    """The PyTorch tutorial's generator. ``kernels``: of the first layer, and of those that double."""

    def __init__(self, nz: int = 12, ngf: int = 4, nc: int = 3, first: int = 4, doublings: int = 2) -> None:
        super().__init__()
        widths = [ngf * 2**level for level in reversed(range(doublings))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(nz, widths[0], first, 1, 0, bias=False)]
        for inputs, outputs in zip(widths, [*widths[1:], nc], strict=True):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(True), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, latent: Tensor) -> Tensor:
        return self.main(latent[:, :, None, None])


class NamedDCGAN(nn.Module):
    """The same network with names of its own, as many write it; every layer has a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.deconv1, self.deconv1_bn = nn.ConvTranspose2d(10, 8, 4), nn.BatchNorm2d(8)
        self.deconv2, self.deconv2_bn = nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.BatchNorm2d(8)
        self.deconv3 = nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def forward(self, latent: Tensor) -> Tensor:
        value = F.relu(self.deconv1_bn(self.deconv1(latent[:, :, None, None])))
        return torch.tanh(self.deconv3(F.relu(self.deconv2_bn(self.deconv2(value)))))


class Upsampled(nn.Module):
    """PyTorch-GAN's convolutional generator; with classes ACGAN's."""

    def __init__(self, classes: int = 0, channels: int = 1) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, 6)
        self.l1 = nn.Sequential(nn.Linear(6, 8 * 3**2))
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(8),
            nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, stride=1, padding=1), nn.BatchNorm2d(8, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, stride=1, padding=1), nn.BatchNorm2d(4, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4, channels, 3, stride=1, padding=1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        value = latent if label is None else torch.mul(self.label_emb(label), latent)
        return self.conv_blocks(self.l1(value).view(len(latent), 8, 3, 3))


class Linears(nn.Module):
    """PyTorch-GAN's generator of linear layers; with classes CGAN's."""

    def __init__(self, classes: int = 0, channels: int = 1, size: tuple[int, int] = (12, 12)) -> None:
        super().__init__()
        self.shape = (channels, *size)
        if classes:
            self.label_emb = nn.Embedding(classes, classes)
        layers: list[nn.Module] = [nn.Linear(7 + classes, 8), nn.LeakyReLU(0.2)]
        for inputs in (8, 16):
            layers += [nn.Linear(inputs, 2 * inputs), nn.BatchNorm1d(2 * inputs, 0.8), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(32, channels * size[0] * size[1]), nn.Tanh())

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        value = latent if label is None else torch.cat((self.label_emb(label), latent), -1)
        return self.model(value).view(len(latent), *self.shape)


class Plain(nn.Module):
    """A generator of linear layers without normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 16), nn.Linear(16, 32), nn.Linear(32, 3 * 16 * 16)

    def forward(self, latent: Tensor) -> Tensor:
        value = F.leaky_relu(self.fc2(F.leaky_relu(self.fc1(latent), 0.2)), 0.2)
        return torch.tanh(self.fc3(value)).view(len(latent), 3, 16, 16)


class ResidualGenerator(nn.Module):
    """CycleGAN's and pix2pix's generator; ``resized``: PyTorch-GAN's, which doubles by upsampling."""

    def __init__(self, norm: type[nn.Module], blocks: int, dropout: bool = False, resized: bool = False) -> None:
        super().__init__()
        width, bias = 4, norm is nn.InstanceNorm2d
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=bias), norm(width), nn.ReLU(True)]
        for times in (1, 2):
            layers += [nn.Conv2d(width * times, 2 * width * times, 3, 2, 1, bias=bias), norm(2 * width * times)]
            layers += [nn.ReLU(True)]
        layers += [Residual(4 * width, norm, dropout, "block" if resized else "conv_block") for _ in range(blocks)]
        for times in (4, 2):
            inputs, outputs = width * times, width * times // 2
            if resized:
                layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1)]
            else:
                layers += [nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=bias)]
            layers += [norm(outputs), nn.ReLU(True)]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image)


class Residual(nn.Module):
    """A block of it."""

    def __init__(self, width: int, norm: type[nn.Module], dropout: bool, name: str) -> None:
        super().__init__()
        bias = norm is nn.InstanceNorm2d
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), norm(width), nn.ReLU(True)]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), norm(width)]
        self.name = name
        self.add_module(name, nn.Sequential(*layers))

    def forward(self, value: Tensor) -> Tensor:
        return value + self.get_submodule(self.name)(value)


class LeftThomas(nn.Module):
    """leftthomas's SRGAN generator, of 2 blocks less: names have no numbers to spare."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
            self.prelu = nn.PReLU()
            self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

        def forward(self, value: Tensor) -> Tensor:
            return value + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(value)))))

    class Upsample(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv, self.pixel_shuffle = nn.Conv2d(channels, channels * 4, 3, padding=1), nn.PixelShuffle(2)
            self.prelu = nn.PReLU()

        def forward(self, value: Tensor) -> Tensor:
            return self.prelu(self.pixel_shuffle(self.conv(value)))

    def __init__(self, doublings: int = 1) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 8, 9, padding=4), nn.PReLU())
        for number in range(2, 7):
            self.add_module(f"block{number}", self.Block(8))
        self.block7 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.block8 = nn.Sequential(*(self.Upsample(8) for _ in range(doublings)), nn.Conv2d(8, 3, 9, padding=4))

    def forward(self, image: Tensor) -> Tensor:
        first = value = self.block1(image)
        for number in range(2, 7):
            value = self.get_submodule(f"block{number}")(value)
        return (torch.tanh(self.block8(first + self.block7(value))) + 1) / 2


class Lornatang(nn.Module):
    """Lornatang's SRResNet; ``old``: the names of its earlier versions."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.rcb = nn.Sequential(
                nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.PReLU(),
                nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels),
            )  # fmt: skip

        def forward(self, value: Tensor) -> Tensor:
            return value + self.rcb(value)

    class Upsample(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.upsample_block = nn.Sequential(
                nn.Conv2d(channels, channels * 4, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()
            )

        def forward(self, value: Tensor) -> Tensor:
            return self.upsample_block(value)

    def __init__(self, old: bool = False) -> None:
        super().__init__()
        self.names = ["conv_block1", "conv_block2", "conv_block3"] if old else ["conv1", "conv2", "conv3"]
        self.add_module(self.names[0], nn.Sequential(nn.Conv2d(3, 8, 9, 1, 4), nn.PReLU()))
        self.trunk = nn.Sequential(*(self.Block(8) for _ in range(2)))
        self.add_module(self.names[1], nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)))
        self.upsampling = nn.Sequential(*(self.Upsample(8) for _ in range(2)))
        self.add_module(self.names[2], nn.Conv2d(8, 3, 9, 1, 4))

    def forward(self, image: Tensor) -> Tensor:
        conv1, conv2, conv3 = map(self.get_submodule, self.names)
        first = conv1(image)
        return conv3(self.upsampling(conv2(self.trunk(first)) + first)).clamp(0, 1)


class Twtygqyy(nn.Module):
    """twtygqyy's SRResNet of instance normalisation."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.in1 = nn.InstanceNorm2d(channels, affine=True)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.in2 = nn.InstanceNorm2d(channels, affine=True)

        def forward(self, value: Tensor) -> Tensor:
            return value + self.in2(self.conv2(F.leaky_relu(self.in1(self.conv1(value)), 0.2)))

    def __init__(self) -> None:
        super().__init__()
        self.conv_input = nn.Conv2d(3, 8, 9, 1, 4, bias=False)
        self.residual = nn.Sequential(*(self.Block(8) for _ in range(2)))
        self.conv_mid, self.bn_mid = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.InstanceNorm2d(8, affine=True)
        self.upscale4x = nn.Sequential(
            nn.Conv2d(8, 32, 3, 1, 1, bias=False), nn.PixelShuffle(2), nn.LeakyReLU(0.2),
            nn.Conv2d(8, 32, 3, 1, 1, bias=False), nn.PixelShuffle(2), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.conv_output = nn.Conv2d(8, 3, 9, 1, 4, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        first = F.leaky_relu(self.conv_input(image), 0.2)
        return self.conv_output(self.upscale4x(self.bn_mid(self.conv_mid(self.residual(first))) + first))


class PyTorchGANSR(nn.Module):
    """PyTorch-GAN's SRGAN generator, on images normalised as ImageNet's."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv_block = nn.Sequential(
                nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels, 0.8), nn.PReLU(),
                nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels, 0.8),
            )  # fmt: skip

        def forward(self, value: Tensor) -> Tensor:
            return value + self.conv_block(value)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 8, 9, 1, 4), nn.PReLU())
        self.res_blocks = nn.Sequential(*(self.Block(8) for _ in range(2)))
        self.conv2 = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8, 0.8))
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Conv2d(8, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.PixelShuffle(2), nn.PReLU()]
        self.upsampling = nn.Sequential(*layers)
        self.conv3 = nn.Sequential(nn.Conv2d(8, 3, 9, 1, 4), nn.Tanh())

    def forward(self, image: Tensor) -> Tensor:
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        first = self.conv1((image - mean) / std)
        return self.conv3(self.upsampling(first + self.conv2(self.res_blocks(first)))) * std + mean
