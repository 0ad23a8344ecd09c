"""Formats of files that are often taken for a model or an image, by their first bytes. Nothing is unpacked or run."""

import ast
import contextlib
import re
import warnings
from functools import cache
from typing import Final, NamedTuple

from trainer.contract.text import printable

HEAD: Final = 4096  # bytes that are looked at, from the beginning
TAIL: Final = 65_536  # and from the end of a zip archive, where its names are
_AGAIN: Final = "copy or download it again"
_UNPACK: Final = "unpack it first"
_LEVELS: Final = "develop it into a PNG of 8 or 16 bits"
CONVERT: Final = "the package tf2onnx converts it"
_ORIGINAL: Final = "export what it was made of as ONNX: others cannot be read back"
_WEIGHTS_ONLY: Final = "save its weights alone (torch.save(model.state_dict(), 'weights.pth')) and export those"
_SERVER: Final = "if it was downloaded, read it: servers send text in place of files"


class Found(NamedTuple):
    """What something is."""

    what: str  # in words, with an article
    kind: str = ""  # for who can do something with it: see ``KINDS``
    way_out: str = ""  # what to do, in words, where that does not depend on the program that was asked to open it

    def instead_of(self, expected: str) -> str:
        """What was found and expected, and the way out."""
        return f"{self.what}, expected {expected}{self.way_out and f'; {self.way_out}'}"


KINDS: Final = ("model", "array", "set", "image", "weights", "run", "runs", "images", "models", "folder", "pickle")
"""An ONNX model; a NumPy array; what may be a set of images, as an archive; an image; a network's weights; the folder
of a run; one of runs; one with images; one with ONNX models; another one; pickled Python objects. Empty: what nothing
here opens."""


def of_bytes(head: bytes, tail: bytes = b"", suffix: str = "") -> Found | None:
    """What a file is by its first bytes; by its last ones, if it is a zip archive; and by the end of its name where
    bytes alone do not tell. ``None``: an image, a text, or they do not tell."""
    head = head[:HEAD]
    if not head:
        return Found("an empty file", way_out=_AGAIN)
    if not head.strip(b"\0"):
        return Found("a file of zeros", way_out=_AGAIN)
    is_model = _ONNX.match(head) is not None or (suffix == ".onnx" and _ANY_ONNX.match(head) is not None)
    if suffix in _BY_NAME and not (is_model and suffix == ".pb" and head[1] > _SAVED_MODEL):
        return _BY_NAME[suffix]
    if is_model:
        return Found("an ONNX model", "model")
    if head.startswith(_NUMPY):
        return _array(head)
    if match := _LFS.match(head):
        return Found(f"a Git LFS pointer to {_bytes(int(match[1]))}", way_out="git lfs pull fetches the file itself")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head + tail)
    if _is_safetensors(head):
        return Found("weights (safetensors)", "weights")
    return next((found for magic, found in _magic() if magic.match(head)), None)


def _array(head: bytes) -> Found:
    """Of a .npy file: type and shape, and whether it can be a set of images."""
    from numpy import dtype  # takes time to load, and few need it

    # The header is text that can be anything.
    with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
        start = 10 if head[6] == 1 else 12
        length = int.from_bytes(head[8:start], "little")
        header = ast.literal_eval(head[start : start + length].decode("latin-1").strip())
        shape = [int(side) for side in header["shape"]]
        kind = dtype(str(header["descr"])).name
        words = printable(f"a NumPy array (.npy) of {kind} {shape}", 100)
        return Found(words, "set" if kind == "uint8" and len(shape) in (3, 4) else "array")
    return Found("a damaged NumPy array (.npy)", way_out=_AGAIN)


def _zip(names: bytes) -> Found:
    """By the names of its members, which are not compressed."""
    if re.search(rb"/code/|constants\.pkl", names):
        return Found("a TorchScript program", way_out="torch.onnx.export writes its module as ONNX")
    if re.search(rb"/data\.pkl|/byteorder", names):
        return Found("weights of PyTorch", "weights")
    if b"model.weights.h5" in names:
        return Found("a Keras model", way_out=CONVERT)
    if b".npy" in names:
        return Found("a NumPy archive (.npz)", "set", "save one of its arrays by numpy.save")
    return Found("a zip archive", "set", _UNPACK)


def _is_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return 2 <= length < 1 << 30 and head[8:9] == b"{"


