"""Translators at work: any size goes in, tiles leave no seam, and files that others wrote are understood."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make
from numpy.typing import NDArray
from onnx import helper

from viewer.files.inputs import Photo
from viewer.model import ModelError, open_model
from viewer.sessions.translation import Translator, Upscaler, plan_tiles


def translator(path: Path, **options: object) -> Translator:
    return Translator(open_model(path, wanted="translator"), **options)


def test_edges_grow_by_reflection_and_the_result_is_cut_to_the_image(edges_path: Path) -> None:
    made = translator(edges_path)
    condition = np.repeat(make.photo_like(21, 40)[..., :1], 3, axis=2)
    result = made.translate(condition)
    assert result.shape == (21, 40, 3)
    grown = np.pad(condition, ((1, 2), (0, 0), (0, 0)), mode="reflect")
    assert np.array_equal(result, made.model.translate(grown)[1:22])
    assert made.translate(condition[:1, :1]).shape == (1, 1, 3)


def test_a_photograph_is_made_no_larger_than_the_model_was_trained_with(edges_path: Path) -> None:
    photo = make.photo_like(300, 200)
    condition = translator(edges_path).condition_of(photo, 0.33)
    assert condition.shape == (64, 43, 3)
    assert set(np.unique(condition)) == {0, 255}
    assert translator(edges_path, size=120).condition_of(photo, 0.33).shape == (120, 80, 3)
    assert translator(edges_path).condition_of(photo[:20, :30].copy(), 0.33).shape == (20, 30, 3)
    plain = translator(edges_path, condition="given").condition_of(photo, 0.33)
    assert len(np.unique(plain)) > 20


def test_colour_maps_keep_their_colours(masks_path: Path) -> None:
    colours = np.array([[30, 20, 10], [0, 0, 255]], np.uint8)
    mask = colours[(np.indices((100, 100)).sum(0) // 13) % 2]
    shrunk = translator(masks_path).condition_of(mask, 0)
    assert shrunk.shape == (32, 32, 3)
    assert {tuple(pixel) for pixel in shrunk.reshape(-1, 3)} == {tuple(colour) for colour in colours}


def test_latents_change_the_result_and_follow_from_their_seed(masks_path: Path) -> None:
    made = translator(masks_path)
    page = make.photo_like(32, 32)
    results = [made.translate(page, made.latent(seed)) for seed in (0, 1, 0)]
    assert np.array_equal(results[0], results[2])
    assert not np.array_equal(results[0], results[1])


def test_a_condition_that_cannot_be_made_here_is_one_line(tmp_path: Path) -> None:
    path = make.make_translator(tmp_path / "depth.onnx", condition={"kind": "depth"})
    with pytest.raises(ModelError, match="takes 'depth' of photographs"):
        translator(path)
    assert translator(path, condition="given").how.kind == "given"


def whole(upscaler: Upscaler, photo: Photo) -> NDArray[np.uint8]:
    height, width = photo.image.shape[:2]
    (tile,) = plan_tiles(height, width, 10**6, 0)
    return upscaler.enlarge(photo, tile)


def tiled(upscaler: Upscaler, photo: Photo) -> NDArray[np.uint8]:
    result = np.zeros_like(upscaler.blank(photo))
    tiles = upscaler.plan(photo)
    assert list(upscaler.fill(result, photo, tiles)) == tiles
    return result


@pytest.mark.parametrize("shape", [(70, 111), (16, 300), (200, 200)])
def test_tiles_leave_no_seam(twice_path: Path, shape: tuple[int, int]) -> None:
    model = open_model(twice_path, wanted="translator", many_sizes=True)
    photo = Photo(make.photo_like(*shape))
    once = whole(Upscaler(model), photo)
    assert once.shape == (2 * shape[0], 2 * shape[1], 3)
    for tile in (16, 37, 64):
        upscaler = Upscaler(model, tile)
        assert np.array_equal(tiled(upscaler, photo), once)
        assert len(upscaler.plan(photo)) > 1


def test_a_model_that_looks_less_far_than_it_could_takes_smaller_windows(tmp_path: Path) -> None:
    path = make.make_translator(tmp_path / "far.onnx", scale=2, context=60)  # in truth it looks 4 pixels far
    upscaler = Upscaler(open_model(path), 64)
    photo = Photo(make.photo_like(300, 400))
    tiles = upscaler.plan(photo)
    assert max(tile.window.width for tile in tiles) <= 64 + 60
    assert np.array_equal(tiled(upscaler, photo), whole(upscaler, photo))
    wary = Upscaler(open_model(make.make_translator(tmp_path / "exact.onnx", scale=2, context=4)), 64)
    assert wary._needed_context(photo) == 4  # half of it would not do


def test_grey_stays_grey(twice_path: Path) -> None:
    grey = np.repeat(make.photo_like(30, 40)[..., :1], 3, axis=2)
    result = tiled(Upscaler(open_model(twice_path)), Photo(grey, grey=True))
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 0], result[..., 2])


def test_what_does_not_enlarge_is_no_upscaler(edges_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a model that enlarges"):
        Upscaler(open_model(edges_path))
    drawn = make.make_translator(tmp_path / "drawn.onnx", scale=2, latent=2)
    with pytest.raises(ModelError, match="try translate"):
        Upscaler(open_model(drawn))


def foreign(
    path: Path,
    value: str = "0..1",
    channels: int = 3,
    scale: int = 1,
    lengths: tuple[object, object] = ("h", "w"),
    pool: int = 1,
) -> Path:
    """A translator as others write them: floats [n, c, h, w] in and out; it inverts the image."""
    high = {"0..1": 1.0, "-1..1": 1.0, "0..255": 255.0}[value]
    low = -1.0 if value == "-1..1" else 0.0
    nodes = [helper.make_node("Sub", ["sum", "image"], ["inverse"])]
    last = "inverse"
    constants = [make.constant("sum", np.float32(high + low))]
    if pool > 1:
        nodes.append(helper.make_node("AveragePool", [last], ["few"], kernel_shape=[pool] * 2, strides=[pool] * 2))
        constants.append(make.constant("back", np.array([1, 1, pool, pool], np.float32)))
        nodes.append(helper.make_node("Resize", ["few", "", "back"], ["pooled"], mode="nearest"))
        last = "pooled"
    if scale > 1:
        constants.append(make.constant("growth", np.array([1, 1, scale, scale], np.float32)))
        nodes.append(helper.make_node("Resize", [last, "", "growth"], ["large"], mode="nearest"))
        last = "large"
    nodes.append(helper.make_node("Identity", [last], ["made"]))
    large = [side * scale if isinstance(side, int) else f"{side}2" for side in lengths]
    model = make.make_graph(
        nodes, [("image", "f32", ["n", channels, *lengths])], [("made", "f32", ["n", channels, *large])], constants
    )
    return make.write(path, model)


@pytest.mark.parametrize(
    ("value", "channels", "scale", "lengths", "pool"),
    [
        ("0..1", 3, 1, ("h", "w"), 1),
        ("-1..1", 3, 1, ("h", "w"), 8),
        ("0..255", 3, 2, ("h", "w"), 1),
        ("0..1", 1, 3, (32, 32), 1),
    ],
)
def test_files_of_others_are_understood(
    tmp_path: Path, value: str, channels: int, scale: int, lengths: tuple[object, object], pool: int
) -> None:
    path = foreign(tmp_path / "foreign.onnx", value, channels, scale, lengths, pool)
    model = open_model(path, wanted="translator")
    layout = model.image_layout
    assert (layout.channels, layout.scale, layout.multiple) == (channels, scale, pool if lengths == ("h", "w") else 1)
    image = np.repeat(np.repeat(make.photo_like(5, 6)[..., :channels], 8, axis=0), 8, axis=1)
    result = Translator(model, size=48).translate(image[:32, :32].copy())
    assert result.shape == (32 * scale, 32 * scale, 3)
    assert np.abs(result[::scale, ::scale][..., :channels].astype(int) - (255 - image[:32, :32])).max() <= 1


def test_the_luma_is_enlarged_where_a_model_knows_no_colours(tmp_path: Path) -> None:
    path = foreign(tmp_path / "luma.onnx", channels=1, scale=3, lengths=(32, 32))
    upscaler = Upscaler(open_model(path))
    photo = Photo(make.photo_like(50, 70))
    result = tiled(upscaler, photo)
    assert result.shape == (150, 210, 3)
    light, inverse = (cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb) for image in (photo.image, result[1::3, 1::3].copy()))
    assert np.corrcoef(light[..., 0].ravel(), inverse[..., 0].ravel())[0, 1] < -0.9
    assert np.corrcoef(light[..., 1].ravel(), inverse[..., 1].ravel())[0, 1] > 0.9


def test_a_graph_that_does_not_do_what_its_card_says_is_one_line(tmp_path: Path) -> None:
    path = make.make_translator(tmp_path / "wrong.onnx", scale=2)
    model = open_model(path)
    model._layout = replace(model.image_layout, scale=3)
    with pytest.raises(ModelError, match="expected one 3 times as large"):
        model.translate(make.photo_like(8, 8))


def test_kinds_that_are_no_translators_are_named(generator_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found a generator, expected a translator"):
        open_model(generator_path, wanted="translator")
    port = ["n", 6, 32, 32]
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    six = make.make_graph(nodes, [("x", "f32", port)], [("y", "f32", port)], [])
    with pytest.raises(ModelError, match=r"gives 6 channels.*expected an image"):
        translator(make.write(tmp_path / "six.onnx", six))


@pytest.mark.skipif("IMAGE_DATA" not in os.environ, reason="IMAGE_DATA names no folder of real data")
def test_a_real_file_of_someone_else() -> None:
    path = Path(os.environ["IMAGE_DATA"]) / "onnx" / "niazwazir_subpixel" / "super_resolution.onnx"
    model = open_model(path, wanted="translator")
    photo = Photo(make.photo_like(300, 260))
    upscaler = Upscaler(model)
    result = tiled(upscaler, photo)
    assert result.shape == (900, 780, 3)
    shrunk = result.reshape(300, 3, 260, 3, 3).mean((1, 3))
    assert np.abs(shrunk - photo.image).mean() < 8
    once = Translator(model).translate(Translator(model).condition_of(photo.image, 0))
    assert once.shape == (672, 582, 3)
