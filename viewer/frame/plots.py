"""Draw axes, points, lines, sliders, legends and images beside each other onto a frame. Pure functions on arrays.

What is drawn over images is a light line between dark ones, so that it shows on any of them.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.images import resize
from viewer.files.resizing import resize_nearest
from viewer.frame.area import Area, fitting_size
from viewer.labels import TEXT, Colour, Frame, Image, fitted, frame_of, one_colour, text_width, write
from viewer.render import CURSOR, INK, PAPER, TONES, outline

Pixels = NDArray[np.float64]  # [n, 2] across and down, from the frame's corner

FAINT: Final[Colour] = TONES["hint"]
GROUND: Final = (34, 31, 30)  # of a plot
GAP: Final = 8  # pixels round every image of a row
LEAST_WIDTH: Final = 420  # of a frame, so that the strip says enough
_ROOM: Final = (1180, 620)  # width and height that all images of a row may take
_GRID: Final = (52, 48, 46)
_FRACTION_BITS: Final = 4  # of a pixel, with which OpenCV draws curves
_FINER: Final = 4  # times, that small circles are drawn before they are made small
_TICKS: Final = 9  # at most, along an axis
_PALETTE: Final = (  # distinguished by most eyes, on dark paper
    (241, 166, 78), (75, 143, 255), (110, 200, 95), (92, 92, 240), (222, 150, 190),
    (200, 205, 90), (70, 205, 240), (200, 120, 245), (160, 190, 210), (140, 220, 190),
)  # fmt: skip


def colour_of(label: int, classes: int) -> Colour:
    """Of a class; of many classes by the hue alone."""
    if classes <= len(_PALETTE):
        return _PALETTE[label % len(_PALETTE)]
    hue = round(180 * label / classes) % 180
    blue, green, red = cv2.cvtColor(np.array([[[hue, 150, 235]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def two_digits(value: float) -> str:
    """A coordinate with two digits; nothing is no less than 0."""
    return f"{round(value, 2) + 0.0:.2f}"


def blank(height: int, width: int) -> Frame:
    """A frame with nothing on it."""
    return frame_of(one_colour(height, width))


def put(frame: Image, area: Area, image: Image) -> None:
    """An image into an area of the frame, at the area's size."""
    frame[area.pixels] = resize(image, area.height, area.width)


def mosaic(target: Image, rows: int, columns: int, images: Image) -> None:
    """Images [n, h, w, 3] side by side onto ``target``, row by row from the top left."""
    height, width = target.shape[:2]
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, bottom = row * height // rows, (row + 1) * height // rows
        left, right = column * width // columns, (column + 1) * width // columns
        target[top:bottom, left:right] = resize(image, bottom - top, right - left)


def axes(image: Image, area: Area, reach: float, names: tuple[str, str]) -> None:
    """A border round the area, ticks from -reach to reach along it, and the names of its axes."""
    frame_round(image, area)
    for value in ticks(reach):
        fraction = (value + reach) / (2 * reach)
        x, y = area.left + fraction * area.width, area.bottom - fraction * area.height
        text = f"{value:g}"
        cv2.line(image, (round(x), area.bottom), (round(x), area.bottom + 4), FAINT, 1)
        cv2.line(image, (area.left - 5, round(y)), (area.left - 1, round(y)), FAINT, 1)
        write(image, x, area.bottom + 13, text, FAINT, "middle")
        write(image, area.left - 9, y, text, FAINT, "right")
    write(image, area.left + area.width / 2, area.bottom + 32, names[0], TEXT, "middle")
    write(image, area.left - 44, area.top + area.height / 2, names[1], TEXT, upright=True)


def ticks(reach: float) -> list[float]:
    """Round numbers from -reach to reach, 0 among them."""
    rough = 2 * reach / (_TICKS - 1)
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    most = int(reach / step + 1e-9)
    return [float(np.round(number * step, 9)) for number in range(-most, most + 1)]


def pixels(area: Area, reach: float, across: NDArray[np.float64], up: NDArray[np.float64]) -> Pixels:
    """Where points of the plane lie on the frame."""
    limit = 100 * reach  # far outside is outside
    x = area.left + (np.clip(across, -limit, limit) + reach) / (2 * reach) * area.width - 0.5
    y = area.bottom - (np.clip(up, -limit, limit) + reach) / (2 * reach) * area.height - 0.5
    return np.stack([x, y], axis=1)


def ground(image: Image, area: Area, reach: float) -> None:
    """The paper of a plot, with a grid."""
    plot = image[area.pixels]
    plot[:] = GROUND
    for value in ticks(reach):
        fraction = (value + reach) / (2 * reach)
        x, y = round(fraction * area.width), round((1 - fraction) * area.height)
        cv2.line(plot, (x, 0), (x, area.height), _GRID, 1)
        cv2.line(plot, (0, y), (area.width, y), _GRID, 1)


