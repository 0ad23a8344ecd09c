"""Model files of every kind: those that the export wrote, those of others, and those that are broken."""

import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import small_models as make
from onnx import TensorProto, helper

from export.card import Latent, Port
from viewer.latents import draw_many
from viewer.model import ModelError, open_model, open_sibling_encoder

SIZE, HEIGHT, WIDTH, HIDDEN = 4, 12, 16, 6
IMAGE_DATA = Path(os.environ.get("IMAGE_DATA", "nowhere"))


def expected_images(latents: np.ndarray) -> np.ndarray:
    """What the test generators make, RGB 0..1 [n, h, w, 3]."""
    first, second = make.weights(SIZE, HEIGHT, WIDTH, HIDDEN)
    inner = np.maximum(latents @ first, 0) @ second
    return (1 / (1 + np.exp(-inner))).reshape(-1, HEIGHT, WIDTH, 3)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_what_is_often_taken_for_a_model_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", np.zeros((2, 8, 8, 3), np.uint8))
    assert f"python -m viewer {tmp_path / 'set.npy'} opens it" in refusal(tmp_path / "set.npy")
    (tmp_path / "photo.jpg").write_bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    assert "found an image, expected an ONNX model" in refusal(tmp_path / "photo.jpg")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"family": "trainer.families.vae:Vae", "config": {}}')
    assert f"export it first: python -m export {tmp_path / 'run'} -o run.onnx" in refusal(tmp_path / "run")


def test_images_are_bgr_and_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    path = make.make_generator(tmp_path / "m.onnx", SIZE, HEIGHT, WIDTH, HIDDEN)
    model = open_model(path, wanted="generator")
    latents = draw_many(model.latent, 0, range(7))
    images = model.generate(latents)
    assert images.shape == (7, HEIGHT, WIDTH, 3)
    assert np.abs(images[..., ::-1] - expected_images(latents) * 255).max() <= 0.51
    for number in range(7):
        assert np.array_equal(model.generate(latents[number : number + 1])[0], images[number])


def test_a_page_larger_than_a_run_is_whole(cat_sized_path: Path) -> None:
    model = open_model(cat_sized_path)
    latents = draw_many(model.latent, 0, range(30))
    images = model.generate(latents)
    assert np.array_equal(images[29], model.generate(latents[29:])[0])


@pytest.mark.parametrize("axes", ["hwc", "chw", "flat chw"])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
def test_colour_images_of_other_layouts_and_ranges(tmp_path: Path, axes: str, low: float, high: float) -> None:
    side = 16
    nodes, constants = make.generator_nodes(SIZE, side, side, HIDDEN)
    nodes += [
        helper.make_node("Mul", ["unit", "span"], ["spread"]),
        helper.make_node("Add", ["spread", "low"], ["ranged"]),
        helper.make_node("Reshape", ["ranged", "hwc"], ["out" if axes == "hwc" else "image"]),
    ]
    shape: list[int | str] = ["n", side, side, 3]
    if axes != "hwc":
        nodes.append(helper.make_node("Transpose", ["image"], ["out"], perm=[0, 3, 1, 2]))
        shape = ["n", 3, side, side]
    if axes == "flat chw":
        nodes[-1].output[0] = "turned"
        nodes.append(helper.make_node("Flatten", ["turned"], ["out"]))
        shape = ["n", 3 * side * side]
    constants += [
        make.constant("span", np.float32(high - low)),
        make.constant("low", np.float32(low)),
        make.constant("hwc", np.array([-1, side, side, 3])),
    ]
    graph = make.make_graph(nodes, [("latent", "f32", ["n", SIZE])], [("out", "f32", shape)], constants)
    model = open_model(make.write(tmp_path / "other.onnx", graph), wanted="generator")
    assert model.inferred
    latents = draw_many(model.latent, 3, range(5))
    plain = open_model(make.make_generator(tmp_path / "own.onnx", SIZE, side, side, HIDDEN))
    difference = model.generate(latents).astype(int) - plain.generate(latents)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("latent_shape", "image_shape", "kind"),
    [
        ([1, SIZE], [1, 1, 16, 16], "f32"),  # fixed batch
        ([3, SIZE], [3, 16, 16, 1], "f32"),  # another one
        (["n", SIZE], ["n", 256], "f32"),  # flat grey
        (["n", SIZE], ["n", 16, 16], "u8"),  # no channel axis
        ([SIZE], [16, 16, 1], "f32"),  # no batch axis anywhere
        (["n", SIZE, 1, 1], ["n", 1, 16, 16], "f32"),  # a convolution's latent
        ([1, SIZE, 1, 1], [1, 16, 16], "u8"),
    ],
)
def test_grey_images_of_odd_shapes(
    tmp_path: Path, latent_shape: list[int | str], image_shape: list[int | str], kind: str
) -> None:
    first, _ = make.weights(SIZE, 16, 16, HIDDEN)
    second = np.random.default_rng(1).normal(size=(HIDDEN, 256)).astype(np.float32)
    target = [-1 if isinstance(size, str) else size for size in image_shape]
    nodes = [
        helper.make_node("Reshape", ["z", "rows"], ["latent"]),
        helper.make_node("MatMul", ["latent", "first"], ["a"]),
        helper.make_node("MatMul", ["a", "second"], ["b"]),
        helper.make_node("Sigmoid", ["b"], ["unit"]),
        helper.make_node("Reshape", ["unit", "target"], ["out" if kind == "f32" else "shaped"]),
    ]
    if kind == "u8":
        nodes += [
            helper.make_node("Mul", ["shaped", "levels"], ["scaled"]),
            helper.make_node("Round", ["scaled"], ["rounded"]),
            helper.make_node("Cast", ["rounded"], ["out"], to=TensorProto.UINT8),
        ]
    constants = [
        make.constant("rows", np.array([-1, SIZE])),
        make.constant("first", first),
        make.constant("second", second),
        make.constant("target", np.array(target)),
        make.constant("levels", np.float32(255)),
    ]
    graph = make.make_graph(nodes, [("z", "f32", latent_shape)], [("out", kind, image_shape)], constants)
    model = open_model(make.write(tmp_path / "odd.onnx", graph), wanted="generator")
    latents = draw_many(model.latent, 0, range(4))
    images = model.generate(latents)
    expected = 255 / (1 + np.exp(-(latents @ first @ second))).reshape(4, 16, 16, 1)
    assert images.shape == (4, 16, 16, 3)
    assert np.abs(images - expected).max() <= 0.6


