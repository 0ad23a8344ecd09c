"""Layers of super-resolution networks, their fusion for inference, and synthetic test images."""

import copy
import math
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainer.contract.resample import matrix

Network = TypeVar("Network", bound=nn.Module)


class SharedPReLU(nn.PReLU):
    """PReLU with one slope for all channels (He et al. 2015). On a CPU, backward in a sixth of torch's time."""

    def forward(self, value: Tensor) -> Tensor:
        plain = value.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling()
        return super().forward(value) if plain else cast(Tensor, _PReLU.apply(value, self.weight))


class _PReLU(torch.autograd.Function):
    """PReLU on a CPU, where reading the slope costs nothing, and torch's backward pass is not vectorised."""

    @staticmethod
    def forward(context: Any, value: Tensor, slope: Tensor) -> Tensor:
        context.save_for_backward(value, slope)
        return F.leaky_relu(value, slope.item())

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = context.saved_tensors
        of_value = torch.ops.aten.leaky_relu_backward(gradient, value, slope.item(), False)
        of_slope = (gradient * value.clamp(max=0)).sum(dtype=torch.float32)
        return of_value, of_slope.view_as(slope).to(slope.dtype)


class ShuffledConv2d(nn.Conv2d):
    """PixelShuffle(2) followed by a convolution of odd kernel size and same padding, ``conv(shuffle(x))``.

    Computed before the shuffle, as a convolution of half the kernel size and four times the input and output channels:
    with few output channels that takes a CPU a third of the time, and no large maps are stored.
    """

    def forward(self, value: Tensor) -> Tensor:
        return F.pixel_shuffle(F.conv2d(value, *self.unshuffled(), padding=(self.kernel_size[0] + 1) // 4), 2)

    def unshuffled(self) -> tuple[Tensor, Tensor | None]:
        """The weights [4 · outputs, 4 · inputs, (k + 1) / 2, (k + 1) / 2] and bias of that convolution."""
        phases = [
            F.pixel_unshuffle(F.pad(self.weight, (column, 1 - column, row, 1 - row)), 2)
            for row in (0, 1)
            for column in (0, 1)
        ]
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return torch.stack(phases, 1).flatten(0, 1), bias

    def plain(self) -> nn.Sequential:
        """Equivalent plain layers, with copies of the weights."""
        weight, bias = self.unshuffled()
        outputs, inputs, side, _ = weight.shape
        convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=bias is not None)
        convolution.weight.data = weight.detach()
        if bias is not None:
            cast(nn.Parameter, convolution.bias).data = bias.detach()
        return nn.Sequential(convolution, nn.PixelShuffle(2))


class Bicubic(nn.Module):
    """Bicubic upsampling with replicated edges: fixed weights, always in fp32."""

    weight: Tensor

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        phases = torch.from_numpy(matrix(9, 9 * scale, scale)[4 * scale : 5 * scale, 2:7].copy())  # [scale, 5]
        kernels = (phases[:, None, :, None] * phases[None, :, None, :]).flatten(0, 1)
        weight = torch.zeros(channels, scale * scale, channels, 5, 5)
        weight[range(channels), :, range(channels)] = kernels
        self.register_buffer("weight", weight.flatten(0, 1), persistent=False)
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            around = F.pad(image.float(), (2, 2, 2, 2), "replicate")
            return F.pixel_shuffle(F.conv2d(around, self.weight), self.scale)


def receptive_radius(network: nn.Module) -> int:
    """Radius of the receptive field of an output pixel, in input pixels, for convolutions in sequence (with or without
    skip connections) and PixelShuffle."""
    radius, scale = 0.0, 1
    for layer in network.modules():  # in the order of the forward pass
        if isinstance(layer, ShuffledConv2d):
            scale *= 2
        if isinstance(layer, nn.Conv2d):
            radius += layer.kernel_size[0] // 2 / scale
        if isinstance(layer, nn.PixelShuffle):
            scale *= layer.upscale_factor
    return math.ceil(radius)


def merged(network: Network) -> Network:
    """Copy for inference with fewer layers: batch normalisation fused into the convolution before it, and
    ``ShuffledConv2d`` as plain layers."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, ShuffledConv2d):
                setattr(parent, name, layer.plain())
        if isinstance(parent, nn.Sequential):
            for number in range(len(parent) - 1):
                layer, following = parent[number], parent[number + 1]
                if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                    parent[number], parent[number + 1] = fuse_conv_bn_eval(layer, following), nn.Identity()
    return network.eval().requires_grad_(False)


def drawn_images(count: int, channels: int, side: int) -> Tensor:
    """Dead-leaves images of random occluding discs, f32 [n, c, side, side], which have statistics of photographs (Lee
    et al. 2001, "Occlusion Models for Natural Images"): quantised exports are measured on them."""
    random = torch.Generator().manual_seed(0)
    place = torch.arange(side)
    images = torch.rand(count, channels, 1, 1, generator=random).repeat(1, 1, side, side)
    for image in images:
        for uniform, down, right in torch.rand(150, 3, generator=random):
            radius = 1.5 / (uniform + 1.5 / side)  # many small, few large
            inside = (place[:, None] - down * side).square() + (place - right * side).square() < radius**2
            image[:, inside] = torch.rand(channels, 1, generator=random)
    return images
