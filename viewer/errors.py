"""Errors that are one line for a person, not a traceback. Imports nothing, so that it is there when imports fail."""

from typing import Final

INSTALL_LIBRARIES: Final = "apt-get install libxcb1 libgl1 libglib2.0-0 libsm6"  # what OpenCV's wheel needs of Debian


class ViewerError(Exception):
    """Something that a person can put right; the message is one line: what was found, what was expected."""
