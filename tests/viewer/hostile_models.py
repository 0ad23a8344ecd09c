"""Model files that mean harm, or that something has happened to: a name for each, and how its bytes are made.

Every one looks like an image generator as far as it can, so that the viewer goes on to what is wrong with it.
"""

import gzip
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from small_models import ONNX_TYPES, generator_card, generator_nodes, make_graph

SIDE: Final = 16
SIZE: Final = 4
HUGE: Final = 2**34  # float32 numbers: 64 GiB
Port = tuple[str, str, Sequence[int | str]]
LATENT: Final[Port] = ("latent", "f32", ["n", SIZE])
IMAGE: Final[Port] = ("image", "u8", ["n", SIDE, SIDE, 3])
SECRET: Final = "secret.bin"  # what files point to that want something read; lies outside the model's folder
ESCAPES: Final = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\r\nerror: forged"
MAKERS: Final[dict[str, Callable[[], bytes]]] = {}
MAY_SHOW: Final[set[str]] = set()  # odd, but a viewer may as well show them


def maker(make: Callable[[], bytes]) -> Callable[[], bytes]:
    MAKERS[make.__name__] = make
    return make


def may_show(make: Callable[[], bytes]) -> Callable[[], bytes]:
    MAY_SHOW.add(make.__name__)
    return maker(make)


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def image(
    extra: Sequence[onnx.NodeProto] = (),
    constants: Sequence[Any] = (),
    after: Sequence[onnx.NodeProto] = (),
    inputs: Sequence[Port] = (LATENT,),
    outputs: Sequence[Port] = (IMAGE,),
) -> onnx.ModelProto:
    """A generator, 4 numbers to 16x16. ``extra``: makes ``added``, a scalar that is added to every pixel.
    ``after``: nodes from ``unit``, the finished pixels [n, 768], to ``pixels``."""
    nodes, own = generator_nodes(SIZE, SIDE, SIDE, hidden=4)
    if extra:
        nodes[-1].output[0] = "before"
        nodes += [*extra, node("Add", ["before", "added"], ["unit"])]
    nodes += after or [node("Identity", ["unit"], ["pixels"])]
    nodes += [
        node("Mul", ["pixels", "levels"], ["scaled"]),
        node("Cast", ["scaled"], ["bytes"], to=TensorProto.UINT8),
        node("Reshape", ["bytes", "shape"], ["image"]),
    ]
    own += [constant("levels", np.float32(255)), constant("shape", np.array([-1, SIDE, SIDE, 3]))]
    return make_graph(nodes, inputs, outputs, [*own, *constants])


def carded(model: onnx.ModelProto, **more: str) -> bytes:
    """With a card, so that the file is believed before it is run."""
    helper.set_model_props(model, {**generator_card("hostile", SIZE, SIDE, SIDE).to_props(), **more})
    return bytes(model.SerializeToString())


