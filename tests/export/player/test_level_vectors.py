"""What the tests of the browser player take for the viewer's reading of masks and of 10 to 16 bits still is that."""

import base64
import json
import runpy
import zlib
from pathlib import Path
from typing import Any

WEB_TESTS = Path(__file__).parents[3] / "export" / "web" / "tests"


def unpacked(case: dict[str, Any]) -> dict[str, Any]:
    """A case with its pixels, however they were compressed; the file itself is taken as written."""
    read = zlib.decompress(base64.b64decode(case["read"]))
    return {name: value for name, value in case.items() if name not in ("read", "file")} | {"pixels": read}


def test_files_are_read_as_written_down() -> None:
    program = runpy.run_path(str(WEB_TESTS / "make_level_vectors.py"))
    written = json.loads((WEB_TESTS / "vectors" / "levels.json").read_text())
    now = json.loads(json.dumps({"palette": program["palette"]().tolist(), "cases": program["cases"]()}))
    assert written["palette"] == now["palette"]
    assert list(map(unpacked, written["cases"])) == list(map(unpacked, now["cases"]))
