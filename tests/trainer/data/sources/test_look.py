"""What the numbers of a set's pixels mean: found by as many of its images as there is time for, and said."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trainer.data.sources import _look, need_source
from trainer.data.sources._tables import pack
from trainer.data.sources.base import ImageSource, OpenOptions

COUNT = 150  # images, of which every fourth is looked at in any case


def deep(most: int) -> bytes:
    """A PNG of 16 bits whose brightest value is ``most``."""
    return cv2.imencode(".png", np.linspace(0, most, 64).reshape(8, 8).astype(np.uint16))[1].tobytes()


def in_a_folder(images: list[bytes], tmp_path: Path) -> ImageSource:
    for number, data in enumerate(images):
        (tmp_path / f"{number:03}.png").write_bytes(data)
    return need_source(str(tmp_path)).open(OpenOptions())


def in_a_table(images: list[bytes], _: Path) -> ImageSource:
    values = [None] * len(images)
    return pack(
        OpenOptions(), what="t", name="t", values=values, classes=None, fetch=images.__getitem__, stored=lambda: images
    )


@pytest.mark.parametrize("opened", [in_a_folder, in_a_table])
@pytest.mark.parametrize(("low", "high", "bits"), [(900, 60000, 16), (900, 4000, 12), (9, 4000, 12), (900, 1000, 10)])
def test_one_bright_image_among_dark_ones_is_seen_wherever_it_is(
    opened: Any, low: int, high: int, bits: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [deep(low)] * COUNT
    images[COUNT - 3] = deep(high)
    source = opened(images, tmp_path)
    said = capsys.readouterr().err
    assert source.levels.bits == bits
    assert (f"hold {bits} bits" in said) == (bits < 16)
    assert "were looked at" not in said
    shown = [int(piece.max()) for piece, _ in source.pieces()]
    expected = [round(most * 255 / ((1 << bits) - 1)) for most in (low, high)]
    assert shown == [expected[0]] * (COUNT - 3) + [expected[1]] + [expected[0]] * 2


@pytest.mark.parametrize("opened", [in_a_folder, in_a_table])
def test_where_there_are_too_many_it_says_how_many_were_looked_at(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_look, "_MOST_PIXELS", 64 * 20)
    source = opened([deep(900)] * COUNT, tmp_path)
    assert source.levels.bits == 10
    looked = len(range(0, COUNT, COUNT // 32)) + 20
    assert f"; {looked} of {COUNT} were looked at: brighter ones among the others would not be stre" in (
        capsys.readouterr().err
    )


def test_a_set_that_is_read_while_training_is_looked_at_by_its_first_rows(capsys: pytest.CaptureFixture[str]) -> None:
    images, asked = [deep(4000)] * COUNT, []

    def fetch(row: int) -> bytes:
        asked.append(row)
        return images[row]

    options = OpenOptions(image_size=8)
    firsts = np.arange(0, COUNT, 40)
    values = [None] * COUNT
    source = pack(options, what="far", name="t", values=values, classes=None, fetch=fetch, firsts=firsts)
    assert source.levels.bits == 12
    assert max(asked) < 40
    assert "note: far: 16-bit files hold 12 bits, stretched" in (said := capsys.readouterr().err)
    assert said.rstrip().endswith("(by its first 40 images)")
    stored = pack(OpenOptions(image_size=8, values="stored"), what="far", name="t", values=values, classes=None,
                  fetch=fetch, firsts=firsts)  # fmt: skip
    assert stored.levels.bits == 16
    assert capsys.readouterr().err == ""
