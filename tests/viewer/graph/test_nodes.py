"""Nodes and constants of a graph, read from the bytes of its file."""

import numpy as np
import pytest
from onnx import helper
from small_models import constant, make_graph

from viewer.graph.nodes import Graph, Node, read_graph


def written(**numbers: object) -> bytes:
    nodes = [
        helper.make_node("Constant", [], ["half"], value_float=0.5),
        helper.make_node("Gather", ["table", "label"], ["code"], axis=0),
        helper.make_node("Tanh", ["code"], ["image"]),
    ]
    constants = [constant("table", np.zeros((10, 4), np.float32)), *(constant(*pair) for pair in numbers.items())]
    ports = ("label", "i64", ["n"]), ("image", "f32", ["n", 4])
    return bytes(make_graph(nodes, ports[:1], ports[1:], constants).SerializeToString())


@pytest.mark.parametrize(
    "value",
    [np.int64([-1, 3, 16]), np.int32([7]), np.float32([0.25, 255]), np.float64([-3]), np.array([True])],
)
def test_small_constants_are_read(value: np.ndarray) -> None:
    found = read_graph(written(some=value)).constants["some"]

    assert found.shape == np.shape(value)
    assert list(found.numbers) == np.ravel(value).astype(float).tolist()


def test_large_constants_have_a_shape_alone() -> None:
    graph = read_graph(written())

    assert graph.constants["table"].shape == (10, 4)
    assert graph.constants["table"].numbers == ()


def test_nodes_are_read_in_order_with_their_numbers() -> None:
    graph = read_graph(written())

    assert graph.nodes == [
        Node("Gather", ("table", "label"), ("code",), {"axis": 0.0}),
        Node("Tanh", ("code",), ("image",)),
    ]
    assert graph.constants["half"].numbers == (0.5,)
    assert graph.users("code") == [graph.nodes[1]]
    assert graph.maker("image") == graph.nodes[1]
    assert graph.maker("label") is None


def test_a_damaged_file_gives_what_can_be_read() -> None:
    data = written()
    for end in range(0, len(data), 7):
        assert isinstance(read_graph(data[:end]), Graph)