def plain(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def whole() -> bytes:
    return carded(image())


def integers(name: str, *numbers: int) -> Any:
    return constant(name, np.array(numbers, np.int64))


def summed(*nodes: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that end in ``large``, and its sum as ``added``."""
    return [*nodes, node("ReduceMax", ["large"], ["added"], keepdims=0)]


def varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes) -> bytes:
    """A protobuf field that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


# What is no model, or no whole one.

for _name, _data in {
    "nothing": b"",
    "one_byte": b"\x08",
    "text": b"this is no model\n" * 60,
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "png": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "ort_format": b"\x18\x00\x00\x00ORTM" + bytes(200),
    "endless_length": b"\x08\x09\x3a" + b"\xff" * 9 + b"\x01",
    "overlong_number": b"\x08" + b"\x80" * 200 + b"\x01",
    "groups": b"\x3b" * 100_000,
    "length_beyond_the_end": b"\x08\x09\x3a\x80\x80\x80\x80\x08" + bytes(100),
    "nested_graph_field": b"\x08\x09" + field(7, field(1, b"") * 5),
}.items():
    MAKERS[_name] = lambda data=_data: data


@maker
def random_bytes() -> bytes:
    return np.random.default_rng(0).bytes(20_000)


@maker
def compressed() -> bytes:
    return gzip.compress(whole())


for _part in (1, 10, 50, 90, 99):
    MAKERS[f"first_{_part}_percent"] = lambda part=_part: whole()[: max(len(whole()) * part // 100, 1)]


def _flipped(seed: int) -> bytes:
    data, generator = bytearray(whole()), np.random.default_rng(seed)
    for position in generator.integers(0, len(data), 30):
        data[position] ^= 1 << int(generator.integers(8))
    return bytes(data)


for _seed in range(8):
    MAKERS[f"bits_flipped_{_seed}"] = lambda seed=_seed: _flipped(seed)
    MAY_SHOW.add(f"bits_flipped_{_seed}")


@maker
def no_graph() -> bytes:
    return onnx.ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 17)]).SerializeToString()


@maker
def a_version_of_the_future() -> bytes:
    model = image()
    model.ir_version = 2**40
    return carded(model)


@maker
def operators_of_the_future() -> bytes:
    model = image()
    model.opset_import[0].version = 9999
    return carded(model)


# What wants other files to be read.


def _outside(tensor: Any, location: str, **more: str) -> Any:
    """A tensor whose numbers are said to be elsewhere."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def _elsewhere(location: str, **more: str) -> bytes:
    model = image()
    _outside(model.graph.initializer[0], location, **more)
    return carded(model)


for _name, _location in {
    "weights_above": f"../{SECRET}",
    "weights_far_above": "../" * 12 + "etc/hostname",
    "weights_at_the_root": "/etc/hostname",
    "weights_of_a_device": "/dev/zero",
    "weights_of_the_process": "/proc/self/environ",
    "weights_beside": "weights.bin",
    "weights_through_a_link": "link.bin",
    "weights_by_address": "file:///etc/hostname",
    "weights_of_another_machine": r"\\somewhere\share\weights.bin",
    "weights_without_a_place": "",
    "weights_in_memory": "*/_ORT_MEM_ADDR_/*",
}.items():
    MAKERS[_name] = lambda location=_location: _elsewhere(location, offset="0", length="64")


@maker
def weights_in_memory_at_an_address() -> bytes:
    return _elsewhere("*/_ORT_MEM_ADDR_/*", offset=str(0x400000), length="64")


@maker
def weights_far_into_a_file() -> bytes:
    return _elsewhere("weights.bin", offset=str(2**62), length=str(2**62))


@maker
def weights_elsewhere_in_an_attribute() -> bytes:
    value = _outside(constant("value", np.zeros((), np.float32)), f"../{SECRET}")
    return carded(image([node("Constant", [], ["added"], value=value)]))


def _branch(tensor: Any) -> onnx.GraphProto:
    out = helper.make_tensor_value_info("branch", TensorProto.FLOAT, [])
    return helper.make_graph([node("Identity", [tensor.name], ["branch"])], "branch", [], [out], [tensor])


@maker
def weights_elsewhere_in_a_branch() -> bytes:
    branch = _branch(_outside(constant("there", np.zeros((), np.float32)), f"../{SECRET}"))
    return carded(image([node("If", ["yes"], ["added"], then_branch=branch, else_branch=branch)],
                          [constant("yes", np.array(True))]))  # fmt: skip


def _with_function(body: Sequence[onnx.NodeProto], *functions: onnx.FunctionProto) -> onnx.ModelProto:
    """A generator that adds what ``own.f`` makes of one pixel."""
    model = image([node("ReduceMax", ["before"], ["most"], keepdims=0), node("f", ["most"], ["added"], domain="own")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], list(body), opsets))
    model.functions.extend(functions)
    return model


@maker
def weights_elsewhere_in_a_function() -> bytes:
    value = _outside(constant("value", np.zeros((), np.float32)), f"../{SECRET}")
    return carded(_with_function([node("Constant", [], ["c"], value=value), node("Add", ["x", "c"], ["y"])]))


@maker
def sparse_weights_elsewhere() -> bytes:
    model = image()
    values = _outside(constant("sparse", np.ones(2, np.float32)), f"../{SECRET}")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, integers("at", 0, 1), [100]))
    return carded(model)


@maker
def a_context_of_another_engine() -> bytes:
    context = node("EPContext", ["latent"], ["added"], domain="com.microsoft", embed_mode=0, main_context=1,
                   ep_cache_context="/etc/hostname", source="QNN")  # fmt: skip
    model = image([context])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return carded(model)


# What is absurdly large, as declared.


@maker
def an_absurd_input() -> bytes:
    return plain(image(inputs=[("latent", "f32", ["n", 2**62])]))


@may_show  # what the graph computes wins over what it says
def an_absurd_output() -> bytes:
    return plain(image(outputs=[("image", "u8", ["n", 10**6, 10**6, 3])]))


def _weights_of(dims: Sequence[int], data: bytes = b"", kind: int = TensorProto.FLOAT) -> bytes:
    model = image([node("ReduceMax", ["odd"], ["added"], keepdims=0)])
    model.graph.initializer.append(TensorProto(name="odd", data_type=kind, dims=dims, raw_data=data))
    return carded(model)


for _name, _dims in {
    "weights_of_4_TiB_without_data": [2**40],
    "weights_whose_size_overflows": [2**32, 2**32],
    "weights_of_the_largest_size": [2**63 - 1],
    "weights_of_negative_size": [-1, 4],
    "weights_of_many_axes": [1] * 100_000,
}.items():
    MAKERS[_name] = lambda dims=_dims: _weights_of(dims)


@maker
def weights_shorter_than_they_say() -> bytes:
    return _weights_of([1000], bytes(16))


@maker
def weights_longer_than_they_say() -> bytes:
    return _weights_of([2], bytes(1600))


@maker
def weights_of_an_unknown_type() -> bytes:
    return _weights_of([4], bytes(16), kind=77)


@maker
def weights_of_a_million_texts() -> bytes:
    return _weights_of([1], b"", kind=TensorProto.STRING)


@maker
def sparse_weights_of_64_GiB() -> bytes:
    model = image([node("ReduceMax", ["sparse"], ["added"], keepdims=0)])
    values = constant("sparse", np.ones(2, np.float32))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, integers("at", 0, 1), [HUGE]))
    return carded(model)


@maker
def a_sparse_attribute_of_64_GiB() -> bytes:
    values = helper.make_sparse_tensor(constant("sparse", np.ones(2, np.float32)), integers("at", 0, 1), [HUGE])
    return carded(image(summed(node("Constant", [], ["large"], sparse_value=values))))


# What becomes absurdly large: while constants are folded, and, with the latent in it, when it runs.

_FLOAT = constant("value", np.zeros(1, np.float32))
_LARGE: Final[dict[str, tuple[list[onnx.NodeProto], list[Any]]]] = {
    "constant_of_shape": ([node("ConstantOfShape", ["size"], ["large"], value=_FLOAT)], [integers("size", HUGE)]),
    "expand": ([node("Expand", ["one", "size"], ["large"])], [integers("size", HUGE)]),
    "tile": ([node("Tile", ["one", "size"], ["large"])], [integers("size", HUGE)]),
    "range": ([node("Range", ["zero", "end", "one"], ["large"])],
              [constant("zero", np.float32(0)), constant("end", np.float32(HUGE))]),
    "pad": ([node("Pad", ["row", "size"], ["large"])], [integers("size", 0, HUGE)]),
    "one_hot": ([node("OneHot", ["places", "size", "pair"], ["large"])],
                [integers("places", 1, 2), integers("size", HUGE), constant("pair", np.zeros(2, np.float32))]),
    "random": ([node("RandomNormal", [], ["large"], shape=[HUGE])], []),
    "outer_product": ([node("Expand", ["one", "size"], ["long"]), node("Transpose", ["long"], ["tall"], perm=[1, 0]),
                       node("MatMul", ["tall", "long"], ["large"])], [integers("size", 1, 2**17)]),
    "resize": ([node("Unsqueeze", ["row", "ahead"], ["deep"]),
                node("Resize", ["deep", "", "growth"], ["large"], mode="nearest")],
               [integers("ahead", 0, 1), constant("growth", np.array([1, 1, 2**17, 2**17], np.float32))]),
    "transposed_convolution": ([node("Unsqueeze", ["row", "ahead"], ["deep"]),
                                node("ConvTranspose", ["deep", "kernel"], ["large"], strides=[1, 2**33],
                                     output_padding=[0, 2**33 - 1])],
                               [integers("ahead", 0, 1), constant("kernel", np.ones((1, 1, 1, 2), np.float32))]),
    "window": ([node("HannWindow", ["size"], ["large"])], [constant("size", np.array(HUGE, np.int64))]),
    "doubling": ([node("Concat", [f"d{i}"] * 2, [f"d{i + 1}" if i < 33 else "large"], axis=0) for i in range(34)], []),
    "padding_of_a_convolution": ([node("Unsqueeze", ["row", "ahead"], ["deep"]),
                                  node("Conv", ["deep", "kernel"], ["large"], pads=[2**16, 2**16, 2**16, 2**16])],
                                 [integers("ahead", 0, 1), constant("kernel", np.ones((1, 1, 1, 1), np.float32))]),
    "eye": ([node("ConstantOfShape", ["size"], ["base"], value=constant("value", np.zeros(1, np.uint8))),
             node("EyeLike", ["base"], ["large"], dtype=TensorProto.FLOAT)], [integers("size", 2**17, 2**17)]),
}  # fmt: skip


def _large(name: str, runs: bool) -> bytes:
    nodes, constants = _LARGE[name]
    names = {item.name for item in constants}
    used = {each for one in nodes for each in one.input}
    latent = [node("ReduceMax", ["latent"], ["top"], keepdims=0), node("Mul", ["top", "nought"], ["nil"])]
    first = [*latent, node("Add", ["nil", "unit_one"], ["one"])] if runs else [node("Identity", ["unit_one"], ["one"])]
    first += [node("Reshape", ["one", "flat"], ["row"])] if "row" in used else []
    first += [node("Reshape", ["one", "single"], ["d0"])] if "d0" in used else []
    if runs and "size" in names:  # a size that follows from the latent cannot be folded
        constants = [item for item in constants if item.name != "size"]
        fixed = next(item for item in _LARGE[name][1] if item.name == "size")
        fixed = constant("fixed", numpy_helper.to_array(fixed))
        constants.append(fixed)
        first += [node("Cast", ["nil"], ["whole"], to=TensorProto.INT64), node("Add", ["fixed", "whole"], ["size"])]
    shared = [constant("unit_one", np.float32(1)), constant("nought", np.float32(0)), integers("flat", 1, 1)]
    return carded(image(summed(*first, *nodes), [*shared, integers("single", 1), *constants]))


for _name in _LARGE:
    MAKERS[f"{_name}_of_64_GiB"] = lambda name=_name: _large(name, runs=False)
    MAKERS[f"{_name}_of_64_GiB_when_run"] = lambda name=_name: _large(name, runs=True)
    if _name == "random":
        del MAKERS[f"{_name}_of_64_GiB_when_run"]


@maker
def a_64_GiB_image_without_a_card() -> bytes:
    tall = [node("Expand", ["latent", "size"], ["image"])]
    return plain(make_graph(tall, [("latent", "f32", [1, 1])], [("image", "f32", ["h", "w"])],
                            [integers("size", 2**17, 2**17)]))  # fmt: skip


@maker
def many_inputs() -> bytes:
    more: list[Port] = [(f"input_{number}", "f32", ["n", 2**20]) for number in range(5000)]
    return plain(image(inputs=[LATENT, *more]))


# Without a card, with more inputs than a latent.


def _beside(
    *ports: Port, nodes: Sequence[onnx.NodeProto] = (), constants: Sequence[Any] = (), **properties: str
) -> bytes:
    """A generator with further inputs; ``nodes`` make ``added`` of them, a scalar."""
    model = image(nodes, constants, inputs=[LATENT, *ports])
    if properties:
        helper.set_model_props(model, properties)
    return plain(model)


def _looked_up(*ports: Port, rows: int = 3, **properties: str) -> bytes:
    """A generator of a class ``y``."""
    nodes = [node("Gather", ["shades", "y"], ["light"]), node("ReduceMean", ["light"], ["added"], keepdims=0)]
    shades = constant("shades", np.linspace(-1, 1, rows, dtype=np.float32))
    return _beside(("y", "i64", ["n"]), *ports, nodes=nodes, constants=[shades], **properties)


@maker
def a_one_hot_row_of_a_billion() -> bytes:
    return _beside(("y", "f32", ["n", 10**9]))


@maker
def a_one_hot_row_of_sixteen_million() -> bytes:
    return _beside(("y", "f32", ["n", 2**24]), ("label", "f32", ["n", 2**24]))


@maker
def a_class_of_a_million_million() -> bytes:
    nodes = [node("OneHot", ["y", "depth", "values"], ["hot"]), node("ReduceMax", ["hot"], ["added"], keepdims=0)]
    constants = [integers("depth", 10**12), constant("values", np.float32([0, 1]))]
    return _beside(("y", "i64", ["n"]), nodes=nodes, constants=constants)


@maker
def noise_of_64_GiB() -> bytes:
    return _beside(("noise", "f32", [1, 1, 2**17, 2**17]))


@may_show
def noise_of_many_axes() -> bytes:
    return _beside(("noise", "f32", [1] * 60), ("mask", "f32", [f"axis_{number}" for number in range(60)]))


@may_show
def sixty_inputs() -> bytes:
    return _beside(*((f"input_{number}", "f32", ["n", 7]) for number in range(60)))


@may_show
def an_input_of_texts() -> bytes:
    model = image(inputs=[LATENT])
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, ["n"]))
    return plain(model)


@may_show
def an_input_of_sequences() -> bytes:
    model = image(inputs=[LATENT])
    model.graph.input.append(helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, ["n", 4]))
    return plain(model)


@maker
def inputs_of_one_name() -> bytes:
    return _beside(("y", "i64", ["n"]), ("y", "f32", ["n", 10]))


@maker
def an_input_with_the_name_of_the_image() -> bytes:
    return _beside(("image", "i64", ["n"]))


@maker
def an_input_that_a_node_gives() -> bytes:
    return _looked_up(("light", "f32", ["n"]))


@may_show
def sizes_named_in_a_circle() -> bytes:
    return _beside(("y", "i64", ["y"]), ("label", "f32", ["label", "y"]), ("n", "f32", ["image", "n", "n"]))


@may_show
def escapes_in_names_of_inputs_and_classes() -> bytes:
    return _looked_up((f"psi{ESCAPES}", "f32", []), names=f'["{ESCAPES!r}", "a", "\\u001b[31m"]')


@may_show
def names_of_a_million_classes() -> bytes:
    return _looked_up(names=str(dict.fromkeys(range(100000), "a")))


@may_show
def names_nested_too_deep() -> bytes:
    return _looked_up(names="[" * 500_000)


# What never ends.


def _loop(count: int, body: Sequence[onnx.NodeProto], state: Sequence[int | str]) -> bytes:
    """A loop over ``state`` [...], from 1."""
    one = helper.make_tensor_value_info
    ports = [one("i", TensorProto.INT64, []), one("go", TensorProto.BOOL, []), one("s", TensorProto.FLOAT, state)]
    outs = [one("go_out", TensorProto.BOOL, []), one("s_out", TensorProto.FLOAT, state)]
    graph = helper.make_graph([node("Identity", ["go"], ["go_out"]), *body], "body", ports, outs)
    nodes = [node("ReduceMax", ["latent"], ["top"], keepdims=0), node("Reshape", ["top", "single"], ["begin"]),
             node("Loop", ["count", "yes", "begin"], ["large"], body=graph)]  # fmt: skip
    return carded(image(summed(*nodes), [constant("count", np.array(count)), constant("yes", np.array(True)),
                                           integers("single", 1)]))  # fmt: skip


@maker
def an_endless_loop() -> bytes:
    return _loop(2**62, [node("Mul", ["s", "s"], ["s_out"])], ["k"])


@maker
def a_loop_that_doubles() -> bytes:
    return _loop(2**62, [node("Concat", ["s", "s"], ["s_out"], axis=0)], ["k"])


@maker
def a_product_of_a_day() -> bytes:
    grown = [node("ConstantOfShape", ["size"], ["m0"], value=_FLOAT)]
    grown += [node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(400)]
    return carded(image(summed(*grown, node("Identity", ["m400"], ["large"])), [integers("size", 8000, 8000)]))


@maker
def a_product_of_a_day_when_run() -> bytes:
    grown = [node("ReduceMax", ["latent"], ["top"], keepdims=0), node("Expand", ["top", "size"], ["m0"])]
    grown += [node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(400)]
    return carded(image(summed(*grown, node("Identity", ["m400"], ["large"])), [integers("size", 8000, 8000)]))


@maker
def a_single_convolution_of_a_day() -> bytes:
    grown = [node("ReduceMax", ["latent"], ["top"], keepdims=0), node("Expand", ["top", "size"], ["m"]),
             node("Expand", ["top", "window"], ["k"]), node("Conv", ["m", "k"], ["large"])]  # fmt: skip
    return carded(image(summed(*grown), [integers("size", 1, 1, 8000, 8000), integers("window", 1, 1, 3500, 3500)]))


# What is built so that its reader loses its way.


@maker
def an_operator_of_somebody() -> bytes:
    model = image([node("Backdoor", ["latent"], ["added"], domain="somebody.example")])
    model.opset_import.append(helper.make_opsetid("somebody.example", 1))
    return carded(model)


@maker
def an_unknown_operator() -> bytes:
    return carded(image([node("Backdoor", ["latent"], ["added"])]))


@maker
def python_in_a_graph() -> bytes:
    model = image([node("PythonOp", ["latent"], ["added", "context"], domain="com.microsoft", func_name="os.system")])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return carded(model)


def _nested(depth: int) -> bytes:
    """Branches within branches, put together as bytes: libraries give up at such depths."""
    scalar = helper.make_tensor_value_info("b", TensorProto.FLOAT, []).SerializeToString()
    graph = field(2, b"g") + field(5, constant("c", np.zeros((), np.float32)).SerializeToString())
    graph += field(1, node("Identity", ["c"], ["b"]).SerializeToString()) + field(12, scalar)
    kind = varint(20 << 3) + varint(onnx.AttributeProto.GRAPH)
    for level in range(depth):
        branch = field(5, field(1, b"then_branch") + field(6, graph) + kind)
        other = field(5, field(1, b"else_branch") + field(6, graph if level == 0 else b"") + kind)
        one = field(1, b"yes") + field(2, b"b") + field(4, b"If") + branch + other
        graph = field(2, b"g") + field(1, one) + field(12, scalar)
    model = image([], [constant("yes", np.array(True))])
    model.graph.node.append(node("Identity", ["b"], ["added"]))
    whole = model.graph.SerializeToString() + graph.removeprefix(field(2, b"g")).removesuffix(field(12, scalar))
    model.ClearField("graph")
    return bytes(model.SerializeToString()) + field(7, whole)


@maker
def branches_60_deep() -> bytes:
    return _nested(60)


@maker
def branches_3000_deep() -> bytes:
    return _nested(3000)


@maker
def a_circle() -> bytes:
    return carded(image([node("Add", ["before", "b"], ["a"]), node("Identity", ["a"], ["b"]),
                           node("ReduceMax", ["b"], ["added"], keepdims=0)]))  # fmt: skip


@maker
def a_node_that_feeds_itself() -> bytes:
    return carded(image([node("Identity", ["added"], ["added"])]))


@maker
def an_input_that_nobody_makes() -> bytes:
    return carded(image([node("Identity", ["nobody"], ["added"])]))


@maker
def two_nodes_that_make_the_same() -> bytes:
    return carded(image([node("ReduceMax", ["before"], ["added"], keepdims=0)] * 2))


@maker
def a_function_that_calls_itself() -> bytes:
    return carded(_with_function([node("f", ["x"], ["y"], domain="own")]))


@maker
def functions_that_call_each_other() -> bytes:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    g = helper.make_function("own", "g", ["x"], ["y"], [node("f", ["x"], ["y"], domain="own")], opsets)
    return carded(_with_function([node("g", ["x"], ["y"], domain="own")], g))


@maker
def a_billion_laughs() -> bytes:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(40):
        called = f"f{level + 1}" if level < 39 else "Relu"
        domain = {"domain": "own"} if level < 39 else {}
        body = [node(called, ["x"], ["a"], **domain), node(called, ["a"], ["y"], **domain)]
        functions.append(helper.make_function("own", f"f{level}", ["x"], ["y"], body, opsets))
    return carded(_with_function([node("f0", ["x"], ["y"], domain="own")], *functions))


@may_show
def a_chain_of_100_000_nodes() -> bytes:
    chain = [node("Identity", [f"c{i}" if i else "start"], [f"c{i + 1}"]) for i in range(100_000)]
    first = node("ReduceMax", ["before"], ["start"], keepdims=0)
    last = node("Mul", ["c100000", "nought"], ["added"])
    return carded(image([first, *chain, last], [constant("nought", np.float32(0))]))


@maker
def a_node_of_a_million_attributes() -> bytes:
    one = node("Relu", ["start"], ["added"])
    one.attribute.extend(helper.make_attribute(f"a{number}", number) for number in range(300_000))
    return carded(image([node("ReduceMax", ["before"], ["start"], keepdims=0), one]))


@maker
def a_name_of_ten_million_letters() -> bytes:
    long = "x" * 10_000_000
    return carded(image([node("Relu", [long], ["added"], name=long)]))


# Translators, whose sizes are looked for by runs.


def _translator(*side: onnx.NodeProto, outputs: int = 1) -> bytes:
    """A network without a card whose results are as high and as wide as ``side`` makes of the numbers ``length``."""
    last = [node("Concat", ["one", "side"], ["shape"], axis=0), node("Expand", ["level", "shape"], ["y0"])]
    more = [node("Identity", ["y0"], [f"y{number}"]) for number in range(1, outputs)]
    nodes = [node("Shape", ["x"], ["size"]), node("Slice", ["size", "two", "four"], ["length"]), *side, *last, *more]
    names = {"two": 2, "four": 4, "ninety": 97, "eight": 8, "nought": 0}
    constants = [integers(name, number) for name, number in names.items()]
    constants += [integers("one", 1, 3), constant("level", np.full((1, 1, 1, 1), 0.5, np.float32))]
    ports = [(f"y{number}", "f32", ["n", 3, "H", "W"]) for number in range(outputs)]
    return plain(make_graph(nodes, [("x", "f32", ["n", 3, "h", "w"])], ports, constants))


@may_show
def a_result_that_grows_with_the_square() -> bytes:
    return _translator(node("Mul", ["length", "length"], ["side"]))


@may_show
def sizes_without_a_law() -> bytes:
    many = [node("Mul", ["length", "length"], ["square"]), node("Mod", ["square", "ninety"], ["some"])]
    return _translator(*many, node("Add", ["some", "eight"], ["side"]))


@may_show
def a_result_of_nothing() -> bytes:
    return _translator(node("Mul", ["length", "nought"], ["side"]))


@may_show
def a_thousand_outputs_of_one_size() -> bytes:
    return _translator(node("Add", ["nought", "eight"], ["few"]), node("Concat", ["few", "few"], ["side"], axis=0),
                       outputs=1000)  # fmt: skip


# Translators and a generator, whose ranges are looked for at the ends of their graphs.


def _enlarger(nodes: Sequence[onnx.NodeProto], constants: Sequence[Any]) -> bytes:
    """A network without a card from ``x`` to ``y``, which are of one size."""
    shape: list[int | str] = [1, 3, "h", "w"]
    return plain(make_graph(nodes, [("x", "f32", shape)], [("y", "f32", shape)], constants))


@may_show
def usual_operators_without_inputs() -> bytes:
    shape = integers("shape", 1, 3, SIDE, SIDE)
    inner = [node("Constant", [], ["shape"], value=shape), node("ConstantOfShape", ["shape"], ["y"])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    names = ("Clip", "Neg", "Identity")
    nodes = [node(name, [], [f"y{number}"], domain="own") for number, name in enumerate(names)]
    nodes += [node("Add", ["y0", "y1"], ["y3"]), node("Add", ["y2", "y3"], ["y4"]),
              node("Identity", ["y0"], ["image"])]  # fmt: skip
    model = make_graph(nodes, [("z", "f32", [1, SIZE])], [("image", "f32", [1, 3, SIDE, SIDE])], [])
    model.functions.extend(helper.make_function("own", name, [], ["y"], inner, opsets) for name in names)
    model.opset_import.append(helper.make_opsetid("own", 1))
    return plain(model)


@may_show
def constants_of_the_largest_numbers() -> bytes:
    large = np.full((1, 3, 1, 1), np.finfo(np.float32).max, np.float32)
    nodes = [node("Mul", ["x", "large"], ["a"]), node("Div", ["a", "small"], ["b"]), node("Add", ["b", "large"], ["c"]),
             node("Clip", ["c", "high", "low"], ["d"]), node("Mul", ["d", "large"], ["y"])]  # fmt: skip
    limits = {"small": 1e-45, "high": np.finfo(np.float32).max, "low": -np.inf}
    return _enlarger(nodes, [constant("large", large), *(constant(name, np.float32(v)) for name, v in limits.items())])


@may_show
def a_normalisation_by_less_than_nothing() -> bytes:
    names = ("gamma", "beta", "mean", "variance")
    nodes = [node("BatchNormalization", ["x", *names], ["y"], epsilon=-2.0)]
    return _enlarger(nodes, [constant(name, np.ones(3, np.float32)) for name in names])


@may_show
def results_of_another_size_each_time() -> bytes:
    nodes = [node("RandomUniform", [], ["chance"], shape=[1], low=64.0, high=70.0),
             node("Cast", ["chance"], ["side"], to=TensorProto.INT64),
             node("Concat", ["one", "side", "side"], ["s"], axis=0), node("Expand", ["level", "s"], ["y"])]  # fmt: skip
    return _enlarger(nodes, [integers("one", 1, 3), constant("level", np.full((1, 1, 1, 1), 0.5, np.float32))])


# What its card or its words would do.


@maker
def escapes_in_every_name() -> bytes:
    model = image([node("Backdoor" + ESCAPES, ["latent"], ["added"], name="n" + ESCAPES)])
    model.graph.name = model.producer_name = model.doc_string = ESCAPES
    model.graph.input.append(helper.make_tensor_value_info("in" + ESCAPES, ONNX_TYPES["f32"], ["n" + ESCAPES]))
    return carded(model)


@may_show
def escapes_in_its_card() -> bytes:
    card = generator_card("name" + ESCAPES, SIZE, SIDE, SIDE, family="f" + ESCAPES, licence=ESCAPES, data=ESCAPES,
                          classes=("a" + ESCAPES, ESCAPES), training={"run" + ESCAPES: ESCAPES, "x": [ESCAPES]},
                          parity={ESCAPES: 1}, precision=ESCAPES)  # fmt: skip
    model = image()
    helper.set_model_props(model, card.to_props())
    return bytes(model.SerializeToString())


for _key, _value in {
    "kind": f'"{"k" * 1000}"',
    "latent": '{"size": ' + "9" * 6000 + "}",
    "inputs": "[" * 100_000,
    "output": "{}",
    "image_size": "[16384, 16384]",
    "classes": '["' + '", "'.join(["x"] * 100_000) + '"',
    "sample_latents": "[[1e400]]",
    "name": '"\\ud800"',
    "schema": '"' + ESCAPES.encode("unicode_escape").decode().replace("\\x", "\\u00") + '"',
}.items():
    MAKERS[f"a_card_with_odd_{_key}"] = lambda key=_key, value=_value: carded(image(), **{key: value})
MAY_SHOW.add("a_card_with_odd_name")


@may_show
def a_card_with_50_million_letters() -> bytes:
    return carded(image(), licence='"' + "x" * 50_000_000 + '"')


@may_show
def images_of_nothing_but_nan() -> bytes:
    return carded(image(after=[node("Sub", ["unit", "unit"], ["nought"]),
                                 node("Div", ["nought", "nought"], ["pixels"])]))  # fmt: skip


@maker
def a_sequence_for_an_input() -> bytes:
    model = image()
    value = helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None)
    model.graph.input.append(value)
    return carded(model)


@maker
def texts_for_an_input() -> bytes:
    model = image()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    return carded(model)
