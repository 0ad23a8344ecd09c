"""Ranges of float images of files without a card: found out, or said to be unsure."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper
from ranged_models import Ranged, blind, family, make, truth
from small_models import make_graph, photo_like

from trainer.contract.errors import UserError
from viewer.__main__ import main
from viewer.graph import ranges
from viewer.graph.foreign import Foreign
from viewer.graph.layout import ImageLayout
from viewer.graph.nodes import read_graph
from viewer.graph.reading import Range, Reading
from viewer.graph.trails import RANGES, Trails
from viewer.model import Model, open_model

PHOTO = photo_like(72, 64)
ALIKE = 2.0  # levels in the mean
NEAR = Ranged((0.0, 1.0), (-1.0, 1.0), "folded", "near", "tanh", "chw", "zeros", 2)


def opened(model: Any, path: Path, **said: Any) -> Model:
    path.write_bytes(model.SerializeToString())
    return open_model(path, reading=Reading(**said), silent=True)


def is_right(one: Ranged, model: Model) -> bool:
    """Whether images come out as they do with the true ranges, or so that nobody can tell."""
    layout = model.image_layout
    if (layout.input_range, layout.output_range) == (one.takes, one.gives):
        return True
    known = open_model(model.path, reading=Reading(**truth(one)), silent=True)
    return float(np.abs(model.translate(PHOTO).astype(int) - known.translate(PHOTO)).mean()) <= ALIKE


def wrong_ones(some: list[Ranged], path: Path) -> dict[str, float]:
    """Those guessed wrong, and how sure that was; every guess that is not sure has a remark with the way out."""
    wrong = {}
    for one in some:
        model = opened(make(one), path)
        sure = model.image_layout.sure
        assert sure is not None
        said = [line for line in model.remarks if f"{sure:.0%} sure" in line]
        assert (sure < ranges.SURE) == bool(said)
        assert all("--input-range LOW..HIGH" in line for line in said)
        if not is_right(one, model):
            wrong[one.name] = sure
    return wrong


def test_a_few_of_the_family(tmp_path: Path) -> None:
    some = family(24)
    wrong = wrong_ones(some, tmp_path / "m.onnx")
    assert len(wrong) <= 1, wrong
    assert all(sure < ranges.SURE for sure in wrong.values()), wrong


@pytest.mark.slow
def test_at_least_98_percent_of_the_family_are_right_and_no_other_is_sure(tmp_path: Path) -> None:
    some = family(400)
    assert len({(one.takes, one.gives, one.work, one.end, one.scale, one.padding, one.layout) for one in some}) > 350
    wrong = wrong_ones(some, tmp_path / "m.onnx")
    assert len(wrong) <= 0.02 * len(some), wrong
    assert all(sure < ranges.SURE for sure in wrong.values()), wrong


def test_what_nothing_tells_is_never_sure(tmp_path: Path) -> None:
    wrong = wrong_ones(list(blind(18)), tmp_path / "m.onnx")
    assert all(sure < ranges.SURE for sure in wrong.values()), wrong


def test_what_is_said_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for takes in RANGES:
        layout = opened(make(NEAR), path, input_range=takes).image_layout
        assert (layout.input_range, layout.output_range) == (takes, (-1.0, 1.0))
    model = opened(make(NEAR), path, input_range=(0.0, 2.0), output_range=(-5.0, 5.0))
    layout = model.image_layout
    assert (layout.input_range, layout.output_range, layout.sure) == ((0.0, 2.0), (-5.0, 5.0), None)
    assert model.remarks == ()


def test_remarks_are_said_once_and_shown_by_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    (one,) = blind(1)
    model = opened(make(one), path)
    (remark,) = model.remarks
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr()
    assert remark in said.out
    assert f"{model.image_layout.sure:.0%} sure" in said.out
    open_model(path)
    assert capsys.readouterr().err == f"{path}: {remark}\n"
    assert main(["info", str(path), "--input-range", "0..1", "--output-range", "0..1"]) == 0
    capsys.readouterr()
    open_model(path)
    words = "--input-range 0..1, --output-range 0..1"
    assert capsys.readouterr().err == f"{path}: read as m.onnx.json says: {words}\n"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Image.NominalPixelRange": "NominalRange_0_255"}, (0.0, 255.0)),
        ({"Image.NominalPixelRange": "Normalized_1_1"}, (-1.0, 1.0)),
        ({"input_range": "[-1, 1]"}, (-1.0, 1.0)),
        ({"inputRange": "0..255"}, (0.0, 255.0)),
        ({"input_range": "whatever"}, (0.0, 1.0)),
    ],
)
def test_properties_of_the_file(properties: dict[str, str], expected: Range, tmp_path: Path) -> None:
    (one,) = blind(1)
    model = make(replace(one, end="sigmoid"))
    helper.set_model_props(model, properties)
    assert opened(model, tmp_path / "m.onnx").image_layout.input_range == expected


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ([("Tanh", ())], (-1.0, 1.0)),
        ([("Sigmoid", ()), ("Mul", 255.0)], (0.0, 255.0)),
        ([("Tanh", ()), ("Mul", 0.5), ("Add", 0.5)], (0.0, 1.0)),
        ([("Tanh", ()), ("Add", 1.0), ("Div", 2.0)], (0.0, 1.0)),
        ([("Sigmoid", ()), ("Mul", 2.0), ("Sub", 1.0)], (-1.0, 1.0)),
        ([("Tanh", ()), ("Relu", ())], (0.0, 1.0)),
        ([("Tanh", ()), ("Mul", 150.0), ("Add", 127.5)], (0.0, 255.0)),
        ([("Mul", 255.0), ("Round", ())], (0.0, 255.0)),
        ([("Mul", 0.5), ("Add", 0.5)], (0.0, 1.0)),
        ([("Mul", 127.5), ("Add", 127.5)], (0.0, 255.0)),
    ],
)
def test_generators_of_white_pages(operators: list[tuple[str, Any]], expected: Range, tmp_path: Path) -> None:
    """Of values that say nothing, by the last operators."""
    span = {(-1.0, 1.0): 0.03, (0.0, 1.0): 0.03, (0.0, 255.0): 0.03}[expected]
    nodes, constants = [helper.make_node("MatMul", ["z", "w"], ["m"])], []
    low = np.tile(np.random.default_rng(0).normal(0, span, (4, 1)), (1, 3 * 16 * 16)).astype(np.float32)
    constants.append(numpy_helper.from_array(low, "w"))
    constants.append(numpy_helper.from_array(np.float32(0.9), "bright"))
    constants.append(numpy_helper.from_array(np.array([-1, 3, 16, 16]), "shape"))
    nodes.append(helper.make_node("Add", ["m", "bright"], ["n0"]))
    for number, (operator, value) in enumerate(operators):
        more = []
        if value != ():
            more = [f"c{number}"]
            constants.append(numpy_helper.from_array(np.float32(value), more[0]))
        nodes.append(helper.make_node(operator, [f"n{number}", *more], [f"n{number + 1}"]))
    nodes.append(helper.make_node("Reshape", [f"n{len(operators)}", "shape"], ["image"]))
    model = make_graph(nodes, [("z", "f32", ["n", 4])], [("image", "f32", ["n", 3, 16, 16])], constants)
    assert opened(model, tmp_path / "m.onnx").layout.value_range == expected


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ([("Div", 255.0)], (0.0, 255.0)),
        ([("Mul", 1 / 255)], (0.0, 255.0)),
        ([("Mul", 2.0), ("Sub", 1.0)], (0.0, 1.0)),
        ([("Sub", 0.5), ("Div", 0.5)], (0.0, 1.0)),
        ([("Add", 1.0), ("Div", 2.0)], (-1.0, 1.0)),
        ([("Div", 127.5), ("Sub", 1.0)], (0.0, 255.0)),
        ([("Sub", (0.485, 0.456, 0.406)), ("Div", (0.229, 0.224, 0.225))], (0.0, 1.0)),
        ([("Sub", (123.675, 116.28, 103.53)), ("Div", (58.395, 57.12, 57.375))], (0.0, 255.0)),
        ([("Sub", (103.939, 116.779, 123.68))], (0.0, 255.0)),
        ([("Sub", (0.4488, 0.4371, 0.404))], (0.0, 1.0)),
        ([("Mul", 255.0), ("Sub", (114.4, 111.5, 103.0))], (0.0, 1.0)),
        ([("Mul", 1.7)], None),
        ([], None),
    ],
)
def test_first_operators(operators: list[tuple[str, Any]], expected: Range | None) -> None:
    nodes, constants = [], []
    for number, (operator, value) in enumerate(operators):
        array = np.asarray(value, np.float32)
        constants.append(numpy_helper.from_array(array.reshape(1, 3, 1, 1) if array.size == 3 else array, f"c{number}"))
        nodes.append(helper.make_node(operator, [f"n{number}" if number else "x", f"c{number}"], [f"n{number + 1}"]))
    last = f"n{len(operators)}" if operators else "x"
    nodes.append(helper.make_node("Conv", [last, "w"], ["y"]))
    constants.append(numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w"))
    shape = [1, 3, "h", "w"]
    model = make_graph(nodes, [("x", "f32", shape)], [("y", "f32", shape)], constants)
    assert Trails(read_graph(model.SerializeToString())).input_range("x") == expected


class Port:
    name = "x"


def slow(seconds_a_pixel: float, clock: list[float], seen: list[tuple[int, int]]) -> Callable[..., Any]:
    def show(layout: ImageLayout, image: Any) -> Any:
        clock[0] += seconds_a_pixel * image.shape[0] * image.shape[1]
        seen.append(image.shape[:2])
        return np.repeat(np.repeat(image, 2, 0), 2, 1)[None].astype(np.float32) / 255

    return show


def test_a_network_that_runs_once_only_is_a_guess() -> None:
    def fails(*_: Any) -> Any:
        raise UserError("no")

    graph = Foreign("m", [Port()], [], lambda *_: np.zeros(1))
    layout = ImageLayout(input_type=np.float32, input_range=(0.0, 1.0), output_range=(0.0, 1.0))
    guess = ranges.of_translator(graph, layout, fails, (64, 64), 0.01)
    assert guess is not None
    assert guess.sure < ranges.SURE
    assert "--input-range LOW..HIGH" in ranges.remark(guess, Reading())


@pytest.mark.parametrize(("run_seconds", "most"), [(0.001, 0.1), (0.1, 0.5), (1.0, 0.5), (10.0, 2.0)])
def test_large_networks_do_not_stall_the_start(
    run_seconds: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``run_seconds``: of an image of 64x64 pixels."""
    clock, seen = [0.0], list[tuple[int, int]]()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    graph = Foreign("m", [Port()], [], lambda *_: np.zeros(1))
    layout = ImageLayout(input_type=np.float32, input_range=(0.0, 1.0), output_range=(0.0, 1.0), scale=2)
    guess = ranges.of_translator(graph, layout, slow(run_seconds / 4096, clock, seen), (64, 64), run_seconds)
    assert clock[0] <= most
    assert guess is not None
    assert (guess.takes, guess.gives) == ((0.0, 1.0), (0.0, 1.0))
    if run_seconds > 1:  # there was no time for all
        assert len(seen) < len(RANGES)


