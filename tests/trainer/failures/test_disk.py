"""A disk that is full, read-only or broken at any write of a training: nothing is lost, and a line says so."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainings import NET, error_lines, many, run_trainings, training, weights

from trainer import checkpoint

STEPS = 6
OPTIONS = ("--steps", STEPS, *NET, "--save-every", 2, "--sample-every", 3)


def check(ending: dict[str, Any], run: Path, what: str) -> None:
    """The rule: a run that ends with 0 has saved its end; another says why, in one line; every checkpoint is whole."""
    (code,) = ending["codes"]
    said = error_lines(ending)
    assert "Traceback" not in ending["errors"][0], what
    assert not ending["complaints"], what
    assert code in (0, 1, 2), what
    assert len(said) == (code != 0), what
    if code == 0:
        assert ending["newest"] == STEPS, what
    for path in checkpoint.checkpoints(run):
        assert not checkpoint.damage(path), what


@pytest.mark.slow
@pytest.mark.parametrize(("error", "once"), [("ENOSPC", True), ("EROFS", False)], ids=["once", "from-then-on"])
def test_a_write_that_fails_costs_at_most_itself(tmp_path: Path, images: Path, error: str, once: bool) -> None:
    """The disk fails at one of the steps that a run takes on it, at each of them with EVERY_WRITE=1."""
    calm = tmp_path / "calm"
    (whole,) = run_trainings(
        [training(calm, "--data", images, *OPTIONS, refuse={"at": -1, "error": error, "under": str(calm)})]
    )
    assert whole["codes"] == [0], whole
    assert whole["steps"] > 40
    commands, runs = [], []
    for at in range(1, whole["steps"] + 1, many("EVERY_WRITE", 7)):
        run = tmp_path / f"run-{at}"
        told = {"at": at, "error": error, "once": once, "under": str(run)}
        commands += [training(run, "--data", images, *OPTIONS, refuse=told)]
        commands += [training(run, "--data", images, *OPTIONS)]  # and when the disk is well again
        runs += [run]
    endings = run_trainings(commands)
    for run, ending, again in zip(runs, endings[::2], endings[1::2], strict=True):
        check(ending, run, f"{run.name}: {ending}")
        check(again, run, f"{run.name}, again: {again}")
        assert weights(run) == weights(calm), run.name


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """Makes a disk of so many KiB, or changes it; skips where that needs rights that this process lacks."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(folder)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("needs the right to mount a tmpfs")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the right to mount a tmpfs")
def test_a_disk_that_fills_up_costs_checkpoints_and_no_more(tmp_path: Path, images: Path, small_disk: Any) -> None:
    calm = tmp_path / "calm"
    (whole,) = run_trainings([training(calm, "--data", images, *OPTIONS)])
    used_kib = sum(path.stat().st_size // 4096 * 4 + 4 for path in calm.rglob("*") if path.is_file())
    codes = set()
    for size_kib in range(8, int(used_kib * 1.5), max(4, used_kib // many("DISK_SIZES", 5))):
        folder = small_disk(f"size={size_kib}k")
        run = folder / "run"
        command = training(run, "--data", images, *OPTIONS)
        (ending,) = run_trainings([command])
        check(ending, run, f"{size_kib} KiB: {ending}")
        codes.add(ending["codes"][0])
        if ending["codes"] == [1] and "could not be saved" in ending["errors"][0]:
            assert "training goes on" in ending["out"] + ending["errors"][0]
        small_disk("remount", f"size={used_kib * 3}k")
        (again,) = run_trainings([command])
        assert again["codes"] == [0], f"{size_kib} KiB: {again}"
        assert weights(run) == weights(calm)
        subprocess.run(["umount", str(folder)], check=True)
    assert codes >= {0, 1}
    assert whole["codes"] == [0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the right to mount a tmpfs")
def test_an_output_that_may_not_be_written_to_is_one_line(images: Path, small_disk: Any) -> None:
    folder = small_disk("ro", "size=64k")
    (ending,) = run_trainings([training(folder / "run", "--data", images, *OPTIONS)])
    assert ending["codes"] == [2]
    assert error_lines(ending) == [f"error: {folder / 'run'}: cannot be written to: Read-only file system"]
