"""Text on frames: kept apart until the display is known, never lost."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from small_models import photo_like

from viewer import render
from viewer.displays import open_display
from viewer.files.png import encode_png
from viewer.frame.area import Area
from viewer.frame.plots import axes, blank
from viewer.labels import (
    Label,
    frame_of,
    labels_of,
    line_layer,
    lines_of,
    one_colour,
    paint_all,
    painted,
    write,
)

AREA = Area(60, 10, 200, 100)


def test_a_frame_keeps_its_text_apart_and_painted_has_it_in_its_pixels() -> None:
    frame, plain = blank(160, 300), np.array(blank(160, 300))
    for image in (frame, plain):
        axes(image, AREA, 4.0, ("across", "up"))
    assert {"across", "up", "-4", "0", "4"} <= {label.text for label in labels_of(frame)}
    assert np.array_equal(painted(frame), plain)
    assert not np.array_equal(frame, plain)
    assert not labels_of(plain)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 481), (0, 9)])
def test_an_image_of_one_colour_is_that_in_every_pixel(size: tuple[int, int]) -> None:
    image = one_colour(*size, (1, 2, 250))
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.full((*size, 3), (1, 2, 250), np.uint8))


def test_a_copy_keeps_the_text_and_has_its_own() -> None:
    frame = frame_of(blank(20, 60), [Label("a", 3, 10)])
    other = frame.copy()
    write(other, 20, 10, "b")
    assert [label.text for label in labels_of(other)] == ["a", "b"]
    assert [label.text for label in labels_of(frame)] == ["a"]


def test_what_is_written_on_a_part_is_in_its_pixels() -> None:
    frame = blank(40, 90)
    write(frame[10:30], 5, 10, "part")
    assert not labels_of(frame)
    assert np.ptp(frame) > 100


def test_a_composed_frame_has_the_text_of_both_its_parts() -> None:
    frame = frame_of(np.zeros((40, 90, 3), np.uint8), [Label("text", 5, 20)])
    strip = render.draw_strip(90, ("status",), ())
    whole = painted(render.compose(frame, strip))
    assert np.array_equal(whole[:40], painted(frame))
    assert np.array_equal(whole[40:], painted(strip))
    assert labels_of(render.compose(frame, None)) == labels_of(frame)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.25])
def test_text_grows_with_the_frame(scale: float) -> None:
    frame = frame_of(np.zeros((40, 200, 3), np.uint8), [Label("text", 100, 20, anchor="middle")])
    large = np.zeros((round(40 * scale), round(200 * scale), 3), np.uint8)
    paint_all(large, frame, scale)
    (rows, columns), (wide_rows, wide_columns) = (np.nonzero(one.any(axis=2)) for one in (painted(frame), large))
    assert np.ptp(wide_columns) == pytest.approx(scale * np.ptp(columns), rel=0.2)
    assert wide_columns.mean() == pytest.approx(scale * columns.mean(), abs=3)
    assert wide_rows.mean() == pytest.approx(scale * rows.mean(), abs=2)


def test_files_have_the_text_too(tmp_path: Path) -> None:
    frame = frame_of(photo_like(40, 90), [Label("text", 5, 20)])
    saved = cv2.imdecode(np.frombuffer(encode_png(frame, {}), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(saved, painted(frame))
    recorder = open_display("none", title="t", record=tmp_path / "last.png")
    recorder.show(frame, "t")
    recorder.close()
    assert np.array_equal(cv2.imread(str(tmp_path / "last.png")), painted(frame))


def test_a_frame_keeps_thin_lines_apart_and_painted_has_them_in_its_pixels() -> None:
    frame = blank(20, 30)
    assert lines_of(frame) is None
    line_layer(frame)[5, 3:20] = (0, 200, 90)
    copy = frame.copy()
    line_layer(copy)[9, 3:20] = (0, 200, 90)
    assert (frame == frame[0, 0]).all()
    assert lines_of(frame)[9].max() == 0  # type: ignore[index]
    plain = painted(copy)
    assert (plain[[5, 9], 3:20] == (24, 200, 90)).all()
    assert (plain[7] == frame[0, 0]).all()
    strip = render.draw_strip(30, ("status",), ())
    whole = painted(render.compose(copy, strip))
    assert np.array_equal(whole[:20], plain)
    assert np.array_equal(whole[20:], painted(strip))
    larger = np.zeros((40, 60, 3), np.uint8)
    paint_all(larger, copy, 2.0)
    assert larger[10:12, 8:38, 1].min() > 100
