"""Two ranks under their launcher: they end cleanly, together, and never outlive it, whoever is told or killed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from commands import environment, log_rows, train_command
from trainings import NET, many

from trainer import checkpoint
from trainer.distributed import ECHO_SECONDS

GONE_SECONDS = 10.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX"),
]


class Launched:
    """A launcher with its ranks and their loaders."""

    def __init__(self, *options: object, ranks: int = 2) -> None:
        self.launcher = subprocess.Popen(
            train_command(*options, ranks=ranks),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.all: set[psutil.Process] = set()

    def look(self) -> list[psutil.Process]:
        """The ranks; notes all that there is."""
        with contextlib.suppress(psutil.Error):
            self.all |= {psutil.Process(self.launcher.pid)}
            for process in list(self.all):
                self.all.update(process.children(recursive=True))
        return sorted(
            (process for process in self.all if is_alive(process) and process.ppid() == self.launcher.pid),
            key=lambda process: process.pid,
        )

    def alive(self) -> list[psutil.Process]:
        return [process for process in self.all if is_alive(process)]

    def wait_until(self, condition: Callable[[], object], seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.launcher.poll() is None, self.launcher.communicate()[0]
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.05)

    def end(self) -> None:
        for process in self.alive():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.launcher.kill()
        self.launcher.wait()
        if self.launcher.stdout is not None:
            self.launcher.stdout.close()


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def launched() -> Iterator[Callable[..., Launched]]:
    started: list[Launched] = []

    def start(*options: object, ranks: int = 2) -> Launched:
        started.append(Launched(*options, ranks=ranks))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_two_ranks_end_cleanly(tmp_path: Path, images: Path, launched: Callable[..., Launched]) -> None:
    for number in range(many("CLEAN_RUNS", 2)):
        run = tmp_path / f"run-{number}"
        one = launched("--data", images, "--out", run, "--steps", 3, *NET)
        output, _ = one.launcher.communicate(timeout=300)
        assert one.launcher.returncode == 0, output
        assert "finished step 3" in output
        assert not re.search(r"Traceback|terminate called|Error", output), output


@pytest.mark.parametrize("at", ["launcher", "rank"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "term", "int"])
def test_no_process_is_left_and_requests_save_first(
    tmp_path: Path, images: Path, launched: Callable[..., Launched], number: signal.Signals, at: str
) -> None:
    run = tmp_path / "run"
    streamed = ("--memory", 0, "--workers", 1)  # loaders, too, must go
    options = ("--data", images, "--out", run, "--steps", 10**6, *NET, *streamed, "--save-every", 10**6)
    reached = 0
    for turn in range(many("SIGNALS", 1)):
        one = launched(*options, "--sample-every", 10**6)
        one.wait_until(lambda: (run / "log.jsonl").exists() and newest_row(run) > reached)  # noqa: B023
        ranks = one.look()
        assert len(ranks) == 2
        target = one.launcher.pid if at == "launcher" else ranks[turn % 2].pid
        before = newest_row(run)
        os.kill(target, number)
        end = time.monotonic() + GONE_SECONDS + (0 if number == signal.SIGKILL else 2)
        while one.alive() and time.monotonic() < end:
            one.launcher.poll()
            time.sleep(0.05)
        assert not one.alive(), [process.cmdline() for process in one.alive()]
        output, _ = one.launcher.communicate()
        path, complaints = checkpoint.newest_intact(run)
        assert not complaints
        if number != signal.SIGKILL or at == "launcher":  # where the launcher is gone, its ranks are asked to stop
            assert path is not None, output
            assert checkpoint.step_of(path) >= before, output
            reached = checkpoint.step_of(path)
        if number != signal.SIGKILL and at == "rank":
            assert f"stopped at step {reached}" in output
            assert "exitcode  : 75" in output or "exitcode: 75" in output, output
        if number == signal.SIGKILL and at == "rank":
            assert "lost contact with another process" in output
            shutil.rmtree(run)  # it has no checkpoint, but rows that the next turn would take for its own


def test_a_second_request_leaves_at_once(tmp_path: Path, images: Path, launched: Callable[..., Launched]) -> None:
    """Even where this process waits for a rank that has stopped answering."""
    run = tmp_path / "run"
    one = launched("--data", images, "--out", run, "--steps", 10**6, *NET, "--sample-every", 10**6)
    one.wait_until(lambda: (run / "log.jsonl").exists() and newest_row(run) > 0)
    still, asked = one.look()
    still.suspend()
    time.sleep(1)
    asked.send_signal(signal.SIGTERM)
    time.sleep(ECHO_SECONDS + 0.5)
    assert is_alive(asked)
    asked.send_signal(signal.SIGTERM)
    asked.wait(5)


def newest_row(run: Path) -> int:
    return max((row["step"] for row in log_rows(run)), default=0)
