"""What is not a training, on a disk that fails at any of its writes: the old files or the new ones, and a line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from failing_disk import Refusal, forked

from export.card import BLANK_SEAL, check_seal, seal
from export.to_onnx import write_all
from trainer.contract.errors import UserError, fail
from trainer.data.__main__ import main as data_main
from trainer.data.sources.npy_set import ImageSet
from viewer.__main__ import main as view_main


def at_every_write(
    tmp_path: Path, make: Callable[[Path], Callable[[], int | None]], check: Callable[[Path], None]
) -> int:
    """Run a command with the disk failing at each of its steps; how many there are. ``make``: a folder → the command in
    it. ``check``: what must hold of the folder afterwards."""
    folder = tmp_path / "whole"
    folder.mkdir()
    whole = forked(make(folder), Refusal(at=-1, under=str(folder)))
    assert whole.code == 0, whole
    check(folder)
    for at in range(1, whole.steps + 1):
        folder = tmp_path / f"failing-{at}"
        folder.mkdir()
        told = Refusal(at=at, under=str(folder), error="ENOSPC" if at % 2 else "EROFS")
        ending = forked(make(folder), told)
        what = f"at {at} of {whole.steps}: {ending}"
        assert "Traceback" not in ending.error, what
        assert ending.code in (0, 2), what
        said = [
            line
            for line in ending.error.replace("\r", "\n").splitlines()
            if "No space left" in line or "Read-only" in line
        ]
        assert len(said) == (ending.code != 0), what
        check(folder)
    return whole.steps


def test_an_export_leaves_whole_files(tmp_path: Path) -> None:
    old, new = (seal(name.encode() * 1000 + BLANK_SEAL.encode()) for name in ("old", "new"))

    def make(folder: Path) -> Callable[[], int | None]:
        paths = folder / "cats.onnx", folder / "cats.encoder.onnx"
        for path in paths:
            path.write_bytes(old)

        def command() -> int:
            try:
                write_all(dict.fromkeys(paths, new), force=True)
            except UserError as error:
                fail(str(error))
            return 0

        return command

    def check(folder: Path) -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".part")}
        assert files.keys() == {"cats.onnx", "cats.encoder.onnx"}
        assert all(check_seal(data) and data in (old, new) for data in files.values())

    assert at_every_write(tmp_path, make, check) > 5


def test_an_image_tool_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    digests = set()

    def make(folder: Path) -> Callable[[], int | None]:
        for name, level in (("in", 9), ("out", 200)):
            np.save(folder / f"{name}.npy", np.full((3, 8, 8, 3), level, np.uint8))
        return lambda: data_main(
            ["create", str(folder / "in.npy"), "-o", str(folder / "out.npy"), "--size", "4", "--force"]
        )

    def check(folder: Path) -> None:
        found = ImageSet(folder / "out.npy")
        assert found.shape in ((3, 4, 4, 3), (3, 8, 8, 3))
        digests.add(hashlib.sha256(found[np.arange(3)].tobytes()).hexdigest())
        assert len(digests) <= 2

    assert at_every_write(tmp_path, make, check) > 3


@pytest.mark.slow
def test_the_viewer_saves_whole_images(tmp_path: Path) -> None:
    def make(folder: Path) -> Callable[[], int | None]:
        saving = ["--keys", "s,S,esc", "--out", str(folder / "saved"), "--record", str(folder / "record.png")]
        return lambda: view_main(["grid", "--display", "none", "--rows", "1", "--cols", "2", *saving])

    def check(folder: Path) -> None:
        for path in (path for path in folder.rglob("*.png") if not path.name.startswith(".")):
            assert cv2.imread(str(path)) is not None, path

    assert at_every_write(tmp_path, make, check) > 3


@pytest.mark.parametrize("name", ["missing", "file"])
def test_an_output_folder_that_cannot_be_is_a_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / name / "runs" / "x.npy"
    ending = forked(
        lambda: data_main(["toycats", "-o", str(out), "--count", "2", "--size", "16"]), Refusal(at=-1, under="\0")
    )
    assert ending.code == 2
    assert ending.error.count("\n") == 1