def of_text(head: bytes) -> Found | None:
    """What a file is that is text by its first bytes; ``None``: it is none."""
    head = head[:HEAD]
    try:
        text = head[: len(head) - 4 if len(head) == HEAD else None].decode("utf-8")  # a character may be cut
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\n\r\t\f\x1b\ufeff" for character in text):
        return None
    begin = text.lstrip("\ufeff \n\r\t")
    if begin.startswith(("{", "[")):
        return Found("a JSON file", way_out="name the model or the image itself")
    if re.match(r"(?:<\?xml[^>]*>\s*)?<net\b", begin):
        return Found("an OpenVINO model (.xml)", way_out=_ORIGINAL)
    if re.match(r"7767517\s", begin):
        return Found("an ncnn model (.param)", way_out=_ORIGINAL)
    if begin.startswith("<"):
        return Found("an XML file, as servers send in place of a file that they do not give", way_out=_AGAIN)
    return Found("a text file", way_out=_SERVER)


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"a file of {count / size:.3g} {unit}"
    return f"a file of {count} bytes"


_NUMPY: Final = b"\x93NUMPY"
# ModelProto begins with ir_version in every file that ONNX's own libraries write, then the next of its fields.
_NEXT_FIELD: Final = rb"(?:[\x12\x1a\x22\x28\x32\x3a\x42\x72]|\xa2\x01|\xca\x01)"
_ONNX: Final = re.compile(rb"\x08[\x01-\x1f]" + _NEXT_FIELD, re.DOTALL)
# By a name that says it, of a version that nothing writes yet, too.
_ANY_ONNX: Final = re.compile(rb"\x08[\x01-\x7f]" + _NEXT_FIELD, re.DOTALL)
_LFS: Final = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:[^\n]*\n)*?size (\d{1,18})")
_PAGE: Final = Found(
    "a web page (HTML)", way_out="download the file itself, by the link that says raw or download, not its page"
)
_SAVED_MODEL: Final = 1  # where ONNX files have their version, which is greater in all that are still about
# Protocol buffers that may begin as those of ONNX do.
_BY_NAME: Final = {
    ".pb": Found("a TensorFlow graph", way_out=CONVERT),
    ".mlmodel": Found("a Core ML model", way_out=_ORIGINAL),
    ".caffemodel": Found("a Caffe model", way_out=_ORIGINAL),
}
_MAGIC: Final = (
    (rb"(?i:(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b)", _PAGE),
    (rb"(?i:\s*(?:<\?xml[^>]*>\s*)?(?:<!(?:doctype svg|--)[^>]*>\s*)*<svg\b)", Found("a drawing (SVG)")),
    (rb"\x80[\x02-\x05]\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", Found("weights of PyTorch", "weights")),
    (rb"\x80[\x02-\x05]", Found("a pickled Python object, which is never loaded: it could run anything", "pickle",
                            _WEIGHTS_ONLY)),
    (rb"\x89HDF\r\n\x1a\n", Found("an HDF5 file, as Keras saves models (.h5)", way_out=CONVERT)),
    (rb".{4}TFL3", Found("a TensorFlow Lite model", way_out=CONVERT)),
    (rb".{4}ORTM", Found("a model in onnxruntime's own format", way_out="open the .onnx file it is of")),
    (rb"GGUF|GGML|lmgg", Found("a GGUF model", way_out=_ORIGINAL)),
    (rb"[fp]trt", Found("a TensorRT engine", way_out=_ORIGINAL)),
    (rb"PAR1", Found("a Parquet table", "set")),
    (rb".{257}ustar", Found("a tar archive", "set", _UNPACK)),
    (rb"\0\0\x08[\x01-\x04]", Found("an IDX file, as MNIST is in", "set")),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\0|\x28\xb5\x2f\xfd", Found("a compressed file", "set", _UNPACK)),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", Found("an archive (7z, rar)", way_out=_UNPACK)),
    (rb"%PDF", Found("a PDF")),
    (rb"\0\0\0\x0cJXL |\xff\x0a", Found("a JPEG XL", "image")),
    (rb"\x76\x2f\x31\x01", Found("an OpenEXR image, of light and not of levels 0 to 255", "image", _LEVELS)),
    (rb"#\?(?:RADIANCE|RGBE)", Found("a Radiance HDR image, of light and not of levels 0 to 255", "image", _LEVELS)),
)  # fmt: skip


@cache
def _magic() -> tuple[tuple[re.Pattern[bytes], Found], ...]:
    """Compiled when it is needed: a model is told before."""
    return tuple((re.compile(magic, re.DOTALL), found) for magic, found in _MAGIC)
