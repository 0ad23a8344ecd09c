"""A graph of one image made a graph of any number of them: the operator Scan runs it for each."""

from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

_FIRST: Final = "first_axis"


def for_each(model: onnx.ModelProto) -> None:
    """Wrap a graph that takes and gives one image [1, ...] in place. Its constants stay where they are: what is within
    sees what is around it."""
    graph = model.graph
    (source,), (result,) = graph.input, graph.output
    inner = {name: f"{name}.one" for name in (source.name, result.name)}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [inner.get(name, name) for name in names]
    one, made = (_without_batch(port, f"{port.name}.each") for port in (source, result))
    body = helper.make_graph(
        [
            helper.make_node("Unsqueeze", [one.name, _FIRST], [inner[source.name]]),
            *graph.node,
            helper.make_node("Squeeze", [inner[result.name], _FIRST], [made.name]),
        ],
        "each",
        [one],
        [made],
    )
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), _FIRST))
    del graph.node[:]
    graph.node.append(helper.make_node("Scan", [source.name], [result.name], num_scan_inputs=1, body=body))
    for port in (source, result):
        port.type.tensor_type.shape.dim[0].dim_param = "n"


def _without_batch(port: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    dims = list(port.type.tensor_type.shape.dim)[1:]
    sizes = [size.dim_param if size.HasField("dim_param") else size.dim_value for size in dims]
    return helper.make_tensor_value_info(name, port.type.tensor_type.elem_type, sizes)
