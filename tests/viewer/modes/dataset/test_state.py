"""Pages of a data set: where the cursor goes, numbers that are typed, classes, marked images."""

import numpy as np
import pytest

from viewer.keys import parse_keys
from viewer.modes.dataset.state import ALL, Catalogue, DatasetState
from viewer.sheet import Sheet

SHEET = Sheet(3, 4, 10, 10)
LABELS = np.array([0, 1, 3] * 10)  # class 2 has no images


def pressed(keys: str, count: int = 30, labels: np.ndarray | None = None, counts: tuple[int, ...] = ()) -> DatasetState:
    classes = ("ant", "bee", "cat", "dog") if labels is not None else ()
    catalogue = Catalogue(counts or (count,), np.full(count, -1) if labels is None else labels, classes)
    state = DatasetState(catalogue, SHEET)
    for event in parse_keys(keys):
        state = state.after(event)
    return state


@pytest.mark.parametrize(
    ("keys", "cursor", "first"),
    [
        ("right,right", 2, 0),
        ("down,down,right", 9, 0),
        ("down,down,down,right", 13, 12),  # over the lower edge, to the next page in the same column
        ("down,down,right,right,right,right", 12, 12),  # over the end of the page
        ("pagedown,up", 8, 0),
        ("pagedown,left", 11, 0),
        ("left", 0, 0),  # there is nothing before the first
        ("up", 0, 0),
        ("end,right", 29, 24),
        ("end,down", 29, 24),
        ("right,right,pagedown,pagedown,down", 29, 24),  # row 7 has two images: to the last one
        ("right,space,pagedown,pagedown,pageup", 17, 12),
        ("pagedown,pagedown,pagedown", 29, 24),
        ("end,home", 0, 0),
        ("pagedown,click:30:15", 18, 12),
        ("end,click:40:30", 29, 24),  # no image there
        ("enter,down,right", 2, 2),  # alone: one after another
        ("enter,down,right,enter", 2, 0),
    ],
)
def test_the_cursor_turns_pages(keys: str, cursor: int, first: int) -> None:
    state = pressed(keys)
    assert (state.cursor, state.first, state.page[0]) == (cursor, first, first)


@pytest.mark.parametrize(
    ("keys", "cursor", "typed"),
    [
        ("2,1", 0, "21"),
        ("2,1,enter", 21, ""),
        ("3,0,enter", 0, ""),  # there is none
        ("2,right", 1, ""),
        ("9,9,9,9,9,9,9,9,9,9,9,9,9,9", 0, "9" * 12),
    ],
)
def test_a_number_is_typed(keys: str, cursor: int, typed: str) -> None:
    assert (pressed(keys).cursor, pressed(keys).typed) == (cursor, typed)
    assert not pressed(keys).alone


def test_numbers_are_those_of_the_file_under_the_cursor() -> None:
    state = pressed("end,2,enter", counts=(20, 10))
    assert (state.image, state.number) == (22, (1, 2))
    assert pressed("tab,1,1,enter", counts=(20, 10)).number == (1, 0)
    assert pressed("tab,tab", counts=(20, 10)).number == (0, 0)


def test_only_one_class() -> None:
    state = pressed("right,c", labels=LABELS)
    assert (state.label, state.image, state.page[:3]) == (1, 1, (1, 4, 7))
    assert pressed("right,c,right,right", labels=LABELS).image == 7
    back = pressed("right,c,right,right,c", labels=LABELS)
    assert (back.label, back.cursor) == (ALL, 7)
    assert pressed("n,n,n", labels=LABELS).label == 3  # a class without images is passed over
    assert pressed("p", labels=LABELS).label == 3
    assert pressed("n,p", labels=LABELS).label == 3
    assert pressed("3,c", labels=LABELS).label == 3
    assert pressed("2,c", labels=LABELS).label == ALL
    assert pressed("n,2,9,enter", labels=LABELS).image == 29  # it is of another class: all are shown
    assert pressed("c").label == ALL


def test_marks_are_taken_away_again_and_found() -> None:
    assert pressed("d,down,d,right,d,d").marked == {0, 4}
    assert pressed("d,down,d,end,]").cursor == 0
    assert pressed("d,down,d,home,]").cursor == 4
    assert pressed("d,down,d,end,[").cursor == 4
    assert pressed("right,]").cursor == 1
    assert pressed("right,c,d", labels=LABELS).marked == {1}


def test_random_images_follow_from_the_seed() -> None:
    assert pressed("r,r").cursor == pressed("r,r").cursor
    assert len({pressed(",".join("r" * times)).cursor for times in range(1, 8)}) > 3
