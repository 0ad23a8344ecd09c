"""The key table over an image."""

import numpy as np
import pytest

from viewer.frame import key_page
from viewer.labels import frame_of, labels_of, text_width
from viewer.modes.latent.options import BINDINGS


@pytest.mark.parametrize("zoom", [1.0, 2.0, 2.5, 3.0])
def test_columns_do_not_meet_where_a_display_enlarges_the_frame(zoom: float) -> None:
    frame = frame_of(np.zeros((700, 1020, 3), np.uint8))
    labels = labels_of(key_page.over(frame, tuple((binding.keys, binding.does) for binding in BINDINGS)))
    keys, does = min(label.x for label in labels), max(label.x for label in labels)
    right = 1020 - keys  # of the table, whose margins are alike
    for label in labels:
        end = label.x + text_width(label.text, zoom) / zoom
        assert end <= (does if label.x == keys else right + 8), label.text  # half of the margin
