"""Augmentation of whole batches on their device, called by ``stream``: windows, mirror, quarter turns, rotation, crop.

Every random number comes from a generator on the CPU, so that a batch depends on its seed and not on the device, and
how many are drawn from the number of images alone: with the generator in the same state, images and their
conditions change alike."""

import math
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is done to training images; the default is nothing."""

    flip: bool = False  # mirror half of them left to right
    rotate: float = 0.0  # degrees, at most, in either direction
    crop: float = 0.0  # fraction of height and width cut off at most, 0..0.5
    turn: bool = False  # by a random number of quarter turns, of square images


def cut(images: Tensor, size: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """A window (height, width) of each of u8 [n, h, w, c]: anywhere, or without a generator in the middle."""
    count, height, width, _ = images.shape
    places = torch.full((count, 2), 0.5) if generator is None else torch.rand(count, 2, generator=generator)
    corners = (places * torch.tensor([height - size[0] + 1, width - size[1] + 1])).long().tolist()
    return torch.stack([image[y : y + size[0], x : x + size[1]] for image, (y, x) in zip(images, corners, strict=True)])


def quarter_turns(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each of square u8 [n, h, w, c] by 0 to 3 quarters."""
    turns = torch.randint(4, (len(images),), generator=generator).tolist()
    return torch.stack([image.rot90(turn) for image, turn in zip(images, turns, strict=True)])


def mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror a random half of u8 [n, h, w, c], before it grows four times in the conversion to floats. In place."""
    chosen = (torch.rand(len(images), generator=generator) < 0.5).nonzero().squeeze(1)
    if images.device.type == "cpu":  # OpenCV's flip is thirty times faster than torch's: rows of 3 bytes suit it
        rows = images.numpy()
        for k in chosen.tolist():
            rows[k] = cv2.flip(rows[k], 1).reshape(rows.shape[1:])
    elif len(chosen):
        chosen = chosen.to(images.device)
        images[chosen] = images[chosen].flip(2)
    return images


def warp(images: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Rotate, crop and enlarge f32 [n, c, h, w] in one bilinear resampling; the edge is repeated outside."""
    count, _, height, width = images.shape
    draws = torch.rand(count, 4, generator=generator)
    angle = (draws[:, 0] * 2 - 1) * math.radians(augment.rotate)
    kept = 1 - draws[:, 1] * augment.crop
    shift = (draws[:, 2:] * 2 - 1) * (1 - kept)[:, None]
    cos, sin = torch.cos(angle) * kept, torch.sin(angle) * kept
    aspect = height / width
    # grid_sample's coordinates are -1..1 along height and width: the aspect keeps rotations rigid.
    theta = torch.stack([cos, -sin * aspect, shift[:, 0], sin / aspect, cos, shift[:, 1]], 1).view(-1, 2, 3)
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    warped = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    return warped.contiguous(memory_format=torch.channels_last)
