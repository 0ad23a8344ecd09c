"""Smaller files, the ``PRECISIONS`` of a card: fp16 weights, or int8 arithmetic.

fp16: weights are stored in half precision and widened once, when the file is opened: half the size, the speed of fp32
on a CPU, and no overflow between the layers. int8: large linear maps run on integers, with error-compensated rounding
(Frantar et al. 2023, "GPTQ", algorithm 1); so do the convolutions that ``Kind.int8_convolutions`` names, with ranges
measured on random inputs (of denoisers: training images at many steps of noise). Elsewhere, and where that would be
visible, convolutions keep 8-bit weights and fp32 arithmetic.

How far the result is from fp32 is measured by ``export.verify`` and written into the card.
"""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from export.graph import ExportError, Whole, quiet, tidy
from export.rewrite import replace
from export.verify import compare, open_session, run_onnx

_MIN_WEIGHTS = 1 << 12  # smaller tensors are not worth it
_MIN_INTEGER = 1 << 16  # weights of a linear map that is worth running on integers
_MAX_WORK = 10**11  # multiplications spent on compensation; maps with more inputs average their rounding errors out
_MAX_COMPENSATED = 1 << 13  # inputs of a map, whose products with each other take half a gigabyte then
_TOP = 63  # of ±127: products of u8 and 7 bits never saturate the 16-bit sums of CPUs without VNNI
_COPIES = 2  # of each input of a linear map, rounded differently: one more bit for inputs and weights alike
_SPREAD = 0.943  # of the second copy's scale: far enough from 1, and from ratios of small numbers
_MAX_SQUARED_ERROR = 255**2 / 10 ** (40 / 10)  # of levels: 40 dB, hard to see
_MAX_ERROR_FRACTION = 0.05**2  # of a prediction's variance; half of it leads 25 steps of DDIM to images 48 dB apart
_CALIBRATION = 512  # random inputs
_MAX_RECORDED = 1 << 25  # numbers; layers with so many inputs need no more examples
_DEAD = 1e-6  # of the strongest input: weaker ones count as zero

Floats = NDArray[np.float32]


