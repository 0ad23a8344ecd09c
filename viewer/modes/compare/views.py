"""Draw a comparison: images beside each other, on either side of a divider, or their differences; and figures. Pure
functions on arrays."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from viewer import render
from viewer.files.png import Image
from viewer.files.resizing import resize, resize_nearest
from viewer.frame import plots
from viewer.labels import TEXT, Colour, Frame, fitted, frame_of, labels_of, text_width, write
from viewer.modes.compare.figures import Figures
from viewer.modes.compare.state import CompareState, Zoom

HEADER: Final = 24  # pixels above the sheet, for the names of what is compared
_LINE: Final = 24  # pixels of a line of the table of figures
_LABELS: Final = 250  # pixels of its first column
_COLUMN: Final = 110  # pixels of the others, at least; at most twice as many
_MARGIN: Final = 14
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


def widened(image: Image) -> Image:
    """An image with paper on its right, so that the line of text below it says enough."""
    room = render.LEAST_WIDTH - image.shape[1]
    if room <= 0:
        return image
    return frame_of(np.concatenate([image, _paper(image.shape[0], room)], axis=1), labels_of(image))


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


def header(state: CompareState) -> Image:
    """The names above the columns of the sheet, [HEADER, width, 3]."""
    image = _paper(HEADER, state.sheet.width)
    words = captions(state)
    for column in range(state.sheet.columns):
        for place, text in enumerate(words):
            area = state.tile(column, place)
            room = area.width - 6
            short = " | ".join(state.columns[one].split()[0] for one in state.pair) if state.view == "wipe" else text
            shown = text if text_width(text) <= room else fitted(short, room)
            write(image, area.left + area.width / 2, HEADER / 2, shown, anchor="middle")
    return image


def table(figures: Figures, names: Sequence[str], height: int, width: int) -> Image:
    """The figures of all models, the best of each line bright; at least so high and wide."""
    lines = len(figures.rows) + len(figures.notes) + 3
    frame = _paper(max(height, lines * _LINE + 2 * _MARGIN), max(width, _LABELS + _COLUMN * len(names) + 2 * _MARGIN))
    column = min((frame.shape[1] - _LABELS - 2 * _MARGIN) // len(names), 2 * _COLUMN)

    def put(line: float, place: int, text: str, colour: Colour = TEXT) -> None:
        y = _MARGIN + (line + 0.5) * _LINE
        if place < 0:
            write(frame, _MARGIN, y, fitted(text, frame.shape[1] - 2 * _MARGIN), colour)
        else:
            right = _MARGIN + _LABELS + (place + 1) * column
            write(frame, right, y, fitted(text, column - 12), colour, anchor="right")

    for place, name in enumerate(names):
        put(0, place, name)
    line = 1.25
    for row in figures.rows:
        put(line, -1, f"{row.name} ({'less' if row.best == 'low' else 'more'} is better)", plots.FAINT)
        best = row.best_places
        for place, value in enumerate(row.values):
            text = "-" if value is None else row.text(value)
            put(line, place, text, _BEST if place in best else TEXT)
        line += 1
    for text in (figures.progress, *figures.notes):
        line += 0.25 if text == figures.progress else 0
        put(line, -1, text, plots.FAINT)
        line += 1
    return frame
