"""Why a model cannot be opened or run is said in words: what was found, what was expected, and the way out."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from small_models import constant, make_graph, write

from viewer.graph.reasons import reason
from viewer.model import ModelError, open_model

IMAGE = ("x", "f32", [1, 3, "h", "w"])


def of(*nodes: onnx.NodeProto, constants: Any = (), source: Any = IMAGE, domain: str = "") -> onnx.ModelProto:
    model = make_graph(nodes, [source], [("y", "f32", [])], constants)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def node(operator: str, *inputs: str, domain: str = "", **more: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs or ["x"], ["y"], domain=domain, **more)


def newer(ir: int = 9, opset: int = 17) -> onnx.ModelProto:
    model = of(node("Relu"))
    model.ir_version, model.opset_import[0].version = ir, opset
    return model


MODELS = {
    "ir": (newer(ir=99), r"model format is 99, this onnxruntime reads up to \d+: export it with a lower IR version "
                         r"\(ir_version=\d+\), or update onnxruntime"),
    "opset": (newer(opset=99), r"opset 99, this onnxruntime knows those up to \d+: export it with opset_version=\d+"),
    "gone": (of(node("Upsample", scales=[1.0, 1.0, 2.0, 2.0])), "Upsample is no longer one of opset 17.*a lower opset"),
    "unregistered": (of(node("Frob")), "Frob is not one of opset 17, expected those .*or update onnxruntime"),
    "contributed": (of(node("Frob", domain="com.microsoft"), domain="com.microsoft"),
                    r"com\.microsoft\.Frob is unknown to this onnxruntime: .* ONNX's own operators"),
    "own": (of(node("Bar", domain="my.ops"), domain="my.ops"),
            r"'my\.ops\.Bar' is unknown, expected those of ONNX .* export the model without it"),
    "types": (of(node("Add", "x", "w"), constants=[constant("w", np.zeros(4, np.int64))]),
              "Add gets float and int64, expected one type"),
    "a type": (of(node("Conv", "x", "w"), source=("x", "u8", [1, 3, 8, 8]),
                  constants=[constant("w", np.zeros((3, 3, 1, 1), np.uint8))]), r"Conv gets uint8 \(x\), a type"),
    "sizes": (of(node("MatMul", "x", "w"), source=("x", "f32", [1, 4]),
                 constants=[constant("w", np.zeros((5, 3), np.float32))]), "MatMul: Incompatible dim.*dynamic axes"),
    "a circle": (of(node("Add", "x", "z"), helper.make_node("Relu", ["y"], ["z"])), "go round in a circle"),
    "nothing": (of(node("Add", "x", "z")), "takes 'z', which nothing gives"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_cannot_be_opened(name: str, tmp_path: Path) -> None:
    model, expected = MODELS[name]
    with pytest.raises(ModelError, match=expected) as caught:
        open_model(write(tmp_path / "m.onnx", model))
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "m.onnx"))
    assert said.isprintable()
    assert not {"onnxruntime_src", "ONNXRuntimeError", "::", "Status Message"} & set(said.split())
    assert "::" not in said


SAID = {  # of several versions, by whoever reported them
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Reshape node. Name:'view' Status "
    "Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::"
    "ReshapeHelper(const onnxruntime::TensorShape&, bool) input_shape_size == size was false. The input tensor cannot "
    "be reshaped to the requested shape. Input shape:{2,4}, requested shape:{1,3}\n":
    "operator Reshape (view) fails: The input tensor cannot be reshaped to the requested shape. Input shape:{2,4}, "
    "requested shape:{1,3}; the graph takes other sizes than it declares: export it again, with dynamic axes",
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather node. Name:'/emb' "
    "Status Message: indices element out of data bounds, idx=7 must be within the inclusive range [-3,2]":
    "operator Gather (/emb) fails: indices element out of data bounds, idx=7 must be within the inclusive range [-3,2]",
    "[ONNXRuntimeError] : 1 : FAIL : /a/b.cc:9 void onnxruntime::F(const std::function<void(int)>&) const Words.":
    "Words",
    "[ONNXRuntimeError] : 1 : FAIL : matmul_helper.h:59 Compute MatMul dimension mismatch": "MatMul dimension mismatch",
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid rank for input: x Got: 3 Expected: 2 Please fix either":
    "input x got 3 axes, expected 2",
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: x for the following indices\n "
    "index: 1 Got: 5 Expected: 4\n Please fix": "input x got a length of 5 at axis 1, expected 4",
    "": "RuntimeError",
}  # fmt: skip


@pytest.mark.parametrize("said", SAID)
def test_what_is_left_of_a_message(said: str) -> None:
    assert reason(RuntimeError(said)) == SAID[said]


def test_a_size_that_the_graph_cannot_take_is_named(tmp_path: Path) -> None:
    image = ("x", "f32", ["n", 16])
    model = make_graph([node("Add", "x", "w", name="/up/Add")], [image], [("y", "f32", ["n", 16])],
                       [constant("w", np.zeros((1, 16), np.float32))])  # fmt: skip
    model.graph.initializer[0].CopyFrom(constant("w", np.zeros((3, 16), np.float32)))
    opened = open_model(write(tmp_path / "m.onnx", model))
    with pytest.raises(ModelError, match=r"cannot be run: input x got a length of 7 at axis 1, expected 16"):
        opened._run({"x": np.zeros((1, 7), np.float32)}, "y")