def quantize(network: Whole, model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Copy a traced graph in another precision. Raises ``ExportError`` for an unknown one."""
    model = copy.deepcopy(model)
    if precision == "fp16":
        _halve_weights(model)
        return model
    if precision != "int8":
        raise ExportError(f"precision is {precision!r}, expected fp16 or int8")
    _integer_linear(network, model)
    faster = _integer_convolutions(network, model)
    if faster is None:
        _eight_bit_kernels(model)
    return faster or model


def _weights(model: onnx.ModelProto, least: int = _MIN_WEIGHTS) -> dict[str, onnx.TensorProto]:
    return {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and int(np.prod(tensor.dims)) >= least
    }


def _halve_weights(model: onnx.ModelProto) -> None:
    casts = []
    for name, tensor in _weights(model).items():
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ExportError(f"weights {name} reach {np.abs(values).max():.3g}, more than fp16 can hold")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    _prepend(model, casts)


def _integer_linear(network: Whole, model: onnx.ModelProto) -> None:
    """Large linear maps: u8 inputs, scaled by each batch's own range, times 7-bit weights. Latents of any length keep
    their precision so; an image can differ by a level with its neighbours in the batch."""
    weights = _weights(model, _MIN_INTEGER)
    weights = {name: tensor for name, tensor in weights.items() if len(tensor.dims) == 2}
    maps = [node for node in model.graph.node if _is_linear(node) and node.input[1] in weights]
    if not maps:
        return
    inputs = _record(network, model, [node.input[0] for node in maps])
    replace(model, {node.output[0]: _integer_map(model, node, inputs[node.input[0]]) for node in maps})


def _may_compensate(features: int, outputs: int) -> bool:
    """Whether that takes seconds and some memory, and no more."""
    return features <= _MAX_COMPENSATED and features**2 * outputs <= _MAX_WORK


def _is_linear(node: onnx.NodeProto) -> bool:
    plain = all(_attribute(node, name, 1.0) == 1.0 for name in ("alpha", "beta")) and not _attribute(node, "transA", 0)
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and plain)


def _record(network: Whole, model: onnx.ModelProto, names: Sequence[str]) -> dict[str, Floats]:
    """The values of the named tensors on random inputs, each [m, features]."""
    probe = copy.deepcopy(model)
    del probe.graph.output[:]
    taken = [name for name in dict.fromkeys(names) if name not in network.ports]
    probe.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in taken)
    session = open_session(probe) if taken else None
    found: dict[str, list[Floats]] = {name: [] for name in names}
    for seed in range(_CALIBRATION // 16):
        values = network.draw(16, seed=1000 + seed)
        results = dict(zip(taken, run_onnx(session, network, values), strict=True)) if session else {}
        results |= {name: value.numpy() for name, value in zip(network.ports, values, strict=True)}
        for name, parts in found.items():
            parts.append(results[name].reshape(-1, results[name].shape[-1]))
        if sum(part.size for parts in found.values() for part in parts) > _MAX_RECORDED:
            break
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _integer_map(model: onnx.ModelProto, node: onnx.NodeProto, inputs: Floats) -> list[onnx.NodeProto]:
    """The nodes that replace one Gemm or MatMul; their weights are added to the graph."""
    tensor = next(item for item in model.graph.initializer if item.name == node.input[1])
    weights = numpy_helper.to_array(tensor)
    weights = weights.T if _attribute(node, "transB", 0) else weights  # [features, outputs]
    features, outputs = weights.shape
    copies = _COPIES if _may_compensate(_COPIES * features, outputs) else 1
    # divisors that spread all inputs over the u8 range without huge weights for the weakest
    largest = np.abs(inputs).max(0)
    ranges = np.sqrt(np.maximum(largest, _DEAD * max(float(largest.max()), _DEAD)))
    spread = np.concatenate([ranges * _SPREAD**number for number in range(copies)])
    inputs = np.concatenate([inputs] * copies, axis=1) / spread
    weights = np.concatenate([weights] * copies) * spread[:, None] / copies
    scale = np.maximum(np.abs(weights).max(0), 1e-12) / _TOP
    compensated = _may_compensate(copies * features, outputs)
    rounded = _compensate(weights, scale, _as_u8(inputs)) if compensated else _round(weights, scale)

    source, target, bias = node.input[0], node.output[0], list(node.input[2:3])
    constants = {
        "spread": (1 / spread).astype(np.float32),
        "weights": rounded.astype(np.int8),
        "weight_zero": np.array(0, np.int8),
        "weight_scale": scale.astype(np.float32),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(value, f"{target}.{key}") for key, value in constants.items()
    )

    def make(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
        """A node; names that begin with a dot follow that of the output."""
        takes, gives = ([f"{target}{name}" if name[:1] == "." else name for name in part] for part in (inputs, outputs))
        return helper.make_node(operator, takes, gives, **attributes)

    return [
        *([make("Concat", [source] * copies, [".wide"], axis=-1)] if copies > 1 else []),
        make("Mul", [".wide" if copies > 1 else source, ".spread"], [".scaled"]),
        make("DynamicQuantizeLinear", [".scaled"], [".levels", ".step", ".zero"]),
        make("MatMulInteger", [".levels", ".weights", ".zero", ".weight_zero"], [".sums"]),
        make("Cast", [".sums"], [".floats"], to=onnx.TensorProto.FLOAT),
        make("Mul", [".step", ".weight_scale"], [".scales"]),
        make("Mul", [".floats", ".scales"], [".product" if bias else target]),
        *([make("Add", [".product", *bias], [target])] if bias else []),
    ]


def _as_u8(inputs: Floats) -> Floats:
    """Quantise inputs as DynamicQuantizeLinear does, and dequantise them."""
    low, high = min(float(inputs.min()), 0.0), max(float(inputs.max()), 0.0)
    step = max(high - low, 1e-12) / 255
    zero = np.rint(-low / step)
    return ((np.clip(np.rint(inputs / step) + zero, 0, 255) - zero) * step).astype(np.float32)


def _round(weights: Floats, scale: Floats) -> Floats:
    return np.clip(np.rint(weights / scale), -_TOP, _TOP)


def _compensate(weights: Floats, scale: Floats, inputs: Floats) -> Floats:
    """Round row by row; the remaining rows compensate for the error on the inputs (GPTQ, algorithm 1)."""
    features = len(weights)
    hessian = inputs.T.astype(np.float64) @ inputs / len(inputs)
    hessian += np.eye(features) * 1e-4 * max(np.trace(hessian) / features, 1e-12)
    order = np.argsort(-np.diag(hessian))
    inverse = np.linalg.cholesky(np.linalg.inv(hessian[np.ix_(order, order)])).T.astype(np.float32)  # upper
    left = weights[order].astype(np.float32)
    rounded = np.empty_like(left)
    for row in range(features):
        rounded[row] = _round(left[row], scale)
        error = (left[row] - rounded[row] * scale) / inverse[row, row]
        left[row + 1 :] -= inverse[row, row + 1 :, None] * error
    result = np.empty_like(rounded)
    result[order] = rounded
    return result


class _Calibration(CalibrationDataReader):
    """Random inputs for onnxruntime's calibration."""

    def __init__(self, network: Whole) -> None:
        draws = (network.draw(8, seed=2000 + seed) for seed in range(_CALIBRATION // 64))
        self.feeds = ({name: value.numpy() for name, value in zip(network.ports, draw, strict=True)} for draw in draws)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self.feeds, None)


def _integer_convolutions(network: Whole, model: onnx.ModelProto) -> onnx.ModelProto | None:
    """A copy whose convolutions run on integers; ``None`` where there are none, or the error is too large."""
    weights = _weights(model)
    which = network.kind.int8_convolutions
    if not which or not any(node.op_type == "Conv" and node.input[1] in weights for node in model.graph.node):
        return None
    own = copy.deepcopy(model)  # quantize_static empties its argument
    with tempfile.TemporaryDirectory() as folder, quiet():
        file = Path(folder) / "int8.onnx"
        quantize_static(
            own,
            file,
            _Calibration(network),
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,  # 7 bits, as _TOP
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_outer_convolutions(model) if which == "inner" else [],
        )
        faster = onnx.load(file)
    tidy(faster)
    _halve_weights(faster)  # of layers that were not quantised
    return faster if _near(network, faster) else None


def _near(network: Whole, model: onnx.ModelProto) -> bool:
    """Whether the error against torch is small enough to be invisible in images, or in those sampled by a denoiser."""
    levels = network.kind.output.dtype == "u8"
    expected, error = compare(network, model, network.draw(8 if levels else 32, seed=3000))
    most = _MAX_SQUARED_ERROR if levels else _MAX_ERROR_FRACTION * float(expected.var())
    return float(np.square(error).mean()) <= most


def _outer_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that come first or last on a path through the graph.

    Of a network that enlarges images (35.2 dB on Set5), all convolutions on integers cost 0.37 dB; all but these cost
    0.02 dB and take two thirds of that time.
    """
    nodes = model.graph.node
    named = {node.name for node in nodes if node.op_type == "Conv"}

    def seen_first(reverse: bool) -> set[str]:
        behind: set[str] = set()  # tensors that depend on a convolution
        first = set()
        for node in reversed(nodes) if reverse else nodes:  # a graph is sorted
            come, go = (node.output, node.input) if reverse else (node.input, node.output)
            if node.op_type == "Conv" and not behind.intersection(come):
                first.add(node.name)
            if node.op_type == "Conv" or behind.intersection(come):
                behind.update(go)
        return first

    return sorted(named & (seen_first(False) | seen_first(True)))


def _eight_bit_kernels(model: onnx.ModelProto) -> None:
    """Store the weights of convolutions in 8 bits with a scale per output channel; the arithmetic stays fp32."""
    weights = _weights(model)
    widen = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or node.input[1] not in weights:
            continue
        name = node.input[1]
        tensor = weights.pop(name)
        values = numpy_helper.to_array(tensor)
        others = tuple({*range(values.ndim)} - {0 if node.op_type == "Conv" else 1})
        scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127, 1e-12).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.levels"))
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        widen += [
            helper.make_node("Cast", [f"{name}.levels"], [f"{name}.floats"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.floats", f"{name}.scale"], [name]),
        ]
    _prepend(model, widen)


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def _prepend(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    old = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *old])
