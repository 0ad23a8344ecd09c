"""Bytes as the text of an HTML element, seven characters for six bytes, where base64 takes eight: a page has to hold
14 MB of runtime, and is sent by mail.

116 characters of ASCII are used. Left out are those that HTML, mail programs, terminals or version control could
change: NUL, white space, Ctrl-Z, ESC, DEL, < > &. The first character says how many bytes the last six are too many.
``export/web/src/pure/text.ts`` reads it.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

_LEFT_OUT: Final = b"\0\t\n\v\f\r\x1a\x1b\x7f<>&"
_ALPHABET: Final = np.array([code for code in range(128) if code not in _LEFT_OUT], np.uint8)
_PART: Final = 6 << 18  # bytes at a time


def to_text(data: bytes) -> Iterator[bytes]:
    """The text of ``data``, in pieces."""
    surplus = -len(data) % 6
    yield _ALPHABET[surplus : surplus + 1].tobytes()
    padded = data + bytes(surplus)
    powers = np.array([len(_ALPHABET) ** place for place in range(6, -1, -1)], np.uint64)
    for start in range(0, len(padded), _PART):
        groups = np.frombuffer(padded[start : start + _PART], np.uint8).reshape(-1, 6)
        values = np.zeros((len(groups), 8), np.uint8)
        values[:, 2:] = groups
        digits = values.view(">u8").astype(np.uint64) // powers % np.uint64(len(_ALPHABET))
        yield _ALPHABET[digits].tobytes()
