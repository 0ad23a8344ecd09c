"""Supervises a training: restarts its launcher whenever it dies.

    python launch/supervise.py accelerate launch trainer/train_vae.py --data cats.npy --out runs/cats

Launchers that restart their own workers were seen to hang with gloo, and nobody restarts the launcher. Whatever dies
(a worker, the launcher, all of them by ``kill -9``), the remaining processes are ended, and the same command resumes
from the newest intact checkpoint; so it does when the log has had no new row for ``--stall`` minutes. The pause between
restarts doubles up to ``--longest-pause`` seconds, and is reset by a new checkpoint. The supervisor gives up after
``--tries`` attempts without a new checkpoint, and at once where the training reports a mistake in the command or the
data, or its launcher does not understand the command: both would only be repeated.

SIGTERM, SIGINT and SIGUSR1 are passed on to the workers, which save and stop; a second one ends everything at once.
Launchers turn every exit code of their workers into 1; workers write theirs to a file that the environment names.
Exit codes: 0 finished; 75 stopped on request, after saving or with nothing to save (or ``--stopped-code``, for
schedulers that restart only after some codes); 1 gave up, or could not save when asked to stop; 2 a mistake, or not a
command that can be supervised; 128 + the signal's number where training ended on request, but did not save.

On several machines, run one on each: where one stops, the others lose contact, fail, and meet once more.
"""

import argparse
import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

_STATUS = runpy.run_path(str(Path(__file__).resolve().parent.parent / "trainer" / "exit_status.py"))
FINISHED, GAVE_UP, MISTAKE, STOPPED = (_STATUS[name] for name in ("FINISHED", "FAILED", "MISTAKE", "STOPPED"))
EXIT_FILE, LAUNCHERS = _STATUS["EXIT_FILE"], _STATUS["LAUNCHERS"]
GRACE_SECONDS = 120.0  # for workers that have lost their launcher, or were asked to stop: they save first
POLL_SECONDS = 0.5
STEP = "step_"  # checkpoints are named after theirs; unfinished ones begin with a dot


class Start:
    """One attempt to run the command, and all processes that descend from it."""

    def __init__(self, command: list[str], said: Path) -> None:
        self.said = said  # file that the workers write their exit codes to
        self.said.unlink(missing_ok=True)
        # a session of its own: Ctrl-C in a terminal reaches the supervisor alone, which passes it on once
        self.launcher = psutil.Popen(command, start_new_session=True, env={**os.environ, EXIT_FILE: str(said)})
        self.processes: set[psutil.Process] = set()

    def look(self) -> int | None:
        """Record new child processes. Returns the launcher's exit code once it has ended."""
        with contextlib.suppress(psutil.Error):
            # workers lead sessions of their own: once their launcher is dead, nothing links them to it
            self.processes.update(self.launcher.children(recursive=True))
        return self.launcher.poll()

    def workers(self) -> list[psutil.Process]:
        """Processes that train: the children of a launcher, or the command itself where it is none."""
        try:
            names = {Path(part).name for part in self.launcher.cmdline()[:4]}
            return (self.launcher.children() if names & LAUNCHERS else []) or [self.launcher]
        except psutil.Error:
            return self.remaining()

    def remaining(self) -> list[psutil.Process]:
        running = []
        for process in (self.launcher, *self.processes):
            with contextlib.suppress(psutil.Error):
                running += [process] if process.is_running() and process.status() != psutil.STATUS_ZOMBIE else []
        return running

    def tell(self, number: int) -> None:
        """Send a signal to the workers."""
        for process in self.workers():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def end(self, grace_seconds: float) -> None:
        """Wait for all processes to end; kill those that have not after ``grace_seconds``."""
        self.look()
        _, alive = psutil.wait_procs(self.remaining(), timeout=grace_seconds)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=GRACE_SECONDS)

    def reported(self, key: str) -> set[Any]:
        """What workers have reported: their exit ``code``, or the step at which they ``began`` to train."""
        try:
            lines = [json.loads(line) for line in self.said.read_bytes().splitlines()]
        except (OSError, ValueError):  # nobody has reported anything; a disk that was full
            return set()
        return {line[key] for line in lines if key in line}


