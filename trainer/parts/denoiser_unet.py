"""U-Net of a diffusion model: noisy images → a prediction of the same size.

Residual blocks of weight-standardised convolutions (Qiao et al. 2019, "Micro-Batch Training with Batch-Channel
Normalization and Weight Standardization"), group normalisation with scale and shift from the time embedding;
linear attention (Shen et al. 2021, "Efficient Attention") at each size, full attention in the middle.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import sub_pixel

GROUPS = 8
HEAD = 32  # channels of an attention head
MANY_PLACES = 2048  # more would make an attention matrix that fills much memory


class StandardisedConv2d(nn.Conv2d):
    """Weight-standardised convolution: kernels of zero mean and unit variance, divided by the root of their fan-in."""

    def standardised(self) -> Tensor:
        """The standardised weights."""
        normalised = F.layer_norm(self.weight, self.weight.shape[1:])  # faster than by mean and std
        return normalised * self.weight[0].numel() ** -0.5

    def forward(self, value: Tensor) -> Tensor:
        return self._conv_forward(value, self.standardised(), self.bias)


class Block(nn.Module):
    """x + SiLU(norm(conv(dropout(SiLU(scale · norm(conv(x)) + shift))))): [n, c, h, w] and modulation
    [n, 2·c', 1, 1]."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv1 = StandardisedConv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.GroupNorm(GROUPS, outputs, affine=False)  # scale and shift come from the time embedding
        self.conv2 = StandardisedConv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, outputs)
        self.skip: nn.Module = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, value: Tensor, modulation: Tensor) -> Tensor:
        scale, shift = modulation.chunk(2, dim=1)
        hidden = F.silu(torch.addcmul(shift, self.norm1(self.conv1(value)), scale))
        if self.dropout and self.training:
            hidden = F.dropout(hidden, self.dropout)
        return F.silu(self.norm2(self.conv2(hidden))) + self.skip(value)


