"""ONNX files of other programs become one file with a card, which does what they did."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.__main__ import main
from export.foreign import arrays
from viewer.latents import draw_many
from viewer.model import Model, open_model
from viewer.sessions.fitting import through

ROOT = Path(__file__).parents[3]
FLOAT, HALF, WHOLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
NUMBERS, SIDE = 6, 16
WEIGHTS = np.random.default_rng(0).normal(size=(NUMBERS, 4 * SIDE * SIDE)).astype(np.float32)
PLACES = numpy_helper.from_array(np.array([-1, 3, SIDE, SIDE]), "s")  # of images

Ports = list[tuple[str, int, list[Any]]]


def constant(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def node(operator: str, inputs: str, output: str, **more: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], **more)


def model(
    nodes: list[onnx.NodeProto], inputs: Ports, output: Ports, constants: list[Any], opset: int = 17, ir: int = 9
) -> onnx.ModelProto:
    ports = [[helper.make_tensor_value_info(*port) for port in part] for part in (inputs, output)]
    graph = helper.make_graph(nodes, "g", *ports, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def generator(
    shape: tuple[int, ...] = (3, SIDE, SIDE),
    batch: int | str = "n",
    last: str = "Tanh",
    half: bool = False,
    **more: Any,
) -> onnx.ModelProto:
    """Images of a latent, of a fixed batch where that is a number. Arrays within have the names of our ports."""
    source, target = "z", "made"
    weights = WEIGHTS[:, : int(np.prod(shape))].astype(np.float16 if half else np.float32)
    places = np.array([batch if isinstance(batch, int) else -1, *shape])
    return model(
        [node("MatMul", f"{source} w", "image"), node(last, "image", "latent"), node("Reshape", "latent s", target)],
        [(source, HALF if half else FLOAT, [batch, NUMBERS])],
        [(target, HALF if half else FLOAT, [batch, *shape])],
        [constant("w", weights), constant("s", places)], **more,
    )  # fmt: skip


def kernel(size: int, scale: int = 1) -> NDArray[np.float32]:
    """Of a convolution that keeps an image, nearly, and makes ``scale`` squared of each pixel."""
    weights = np.random.default_rng(1).normal(size=(3 * scale**2, 3, size, size)).astype(np.float32) * 0.02
    for place in range(3 * scale**2):
        weights[place, place % 3 if scale == 1 else place // scale**2, size // 2, size // 2] += 0.8
    return weights


def translator(
    padded: bool = True, scale: int = 1, sides: tuple[Any, Any] = ("h", "w"), batch: Any = "n", opset: int = 17
) -> onnx.ModelProto:
    pads = [2] * 4 if padded else [0] * 4
    nodes = [node("Conv", "image k", "translated", pads=pads)]
    nodes += [node("DepthToSpace", "translated", "y", blocksize=scale, mode="CRD")] if scale > 1 else []
    nodes += [node("Identity", "translated", "y")] if scale == 1 else []
    results = (
        ["tall", "wide"] if isinstance(sides[0], str) else [(side - (0 if padded else 4)) * scale for side in sides]
    )
    return model(nodes, [("image", FLOAT, [batch, 3, *sides])], [("y", FLOAT, [batch, 3, *results])],
                 [constant("k", kernel(5, scale))], opset=max(opset, 11) if scale > 1 else opset)  # fmt: skip


def with_inputs() -> onnx.ModelProto:
    """A latent, a second one, a class as a one-hot row, a truncation, noise of a fixed size."""
    rows = np.random.default_rng(2).normal(size=(4, NUMBERS)).astype(np.float32)
    return model(
        [node("MatMul", "label rows", "c"), node("Concat", "z z2", "both", axis=1),
         node("Add", "both c", "d"), node("Mul", "d psi", "e"), node("MatMul", "e w", "f"),
         node("Reshape", "f s", "g"), node("Add", "g noise", "h"), node("Sigmoid", "h", "image")],
        [("z", FLOAT, ["n", 4]), ("z2", FLOAT, ["n", 2]), ("label", FLOAT, ["n", 4]), ("psi", FLOAT, []),
         ("noise", FLOAT, [1, 1, SIDE, SIDE])],
        [("image", FLOAT, ["n", 3, SIDE, SIDE])],
        [constant("rows", rows), constant("w", WEIGHTS[:, : 3 * SIDE**2]), PLACES],
    )  # fmt: skip


def of_labels() -> onnx.ModelProto:
    """A latent and a class by its number."""
    rows = np.random.default_rng(2).normal(size=(4, NUMBERS)).astype(np.float32)
    return model(
        [node("Gather", "rows y", "c"), node("Add", "z c", "d"), node("MatMul", "d w", "f"), node("Tanh", "f", "g"),
         node("Reshape", "g s", "image")],
        [("z", FLOAT, ["n", NUMBERS]), ("y", WHOLE, ["n"])], [("image", FLOAT, ["n", 3, SIDE, SIDE])],
        [constant("rows", rows), constant("w", WEIGHTS[:, : 3 * SIDE**2]), PLACES],
    )  # fmt: skip


def masked() -> onnx.ModelProto:
    """An image, a mask and a strength."""
    return model(
        [node("Mul", "x mask", "a"), node("Mul", "a strength", "y")],
        [("x", FLOAT, ["n", 3, "h", "w"]), ("mask", FLOAT, ["n", 1, "h", "w"]), ("strength", FLOAT, [1])],
        [("y", FLOAT, ["n", 3, "h", "w"])], [],
    )  # fmt: skip


def encoder(channels: int = 3) -> onnx.ModelProto:
    weights = np.random.default_rng(3).normal(size=(channels * SIDE**2, 5)).astype(np.float32) / 20
    return model([node("Flatten", "x", "f"), node("MatMul", "f w", "mu")], [("x", FLOAT, ["n", channels, SIDE, SIDE])],
                 [("mu", FLOAT, ["n", 5])], [constant("w", weights)])  # fmt: skip


def denoiser(scalar: bool = False) -> onnx.ModelProto:
    step = [] if scalar else ["n"]
    return model(
        [node("Cast", "timestep", "t", to=FLOAT), node("Reshape", "t s", "u"), node("Mul", "u k", "v"),
         node("Mul", "sample v", "noise")],
        [("sample", FLOAT, ["n", 3, SIDE, SIDE]), ("timestep", WHOLE, step)], [("noise", FLOAT, ["n", 3, SIDE, SIDE])],
        [constant("k", np.float32(1e-3)), constant("s", np.array([-1, 1, 1, 1]))],
    )  # fmt: skip


def exported(made: onnx.ModelProto, folder: Path, *flags: str) -> tuple[Model, Model]:
    """The model as it is, and as it was written."""
    path, one = folder / "theirs.onnx", folder / "one.onnx"
    onnx.save(made, path)
    assert main([str(path), "-o", str(one), *flags]) == 0
    return open_model(path, silent=True), open_model(one, silent=True)


def images_of(foreign: Model, count: int = 5) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    labels = np.arange(count) % len(foreign.classes) if foreign.classes else None
    return draw_many(foreign.latent, 7, range(count)), labels


GENERATORS: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[int | None, int]]] = {
    "-1..1": (generator, (None, NUMBERS)),
    "0..1": (lambda: generator(last="Sigmoid"), (None, NUMBERS)),
    "channels last": (lambda: generator((SIDE, SIDE, 3)), (None, NUMBERS)),
    "grey": (lambda: generator((1, SIDE, SIDE)), (None, NUMBERS)),
    "alpha": (lambda: generator((4, SIDE, SIDE), last="Sigmoid"), (None, NUMBERS)),
    "rows of numbers": (lambda: generator((3 * SIDE * SIDE,)), (None, NUMBERS)),
    "half": (lambda: generator(half=True), (None, NUMBERS)),
    "old": (lambda: generator(opset=9, ir=4), (None, NUMBERS)),
    "batches of one": (lambda: generator(batch=1), (1, NUMBERS)),
    "batches of four": (lambda: generator(batch=4), (4, NUMBERS)),
    "many inputs": (with_inputs, (None, NUMBERS)),
    "labels": (of_labels, (None, NUMBERS)),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_draws_what_it_drew(name: str, tmp_path: Path) -> None:
    make, shape = GENERATORS[name]
    foreign, whole = exported(make(), tmp_path)
    assert whole.card is not None
    assert whole.card.inputs[0].shape == shape
    assert whole.card.family == ""
    assert whole.classes == foreign.classes
    latents, labels = images_of(foreign)
    expected, found = foreign.generate(latents, labels), whole.generate(latents, labels)
    assert expected.std() > 20
    assert np.abs(expected.astype(int) - found).max() <= 1
    assert np.abs(found[0].astype(int) - found[1]).mean() > 5


def halved() -> onnx.ModelProto:
    """Lengths in twos, and an unpadded convolution at half the size."""
    weights = np.zeros((12, 12, 3, 3), np.float32)
    weights[range(12), range(12), 1, 1] = 1
    weights += np.random.default_rng(4).normal(size=weights.shape).astype(np.float32) * 0.01
    return model(
        [node("SpaceToDepth", "x", "a", blocksize=2), node("Conv", "a k", "b"),
         node("DepthToSpace", "b", "y", blocksize=2)],
        [("x", FLOAT, ["n", 3, "h", "w"])], [("y", FLOAT, ["n", 3, "tall", "wide"])], [constant("k", weights)],
    )  # fmt: skip


TRANSLATORS: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[Any, ...]]] = {
    "any size": (translator, (None, None, None, 3)),
    "unpadded": (lambda: translator(padded=False), (None, None, None, 3)),
    "unpadded, twice as large": (lambda: translator(padded=False, scale=2), (None, None, None, 3)),
    "old, unpadded": (lambda: translator(padded=False, opset=9), (None, None, None, 3)),
    "one size": (lambda: translator(sides=(32, 40), batch=1), (1, 32, 40, 3)),
    "one size, unpadded": (lambda: translator(padded=False, sides=(32, 40), batch=1), (1, 28, 36, 3)),
    "batches of four": (lambda: translator(sides=(32, 40), batch=4), (4, 32, 40, 3)),
    "a mask": (masked, (None, None, None, 3)),
    "lengths in twos, unpadded": (halved, (None, None, None, 3)),
}


def drawn(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Waves in all colours."""
    y, x = np.mgrid[0:height, 0:width] / 9
    waves = np.stack([np.sin(x + y * step + step) for step in range(channels)], axis=2)
    return np.rint(127.5 + 127.5 * waves).astype(np.uint8)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_makes_what_it_made(name: str, tmp_path: Path) -> None:
    make, shape = TRANSLATORS[name]
    foreign, whole = exported(make(), tmp_path)
    assert whole.card is not None
    assert whole.card.inputs[0].shape == shape
    assert whole.image_layout.border == 0
    for height, width in ((24, 30), (46, 62)):
        image = drawn(*(fixed or length for fixed, length in zip(shape[1:3], (height, width), strict=True)), 3)
        expected, found = through(foreign, image), through(whole, image)
        assert expected.std() > 20
        assert np.abs(expected.astype(int) - found).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 40)])