def test_transparent_pixels_show_white(tmp_path: Path) -> None:
    image = np.zeros((16, 16, 4), np.uint8)
    image[:8] = (200, 100, 50, 255)
    nodes = [
        helper.make_node("ReduceSum", ["z"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["nothing8"], to=TensorProto.UINT8),
        helper.make_node("Add", ["nothing8", "image"], ["out"]),
    ]
    constants = [make.constant("zero", np.float32(0)), make.constant("image", image)]
    graph = make.make_graph(nodes, [("z", "f32", ["n", 2])], [("out", "u8", [16, 16, 4])], constants)
    images = open_model(make.write(tmp_path / "rgba.onnx", graph)).generate(np.zeros((3, 2), np.float32))
    assert images.shape == (3, 16, 16, 3)
    assert images[2, 0, 0].tolist() == [50, 100, 200]
    assert images[2, 15, 15].tolist() == [255, 255, 255]


def test_files_that_are_no_models(tmp_path: Path, generator_path: Path) -> None:
    whole = generator_path.read_bytes()
    assert "no such file" in refusal(tmp_path / "missing.onnx")
    assert "folder" in refusal(tmp_path)
    for name, data in {"empty": b"", "text": b"hello " * 50, "zeros": bytes(1000), "png": b"\x89PNG\r\n\x1a\n"}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        refusal(path)
    for part in range(1, 20):
        path = tmp_path / "truncated.onnx"
        path.write_bytes(whole[: len(whole) * part // 20])
        refusal(path)


def test_one_flipped_bit_anywhere_is_noticed(tmp_path: Path, generator_path: Path) -> None:
    whole = generator_path.read_bytes()
    path = tmp_path / "damaged.onnx"
    for position in range(0, len(whole), max(len(whole) // 150, 1)):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        refusal(path)
    seal_at = whole.index(b"sealed:")
    path.write_bytes(whole[:seal_at] + b"SEALED:" + whole[seal_at + 7 :])
    assert "seal" in refusal(path)


def test_newer_schema_and_unknown_keys(tmp_path: Path) -> None:
    nodes, constants = make.generator_nodes(SIZE, 8, 8, HIDDEN)
    nodes += [
        helper.make_node("Cast", ["unit"], ["byte"], to=TensorProto.UINT8),
        helper.make_node("Reshape", ["byte", "shape"], ["image"]),
    ]
    constants.append(make.constant("shape", np.array([-1, 8, 8, 3])))

    def file(**more: str) -> Path:
        ports = [("latent", "f32", ["n", SIZE])], [("image", "u8", ["n", 8, 8, 3])]
        card = make.generator_card("m", SIZE, 8, 8)
        return make.write(tmp_path / "m.onnx", make.make_graph(nodes, *ports, constants), card, **more)

    assert open_model(file(hovercraft='"eels"', schema='"1.9"')).kind == "generator"
    assert "2.0" in refusal(file(schema='"2.0"'))


def test_a_card_that_contradicts_its_graph(tmp_path: Path) -> None:
    for number, fields in enumerate(
        (
            {"latent": Latent(size=5), "inputs": (Port(name="latent", dtype="f32", shape=(None, 5)),)},
            {"image_size": (64, 64)},
            {"output": Port(name="image", dtype="u8", shape=(None, 8, 8, 3)), "image_size": (8, 8)},
            {"output": Port(name="image", dtype="u8", shape=(None, 16, 16))},
        )
    ):
        refusal(make.make_generator(tmp_path / f"m{number}.onnx", **fields))


@pytest.mark.parametrize("size", [(8, 20_000), (100_000, 100_000)])
def test_images_of_absurd_size_from_a_file_without_a_card(tmp_path: Path, size: tuple[int, int]) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["z"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "shape"], ["out"]),
    ]
    constants = [make.constant("shape", np.array([1, 3, *size]))]
    ports = [("z", "f32", ["n", 4])], [("out", "f32", ["a", "b", "c", "d"])]
    assert "expected" in refusal(make.write(tmp_path / "wide.onnx", make.make_graph(nodes, *ports, constants)))


def test_a_card_whose_images_are_larger_than_those_of_its_graph(tmp_path: Path) -> None:
    free = Port(name="image", dtype="u8", shape=(None, None, None, 3))
    path = make.make_generator(tmp_path / "m.onnx", image_size=(9000, 9000), output=free)
    assert "9000x9000" in refusal(path)


def test_the_wrong_kind_says_what_was_found_and_expected(generator_path: Path) -> None:
    encoder = generator_path.with_name("tiny.encoder.onnx")
    message = refusal(encoder, wanted="generator")
    assert "found an encoder" in message
    assert "expected a generator" in message
    assert "found a generator" in refusal(generator_path, wanted="encoder")


@pytest.mark.parametrize(
    ("latent_shape", "image_shape"),
    [(["n", 4], ["n", 10]), ([1, 1], [1, 1]), (["n", "d"], ["n", 1, 28, 28]), (["n", 4], ["n", 3, 10**6, 10**6])],
)
def test_graphs_that_make_no_images(
    tmp_path: Path, latent_shape: list[int | str], image_shape: list[int | str]
) -> None:
    nodes = [helper.make_node("Identity", ["z"], ["out"])]
    graph = make.make_graph(nodes, [("z", "f32", latent_shape)], [("out", "f32", image_shape)], [])
    refusal(make.write(tmp_path / "no_image.onnx", graph), wanted="generator")


def test_escape_sequences_in_a_model_do_nothing(tmp_path: Path) -> None:
    path = make.make_generator(tmp_path / "m.onnx", name="cat\x1b]0;owned\x07\n\x1b[31m")
    assert open_model(path).name.isprintable()
    assert "\x1b" not in refusal(path, wanted="encoder")


def test_the_encoder_beside_the_generator(tmp_path: Path, generator_path: Path) -> None:
    encoder = open_sibling_encoder(generator_path)
    blue = np.zeros((2, 16, 16, 3), np.uint8)
    blue[..., 0] = 255  # BGR
    assert np.allclose(encoder.encode(blue), [[0, 0, 1, 0]] * 2)
    with pytest.raises(ModelError, match=r"lonely\.encoder\.onnx"):
        open_sibling_encoder(make.make_generator(tmp_path / "lonely.onnx"))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_open_model_costs_nothing_while_it_waits(cat_sized_path: Path, threads: int) -> None:
    model = open_model(cat_sized_path, threads=threads)
    model.generate(draw_many(model.latent, 0, range(48)))
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


@pytest.mark.skipif(not (IMAGE_DATA / "onnx").is_dir(), reason="IMAGE_DATA names no folder with other people's models")
@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("kaushu42/vae.onnx", "generator", (28, 28)),
        ("kaushu42/vae-11.onnx", "generator", (28, 28)),
        ("a2kiti/netG.onnx", "generator", (32, 32)),
        ("bvae/ae_decoder.onnx", "generator", (28, 28)),
        ("bvae/ae_encoder.onnx", "encoder", None),
        ("niazwazir_subpixel/super_resolution.onnx", "translator", None),
        ("saurabh/model.onnx", "other", None),
    ],
)
def test_models_of_other_people(name: str, kind: str, shape: tuple[int, int] | None) -> None:
    path = IMAGE_DATA / "onnx" / name
    assert open_model(path).kind == kind
    if shape is None:
        assert "expected a generator" in refusal(path, wanted="generator")
        return
    model = open_model(path, wanted="generator")
    images = model.generate(draw_many(model.latent, 0, range(5)))
    assert images.shape == (5, *shape, 3)
    assert images.std() > 20  # strokes on paper, not a flat field
    assert not np.array_equal(images[0], images[1])