def dots(image: Image, area: Area, places: Pixels, colours: Sequence[Colour], radius: float) -> None:
    """Filled circles, one a point, cut off at the edge of the area; drawn large and made small, so that they are round.

    What else is in the area stays as it is, to the bit.
    """
    plot = image[area.pixels]
    large = plot.repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    inside = (places - (area.left, area.top) + 0.5) * _FINER - 0.5
    edge = radius * _FINER
    seen = ((inside > -edge) & (inside < (large.shape[1] + edge, large.shape[0] + edge))).all(axis=1)
    for number in np.flatnonzero(seen).tolist():
        x, y = (inside[number] * 2**_FRACTION_BITS).round().astype(int).tolist()
        cv2.circle(large, (x, y), round(edge * 2**_FRACTION_BITS), colours[number], -1, cv2.LINE_8, _FRACTION_BITS)
    plot[:] = cv2.resize(large, (area.width, area.height), interpolation=cv2.INTER_AREA)


def ring(image: Image, area: Area, place: Pixels, radius: float = 7) -> None:
    """A ring round a point [1, 2], that shows on anything."""
    x, y = place[0] - (area.left, area.top)
    if -radius <= x < area.width + radius and -radius <= y < area.height + radius:
        for thickness, colour in ((4, INK), (2, CURSOR)):
            _circle(image[area.pixels], x, y, radius, colour, thickness)


def path(image: Image, area: Area, places: Pixels, chosen: int) -> None:
    """A path through the plane: its ends are A and B, one of its points is chosen."""
    plot, inside = image[area.pixels], places - (area.left, area.top)
    corners = np.round(inside * 2**_FRACTION_BITS).astype(np.int32).reshape(-1, 1, 2)
    for thickness, colour in ((5, INK), (2, CURSOR)):
        cv2.polylines(plot, [corners], False, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)
    for x, y in inside:
        _circle(plot, x, y, 4.5, INK)
        _circle(plot, x, y, 3, CURSOR)
    _name_ends(image, area, places)
    ring(image, area, places[chosen : chosen + 1], 12 if chosen in (0, len(places) - 1) else 7)


def arrow(image: Image, area: Area, places: Pixels) -> None:
    """A line from A to B, [2, 2]."""
    plot, inside = image[area.pixels], places - (area.left, area.top)
    corners = np.round(inside * 2**_FRACTION_BITS).astype(np.int32).reshape(-1, 1, 2)
    for thickness, colour in ((5, INK), (2, CURSOR)):
        cv2.polylines(plot, [corners], False, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)
    _name_ends(image, area, places)


def _name_ends(image: Image, area: Area, places: Pixels) -> None:
    for name, (x, y) in zip("AB", (places[0], places[-1]), strict=True):
        if area.left - 1 <= x <= area.right and area.top - 1 <= y <= area.bottom:
            _circle(image, x, y, 10, INK)
            _circle(image, x, y, 8.5, CURSOR)
            write(image, x + 1, y, name, INK, "middle")


def circles(image: Image, area: Area, places: Pixels, colour: Colour, radius: float) -> None:
    """A circle round each point, with a dark line on either side, cut off at the edge of the area."""
    plot, inside = image[area.pixels], places - (area.left, area.top)
    for x, y in inside[((inside > -radius) & (inside < (area.width + radius, area.height + radius))).all(axis=1)]:
        _circle(plot, x, y, radius, INK, 4)
        _circle(plot, x, y, radius, colour, 2)


def rectangle(image: Image, area: Area, corners: Pixels) -> None:
    """The outline of a rectangle between two corners [2, 2]."""
    first, last = (tuple(map(int, corner)) for corner in np.round(corners - (area.left, area.top)))
    for thickness, colour in ((3, INK), (1, CURSOR)):
        cv2.rectangle(image[area.pixels], first, last, colour, thickness)


def _circle(plot: Image, x: float, y: float, radius: float, colour: Colour, thickness: int = -1) -> None:
    """Of this thickness in pixels; -1: filled."""
    centre, size = (round(x * 2**_FRACTION_BITS), round(y * 2**_FRACTION_BITS)), round(radius * 2**_FRACTION_BITS)
    cv2.circle(plot, centre, size, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)


def frame_round(image: Image, area: Area, colour: Colour = FAINT) -> None:
    """A thin line round an area."""
    cv2.rectangle(image, (area.left - 1, area.top - 1), (area.right, area.bottom), colour, 1)


def mark(image: Image, area: Area) -> None:
    """A bright line round the image that is chosen."""
    outline(image, area.left, area.top, area.width, area.height)


