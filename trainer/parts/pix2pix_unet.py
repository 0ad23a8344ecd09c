"""U-Net generator of pix2pix (Isola et al. 2017, section 6.1.1), its norms, and the reference code's state_dict."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Norm


class ImageNorm(nn.InstanceNorm2d):
    """Instance normalisation. Training on CPUs runs batch normalisation image by image: torch's instance norm takes
    three times as long there, since it leaves the layout that convolutions are fast in."""

    def forward(self, value: Tensor) -> Tensor:
        if not self.training or value.device.type != "cpu":
            return super().forward(value)
        scale, offset = self.weight, self.bias
        parts = [F.batch_norm(part, None, None, scale, offset, True, 0.0, self.eps) for part in value.split(1)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]


# "image" is batch normalisation of batches of one image, in training and in use: with learnt scale and offset
NORMS: Mapping[str, Norm] = {
    "batch": nn.BatchNorm2d, "image": partial(ImageNorm, affine=True), "instance": ImageNorm,
}  # fmt: skip


class UNet(nn.Module):
    """Images [n, c, h, w] in -1..1, and optional latents [n, d] → images [n, c', h, w] in -1..1.

    ``levels`` halvings by 4x4 convolutions and as many doublings, with skip connections between those of one size.
    Sides are multiples of 2 to the power of ``levels``.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, levels: int, norm: Norm, dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, channels in enumerate(widths):
            outermost, innermost = level == 0, level == levels - 1
            before = inputs if outermost else widths[level - 1]
            down: list[nn.Module] = [nn.Conv2d(before, channels, 4, 2, padding=1, bias=bias)]
            if not outermost:
                down.insert(0, nn.LeakyReLU(0.2))
            if not outermost and not innermost:
                down.append(norm(channels))
            after, joined = (outputs if outermost else before), (channels if innermost else 2 * channels)
            larger = nn.ConvTranspose2d(joined, after, 4, 2, padding=1, bias=bias or outermost)
            up: list[nn.Module] = [nn.ReLU(), larger, nn.Tanh() if outermost else norm(after)]
            if level >= max(1, levels - 3) and dropout:
                up.append(nn.Dropout(dropout))
            self.down.append(nn.Sequential(*down))
            self.up.append(nn.Sequential(*up))

    def forward(self, image: Tensor, latent: Tensor | None = None) -> Tensor:
        if latent is not None:  # the same at every place
            image = torch.cat([image, latent[:, :, None, None].expand(-1, -1, *image.shape[2:])], 1)
        seen = [image]
        for layer in self.down:
            seen.append(layer(seen[-1]))
        value = seen.pop()
        for level, layer in reversed(list(enumerate(self.up))):
            value = layer(value)
            if level:
                value = torch.cat([seen[level], value], 1)
        return value

    def translate(self, image: Tensor, *latent: Tensor) -> Tensor:
        """The same for images in 0..1."""
        return self(image * 2 - 1, *latent) * 0.5 + 0.5


def normalisation_of(unet: nn.Module) -> str:
    """Statistics that a network's layers are normalised by in use, as the card names them."""
    kinds = {type(part) for part in unet.modules()}
    if nn.BatchNorm2d in kinds:
        return "running statistics of training"
    return "statistics of each image" if ImageNorm in kinds else "none"


BLOCKS = {  # places of a nested block's layers, and those of ours
    "outermost": {"0": "down.{}.0", "3": "up.{}.1"},
    "inner": {"1": "down.{}.1", "2": "down.{}.2", "5": "up.{}.1", "6": "up.{}.2"},
    "innermost": {"1": "down.{}.1", "3": "up.{}.1", "4": "up.{}.2"},
}


def flat_keys(state: Mapping[str, Tensor], name: str) -> tuple[dict[str, Tensor], int]:
    """Convert a state_dict of nested blocks to the keys of ``UNet``, and count its levels. Each block holds a halving,
    its normalisation, the inner block, a doubling, and its normalisation.

    Running statistics are left out. Raises ``ValueError`` for other layouts.
    """
    own: dict[str, Tensor] = {}
    odd: list[str] = []
    levels = 1 + max((key.count("model.") for key in state), default=0)
    for key, value in sorted(state.items()):
        *blocks, place, kind = key.split(".") if "." in key else ("", key)
        if kind not in ("weight", "bias"):
            continue
        level = len(blocks) // 2
        expected = (["1", "model"] + ["3", "model"] * (level - 1)) if level else []
        places = BLOCKS["outermost" if level == 0 else "innermost" if level == levels - 1 else "inner"]
        if blocks == expected and place in places:
            own[f"{places[place].format(level)}.{kind}"] = value
        else:
            odd.append(key)
    needed = (f"{place}.weight" for place in ("down.0.0", "up.0.1", "down.1.1", "up.1.1"))
    whole = all(key in own and own[key].ndim == 4 for key in needed)
    if odd or not whole:
        what = f"does not expect {', '.join(odd[:3])}" if odd else "lacks a halving or a doubling"
        raise ValueError(f"{name}: no U-Net of nested blocks: {what}")
    return own, levels
