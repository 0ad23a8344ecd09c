"""Small diffusion models with the names and the arithmetic of published programs."""

import math
from itertools import pairwise

import torch
from torch import Tensor, einsum, nn
from torch.nn import functional as F


class Sines(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, time: Tensor) -> Tensor:
        half = self.dim // 2
        factors = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = time[:, None] * factors[None, :]
        return torch.cat((angles.sin(), angles.cos()), dim=-1)


class RMSNorm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.rand(1, dim, 1, 1) + 0.5)

    def forward(self, value: Tensor) -> Tensor:
        return F.normalize(value, dim=1) * self.g * self.g.shape[1] ** 0.5


class Standardised(nn.Conv2d):
    corrected = False

    def forward(self, value: Tensor) -> Tensor:
        weight = self.weight
        mean = weight.mean(dim=(1, 2, 3), keepdim=True)
        variance = torch.var(weight, dim=(1, 2, 3), keepdim=True, unbiased=False)
        scale = (variance + 1e-5).rsqrt()
        weight = (weight - mean) * scale if self.corrected else (weight - mean) / scale
        return F.conv2d(value, weight, self.bias, padding=1)


class Block(nn.Module):
    def __init__(self, dim: int, out: int, style: str) -> None:
        super().__init__()
        convolution = Standardised if style == "tutorial" else nn.Conv2d
        self.proj = convolution(dim, out, 3, padding=1)
        self.norm = RMSNorm(out) if style == "2" else nn.GroupNorm(4 if style == "tutorial" else 8, out)

    def forward(self, value: Tensor, scale_shift: tuple[Tensor, Tensor] | None = None) -> Tensor:
        value = self.norm(self.proj(value))
        if scale_shift is not None:
            value = value * (scale_shift[0] + 1) + scale_shift[1]
        return F.silu(value)


class ResnetBlock(nn.Module):
    def __init__(self, dim: int, out: int, time: int, style: str) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time, out * 2))
        self.block1, self.block2 = Block(dim, out, style), Block(out, out, style)
        self.res_conv = nn.Conv2d(dim, out, 1) if dim != out else nn.Identity()

    def forward(self, value: Tensor, time: Tensor) -> Tensor:
        pair = self.mlp(time)[:, :, None, None].chunk(2, dim=1)
        return self.block2(self.block1(value, pair)) + self.res_conv(value)


class Attention(nn.Module):
    """Full or linear; ``memory`` with learnt keys and values, and a norm of its own."""

    def __init__(self, dim: int, full: bool, memory: bool, heads: int = 4, width: int = 8) -> None:
        super().__init__()
        self.full, self.memory, self.heads, self.scale = full, memory, heads, width**-0.5
        if memory:
            self.norm = RMSNorm(dim)
            self.mem_kv = nn.Parameter(torch.randn(2, heads, *((4, width) if full else (width, 4))))
        self.to_qkv = nn.Conv2d(dim, heads * width * 3, 1, bias=False)
        last = nn.Conv2d(heads * width, dim, 1)
        self.to_out = last if full else nn.Sequential(last, RMSNorm(dim) if memory else nn.GroupNorm(1, dim))

    def with_memory(self, k: Tensor, v: Tensor, axis: int) -> list[Tensor]:
        pairs = zip(self.mem_kv, (k, v), strict=True)
        return [torch.cat((own.expand(len(k), -1, -1, -1), part), axis) for own, part in pairs]

    def forward(self, value: Tensor) -> Tensor:
        b, _, h, w = value.shape
        parts = self.to_qkv(self.norm(value) if self.memory else value).chunk(3, dim=1)
        q, k, v = (part.reshape(b, self.heads, -1, h * w) for part in parts)  # b h c n
        if self.full:
            q, k, v = (part.transpose(2, 3) for part in (q, k, v))  # b h n c
            if self.memory:
                k, v = (
                    torch.cat((m.expand(b, -1, -1, -1), part), 2) for m, part in zip(self.mem_kv, (k, v), strict=True)
                )
            weights = (einsum("b h i d, b h j d -> b h i j", q, k) * self.scale).softmax(dim=-1)
            out = einsum("b h i j, b h j d -> b h i d", weights, v).transpose(2, 3)
        else:
            if self.memory:
                k, v = (
                    torch.cat((m.expand(b, -1, -1, -1), part), 3) for m, part in zip(self.mem_kv, (k, v), strict=True)
                )
            q, k = q.softmax(dim=-2) * self.scale, k.softmax(dim=-1)
            out = einsum("b h d e, b h d n -> b h e n", einsum("b h d n, b h e n -> b h d e", k, v), q)
        return self.to_out(out.reshape(b, -1, h, w))


class PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.fn, self.norm = fn, nn.GroupNorm(1, dim)

    def forward(self, value: Tensor) -> Tensor:
        return self.fn(self.norm(value))


class Residual(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, value: Tensor) -> Tensor:
        return self.fn(value) + value


class Unet(nn.Module):
    """``style``: "2" and "1.9" of denoising-diffusion-pytorch, or "tutorial"."""

    def __init__(
        self, style: str = "2", dim: int = 8, mults: tuple[int, ...] = (1, 2), channels: int = 3, twice: bool = False
    ) -> None:
        super().__init__()
        tutorial = style == "tutorial"
        self.twice, self.tutorial = twice, tutorial
        kernel = 1 if tutorial else 7
        self.init_conv = nn.Conv2d(channels * (2 if twice else 1), dim, kernel, padding=kernel // 2)
        dims = [dim, *(dim * mult for mult in mults)]
        pairs = list(pairwise(dims))
        time = dim * 4
        self.time_mlp = nn.Sequential(Sines(dim), nn.Linear(dim, time), nn.GELU(), nn.Linear(time, time))

        def attention(width: int, full: bool) -> nn.Module:
            if tutorial:
                return Residual(PreNorm(width, Attention(width, full, memory=False)))
            return Attention(width, full, memory=True)

        self.downs, self.ups = nn.ModuleList([]), nn.ModuleList([])
        for index, (one, other) in enumerate(pairs):
            last = index == len(pairs) - 1
            step = nn.Conv2d(one, other, 3, padding=1) if last else nn.Sequential(
                nn.PixelUnshuffle(2), nn.Conv2d(one * 4, other, 1)  # einops' Rearrange there, without parameters
            )  # fmt: skip
            blocks = [ResnetBlock(one, one, time, style) for _ in range(2)]
            self.downs.append(nn.ModuleList([*blocks, attention(one, last and not tutorial), step]))
        self.mid_block1 = ResnetBlock(dims[-1], dims[-1], time, style)
        self.mid_attn = attention(dims[-1], True)
        self.mid_block2 = ResnetBlock(dims[-1], dims[-1], time, style)
        for index, (one, other) in enumerate(reversed(pairs)):
            last = index == len(pairs) - 1
            up = nn.Conv2d(other, one, 3, padding=1)
            step = up if last else nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), up)
            blocks = [ResnetBlock(other + one, other, time, style) for _ in range(2)]
            self.ups.append(nn.ModuleList([*blocks, attention(other, index == 0 and not tutorial), step]))
        self.final_res_block = ResnetBlock(dim * 2, dim, time, style)
        self.final_conv = nn.Conv2d(dim, channels, 1)

    def forward(self, value: Tensor, time: Tensor) -> Tensor:
        if self.twice:
            value = torch.cat((torch.zeros_like(value), value), dim=1)
        value = self.init_conv(value)
        first, t, passed = value.clone(), self.time_mlp(time), []
        for block1, block2, attention, down in self.downs:
            value = block1(value, t)
            passed.append(value)
            value = block2(value, t)
            value = attention(value) if self.tutorial else attention(value) + value
            passed.append(value)
            value = down(value)
        value = self.mid_block1(value, t)
        value = self.mid_attn(value) if self.tutorial else self.mid_attn(value) + value
        value = self.mid_block2(value, t)
        for block1, block2, attention, up in self.ups:
            value = block1(torch.cat((value, passed.pop()), dim=1), t)
            value = block2(torch.cat((value, passed.pop()), dim=1), t)
            value = attention(value) if self.tutorial else attention(value) + value
            value = up(value)
        return self.final_conv(self.final_res_block(torch.cat((value, first), dim=1), t))


class Diffusion(nn.Module):
    """The library's diffusion model around a U-Net: its buffers."""

    def __init__(self, model: nn.Module, alpha_bar: Tensor, objective: str, clip: float = math.inf) -> None:
        super().__init__()
        self.model = model
        ratio = alpha_bar / (1 - alpha_bar)
        clipped = ratio.clamp(max=clip)
        weight = {"pred_noise": clipped / ratio, "pred_x0": clipped, "pred_v": clipped / (ratio + 1)}[objective]
        before = F.pad(alpha_bar[:-1], (1, 0), value=1.0)
        for name, value in (
            ("betas", 1 - alpha_bar / before), ("alphas_cumprod", alpha_bar), ("alphas_cumprod_prev", before),
            ("sqrt_alphas_cumprod", alpha_bar.sqrt()), ("posterior_variance", 1 - before), ("loss_weight", weight),
        ):  # fmt: skip
            self.register_buffer(name, value.float())
