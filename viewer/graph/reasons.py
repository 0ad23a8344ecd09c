"""Why onnxruntime cannot open or run a model, in words, with the way out: its own messages begin with a path of the
machine that compiled it and the signature of a C++ function. The patterns are of the messages of 1.20 to 1.32."""

import re
from collections.abc import Callable
from typing import Final

from trainer.contract.text import printable
from viewer.graph.limits import GIB, allowed_memory

_LONGEST: Final = 240  # characters of a reason
_NO_MEMORY: Final = ("bad_alloc", "bad allocation", "Available memory of", "Failed to allocate", "would require more")
_UPDATE: Final = "update onnxruntime (pip install --upgrade onnxruntime)"
_AGAIN: Final = "it was not written as ONNX demands: export it again"
_SIZES: Final = (
    "the sizes of the graph do not fit each other: export it again, with the sizes that vary as dynamic axes"
)


def reason(error: BaseException) -> str:
    """Why something cannot be opened or run, in one line: what was found, what was expected, and the way out."""
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
        return f"needs more than {allowed_memory() / GIB:.3g} GiB of memory, or the machine has less (--max-memory)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(text.split())
    for pattern, words in _REASONS:
        if match := re.search(pattern, text):
            return printable(words(match), _LONGEST)
    return printable(_plain(text) or type(error).__name__, _LONGEST)


def _plain(text: str) -> str:
    """A message without error codes, places in the source and signatures."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(
        r"^(?:Load model from .* failed:|Exception during \w+:|Fatal error:|This is an invalid model\.) *", "", text
    )
    place = re.match(r"\S+\.(?:cc|h|hpp|cpp):\d+ ", text)
    if place is not None:
        text = _without_signature(text[place.end() :])
    condition, _, said = text.partition(" was false. ")  # what the code checked, and what it says of it
    return (said or condition).removesuffix(".")


def _without_signature(text: str) -> str:
    """What follows ``void onnxruntime::f(int, g()) const``, or the bare name of a function."""
    first = re.match(r"[^()]*?[\w>:~]\(", text)
    if first is None or "::" not in text[: first.end()]:
        return text.partition(" ")[2] or text
    depth = 0
    for place in range(first.end() - 1, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return re.sub(r"^ (?:const |\[with [^]]*\] )?", "", text[place + 1 :]) or text
    return text


def _node(operator: str, name: str) -> str:
    return f"operator {operator}{name and f' ({name})'}"


def _kind(tensor: str) -> str:
    return tensor.removeprefix("tensor(").rstrip(")")


def _ir(match: re.Match[str]) -> str:
    found, most = match.groups()
    return (
        f"its model format is {found}, this onnxruntime reads up to {most}: "
        f"export it with a lower IR version (ir_version={most}), or {_UPDATE}"
    )


def _opset(match: re.Match[str]) -> str:
    found, domain, most = match.groups()
    of = "" if domain in ("ai.onnx", "") else f" of {domain}"
    return (
        f"its operators{of} are of opset {found}, this onnxruntime knows those up to {most}: "
        f"export it with opset_version={most} or lower, or {_UPDATE}"
    )


def _unregistered(match: re.Match[str]) -> str:
    operator, opset = match.groups()
    return (
        f"operator {operator} is not one of opset {opset}, expected those that onnxruntime brings: "
        f"export it with another opset or without this operator, or {_UPDATE}"
    )


def _unknown(match: re.Match[str]) -> str:
    return (
        f"operator {match[1]}.{match[2]} is unknown to this onnxruntime: "
        f"export it with ONNX's own operators alone, or {_UPDATE}"
    )


def _gone(match: re.Match[str]) -> str:
    return f"operator {match[1]} is no longer one of opset {match[2]}: export it with a lower opset_version"


def _unimplemented(match: re.Match[str]) -> str:
    return (
        f"{_node(match[1], match[3])} has no implementation for a CPU and the types that it gets: "
        f"export it in float32, or {_UPDATE}"
    )


def _types(match: re.Match[str]) -> str:
    kinds = f"{_kind(match[2])} and {_kind(match[3])}"
    return f"{_node(match[1], match[4])} gets {kinds}, expected one type; {_AGAIN}"


def _type(match: re.Match[str]) -> str:
    return f"{_node(match[3], match[4])} gets {_kind(match[1])} ({match[2]}), a type that it does not take; {_AGAIN}"


def _inferred(match: re.Match[str]) -> str:
    return f"{_node(match[2], match[1])}: {match[3].removesuffix('.')}; {_SIZES}"


def _invalid(match: re.Match[str]) -> str:
    return f"{_node(match[2], match[1])}: {match[3].removesuffix('.')}; {_AGAIN}"


def _running(match: re.Match[str]) -> str:
    why = _plain(match[3])
    sizes = re.search(r"shape|dimension|axis|axes|rank|channel|size", why, re.IGNORECASE)
    way = "; the graph takes other sizes than it declares: export it again, with dynamic axes" if sizes else ""
    return f"{_node(match[1], match[2])} fails: {why}{way}"


_REASONS: Final[tuple[tuple[str, Callable[[re.Match[str]], str]], ...]] = (
    (r"Unsupported model IR version: (\d+), max supported IR version: (\d+)", _ir),
    (r"[Oo]pset (\d+) is under development .* domain (\S+) is till opset (\d+)", _opset),
    (r"Op registered for (\S+) is deprecated in domain_version of (\d+)", _gone),
    (r"No Op registered for (\S+) with domain_version of (\d+)", _unregistered),
    (r"Fatal error: (\S*?):([^\s:(]+)\(-?\d*\) is not a registered function/op", _unknown),
    (r"Could not find an implementation for (\w+)\((\d+)\) node with name '(.*?)'", _unimplemented),
    (r"Optype \((\w+)\) bound to different types \((\S+) and (\S+) in node \((.*?)\)", _types),
    (r"Type '(\S+)' of input parameter \((.*?)\) of operator \((\w+)\) in node \((.*?)\) is invalid", _type),
    (r"Node \((.*?)\) Op \((\w+)\) \[(?:Shape|Type)InferenceError\] (.*)", _inferred),
    (r"In Node, \(\"(.*?)\", (\w+), .*? , Error (.*)", _invalid),
    (r"the graph is not acyclic", lambda _: f"its nodes go round in a circle; {_AGAIN}"),
    (r"Node input '(.*?)' is not a graph input", lambda m: f"a node takes {m[1]!r}, which nothing gives; {_AGAIN}"),
    (r"Duplicate definition of name \((.*?)\)", lambda m: f"two nodes give {m[1]!r}, expected one; {_AGAIN}"),
    (r"Graph output \((.*?)\) does not exist", lambda m: f"its output {m[1]!r} comes from no node; {_AGAIN}"),
    (r"while running (\w+) node\. Name:'(.*?)' Status Message: (.*)", _running),
    (r"Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)",
     lambda m: f"input {m[1]} got {m[2]} axes, expected {m[3]}"),
    (r"Got invalid dimensions for input: (\S+) .*?index: (\d+) Got: (\d+) Expected: (\d+)",
     lambda m: f"input {m[1]} got a length of {m[3]} at axis {m[2]}, expected {m[4]}"),
    (r"Unexpected input data type\. Actual: \((\S+?)\) ?, expected: \((\S+?)\)$",
     lambda m: f"an input got {_kind(m[1])}, expected {_kind(m[2])}"),
)  # fmt: skip