@pytest.mark.parametrize(
    ("first", "expected"), [((1 / 255, 0.0), (0.0, 255.0)), ((2.0, -1.0), (0.0, 1.0)), (None, None)]
)
def test_networks_that_say_something_of_images(first: Any, expected: Range | None, tmp_path: Path) -> None:
    numbers = {"factor": 1.0, "term": 0.0} if first is None else dict(zip(("factor", "term"), first, strict=True))
    nodes = [helper.make_node("Mul", ["x", "factor"], ["a"]), helper.make_node("Add", ["a", "term"], ["b"]),
             helper.make_node("GlobalMaxPool", ["b"], ["c"]), helper.make_node("Flatten", ["c"], ["y"])]  # fmt: skip
    constants = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in numbers.items()]
    model = make_graph(nodes, [("x", "f32", ["n", 3, 32, 32])], [("y", "f32", ["n", 3])], constants)
    found = opened(model, tmp_path / "m.onnx")
    white = np.full((32, 32, 3), 255, np.uint8)
    if expected is None:
        assert found.remarks == ("images that go in are taken to be in 0..1, 56% sure; --input-range LOW..HIGH says "
                                 "otherwise",)  # fmt: skip
        np.testing.assert_allclose(opened(model, tmp_path / "m.onnx", input_range=(0.0, 9.0)).features([white]), 9.0)
    else:
        assert found.remarks == ()
        np.testing.assert_allclose(found.features([white]), 1.0, rtol=1e-6)


def test_colours_in_the_order_that_the_file_names(tmp_path: Path) -> None:
    model = make(NEAR)
    assert not opened(model, tmp_path / "m.onnx").image_layout.bgr
    helper.set_model_props(model, {"Image.BitmapPixelFormat": "Bgr8"})
    assert opened(model, tmp_path / "m.onnx").image_layout.bgr
    assert not opened(model, tmp_path / "m.onnx", channels="rgb").image_layout.bgr


def test_first_operators_made_for_another_range_leave_a_doubt(tmp_path: Path) -> None:
    """Networks for -1..1 often take off what those for 0..1 do: where little else tells, the guess is not sure."""
    (one,) = blind(1)
    layout = opened(make(replace(one, takes=(0.0, 1.0), start="imagenet", end="clip")), tmp_path / "m").image_layout
    assert (layout.input_range, layout.output_range) == (one.takes, one.gives)
    assert layout.sure < ranges.SURE
