"""What the tests of the browser player compare with still is what the viewer's functions give."""

import json
from typing import Any

import pytest

from tests.export.player.generator_vectors import VECTORS, text


def test_vectors_are_what_the_functions_give() -> None:
    written, now = json.loads(VECTORS.read_text()), json.loads(text())

    assert _same(written, now), "run python -m tests.export.player.generator_vectors, then npm run check"


def _same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are the same; numbers may differ as much as between two machines."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-5, abs=1e-7)
    return bool(one == other)