@pytest.mark.parametrize("name", ["unpadded", "unpadded, twice as large"])
def test_images_smaller_than_the_missing_border_go_through(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    foreign, whole = exported(TRANSLATORS[name][0](), tmp_path)
    image = drawn(*size, 3)
    expected, found = through(foreign, image), through(whole, image)
    assert expected.shape == (*(side * whole.image_layout.scale for side in size), 3)
    assert np.abs(expected.astype(int) - found).max() <= 2  # the foreign one is given more beyond the edge


def without_batch(axes: str = "chw", sides: Sequence[int | str] = ("h", "w"), taken: bool = True) -> onnx.ModelProto:
    """A translator that darkens to the right, whose images lack a batch axis; ``taken``: those that go in do."""
    shape = [3, *sides] if axes == "chw" else [*sides, 3]
    ramp = np.full((3, 3, 1, 5), 0.02, np.float32)
    to_chw, back = ("u", "y") if axes == "chw" else ("t", "s")
    nodes = [node("Unsqueeze", "x a", to_chw) if taken else node("Identity", "x", to_chw)]
    nodes += [] if axes == "chw" else [node("Transpose", "t", "u", perm=[0, 3, 1, 2])]
    nodes += [node("Conv", "u k", "v", pads=[0, 4, 0, 0]), node("Squeeze", "v a", back)]
    nodes += [] if axes == "chw" else [node("Transpose", "s", "y", perm=[1, 2, 0])]
    own = [constant("k", ramp), constant("a", np.array([0]))]
    return model(nodes, [("x", FLOAT, shape if taken else [1, *shape])], [("y", FLOAT, shape)], own)


@pytest.mark.parametrize(
    "made",
    [without_batch(), without_batch(sides=(40, 56)), without_batch("hwc"), without_batch(taken=False)],
    ids=["any size", "one size", "channels last", "coming out alone"],
)
def test_images_without_a_batch_axis_go_through(made: onnx.ModelProto, tmp_path: Path) -> None:
    foreign, whole = exported(made, tmp_path)
    assert foreign.kind == whole.kind == "translator"
    image = drawn(40, 56, 3)
    values = np.pad(image.mean(axis=2) / 255, ((0, 0), (4, 0)))
    expected = np.clip(np.rint(255 * 0.06 * sum(values[:, place : place + 56] for place in range(5))), 0, 255)
    for opened in (foreign, whole):
        result = through(opened, image)
        assert result.shape == image.shape
        assert np.abs(result[..., 0] - expected).max() <= 1
    assert "[1" not in foreign.ports[1], "as the graph has it"


def test_a_map_without_an_axis_of_channels_is_grey(tmp_path: Path) -> None:
    depth = model([node("ReduceMean", "x", "y", axes=[1], keepdims=0)], [("x", FLOAT, ["n", 3, "h", "w"])],
                  [("y", FLOAT, ["n", "h", "w"])], [])  # fmt: skip
    foreign, whole = exported(depth, tmp_path)
    photo = np.random.default_rng(5).integers(0, 256, (40, 24, 3), np.uint8)
    assert np.abs(foreign.translate(photo).astype(int) - whole.translate(photo)).max() <= 1


def test_four_channels_stay(tmp_path: Path) -> None:
    made = model([node("Sqrt", "x", "y")], [("x", FLOAT, ["n", 4, "h", "w"])], [("y", FLOAT, ["n", 4, "h", "w"])], [])
    foreign, whole = exported(made, tmp_path, "--input-range", "0..1", "--output-range", "0..1")
    image = drawn(30, 20, 4)
    found = through(whole, image)
    assert found.shape == (30, 20, 4)
    assert np.abs(found.astype(int) - through(foreign, image)).max() <= 1
    assert np.abs(found - 255 * np.sqrt(image / 255)).max() <= 1


def test_what_is_said_is_in_the_file(tmp_path: Path) -> None:
    """Range, order of colours and all are applied once, and need not be said again."""
    shape = ["n", 3, "h", "w"]
    made = model([node("Identity", "x", "y")], [("x", FLOAT, shape)], [("y", FLOAT, shape)], [])
    helper.set_model_props(made, {"author": "somebody", "latent": "of theirs"})
    said = "--input-range -1..1 --output-range -3..1 --channels bgr --name Ours --licence CC0"
    _, whole = exported(made, tmp_path, *said.split())
    image = drawn(20, 20, 3)
    assert np.abs(whole.translate(image) - (np.clip(image / 127.5 - 1, -3, 1) + 3) / 4 * 255).max() <= 1
    assert whole.card is not None
    assert (whole.card.name, whole.card.licence, whole.sealed) == ("Ours", "CC0", True)
    source = (tmp_path / "theirs.onnx").read_bytes()
    origin = whole.card.training["origin"]
    assert (origin["file"], origin["sha256"]) == ("theirs.onnx", hashlib.sha256(source).hexdigest())
    assert "values -1..1 → chw, values -3..1" in origin["read"]
    assert not (tmp_path / "theirs.onnx.json").exists()
    kept = {item.key: item.value for item in onnx.load(tmp_path / "one.onnx").metadata_props}
    assert kept["author"] == "somebody"


@pytest.mark.parametrize("channels", [1, 3])
def test_an_encoder_gives_what_it_gave(channels: int, tmp_path: Path) -> None:
    foreign, whole = exported(encoder(channels), tmp_path)
    images = np.stack([drawn(SIDE, SIDE, 3), drawn(2 * SIDE, SIDE, 3)[SIDE:]])
    assert whole.latent.size == 5
    assert whole.image_size == (SIDE, SIDE)
    np.testing.assert_allclose(whole.encode(images), foreign.features([*images]), atol=2e-2 if channels == 1 else 1e-5)


@pytest.mark.parametrize("scalar", [False, True])
def test_a_denoiser_predicts_what_it_predicted(scalar: bool, tmp_path: Path) -> None:
    foreign, whole = exported(denoiser(scalar), tmp_path, "--schedule", "cosine:100", "--prediction", "v")
    assert whole.card is not None
    assert whole.card.schedule["prediction"] == "v"
    assert len(whole.card.schedule["alpha_bar"]) == 100
    noisy, t = np.random.default_rng(0).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32), np.array([70, 70])
    np.testing.assert_allclose(whole.denoise(noisy, t), noisy * 0.07, rtol=1e-5)
    np.testing.assert_allclose(foreign.denoise(noisy, t), noisy * 0.07, rtol=1e-5)


