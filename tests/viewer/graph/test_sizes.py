"""Sizes of networks without a card: results without a border, fractional scales, alpha, batches, multiples, minima."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import small_models as make
from numpy.typing import NDArray
from onnx import helper

from viewer.files.inputs import Photo
from viewer.model import ModelError, open_model
from viewer.opening import identify
from viewer.sessions.fitting import is_local, through
from viewer.sessions.translation import Translator, Upscaler, plan_tiles

FREE = ("h", "w")


def network(
    path: Path,
    nodes: Sequence[Any],
    constants: Sequence[Any] = (),
    channels: int = 3,
    size: Sequence[int | str] = FREE,
    batch: int | str = "n",
    made: int | None = None,
) -> Path:
    """A network without a card from ``x`` to ``y``, floats in 0..1. ``made``: channels that come out."""
    large = ["H", "W"]
    model = make.make_graph(
        nodes,
        [("x", "f32", [batch, channels, *size])],
        [("y", "f32", [batch, made or channels, *large])],
        constants,
    )
    return make.write(path, model)


def blur(source: str, result: str, channels: int, side: int, pad: int) -> tuple[Any, Any]:
    """A convolution that averages ``side`` squared pixels of each channel, by rising weights."""
    kernel = np.outer(np.arange(1, side + 1), np.arange(2, side + 2)).astype(np.float32)
    weights = np.zeros((channels, channels, side, side), np.float32)
    weights[range(channels), range(channels)] = kernel / kernel.sum()
    node = helper.make_node("Conv", [source, f"k{result}"], [result], pads=[pad] * 4)
    return node, make.constant(f"k{result}", weights)


def grow(source: str, result: str, scale: float, mode: str = "nearest") -> tuple[Any, Any]:
    sizes = np.array([1, 1, scale, scale], np.float32)
    node = helper.make_node("Resize", [source, "", f"s{result}"], [result], mode=mode)
    return node, make.constant(f"s{result}", sizes)


def valid(path: Path, scale: float = 2, side: int = 5, mode: str = "nearest", **more: Any) -> Path:
    """Enlarges; then a convolution without padding takes side - 1 pixels off."""
    channels = more.get("channels", 3)
    first, factor = grow("x", "large", scale, mode)
    second, kernel = blur("large", "y", channels, side, 0)
    return network(path, [first, second], [factor, kernel], **more)


def tiled(upscaler: Upscaler, photo: Photo) -> NDArray[np.uint8]:
    result = np.zeros_like(upscaler.empty(photo))
    for _ in upscaler.fill(result, photo, upscaler.plan(photo)):
        pass
    return result


def blurred(large: NDArray[Any], side: int) -> NDArray[Any]:
    """What ``blur`` makes of an image of floats that goes on by reflection."""
    kernel = np.outer(np.arange(1, side + 1), np.arange(2, side + 2)).astype(np.float64)
    return cv2.filter2D(large.astype(np.float64), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


@pytest.mark.parametrize(("scale", "side"), [(1, 3), (2, 5), (2, 15), (3, 9)])
def test_a_border_that_a_network_lacks_is_added(tmp_path: Path, scale: int, side: int) -> None:
    model = open_model(valid(tmp_path / "valid.onnx", scale, side), many_sizes=True)
    assert (model.image_layout.scale, model.image_layout.border) == (scale, side - 1)
    image = make.photo_like(70, 93)
    whole = through(model, image)
    assert whole.shape == (70 * scale, 93 * scale, 3)
    inside = np.repeat(np.repeat(image, scale, 0), scale, 1)
    rim = side // 2
    off = np.abs(whole - blurred(inside, side))
    assert off[rim:-rim, rim:-rim].max() <= 0.51  # no pixel is elsewhere
    assert off.mean() < 1  # the rim included
    for tile in (16, 40):
        assert np.array_equal(tiled(Upscaler(model, tile), Photo(image)), whole)
    assert Translator(model).translate(image[:9, :30].copy()).shape == (9 * scale, 30 * scale, 3)


@pytest.mark.parametrize(("scale", "shape"), [(1.5, (71, 90)), (0.5, (72, 90)), (4 / 3, (64, 95)), (2.5, (33, 40))])
def test_scales_that_are_no_whole_numbers(tmp_path: Path, scale: float, shape: tuple[int, int]) -> None:
    node, factor = grow("x", "y", scale, "linear")
    model = open_model(network(tmp_path / "some.onnx", [node], [factor]), many_sizes=True)
    layout = model.image_layout
    assert layout.scale == Fraction(scale).limit_denominator(9)
    assert layout.multiple == Fraction(layout.scale).denominator
    image = make.photo_like(*shape)
    upscaler = Upscaler(model, 10**6)
    whole = tiled(upscaler, Photo(image))
    assert whole.shape[:2] == tuple(-(-side * Fraction(layout.scale) // 1) for side in shape)
    plain = cv2.resize(image, whole.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(whole[4:-4, 4:-4].astype(int) - plain[4:-4, 4:-4]).mean() < 3
    for tile in (16, 31):
        assert np.array_equal(tiled(Upscaler(model, tile), Photo(image)), whole)


def test_alpha_goes_through_the_network(tmp_path: Path) -> None:
    node, factor = grow("x", "y", 2)
    model = open_model(network(tmp_path / "alpha.onnx", [node], [factor], channels=4), many_sizes=True)
    assert (model.image_layout.channels, model.image_layout.output_channels) == (4, 4)
    image, alpha = make.photo_like(40, 50), make.photo_like(40, 50, seed=1)[..., 0]
    result = tiled(Upscaler(model, 16), Photo(image, alpha))
    assert np.array_equal(result[::2, ::2], np.dstack([image, alpha]))
    assert np.array_equal(tiled(Upscaler(model), Photo(image))[1::2, 1::2], image)  # an opaque one, which it has not
    shown = Translator(model).translate(np.dstack([image, np.zeros_like(alpha)]))
    assert shown.shape == (80, 100, 3)
    assert shown.min() == 255  # on white


def test_a_network_that_makes_alpha_is_read_with_it(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["light"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["x", "light"], ["y"], axis=1),
    ]
    model = open_model(network(tmp_path / "cut.onnx", nodes, made=4))
    image = make.photo_like(30, 40)
    result = tiled(Upscaler(model), Photo(image))
    assert np.array_equal(result[..., :3], image)
    assert np.abs(result[..., 3] - image.mean(2)).max() <= 1


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    model = open_model(valid(tmp_path / "four.onnx", batch=4))
    assert model.image_layout.batch == 4
    assert through(model, make.photo_like(20, 30)).shape == (40, 60, 3)


def test_multiples_with_a_border(tmp_path: Path) -> None:
    """As a U-Net whose convolutions are not padded."""
    first, kernel = blur("x", "inner", 3, 9, 0)
    pool = helper.make_node("AveragePool", ["inner"], ["few"], kernel_shape=[4, 4], strides=[4, 4])
    last, factor = grow("few", "y", 4)
    model = open_model(network(tmp_path / "net.onnx", [first, pool, last], [kernel, factor]), many_sizes=True)
    layout = model.image_layout
    assert (layout.scale, layout.border, layout.multiple) == (1, 8, 4)
    image = make.photo_like(90, 107)
    whole = tiled(Upscaler(model, 10**6), Photo(image))
    assert np.abs(whole.astype(int) - cv2.blur(image, (9, 9))).mean() < 12
    assert np.array_equal(tiled(Upscaler(model, 20), Photo(image)), whole)


def test_a_smallest_size_is_reached_by_reflection(tmp_path: Path) -> None:
    pads = make.constant("pads", np.array([0, 0, 20, 20, 0, 0, 20, 20]))
    pad = helper.make_node("Pad", ["x", "pads"], ["wide"], mode="reflect")
    ends = [make.constant(name, np.array(place)) for name, place in
            (("from", [20, 20]), ("to", [-20, -20]), ("axes", [2, 3]))]  # fmt: skip
    cut = helper.make_node("Slice", ["wide", "from", "to", "axes"], ["y"])
    model = open_model(network(tmp_path / "wide.onnx", [pad, cut], [pads, *ends]))
    assert model.image_layout.smallest > 20
    image = make.photo_like(5, 90)
    assert np.array_equal(through(model, image), image)


def test_one_size_with_a_border_goes_by_tiles(tmp_path: Path) -> None:
    model = open_model(valid(tmp_path / "one.onnx", size=(64, 64)))
    layout = model.image_layout
    assert (layout.scale, layout.border, layout.largest) == (2, 4, (62, 62))
    image = make.photo_like(150, 100)
    result = tiled(Upscaler(model), Photo(image))
    free = open_model(valid(tmp_path / "free.onnx"))
    assert np.array_equal(result, tiled(Upscaler(free, 10**6), Photo(image)))


def test_a_map_of_features_is_no_image(tmp_path: Path) -> None:
    pool = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[8, 8], strides=[8, 8])
    with pytest.raises(ModelError, match="gives no image of any size that was tried"):
        _ = open_model(network(tmp_path / "map.onnx", [pool])).image_layout
    model = network(tmp_path / "two.onnx", [helper.make_node("Identity", ["x"], ["y"])], channels=2)
    with pytest.raises(ModelError, match="gives 2 channels, as networks do that tell classes"):
        _ = open_model(model).image_layout


def style(path: Path) -> Path:
    """Brings all channels to one contrast, as instance norm does."""
    values = {"weight": 0.2, "bias": 0.5}
    node = helper.make_node("InstanceNormalization", ["x", *values], ["y"])
    return network(path, [node], [make.constant(name, np.full(3, value, np.float32)) for name, value in values.items()])


def test_restorers_take_photographs_as_they_are_and_others_do_not(tmp_path: Path) -> None:
    node, kernel = blur("x", "y", 3, 3, 1)
    local = open_model(network(tmp_path / "restore.onnx", [node], [kernel]), many_sizes=True)
    whole = open_model(style(tmp_path / "style.onnx"))
    assert is_local(local)
    assert not is_local(whole)
    assert Translator(local, size=100).whole is None  # a size was asked for
    restorer = Translator(local).whole
    assert restorer is not None
    photo = Photo(make.photo_like(600, 30), np.full((600, 30), 7, np.uint8))
    assert tiled(restorer, photo).shape == (600, 30, 3)
    assert Translator(whole).whole is None
    tiny = open_model(network(tmp_path / "tiny.onnx", [node], [kernel], size=(16, 16)))
    assert not is_local(tiny)  # which nobody can tell
    fixed = Translator(open_model(network(tmp_path / "fixed.onnx", [node], [kernel], size=(96, 64)))).whole
    assert fixed is not None
    inner = (slice(None, -2), slice(None, -2))  # the last rows: of a window that is filled up by reflection
    assert np.array_equal(tiled(fixed, photo)[inner], tiled(restorer, photo)[inner])
    with pytest.raises(ModelError, match="made of the whole of them"):
        Upscaler(whole)


def test_the_window_of_a_tile_goes_through_as_the_image_does(tmp_path: Path) -> None:
    """Whichever part of it is cut: places count from the same corner."""
    model = open_model(valid(tmp_path / "valid.onnx", 1.5, 5, "linear"), many_sizes=True)
    layout = model.image_layout
    assert (layout.scale, layout.border, layout.multiple) == (Fraction(3, 2), 4, 2)
    image = make.photo_like(120, 100)
    whole = through(model, image)
    for tile in plan_tiles(120, 100, 30, 20, 2):
        part = through(model, np.ascontiguousarray(image[tile.window.pixels]))
        kept = tile.kept.times(layout.scale)
        begin = tile.window.times(layout.scale)
        cut = part[kept.top - begin.top : kept.bottom - begin.top, kept.left - begin.left : kept.right - begin.left]
        off = np.abs(cut.astype(int) - whole[kept.pixels])
        assert off.max() <= 1  # onnxruntime counts places of such a scale in floats
        assert np.count_nonzero(off) < 10


def test_what_was_found_of_sizes_is_said_and_opens_the_mode_that_fits(tmp_path: Path) -> None:
    lacking = open_model(valid(tmp_path / "valid.onnx"), silent=True)
    assert any("lack 2 pixels at every edge" in line for line in lacking.remarks)
    one = open_model(valid(tmp_path / "one.onnx", size=(64, 64)), silent=True)
    assert any("as one size tells" in line for line in one.remarks)
    node, factor = grow("x", "y", 1.5, "linear")
    path = network(tmp_path / "some.onnx", [node], [factor])
    assert "1.5 times as large" in open_model(path, silent=True).image_layout.describe()
    assert identify(str(path)).word == "upscaler"
    pool = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    assert identify(str(network(tmp_path / "half.onnx", [pool]))).word == "translator"


@pytest.mark.parametrize("size", [FREE, (64, 48)])
def test_a_map_without_an_axis_of_channels_is_an_image(tmp_path: Path, size: Sequence[int | str]) -> None:
    """As networks of depth give it."""
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)
    graph = make.make_graph([node], [("x", "f32", ["n", 3, *size])], [("y", "f32", ["n", *size])], [])
    model = open_model(make.write(tmp_path / "m.onnx", graph), silent=True)
    photo = make.photo_like(64, 48)
    made = model.translate(photo)
    assert np.abs(made[..., 0] - photo.mean(axis=2)).max() <= 1


@pytest.mark.parametrize("tokens", [(64, 96), (128, 256), (17, 17)])
def test_rows_of_features_are_no_image(tmp_path: Path, tokens: tuple[int, int]) -> None:
    mean = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0)
    nodes = [mean, helper.make_node("Mul", ["mean", "ones"], ["y"])]
    constants = [make.constant("ones", np.ones((1, *tokens), np.float32))]
    graph = make.make_graph(nodes, [("x", "f32", [1, 3, 64, 64])], [("y", "f32", [1, *tokens])], constants)
    assert open_model(make.write(tmp_path / "m.onnx", graph), silent=True).kind == "encoder"


def test_a_fourth_channel_that_may_be_no_alpha_is_said(tmp_path: Path) -> None:
    """Such as the map of a noise level."""
    weights = np.zeros((3, 4, 1, 1), np.float32)
    weights[range(3), range(3)] = 1
    node = helper.make_node("Conv", ["x", "k"], ["y"])
    model = open_model(
        network(tmp_path / "m.onnx", [node], [make.constant("k", weights)], channels=4, made=3), silent=True
    )
    assert any("the fourth channel that it takes is given alpha" in line for line in model.remarks)
