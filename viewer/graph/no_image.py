"""What networks give that take images and give none: maps of classes, maps of features."""

from collections.abc import Sequence
from typing import Any

from viewer.graph.declared import SMALLEST_SIDE_PX
from viewer.graph.layout import CHANNELS


def is_map_of_classes(port: Any) -> bool:
    """Whether an output is one whole number a pixel, [n, h, w], as networks give them that tell classes."""
    return (
        port.type in ("tensor(int64)", "tensor(int32)")
        and len(port.shape) == 3
        and all(not isinstance(size, int) or size >= SMALLEST_SIDE_PX for size in port.shape[1:])
    )


def said_of(outputs: Sequence[Any], found: str) -> str:
    """Why no output is an image, and the way out, in words. ``found``: all ports."""
    expected = "expected an image: give each class a colour within the graph, and export that"
    for port in outputs:
        if is_map_of_classes(port):
            return f"gives a number of a class for each pixel{found}, {expected}"
        sizes = [size for size in port.shape[1:] if isinstance(size, int)]
        if len(port.shape) == 4 and isinstance(port.shape[1], int) and not set(sizes) & set(CHANNELS):
            many = f"gives {port.shape[1]} channels, as networks do that tell classes{found}"
            return f"{many}, {expected} (torch: COLOURS[output.argmax(1)])"
    return (
        f"gives no image of any size that was tried{found}, expected one of 1, 3 or 4 channels; --output-name, "
        "--layout or --set may tell how"
    )