def test_detail_is_in_units_of_black_to_white(tmp_path: Path) -> None:
    foreign, whole = exported(generator(), tmp_path, "--kind", "detail", "--output-range", "-1..1")
    latents, _ = images_of(foreign)
    detail = whole.detail(latents)
    assert detail.min() < -0.3
    assert np.abs(255 * (detail + 0.5) - foreign.generate(latents)).max() <= 1


def test_weights_beside_the_file_become_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "theirs.onnx"
    onnx.save_model(generator(), path, save_as_external_data=True, location="theirs.onnx.data", size_threshold=0)
    assert main([str(path), "-o", str(tmp_path / "one.onnx")]) == 0
    (tmp_path / "theirs.onnx.data").unlink()
    latents = draw_many(open_model(tmp_path / "one.onnx").latent, 0, range(2))
    expected = np.clip(np.rint(127.5 * np.tanh(latents @ WEIGHTS[:, : 3 * SIDE**2]) + 127.5), 0, 255)
    found = open_model(tmp_path / "one.onnx").generate(latents)[..., ::-1].transpose(0, 3, 1, 2).reshape(2, -1)
    assert np.abs(expected - found).max() <= 1


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The one line that is said."""
    assert main([*map(str, words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_what_would_differ_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "theirs.onnx"
    onnx.save(generator(), path)
    monkeypatch.setattr(arrays, "_CHW_TO_HWC", (0, 3, 2, 1))  # height and width swapped
    said = refused(capsys, path, "-o", tmp_path / "one.onnx")
    assert "nothing is written: as one file with a card it differs by" in said
    assert [one.name for one in tmp_path.iterdir()] == ["theirs.onnx"]


def test_one_line_for_what_cannot_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, one = tmp_path / "theirs.onnx", tmp_path / "one.onnx"
    page = b"<!doctype html><html><title>404</title>"
    texts = model([node("Gather", "e ids", "y")], [("ids", WHOLE, ["n", "l"])], [("y", FLOAT, ["n", "l", 7])],
                  [constant("e", np.zeros((20, 7), np.float32))])  # fmt: skip
    two = model([node("Concat", "x x", "y", axis=1)], [("x", FLOAT, ["n", 1, "h", "w"])],
                [("y", FLOAT, ["n", 2, "h", "w"])], [])  # fmt: skip
    classes = model([node("ArgMax", "x", "y", axis=1, keepdims=0)], [("x", FLOAT, ["n", 3, "h", "w"])],
                    [("y", WHOLE, ["n", "h", "w"])], [])  # fmt: skip
    larger = model([helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")],
        [("x", FLOAT, ["n", 3, "h", "w"])], [("y", FLOAT, ["n", 3, "H", "W"])],
        [constant("scales", np.array([1, 1, 1.5, 1.5], np.float32))])  # fmt: skip
    for content, flags, expected in (
        (page, (), "found a web page (HTML), expected an ONNX model"),
        (two, (), "gives 2 channels, as networks do that tell classes"),
        (classes, (), "gives a number of a class for each pixel"),
        (texts, (), "expected one of: generator (latent → image)"),
        (larger, (), "1.5 times as large, expected a whole number"),
        (generator(), ("--kind", "translator"), "--kind is translator, found a generator"),
        (generator(opset=8, ir=4), (), "opset 8, expected 9 or newer"),
        (generator(), ("--output-name", "nothing"), "found no output 'nothing'"),
    ):
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        said = refused(capsys, path, "-o", one, *flags)
        assert said.startswith(f"error: {path}: ")
        assert expected in said
    path.write_bytes(generator().SerializeToString())
    assert main([str(path), "-o", str(one)]) == 0
    capsys.readouterr()
    assert "exists; give --force" in refused(capsys, path, "-o", one)
    assert "has a card already" in refused(capsys, one, "-o", tmp_path / "two.onnx")
    assert "expected .onnx" in refused(capsys, path, "-o", tmp_path / "one.pth")
    assert "no such file" in refused(capsys, tmp_path / "nothing.onnx", "-o", tmp_path / "two.onnx")
    assert "found no output" in refused(capsys, path, "-o", one, "--force", "--output-name", "x")
    assert open_model(one).card is not None  # the older one is still there


def test_classes_without_a_spare_one_say_how_there_may_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = model(
        [node("Cast", "timestep", "t", to=FLOAT), node("Gather", "rows y", "c"), node("Add", "c t", "d"),
         node("Reshape", "d s", "e"), node("Add", "sample e", "noise")],
        [("sample", FLOAT, ["n", 3, SIDE, SIDE]), ("timestep", WHOLE, ["n"]), ("y", WHOLE, ["n"])],
        [("noise", FLOAT, ["n", 3, SIDE, SIDE])],
        [constant("rows", np.arange(5, dtype=np.float32)), constant("s", np.array([-1, 1, 1, 1]))],
    )  # fmt: skip
    path, one = tmp_path / "theirs.onnx", tmp_path / "one.onnx"
    onnx.save(drawn, path)
    assert "--classes 4 where its last one is that" in refused(capsys, path, "-o", one)
    assert main([str(path), "-o", str(one), "--classes", "4"]) == 0


def test_it_needs_no_torch(tmp_path: Path) -> None:
    onnx.save(generator(), tmp_path / "theirs.onnx")
    program = f"""
import sys
sys.modules["torch"] = None
from export.__main__ import main
sys.exit(main([{str(tmp_path / "theirs.onnx")!r}, "-o", {str(tmp_path / "one.onnx")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "one.onnx: generator, latent [any, 6] -> image [any, 16, 16, 3]" in done.stdout
