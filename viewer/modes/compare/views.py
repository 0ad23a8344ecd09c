"""Draw a comparison: images beside each other, on either side of a divider, or their differences; and figures. Pure
functions on arrays."""

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from viewer import render
from viewer.files.png import Image
from viewer.files.resizing import resize, resize_nearest
from viewer.frame import plots
from viewer.labels import TEXT, Anchor, Colour, Frame, fitted, frame_of, labels_of, text_width, write
from viewer.modes.compare.figures import Figures
from viewer.modes.compare.state import CompareState, Zoom
from viewer.room import Room

HEADER: Final = 24  # pixels of a line of names or figures
_COLUMN: Final = 80  # pixels of a column of figures, at least; at most twice as many
_MARGIN: Final = 14
_GAP: Final = 12  # between columns
_BEST: Final = render.TONES["notice"]


def letter(place: int) -> str:
    """What a model is called where its name is too long: A, B, C, D."""
    return "ABCD"[place]


def cell(state: CompareState, images: Sequence[Image | None], height: int, width: int, zoom: Zoom) -> Image:
    """One comparison, u8 [height, width * across, 3]: images of any sizes, ``None`` where one is not there yet."""
    there = [image for image in images if image is not None]
    if not there:
        return _paper(height, width * state.across)
    size = max(image.shape[0] for image in there), max(image.shape[1] for image in there)
    alike = [None if image is None else _part(resize(image, *size), zoom) for image in images]

    def shown(image: Image | None) -> Image:
        return _paper(height, width) if image is None else _placed(image, height, width, sharp=zoom.power > 0)

    left, right = (alike[place] for place in state.pair)
    if state.view == "wipe":
        return _divided(shown(left), shown(right), state.divider)
    if state.view != "difference":
        return np.concatenate([shown(image) for image in alike], axis=1)
    tiles = []
    for place, image in enumerate(alike):
        if place not in state.subtracted:
            tiles.append(shown(image))
        else:
            known = None if image is None or left is None else difference(left, image, state.factor)
            tiles.append(shown(known))
    return np.concatenate(tiles, axis=1)


def difference(one: Image, other: Image, factor: int) -> Image:
    """How far two images are apart in each channel, times ``factor``; white is 255 / factor levels and more."""
    return np.asarray(cv2.convertScaleAbs(cv2.absdiff(one, other), alpha=factor), np.uint8)


def _part(image: Image, zoom: Zoom) -> Image:
    if not zoom.power:
        return image
    height, width = image.shape[:2]
    left, top = zoom.corner
    rows, columns = max(round(height * zoom.share), 1), max(round(width * zoom.share), 1)
    x, y = min(max(round(left * width), 0), width - columns), min(max(round(top * height), 0), height - rows)
    return np.ascontiguousarray(image[y : y + rows, x : x + columns])


