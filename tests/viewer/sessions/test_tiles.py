"""Tiles: they cover the image once, and no pixel of the result lacks its surroundings."""

from hypothesis import given, settings
from hypothesis import strategies as st

from viewer.sessions.translation import plan_tiles


@given(
    st.integers(1, 900), st.integers(1, 900), st.integers(16, 300), st.integers(0, 60), st.sampled_from([1, 2, 8, 64])
)
@settings(max_examples=200)
def test_tiles_cover_everything_once_with_all_that_it_depends_on(
    height: int, width: int, tile: int, context: int, multiple: int
) -> None:
    tiles = plan_tiles(height, width, tile, context, multiple)
    assert sum(one.kept.width * one.kept.height for one in tiles) == height * width
    assert len({(one.window.width, one.window.height) for one in tiles}) == 1
    for one in tiles:
        kept, window = one.kept, one.window
        assert 0 <= kept.left < kept.right <= width
        assert 0 <= kept.top < kept.bottom <= height
        assert (
            window.left % multiple == window.top % multiple == window.width % multiple == window.height % multiple == 0
        )
        assert window.left == 0 or kept.left - window.left >= context
        assert window.top == 0 or kept.top - window.top >= context
        assert window.right >= width or window.right - kept.right >= context
        assert window.bottom >= height or window.bottom - kept.bottom >= context
        assert 0 <= window.left < width
        assert window.right < width + multiple
        assert max(window.width, window.height) < tile + 2 * context + 3 * multiple


def test_a_small_image_is_one_tile() -> None:
    (tile,) = plan_tiles(100, 120, 384, 40)
    assert tile.kept == tile.window
    assert (tile.window.width, tile.window.height) == (120, 100)
