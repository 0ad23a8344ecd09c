"""An image cut into overlapping windows, so that a network sees a part at a time and no seam remains.

Every pixel of the result depends on the input up to ``context`` pixels away. So windows overlap by twice that, and of
each the middle is kept. All windows of an image have one size: onnxruntime plans its memory once for each size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from viewer.frame.area import Area


@dataclass(frozen=True)
class Tile:
    """A part of the result, in input pixels, and the window of the input that it is computed from."""

    kept: Area
    window: Area


def plan_tiles(height: int, width: int, tile: int, context: int, multiple: int = 1) -> list[Tile]:
    """Tiles that cover an image, row by row.

    ``tile``: input pixels a side that a window may have besides its ``context`` on either side. ``multiple``: of which
    the windows' lengths and places are; the last ones may reach beyond the image for it.
    """
    rows, columns = (list(_spans(length, tile, context, multiple)) for length in (height, width))
    return [
        Tile(Area(kept_left, kept_top, kept_width, kept_height), Area(left, top, width, height))
        for kept_top, kept_height, top, height in rows
        for kept_left, kept_width, left, width in columns
    ]


def _spans(length: int, tile: int, context: int, multiple: int) -> Iterator[tuple[int, int, int, int]]:
    """Along one axis: begin and length of what is kept, begin and length of the window."""
    cells, most, overlap = (-(-one // multiple) for one in (length, max(tile, 1), context))  # counted in multiples
    overlap *= 2
    count = 1 if cells <= most + overlap else -(-(cells - overlap) // most)
    size = -(-(cells + (count - 1) * overlap) // count)  # the shortest windows that do
    begins = [round(number * (cells - size) / max(count - 1, 1)) for number in range(count)]
    kept = 0
    for number, begin in enumerate(begins):
        last = number == count - 1
        end = length if last else (begin + size + begins[number + 1]) * multiple // 2  # the middle of the overlap
        yield kept, end - kept, begin * multiple, size * multiple
        kept = end
