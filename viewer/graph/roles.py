"""What the inputs of a graph without a card are, beside the one that an image is made of.

Names, types, shapes and the nodes of the graph decide; what is a guess is told as a remark, and ``--set`` says
otherwise.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from trainer.contract.text import printable
from viewer.graph.nodes import Graph
from viewer.graph.ports import LARGEST_INPUT, TYPES, Extra, Ports, Role, is_scalar, shown, whole_shape
from viewer.graph.screening import ScreeningError

Said = Mapping[str, float | str]  # values and roles by names of inputs
ROLES: Final[tuple[Role, ...]] = ("latent", "label", "onehot", "noise", "step")  # that --set can say
LARGEST_CLASSES: Final = 2**16
MOST_INPUTS: Final = 64
_USUAL_SIGMA: Final = 0.1  # of noise in images of 0..1: 25 levels, which denoisers are measured with
_MIDDLE: Final = 0.5  # between two images
_PASSED_ON: Final = ("Cast", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten", "Expand", "Concat", "Clip",
                     "Where", "Slice", "Unsqueeze", "Add", "Max", "Min")  # fmt: skip
_WORDS: Final[Mapping[str, str]] = {  # in the names of inputs
    "label": r"label|class|one_?hot|categor|(^|_)(y|c|cls|cond|attr|attributes|target)(_|$)",
    "latent": r"latent|style|(^|_)(z\d*|w|ws|code|codes)(_|$)",
    "noise": r"noise",
    "mask": r"mask|valid",
    "step": r"time_?step|(^|_)(t|ts|time|step|steps)(_|$)",
    "truncation": r"trunc|(^|_)psi(_|$)",
    "sigma": r"sigma|noise|level|std",
    "scale": r"scale|strength|factor|quality|size",
}


def named(name: str, what: str) -> bool:
    """Whether the name of an input means something of ``_WORDS``."""
    return re.search(_WORDS[what], re.sub(r"[^a-z0-9]+", "_", name.lower()[:200])) is not None


def check_inputs(inputs: Sequence[Any]) -> None:
    """Raises ``ScreeningError`` for inputs that are too large."""
    for port in inputs:
        if math.prod(size for size in port.shape if isinstance(size, int)) > LARGEST_INPUT:
            raise ScreeningError(
                f"input {shown(port.name)} of {list(port.shape)[:8]}, expected at most {LARGEST_INPUT} numbers"
            )


def sort_extras(source: Any, inputs: Sequence[Any], graph: Graph, said: Said, makes_of_image: bool) -> Ports:
    """What the inputs beside the first one are given. ``source``: the first one; ``makes_of_image``: it is an image.
    ``said``: what --set says. Raises ``ScreeningError``."""
    extras, remarks = list[Extra](), list[str]()
    for port in inputs:
        if port.name == source.name:
            continue
        shape = tuple(port.shape)
        if shape and shape[0] == source.shape[0]:
            shape = (None, *shape[1:])  # an entry an image
        role, value, why = _role(port, shape, source, graph, said, makes_of_image)
        extra = Extra(port.name, role, TYPES[port.type], shape, value, named(port.name, "truncation"))
        if role in ("label", "onehot") and any(one.role in ("label", "onehot") for one in extras):
            extra, why = replace(extra, role="fill"), "a second class: 0"
        if role == "latent" and not all(isinstance(size, int) for size in port.shape[1:]):
            extra, why = replace(extra, role="fill"), "zeros"
        extras.append(extra)
        remarks += [f"{shown(port.name)} is {why}"] if why else []
    if makes_of_image:
        extras, remarks = _between(extras, remarks, said)
        extras, remarks = _of_images(extras, remarks)
    ports = Ports(source.name, tuple(source.shape), tuple(extras), 0, tuple(remarks))
    unknown = said.keys() - {extra.name for extra in extras}
    if unknown:
        names = ", ".join(shown(extra.name) for extra in extras) or "none: it takes one input"
        raise ScreeningError(f"--set {shown(min(unknown))} names none of its inputs, expected one of: {names}")
    return ports


def _between(extras: Sequence[Extra], remarks: Sequence[str], said: Said) -> tuple[list[Extra], list[str]]:
    """A time in floats beside two images is a place between them, and no step of diffusion."""
    times = [extra for extra in extras if extra.role == "step" and np.issubdtype(extra.type, np.floating)]
    times = [extra for extra in times if extra.name not in said]
    if not times or all(extra.role != "image" for extra in extras):
        return [*extras], [*remarks]
    told = [
        f"{shown(one.name)} is taken to be {_MIDDLE:g}, the middle between two images; --set {shown(one.name)}=step "
        "takes it for a step of diffusion"
        for one in times
    ]
    return [replace(one, role="fill", value=_MIDDLE) if one in times else one for one in extras], [*remarks, *told]


def _of_images(extras: Sequence[Extra], remarks: Sequence[str]) -> tuple[list[Extra], list[str]]:
    """Inputs beside an image: one that has steps is a denoiser, which has classes and no latent; others have a latent
    and no classes."""
    unused = ("latent",) if any(extra.role == "step" for extra in extras) else ("label", "onehot")
    filled = [replace(extra, role="fill") if extra.role in unused else extra for extra in extras]
    others = {shown(extra.name) for extra in extras if extra.role in unused}
    kept = [line for line in remarks if line.partition(" is ")[0] not in others]
    return filled, kept + [f"{name} is zeros; --set {name}=VALUE says otherwise" for name in sorted(others)]


def _role(
    port: Any, shape: tuple[Any, ...], source: Any, graph: Graph, said: Said, makes_of_image: bool
) -> tuple[Role, float, str]:
    """Role and value of an input, and what is said of a guess."""
    name, kind = port.name, TYPES[port.type]
    asked = said.get(name)
    if isinstance(asked, str):
        return _asked_role(name, asked, shape), 0.0, ""
    if asked is not None:
        return "fill", float(asked), ""
    way = f"--set {shown(name)}=VALUE says otherwise"
    floats, scalar = np.issubdtype(kind, np.floating), is_scalar(shape)
    if kind is np.bool_:
        return ("fill", 0.0, f"taken to be false; {way}") if scalar else ("fill", 1.0, f"true everywhere; {way}")
    if makes_of_image and scalar and len(shape) <= 2 and _is_step(port, source, graph):
        return "step", 0.0, ""
    if scalar:
        if named(name, "label") or (not floats and _looked_up(graph, name)):
            return "label", 0.0, ""
        return _scalar(name, floats, way, makes_of_image)
    if floats and len(shape) == 1 and named(name, "label"):
        return "onehot", 0.0, f"taken for a class, as a one-hot row; {way}"
    if floats and len(shape) == 2:
        return _row(port, source, way, makes_of_image)
    return _field(port, source, way, makes_of_image)


def _asked_role(name: str, asked: str, shape: tuple[Any, ...]) -> Role:
    for role in ROLES:
        if asked == role:
            fits = role != "onehot" or len(shape) in (1, 2)
            if fits and (role not in ("label", "step") or is_scalar(shape)):
                return role
            raise ScreeningError(f"--set {shown(name)}={asked}, expected another: its shape is {list(shape)}")
    raise ScreeningError(f"--set {shown(name)}={printable(asked, 40)}, expected a number or one of {', '.join(ROLES)}")


def _is_step(port: Any, source: Any, graph: Graph) -> bool:
    """Whether an input beside an image is a step of diffusion: by its name, or as whole numbers without one."""
    if named(port.name, "step"):
        return True
    whole = TYPES[port.type] in (np.int64, np.int32)
    other = named(port.name, "label") or named(port.name, "sigma") or named(port.name, "scale")
    return whole and not other and not _looked_up(graph, port.name) and len(source.shape) == 4


def _scalar(name: str, floats: bool, way: str, makes_of_image: bool) -> tuple[Role, float, str]:
    if floats and named(name, "sigma") and not named(name, "truncation"):
        diffusion = (
            " (of a diffusion model that is told strengths of noise, as EDM, this shows one step: none here samples so)"
        )
        other = diffusion if makes_of_image else ""
        return "fill", _USUAL_SIGMA, f"taken to be {_USUAL_SIGMA:g}{other}; {way}"
    value = 1.0 if floats else 0.0
    return "fill", value, f"taken to be {value:g}; {way}"


def _row(port: Any, source: Any, way: str, makes_of_image: bool) -> tuple[Role, float, str]:
    """Of floats [n, k]: classes as one-hot rows, or a further latent."""
    count = port.shape[1]
    if count == 0:  # of a network that was trained without
        return "fill", 0.0, ""
    if not isinstance(count, int):
        return "fill", 0.0, f"of unknown size: zeros; {way}"
    size = math.prod(whole_shape(source.shape))
    by_name = named(port.name, "label")
    smaller = not makes_of_image and not named(port.name, "latent") and count < size
    if 2 <= count <= LARGEST_CLASSES and (by_name or smaller):
        why = "its name" if by_name else "its size"
        other = f"--set {shown(port.name)}=latent takes it for a part of the latent"
        return "onehot", 0.0, f"taken for one of {count} classes, as a one-hot row, by {why}; {other}"
    if named(port.name, "mask"):
        return "fill", 1.0, f"ones; {way}"
    return "latent", 0.0, f"taken for a part of the latent; --set {shown(port.name)}=onehot takes it for a class"


def _field(port: Any, source: Any, way: str, makes_of_image: bool) -> tuple[Role, float, str]:
    """Of larger arrays: noise, a mask, a noise level map, another image."""
    name, shape, floats = port.name, port.shape, np.issubdtype(TYPES[port.type], np.floating)
    fixed = all(isinstance(size, int) for size in shape[1:])
    if named(name, "mask"):
        return "fill", 1.0, f"ones everywhere; {way}"
    if floats and not makes_of_image and fixed and named(name, "latent"):
        return "latent", 0.0, f"taken for a part of the latent; {way}"
    if floats and not makes_of_image and fixed:
        return "noise", 0.0, f"drawn once, the same for every image; --set {shown(name)}=0: zeros"
    if floats and makes_of_image and named(name, "sigma"):
        return "fill", _USUAL_SIGMA, f"{_USUAL_SIGMA:g} everywhere; {way}"
    if makes_of_image and len(shape) == 4 and _same_but_batch(shape, source.shape) and port.type == source.type:
        return "image", 0.0, f"given the same image; {way}"
    if makes_of_image and len(shape) == 4 and 1 in (shape[1], shape[3]):
        return "fill", 1.0, f"taken for a mask: ones everywhere; {way}"
    return "fill", 0.0, f"zeros everywhere; {way}"


def _same_but_batch(one: Sequence[Any], other: Sequence[Any]) -> bool:
    pairs = zip(one[1:], other[1:], strict=True)
    return len(one) == len(other) and all(a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in pairs)


def _looked_up(graph: Graph, name: str) -> int:
    """How many rows the table has that an input is looked up in, or the length of its one-hot rows; 0: none is seen.

    Follows the input through nodes that leave its numbers as they are.
    """
    seen, waiting = {name}, [name]
    while waiting and len(seen) < 200:
        for node in graph.users(here := waiting.pop()):
            if node.operator == "Gather" and node.inputs[1:2] == (here,):
                table = graph.constants.get(node.inputs[0])
                if table is not None and table.shape and node.attributes.get("axis", 0.0) == 0.0:
                    return table.shape[0]
            elif node.operator == "OneHot" and node.inputs[:1] == (here,) and len(node.inputs) > 1:
                depth = graph.constants.get(node.inputs[1])
                if depth is not None and len(depth.numbers) == 1:
                    return int(depth.numbers[0])
            elif node.operator in _PASSED_ON:
                waiting += [out for out in node.outputs if out and out not in seen]
                seen.update(node.outputs)
    return 0


def count_in_graph(graph: Graph, extra: Extra) -> int:
    """How many classes a label or a one-hot row tells apart, by the graph; 0: it does not say."""
    if extra.role == "onehot":
        last = extra.shape[-1]
        return last if isinstance(last, int) else 0
    return _looked_up(graph, extra.name)