def legend(image: Image, area: Area, entries: Sequence[tuple[str, Colour]]) -> None:
    """Names with their colours, in one column or two, as many as there is room for."""
    height, columns = 19, 1 if len(entries) * 19 <= area.height else 2
    room = max(area.height // height, 1) * columns
    shown = entries if len(entries) <= room else [*entries[: room - 1], (f"and {len(entries) - room + 1} more", PAPER)]
    for number, (name, colour) in enumerate(shown):
        column, row = divmod(number, max(area.height // height, 1))
        x, y = area.left + column * (area.width // columns), area.top + row * height + height // 2
        _circle(image, x + 6, y, 5, colour)
        write(image, x + 19, y, fitted(name, area.width // columns - 24))


def gauge(image: Image, row: Area, track: Area, name: str, value: float, reach: float) -> None:
    """A small slider: a name, a thin track with its middle marked and a knob on it, and the number behind it."""
    y, middle = row.top + row.height // 2, track.left + track.width // 2
    cv2.line(image, (track.left, y), (track.right - 1, y), _GRID, 3)
    cv2.line(image, (middle, y - 3), (middle, y + 3), _GRID, 1)
    x = _knob_place(track, value, reach)
    cv2.line(image, (middle, y), (x, y), FAINT, 3)
    cv2.rectangle(image, (x - 3, y - 6), (x + 3, y + 6), INK, -1)
    cv2.rectangle(image, (x - 2, y - 5), (x + 2, y + 5), CURSOR, -1)
    write(image, row.left, y, fitted(name, track.left - row.left - 8), FAINT)
    write(image, row.right, y, two_digits(value), FAINT, "right")


def slider(image: Image, row: Area, track: Area, name: str, mark: str, value: float, chosen: bool) -> None:
    """A knob on a track, the axis's name before it and the number behind it. ``mark``: beside the name."""
    if chosen:
        cv2.rectangle(image, (row.left, row.top + 1), (row.right - 1, row.bottom - 2), _GRID, -1)
        frame_round(image, track, CURSOR)
    image[track.pixels] = GROUND
    middle = row.top + row.height / 2
    room = track.left - row.left - 10 - (text_width(mark) + 6 if mark else 0)
    lines = two_lines(name, room)
    for number, line in enumerate(lines):
        write(image, row.left + 6, middle + 16 * (number - (len(lines) - 1) / 2), line, TEXT if chosen else FAINT)
    write(image, track.left - 6, middle, mark, CURSOR, "right")
    write(image, row.right - 6, middle, two_digits(value), TEXT if chosen else FAINT, "right")


def two_lines(text: str, room: int) -> tuple[str, ...]:
    """Text in one line or two of so many pixels, parted at a space where there is one that fits."""
    if text_width(text) <= room:
        return (text,)
    ends = [number for number, one in enumerate(text) if one == " " and text_width(text[:number]) <= room]
    if ends:
        return text[: ends[-1]], fitted(text[ends[-1] + 1 :], room)
    fits = next(count for count in range(len(text), 0, -1) if text_width(text[:count]) <= room or count == 1)
    return text[:fits], fitted(text[fits:], room)


def knob(image: Image, track: Area, value: float, reach: float) -> None:
    """The knob of a slider, at its value."""
    x = _knob_place(track, value, reach)
    top, bottom = track.top - 3, track.bottom + 2
    cv2.rectangle(image, (x - 3, top - 1), (x + 3, bottom + 1), INK, -1)
    cv2.rectangle(image, (x - 1, top), (x + 1, bottom), CURSOR, -1)


def _knob_place(track: Area, value: float, reach: float) -> int:
    return round(track.left + (min(max(value / reach, -1.0), 1.0) + 1) / 2 * track.width - 0.5)


def row(images: Sequence[Image], chosen: int = -1) -> Image:
    """Images [h, w, 3] beside each other, as large as the last one looks well and the screen has room for, with a line
    round the ``chosen`` one."""
    height, width = images[-1].shape[:2]
    most = min((_ROOM[0] - GAP) // len(images) - GAP, _ROOM[1])
    wide, high = fitting_size(width, height, most)
    total = len(images) * (wide + GAP) + GAP
    frame = blank(high + 2 * GAP, max(total, LEAST_WIDTH))
    left = GAP + (frame.shape[1] - total) // 2
    for number, image in enumerate(images):
        area = Area(left + number * (wide + GAP), GAP, wide, high)
        put(frame, area, sharp(image, high, wide))
        if number == chosen:
            mark(frame, area)
    return frame


def sharp(image: Image, height: int, width: int) -> Image:
    """The image at another size; a whole number of times larger, its pixels stay squares."""
    rows, columns = image.shape[:2]
    whole = height % rows == 0 and width % columns == 0
    return resize_nearest(image, height, width) if whole else np.asarray(resize(image, height, width), np.uint8)
