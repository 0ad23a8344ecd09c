"""What sources in zip archives share. No torch."""

from pathlib import Path
from typing import Final

ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")  # of a member, and of an archive without any


def begins_as_zip(path: Path) -> bool:
    """Whether there is a file of this name with the first bytes of a zip archive."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in ZIP_MAGIC