class Supervisor:
    """Restarts a command until it has finished, or until that would change nothing."""

    def __init__(self, command: list[str], run: Path, said: Path, options: argparse.Namespace) -> None:
        self.command, self.run, self.said, self.options = command, run, said, options
        self.start: Start | None = None
        self.signals: list[int] = []  # that asked to stop

    def go(self) -> int:
        """Returns the exit code."""
        failures, pause, reached = 0, 1.0, newest_step(self.run)
        ran = False  # whether any start got as far as a training that reports
        while True:
            code = self.once()
            if code == FINISHED:
                return FINISHED
            assert self.start is not None
            codes = self.start.reported("code")
            if MISTAKE in codes:
                say("not restarted: the training reports a mistake ('error: ...' above), which would only be repeated")
                return MISTAKE
            ran = ran or bool(codes | self.start.reported("began"))
            if code == MISTAKE and not ran:  # of argparse in a launcher, say, which knows no --data of its own
                say(
                    "not restarted: the command was refused before it had begun to train (see above); expected a "
                    f"launcher, a script and its options, found: {' '.join(self.command)}"
                )
                return MISTAKE
            if self.signals:
                return self.stopped(code)
            step = newest_step(self.run)
            if step > reached:
                failures, pause, reached = 0, 1.0, step
            failures += 1
            if failures >= self.options.tries:
                say(f"gave up: {failures} attempt(s) ended without a new checkpoint in {self.run}: {reaches(reached)}")
                return GAVE_UP
            left = f"{self.options.tries - failures} more unless there is a new checkpoint"
            say(f"ended with code {code} {at(step)}; restarting in {pause:.0f} s ({left})")
            until = time.monotonic() + pause
            while time.monotonic() < until:
                time.sleep(min(POLL_SECONDS, pause))
                if self.signals:
                    return STOPPED
            pause = min(2 * pause, self.options.longest_pause)

    def stopped(self, code: int) -> int:
        """Exit code after a request to stop. ``code``: the launcher's."""
        assert self.start is not None
        codes, step = self.start.reported("code"), newest_step(self.run)
        if STOPPED in codes or code == STOPPED:
            say(f"stopped on request {at(step)}: the same command resumes it")
            return STOPPED
        if GAVE_UP in codes:
            say(f"was asked to stop, and could not save: {reaches(step)}")
            return GAVE_UP
        if len(self.signals) == 1 and not self.start.reported("began"):
            say("stopped on request before it had begun to train: the same command resumes it")
            return STOPPED
        say(f"was asked to stop, and ended before it had saved: {reaches(step)}")
        return 128 + self.signals[-1]

    def once(self) -> int:
        """Run the command once, to its end. Returns the launcher's exit code, not 0 where it was ended for a stall."""
        self.start = Start(self.command, self.said)
        if self.signals:  # while it was being started
            self.start.tell(self.signals[-1])
        log, newest, code = self.run / "log.jsonl", time.time(), None
        while code is None:
            time.sleep(POLL_SECONDS)
            code = self.start.look()
            with contextlib.suppress(OSError):
                newest = max(newest, log.stat().st_mtime)
            still = time.time() - newest
            if code is None and self.options.stall and still > self.options.stall * 60:
                say(f"no row in {log} for {still / 60:.0f} minutes: ending it")
                self.start.end(0)
                code = -signal.SIGKILL
        self.start.end(GRACE_SECONDS)  # workers that outlive their launcher are saving
        return code

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals.append(number)
        if self.start is not None and len(self.signals) == 1:
            self.start.tell(number)
        elif self.start is not None:
            self.start.end(0)


def newest_step(run: Path) -> int:
    """The step of the newest checkpoint, -1 where there is none."""
    steps = [path.name.removeprefix(STEP) for path in (run / "checkpoints").glob(f"{STEP}*")]
    return max((int(step) for step in steps if step.isdecimal()), default=-1)


def at(step: int) -> str:
    """Where a run has ended, by its newest checkpoint."""
    return "before the first checkpoint" if step < 0 else f"at step {step}"


def reaches(step: int) -> str:
    """The newest checkpoint in words."""
    return "there is no checkpoint" if step < 0 else f"the newest checkpoint is that of step {step}"


def run_of(command: list[str]) -> Path | None:
    """The folder that the command's ``--out`` names, ``None`` where it names none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--out", type=Path)
    return parser.parse_known_args(command)[0].out


def quieted(command: list[str]) -> list[str]:
    """``accelerate launch`` of one process without its traceback, which hides what that process has said."""
    for place, word in enumerate(command[:3], 1):
        if Path(word).name in ("launch", "accelerate-launch", "accelerate.commands.launch"):
            return [*command[:place], "--quiet", *command[place:]]
    return command


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} supervise: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    for name, default, text in (
        ("--tries", 5, "attempts in a row without a new checkpoint"),
        ("--longest-pause", 300.0, "most seconds between attempts"),
        ("--stall", 60.0, "minutes without a row in the log; 0: for ever"),
        ("--stopped-code", STOPPED, "exit code when stopped on request"),
    ):
        parser.add_argument(name, type=type(default), default=default, help=f"{text} (default {default:g})")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run, with its --out")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    run = run_of(command)
    for wrong, what in (
        (not command, "no command, expected one to supervise: accelerate launch trainer/train_vae.py --out runs/cats"),
        (run is None, f"{' '.join(command)}: names no --out, expected one: checkpoints there are what counts"),
        (options.tries < 1, f"--tries is {options.tries}, expected at least 1"),
        (options.longest_pause < 0, f"--longest-pause is {options.longest_pause}, expected at least 0"),
        (options.stall < 0, f"--stall is {options.stall}, expected at least 0"),
        (not 0 <= options.stopped_code < 256, f"--stopped-code is {options.stopped_code}, expected 0 to 255"),
    ):
        if wrong:
            print(f"error: {what}", file=sys.stderr)
            return MISTAKE
    assert run is not None
    try:
        with tempfile.TemporaryDirectory(prefix="utsuroi-", ignore_cleanup_errors=True) as folder:
            supervisor = Supervisor(quieted(command), run, Path(folder, "said.jsonl"), options)
            for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), supervisor.on_signal)
            code = supervisor.go()
    except (OSError, subprocess.SubprocessError) as error:
        print(f"error: {command[0]}: {error}", file=sys.stderr)
        return MISTAKE
    return options.stopped_code if code == STOPPED else code


if __name__ == "__main__":
    sys.exit(main())