class Attention(nn.Module):
    """Residual multi-head softmax attention over all places of a feature map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD)
        self.norm = nn.GroupNorm(1, channels)
        self.queries_keys_values = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, value: Tensor) -> Tensor:
        joined = self.queries_keys_values(self.norm(value)).flatten(2).unflatten(1, (3 * self.heads, -1))
        gathered = self.gather(*joined.chunk(3, dim=1))  # each [n, heads, channels, places]
        return value + self.out(gathered.flatten(1, 2).unflatten(2, value.shape[2:]))

    def gather(self, query: Tensor, key: Tensor, content: Tensor) -> Tensor:
        if query.device.type == "cpu" and query.shape[3] <= MANY_PLACES:
            # a sixth of the time of scaled_dot_product_attention in bf16
            weights = ((query * query.shape[2] ** -0.5).transpose(2, 3) @ key).softmax(3)
            return content @ weights.transpose(2, 3)
        rows, columns, contents = (part.transpose(2, 3).contiguous() for part in (query, key, content))
        return F.scaled_dot_product_attention(rows, columns, contents).transpose(2, 3)


class LinearAttention(Attention):
    """Residual attention of linear cost in the number of places: separate softmaxes of queries and keys."""

    def gather(self, query: Tensor, key: Tensor, content: Tensor) -> Tensor:
        summary = content @ key.softmax(3).transpose(2, 3)  # [n, heads, channels, channels]
        return summary @ (query.softmax(2) * query.shape[2] ** -0.5)


class Time(nn.Module):
    """Embedding of steps t [n] and optional labels [n] → [n, size]: sinusoids through two linear layers."""

    def __init__(self, width: int, size: int, classes: int) -> None:
        super().__init__()
        self.waves = width // 2
        self.layers = nn.Sequential(nn.Linear(2 * self.waves, size), nn.SiLU(), nn.Linear(size, size))
        self.label = nn.Embedding(classes + 1, size) if classes else None  # the last one: no class

    def forward(self, t: Tensor, label: Tensor | None) -> Tensor:
        index = torch.arange(self.waves, device=t.device, dtype=torch.float32)
        angles = t[:, None].float() * torch.exp(index * (-math.log(10_000) / max(1, self.waves - 1)))
        value = self.layers(torch.cat((angles.sin(), angles.cos()), dim=1))
        if self.label is None or label is None:
            return value
        return value + self.label(label % self.label.num_embeddings)


class Level(nn.Module):
    """Two blocks and attention at one size, and the layer to the next size."""

    def __init__(self, inputs: int, channels: int, attention: Attention, resize: nn.Module, dropout: float) -> None:
        super().__init__()
        self.one = Block(inputs, channels, dropout)
        self.attention = attention
        self.other = Block(inputs, channels, dropout)
        self.resize = resize


class Down(Level):
    """Level of the encoder; pushes its skip connections onto ``skips``."""

    def forward(self, value: Tensor, modulations: Iterator[Tensor], skips: list[Tensor]) -> Tensor:
        value = self.one(value, next(modulations))
        skips.append(value)
        value = self.attention(self.other(value, next(modulations)))
        skips.append(value)
        return self.resize(value)


class Middle(Level):
    """Level of the smallest size."""

    def forward(self, value: Tensor, modulations: Iterator[Tensor]) -> Tensor:
        value = self.one(value, next(modulations))
        return self.resize(self.other(self.attention(value), next(modulations)))


class Up(Level):
    """Level of the decoder; pops its skip connections from ``skips``."""

    def forward(self, value: Tensor, modulations: Iterator[Tensor], skips: list[Tensor]) -> Tensor:
        value = self.one(torch.cat((value, skips.pop()), dim=1), next(modulations))
        value = self.other(torch.cat((value, skips.pop()), dim=1), next(modulations))
        return self.resize(self.attention(value))


class Denoiser(nn.Module):
    """Noisy images f32 [n, c, h, w], steps t i64 [n], and labels i64 [n] where there are classes → [n, c, h, w].

    ``width`` · ``multipliers`` are the channels of each level, each half the size of the one before. The label -1 or
    ``classes``, or no labels, means unconditional.
    """

    def __init__(
        self, channels: int, width: int, multipliers: Sequence[int], classes: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.classes = classes
        widths = [width * multiplier for multiplier in multipliers]
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for wide, after in pairwise([*widths, 0]):
            smaller = nn.Conv2d(wide, after, 2, 2) if after else nn.Identity()
            self.down.append(Down(wide, wide, LinearAttention(wide), smaller, dropout))
        self.middle = Middle(wide, wide, Attention(wide), nn.Identity(), dropout)
        for wide, after in pairwise([*reversed(widths), 0]):
            larger = sub_pixel(wide, after, 1) if after else nn.Identity()
            self.up.append(Up(2 * wide, wide, LinearAttention(wide), larger, dropout))
        self.final = Block(2 * wide, wide, dropout)
        self.last = nn.Conv2d(wide, channels, 1)
        nn.init.zeros_(self.last.weight)
        self.time = Time(width, 4 * width, classes)
        order = [*self.down, self.middle, *self.up, self.final]
        self.sizes = [2 * part.norm2.num_channels for level in order for part in level.modules() if type(part) is Block]
        # of all blocks at once, in the order of the forward pass
        self.modulation = nn.Linear(4 * width, sum(self.sizes))
        nn.init.zeros_(self.modulation.weight)
        factors = [torch.arange(size) < size // 2 for size in self.sizes]  # scale 1, shift 0
        self.modulation.bias.data = torch.cat(factors).float()

    def forward(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        if self.classes and label is None:
            label = torch.full_like(t, -1)
        modulation = self.modulation(F.silu(self.time(t, label)))[:, :, None, None]
        modulations = iter(modulation.split(self.sizes, dim=1))
        value = begin = self.first(noisy)
        skips: list[Tensor] = []
        for level in self.down:
            value = level(value, modulations, skips)
        value = self.middle(value, modulations)
        for level in self.up:
            value = level(value, modulations, skips)
        return self.last(self.final(torch.cat((value, begin), dim=1), next(modulations)))


def folded(net: Denoiser) -> Denoiser:
    """Copy with the standardised weights in plain convolutions, for inference."""
    net = copy.deepcopy(net)
    for block in [part for part in net.modules() if isinstance(part, Block)]:
        for name in ("conv1", "conv2"):
            old = getattr(block, name)
            new = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, padding=old.padding)
            new.load_state_dict({"weight": old.standardised(), "bias": old.bias})
            setattr(block, name, new.to(old.weight.device).train(old.training).requires_grad_(False))
    return net