def _placed(image: Image, height: int, width: int, sharp: bool) -> Image:
    """An image as large as it goes into this place, in its middle; ``sharp``: its pixels stay squares."""
    factor = min(height / image.shape[0], width / image.shape[1])
    rows, columns = max(round(image.shape[0] * factor), 1), max(round(image.shape[1] * factor), 1)
    scaled = (resize_nearest if sharp and factor > 1 else resize)(image, rows, columns)
    if (rows, columns) == (height, width):
        return scaled
    target = _paper(height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    target[top : top + rows, left : left + columns] = scaled
    return target


def _divided(left: Image, right: Image, divider: float) -> Image:
    """Two images of one size on either side of a line."""
    width = left.shape[1]
    split = round(divider * width)
    frame = right.copy()
    frame[:, :split] = left[:, :split]
    for offset, colour in ((-1, render.INK), (0, render.CURSOR), (1, render.INK)):
        if 0 <= split + offset < width:
            frame[:, split + offset] = colour
    return frame


def widened(image: Image, room: Room | None = None) -> Image:
    """An image with paper on its right, so that the strip of text below it says enough."""
    least = render.LEAST_WIDTH
    if room is not None:
        least = min(round(least * room.text), room.width) if room.strip else 0
    more = least - image.shape[1]
    if more <= 0:
        return image
    return frame_of(np.concatenate([image, _paper(image.shape[0], more)], axis=1), labels_of(image))


def _paper(height: int, width: int) -> Frame:
    return plots.blank(height, width)


def captions(state: CompareState) -> Sequence[str]:
    """What is in each column of a cell, in words."""
    names = state.columns
    if state.view == "wipe":
        return [f"{names[state.pair[0]]} | {names[state.pair[1]]}"]
    if state.view != "difference":
        return names
    first = names[state.pair[0]]
    short = first.split()[0]
    return [
        f"{name} - {short}, x{state.factor}" if place in state.subtracted else name for place, name in enumerate(names)
    ]


def line_height(room: Room | None) -> int:
    """Of a line of names or figures, in pixels; in a terminal that of a cell, which is twice as high as wide."""
    if room is None:
        return HEADER
    return round(HEADER * room.text) if room.grain == 1 else 2 * room.grain


def _letters(room: Room | None) -> tuple[float, int]:
    """How large letters are: how many times as large as usual, and frame pixels of a cell."""
    return (1.0, 1) if room is None else (room.text, room.grain)


def header(state: CompareState, room: Room | None = None) -> Image:
    """The names above the columns of the sheet, [line_height, width, 3]."""
    scale, grain = _letters(room)
    image = _paper(line_height(room), state.sheet.width)
    words = captions(state)
    for column in range(state.sheet.columns):
        for place, text in enumerate(words):
            area = state.tile(column, place)
            space = area.width - 6 * scale
            short = " | ".join(state.columns[one].split()[0] for one in state.pair) if state.view == "wipe" else text
            shown = text if text_width(text, scale, grain) <= space else fitted(short, space, scale, grain)
            write(image, area.left + area.width / 2, len(image) / 2, shown, anchor="middle")
    return image


def table(figures: Figures, names: Sequence[str], height: int = 0, width: int = 0, room: Room | None = None) -> Image:
    """The figures of all models, the best of each line bright; at least so high and wide. ``room``: of the display,
    whose text it has; of notes there are as many as it has room for."""
    (scale, grain), line = _letters(room), line_height(room)
    margin, gap = _MARGIN * scale, _GAP * scale
    top = margin if grain == 1 else 0
    least = max([_COLUMN * scale, *(text_width(row.text(value), scale, grain) + gap
                                    for row in figures.rows for value in row.values if value is not None)])  # fmt: skip
    better = [{"low": "less", "high": "more"}[row.best] for row in figures.rows]
    for form in ("{} ({} is better)", "{} ({})", "{}"):  # as much as there is room for
        first = [form.format(row.name, word) for row, word in zip(figures.rows, better, strict=True)]
        labels = max((text_width(text, scale, grain) for text in first), default=0) + gap
        wanted = math.ceil(labels + least * len(names) + 2 * margin)
        if wanted <= (width or wanted):
            break
    lines = [*([""] * bool(figures.rows)), figures.progress, *figures.notes]
    if room is not None:
        lines = lines[: max(int((height - top) // line) - len(figures.rows) - 1, 0)]
    whole = math.ceil((1 + len(figures.rows) + len(lines)) * line + 2 * top)
    frame = _paper(max(height, whole), max(width, wanted, 0 if room is not None else render.LEAST_WIDTH))
    column = min((frame.shape[1] - labels - 2 * margin) / len(names), 2 * _COLUMN * scale)

    def put(row: int, x: float, text: str, space: float, colour: Colour = TEXT, anchor: Anchor = "left") -> None:
        write(frame, x, top + (row + 0.5) * line, fitted(text, space, scale, grain), colour, anchor)

    rights = [margin + labels + (place + 1) * column for place in range(len(names))]
    for name, right in zip(names, rights, strict=True):
        put(0, right, name, column - gap, anchor="right")
    for number, (row, text) in enumerate(zip(figures.rows, first, strict=True), 1):
        put(number, margin, text, labels, plots.FAINT)
        best = row.best_places
        for place, value in enumerate(row.values):
            shown = "-" if value is None else row.text(value)
            put(number, rights[place], shown, column, _BEST if place in best else TEXT, "right")
    for number, text in enumerate(lines, 1 + len(figures.rows)):
        put(number, margin, text, frame.shape[1] - 2 * margin, plots.FAINT)
    return frame
