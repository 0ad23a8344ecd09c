"""The U-Net of denoising-diffusion-pytorch and of the annotated-diffusion tutorial, which followed it.

Levels of two residual blocks and an attention, linear or full, that step down and up; time as sines and cosines through
an MLP, which scales and shifts each block's first normalisation.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Standardised = Literal["", "published", "corrected"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What keys and shapes say of the network."""

    inputs: int  # channels that go in: those of the image, twice with self-conditioning
    outputs: int
    width: int  # of the sines and cosines of time
    first: int  # channels at full size
    widths: tuple[int, ...]  # of the levels below
    first_kernel: int
    residual: bool  # attention as a residual of a norm: names fn.norm, fn.fn; else a norm and learnt keys within
    rms: bool  # blocks normalise by root mean square, else by groups
    groups: int
    heads: int
    head_width: int
    memory: int  # learnt keys and values of each head
    full: tuple[bool, ...]  # whether the attention of each level is full
    standardised: Standardised = ""  # how weights of blocks are standardised

    @property
    def multiple(self) -> int:
        """Height and width of images must be multiples of this."""
        return int(2 ** (len(self.widths) - 1))


class UNet(nn.Module):
    """Noisy images [n, c, h, w] and steps i64 [n] → predictions [n, c, h, w]. Parameters have the published names."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.init_conv = nn.Conv2d(layout.inputs, layout.first, layout.first_kernel, padding=layout.first_kernel // 2)
        time = 4 * layout.width
        self.time_mlp = nn.Sequential(
            _Sines(layout.width), nn.Linear(layout.width, time), nn.GELU(), nn.Linear(time, time)
        )
        widths = (layout.first, *layout.widths)
        levels = list(zip(widths, layout.widths, layout.full, strict=False))
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for index, (above, below, full) in enumerate(levels):
            last = index == len(levels) - 1
            step = (
                nn.Conv2d(above, below, 3, padding=1)
                if last
                else nn.Sequential(_Unshuffle(), nn.Conv2d(4 * above, below, 1))
            )
            blocks = [_Block(above, above, time, layout), _Block(above, above, time, layout)]
            self.downs.append(nn.ModuleList([*blocks, _attention(above, full, layout), step]))
        middle = widths[-1]
        self.mid_block1 = _Block(middle, middle, time, layout)
        self.mid_attn = _attention(middle, True, layout)
        self.mid_block2 = _Block(middle, middle, time, layout)
        for index, (above, below, full) in enumerate(reversed(levels)):
            last = index == len(levels) - 1
            step = nn.Conv2d(below, above, 3, padding=1)
            blocks = [_Block(below + above, below, time, layout) for _ in range(2)]
            up = step if last else nn.Sequential(nn.Upsample(scale_factor=2), step)
            self.ups.append(nn.ModuleList([*blocks, _attention(below, full, layout), up]))
        self.final_res_block = _Block(2 * layout.first, layout.first, time, layout)
        self.final_conv = nn.Conv2d(layout.first, layout.outputs, 1)

    def forward(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        channels = noisy.shape[1]
        if self.layout.inputs == 2 * channels:  # self-conditioning is told nothing, as in half of the training
            noisy = torch.cat((torch.zeros_like(noisy), noisy), 1)
        value = first = self.init_conv(noisy)
        time = self.time_mlp(t)
        passed = []
        for block1, block2, attention, down in cast(Iterable[Iterable[nn.Module]], self.downs):
            value = block1(value, time)
            passed.append(value)
            value = attention(block2(value, time))
            passed.append(value)
            value = down(value)
        value = self.mid_block2(self.mid_attn(self.mid_block1(value, time)), time)
        for block1, block2, attention, up in cast(Iterable[Iterable[nn.Module]], self.ups):
            value = block1(torch.cat((value, passed.pop()), 1), time)
            value = attention(block2(torch.cat((value, passed.pop()), 1), time))
            value = up(value)
        return self.final_conv(self.final_res_block(torch.cat((value, first), 1), time))[:, :channels]


class _Sines(nn.Module):
    """Steps i64 [n] → sines, then cosines, of frequencies from 1 to 1/10000, [n, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.count = width // 2

    def forward(self, t: Tensor) -> Tensor:
        powers = torch.arange(self.count, device=t.device) / (self.count - 1)
        angles = t.float()[:, None] * torch.exp(-math.log(10000) * powers)
        return torch.cat((angles.sin(), angles.cos()), 1)


class _Unshuffle(nn.Module):
    """Four pixels as channels."""

    def forward(self, value: Tensor) -> Tensor:
        return F.pixel_unshuffle(value, 2)


class _RMSNorm(nn.Module):
    """Channels at each place, divided by their root mean square."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, value: Tensor) -> Tensor:
        return F.normalize(value, dim=1) * self.g * value.shape[1] ** 0.5


class _StandardisedConv2d(nn.Conv2d):
    """Convolution by weights less their mean: divided by their std, or, as the tutorial's text has it, multiplied."""

    def __init__(self, inputs: int, outputs: int, how: Standardised) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.how = how

    def forward(self, value: Tensor) -> Tensor:
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        std = (centred.square().mean((1, 2, 3), keepdim=True) + 1e-5).sqrt()
        return F.conv2d(value, centred * std if self.how == "published" else centred / std, self.bias, padding=1)


class _Half(nn.Module):
    """Convolution, norm, and SiLU."""

    def __init__(self, inputs: int, outputs: int, layout: Layout) -> None:
        super().__init__()
        plain = not layout.standardised
        self.proj = (
            nn.Conv2d(inputs, outputs, 3, padding=1)
            if plain
            else _StandardisedConv2d(inputs, outputs, layout.standardised)
        )
        self.norm = _RMSNorm(outputs) if layout.rms else nn.GroupNorm(layout.groups, outputs)

    def forward(self, value: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        value = self.norm(self.proj(value))
        return F.silu(value if scale is None or shift is None else value * (scale + 1) + shift)


class _Block(nn.Module):
    """Residual block."""

    def __init__(self, inputs: int, outputs: int, time: int, layout: Layout) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outputs))
        self.block1, self.block2 = _Half(inputs, outputs, layout), _Half(outputs, outputs, layout)
        self.res_conv = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, value: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.mlp(time)[:, :, None, None].chunk(2, 1)
        return self.block2(self.block1(value, scale, shift)) + self.res_conv(value)


