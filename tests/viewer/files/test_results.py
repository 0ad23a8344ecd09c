"""Files of the viewer are whole or not there: as others see them, and when the program is ended in the middle."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract import files
from trainer.contract.errors import ImageError
from viewer.files.png import encode_png, save_numbered
from viewer.files.results import write_new

ENDED = """
import os, sys, threading, time
from pathlib import Path
from viewer.files.png import save_numbered
from viewer.worker import Worker, leave
write, begun = os.write, threading.Event()
def slowly(descriptor, data):
    done = write(descriptor, data[:9])
    begun.set()
    time.sleep(60)
    return done
os.write = slowly
jobs = Worker(lambda job: iter([job()]), drops=False)
jobs.ask(lambda: str(save_numbered(Path(sys.argv[1]), "p", bytes(99), {"drawing.png": bytes(99)})))
begun.wait(30)
os.write = write
assert jobs.close(0.1) == 1
leave(7)
"""


@pytest.mark.parametrize("write", [
    lambda path, data: save_numbered(path.parent, "p", data, {"drawing.png": data}),
    write_new,
    files.replace_bytes,
])  # fmt: skip
def test_nobody_sees_half_a_file(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), {})
    write_some, seen = os.write, []

    def slowly(descriptor: int, more: memoryview) -> int:
        done = write_some(descriptor, more[:1000])
        seen.extend(path for path in tmp_path.iterdir() if path.suffix == ".png" and path.read_bytes() != data)
        return done

    monkeypatch.setattr(os, "write", slowly)
    write(tmp_path / "p.png", data)
    assert seen == []
    assert list(tmp_path.glob("[!.]*.png")) == list(tmp_path.iterdir())
    assert all(cv2.imread(str(path)) is not None for path in tmp_path.iterdir())


def test_a_program_that_ends_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ENDED, tmp_path], timeout=60, check=False)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_cleared_without_harm_to_the_file_that_it_is_another_name_of(tmp_path: Path) -> None:
    """Killed between its two names: the partial one is the whole file, too."""
    path = tmp_path / "p.png"
    with files.partial_of(path) as left:
        pass
    files.replace_bytes(path, b"whole", force=False)
    os.link(path, left)
    files.replace_bytes(path, b"other")
    assert left.exists() is False
    os.link(path, left)
    with pytest.raises(FileExistsError):
        files.replace_bytes(path, b"third", force=False)
    assert path.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_are_no_links_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "p.png", b"first")
    with pytest.raises(ImageError, match="exists already"):
        write_new(tmp_path / "p.png", b"second")
    assert save_numbered(tmp_path, "p", b"third").name == "p-0001.png"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"p.png": b"first", "p-0001.png": b"third"}


def test_the_longest_name_that_a_disk_takes(tmp_path: Path) -> None:
    path = tmp_path / ("\u540d" * 83 + ".tiff")  # 254 bytes
    write_new(path, b"whole")
    assert path.read_bytes() == b"whole"
