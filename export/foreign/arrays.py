"""What ``viewer.graph.layout`` does with arrays, as nodes of a graph: between our images and a network's own."""

from typing import Final

import numpy as np

from export.foreign.wrapping import Wrapping
from viewer.graph.layout import ImageLayout, Layout

Range = tuple[float, float] | None  # of float images; None: u8 levels

_LUMA: Final = (0.299, 0.587, 0.114)  # of red, green and blue, as OpenCV has it
_CHW_TO_HWC, _HWC_TO_CHW = (0, 2, 3, 1), (0, 3, 1, 2)


def latent_of(graph: Wrapping, latent: str, layout: Layout, batch: int) -> str:
    """Latents f32 [n, d] as the network takes them. ``batch``: images of a run, -1: any number."""
    shape = (batch, *layout.latent_shape) if layout.batched_input else layout.latent_shape
    return graph.cast(graph.reshape(latent, shape), layout.latent_type)


def generated(graph: Wrapping, output: str, layout: Layout, batch: int) -> str:
    """A generator's output as images u8 [n, h, w, 3] RGB."""
    images = graph.reshape(output, (batch if layout.batched_output else 1, *layout.image_shape))
    if layout.axes == "chw":
        images = graph.transpose(images, _CHW_TO_HWC)
    channels = layout.image_shape[layout.axes.index("c")]
    return rgb(graph, images, layout.value_range, layout.bgr, channels)


def translated(graph: Wrapping, output: str, layout: ImageLayout) -> str:
    """A translator's output as images u8 [n, h, w, 3] RGB, or [n, h, w, 4] with its alpha."""
    images = graph.transpose(output, _CHW_TO_HWC) if layout.output_axes == "chw" else output
    if layout.output_axes == "hw":
        images = graph.reshape(output, (0, 0, 0, 1))
    channels = layout.output_channels
    return rgb(graph, images, layout.output_range, layout.bgr, channels, keep_alpha=True)


def levels(graph: Wrapping, images: str, values: Range) -> str:
    """Images of any type and range as floats f32 that are whole numbers 0..255."""
    if values is None:
        return graph.cast(graph.cast(images, np.uint8), np.float32)
    low, high = values
    scaled = graph.node("Sub", graph.cast(images, np.float32), graph.constant(np.float32(low)))
    scaled = graph.node("Mul", scaled, graph.constant(np.float32(255.0 / (high - low))))
    return graph.clipped(graph.rounded(scaled), 0.0, 255.0)


def rgb(graph: Wrapping, images: str, values: Range, bgr: bool, channels: int, keep_alpha: bool = False) -> str:
    """Images [n, h, w, c] of the network as u8 [n, h, w, 3] RGB: grey ones thrice, alpha over white unless it is to be
    kept."""
    images = levels(graph, images, values)
    if channels == 1:
        images = graph.joined([images] * 3, 3)
    elif bgr:
        images = graph.take(images, 3, (2, 1, 0, 3)[:channels])
    if channels == 4 and not keep_alpha:
        colours, alpha = graph.take(images, 3, (0, 1, 2)), graph.take(images, 3, (3,))
        white = graph.constant(np.float32(255))
        over = graph.node("Mul", graph.node("Sub", colours, white), alpha)
        images = graph.rounded(graph.node("Add", graph.node("Div", over, white), white))
    return graph.cast(images, np.uint8)


def taken(graph: Wrapping, image: str, layout: ImageLayout, pads: tuple[int, int] = (0, 0)) -> str:
    """Images u8 [n, h, w, c] RGB as a network takes them, grown before and after by their own reflection."""
    array = graph.cast(image, np.float32)
    if layout.bgr and layout.channels > 1:
        array = graph.take(array, 3, (2, 1, 0, 3)[: layout.channels])
    if any(pads):
        array = graph.mirrored(array, *pads)
    if layout.input_range is not None:
        low, high = layout.input_range
        array = graph.node("Mul", array, graph.constant(np.float32((high - low) / 255)))
        array = graph.node("Add", array, graph.constant(np.float32(low)))
    if layout.axes == "chw":
        array = graph.transpose(array, _HWC_TO_CHW)
    return graph.cast(array, layout.input_type)


def grey(graph: Wrapping, image: str) -> str:
    """Images u8 [n, h, w, 3] RGB as grey ones u8 [n, h, w, 1]."""
    weights = graph.constant(np.array(_LUMA, np.float32).reshape(3, 1))
    return graph.cast(graph.rounded(graph.node("MatMul", graph.cast(image, np.float32), weights)), np.uint8)