def _attention(channels: int, full: bool, layout: Layout) -> nn.Module:
    attention = _Attention(channels, full, layout)
    return _Residual(_Normalised(channels, attention)) if layout.residual else attention


class _Normalised(nn.Module):
    """What follows a norm."""

    def __init__(self, channels: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.GroupNorm(1, channels), fn

    def forward(self, value: Tensor) -> Tensor:
        return self.fn(self.norm(value))


class _Residual(nn.Module):
    """What is added to its input."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, value: Tensor) -> Tensor:
        return self.fn(value) + value


class _Attention(nn.Module):
    """Attention between all places of an image: full, or linear in their number (Shen et al. 2018, "Efficient
    Attention"), whose keys are normalised over places and queries over channels."""

    def __init__(self, channels: int, full: bool, layout: Layout) -> None:
        super().__init__()
        self.full, self.layout = full, layout
        heads, width, memory = layout.heads, layout.head_width, layout.memory
        self.to_qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        last = nn.Conv2d(heads * width, channels, 1)
        if not layout.residual:
            self.norm = _RMSNorm(channels)
            self.mem_kv = nn.Parameter(
                torch.zeros(2, heads, memory, width) if full else torch.zeros(2, heads, width, memory)
            )
        norm = nn.GroupNorm(1, channels) if layout.residual else _RMSNorm(channels)
        self.to_out = last if full else nn.Sequential(last, norm)

    def forward(self, value: Tensor) -> Tensor:
        """With a residual where the network has none around it."""
        count, _, height, width = value.shape
        inner = value if self.layout.residual else self.norm(value)
        query, key, content = (
            part.unflatten(1, (self.layout.heads, self.layout.head_width)).flatten(3)  # [n, heads, width, places]
            for part in self.to_qkv(inner).chunk(3, 1)
        )
        if not self.layout.residual:
            own = self.mem_kv.transpose(2, 3) if self.full else self.mem_kv
            learnt = own[:, None].expand(-1, count, -1, -1, -1)
            key, content = (torch.cat(pair, 3) for pair in zip(learnt, (key, content), strict=True))
        scale = self.layout.head_width**-0.5
        if self.full:
            weights = (query.transpose(2, 3) @ key * scale).softmax(3)  # [n, heads, places, keys]
            result = content @ weights.transpose(2, 3)
        else:
            context = content @ key.softmax(3).transpose(2, 3)  # [n, heads, width, width]
            result = context @ (query.softmax(2) * scale)
        result = self.to_out(result.flatten(1, 2).unflatten(2, (height, width)))
        return result if self.layout.residual else result + value
