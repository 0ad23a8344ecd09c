"""The viewer in a real shell and terminal (tmux), ended in every way: stty, cursor, mouse and screen come back."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0  # seconds, on a machine that is busy with other things
pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("tmux") and shutil.which("bash")), reason="needs tmux and bash"
)
IN_USE = "1 0 1 1"  # other screen, no cursor, mouse reports, in SGR
PUT_BACK = "0 1 0 0"


class Shell:
    """A bash of its own in a tmux of its own."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        self.server = f"viewer-{uuid.uuid4().hex[:12]}"
        inherited = {
            key: value for key, value in os.environ.items() if key not in ("TMUX", "DISPLAY", "WAYLAND_DISPLAY")
        }
        self.environment = inherited | {"PYTHONPATH": str(ROOT), "PS1": "$ ", "TERM": "xterm-256color"}
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "30", shell)
        self.type("stty -a > before; echo ready")
        self.wait(lambda: (folder / "before").exists() and "ready\n" in self.screen())

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self.server, *words]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, text: str, enter: bool = True) -> None:
        self.tmux("send-keys", "-l", text)
        if enter:
            self.tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        self.tmux("send-keys", key)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def modes(self) -> str:
        return self.tmux("display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{mouse_sgr_flag}").strip()

    def wait(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, f"{self.modes()}\n{self.screen()}"
            time.sleep(0.1)

    def start(self, command: str = "") -> int:
        """Start the viewer; its process."""
        before = viewers()
        self.type(command or f"{sys.executable} -m viewer grid {self.folder / 'm.onnx'} --display terminal")
        self.wait(lambda: bool(viewers() - before))  # what a killed one has drawn may still be there
        self.wait(lambda: self.modes() == IN_USE and "▀" in self.screen())
        return next(iter(viewers() - before))

    def stty(self, name: str) -> str:
        """What a command sees that the shell starts now: readline's own modes are the shell's, not those."""
        path = self.folder / name
        self.type(f"stty -a > {name}.part && mv {name}.part {name}")
        self.wait(path.exists)
        return self.settings(name)

    def settings(self, name: str) -> str:
        """What stty said, without the size, which tmux may be late to change, and the line breaks that it makes."""
        return re.sub(r"rows \d+; columns \d+;", "", " ".join((self.folder / name).read_text().split()))

    def assert_put_back(self, name: str = "after") -> None:
        self.wait(lambda: self.modes() == PUT_BACK)
        assert self.stty(name) == self.settings("before")
        self.type("echo typed-and-seen")
        self.wait(lambda: "echo typed-and-seen" in self.screen() and "\ntyped-and-seen" in self.screen())

    def end(self) -> None:
        subprocess.run(["tmux", "-L", self.server, "kill-server"], capture_output=True, check=False)


def viewers() -> set[int]:
    """Processes of the viewer in a terminal."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in listed.splitlines()[1:]]
    return {int(pid) for pid, what in lines if "-m viewer grid" in what and "--display terminal" in what
            and what.startswith(sys.executable)}  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path, generator_path: Path) -> Iterator[Shell]:
    shutil.copyfile(generator_path, tmp_path / "m.onnx")
    made = Shell(tmp_path, "bash --norc --noprofile")
    yield made
    made.end()


def test_minus_9_is_put_right_by_the_next_start(shell: Shell) -> None:
    os.kill(shell.start(), signal.SIGKILL)
    shell.wait(lambda: not viewers())
    shell.wait(lambda: shell.modes() == IN_USE)  # nobody could put anything back
    shell.start()
    shell.press("Escape")
    shell.assert_put_back()


def test_stopped_by_control_z_and_back(shell: Shell) -> None:
    shell.start()
    shell.press("C-z")
    shell.assert_put_back("stopped")
    shell.type("fg")
    shell.wait(lambda: shell.modes() == IN_USE and "▀" in shell.screen())
    shell.press("Escape")
    shell.assert_put_back()


@pytest.mark.slow
@pytest.mark.parametrize("key", ["Escape", "C-c", "C-\\"])
def test_ended_by_a_key(shell: Shell, key: str) -> None:
    shell.start()
    shell.press(key)
    shell.assert_put_back()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_ended_by_a_signal(shell: Shell, number: signal.Signals) -> None:
    os.kill(shell.start(), number)
    shell.assert_put_back()


@pytest.mark.slow
def test_ended_by_an_exception(shell: Shell) -> None:
    (shell.folder / "crash.py").write_text(
        "import sys, viewer.sessions.generator_page.session\n"
        "def handle(self, event):\n"
        "    raise RuntimeError('failed on purpose')\n"
        "viewer.sessions.generator_page.session.GridSession.handle = handle\n"
        "from viewer.__main__ import main\n"
        "main(sys.argv[1:])\n"
    )
    shell.type(f"{sys.executable} crash.py grid m.onnx --display terminal")
    shell.wait(lambda: shell.modes() == IN_USE)
    shell.type("x", enter=False)
    shell.wait(lambda: "failed on purpose" in shell.screen())  # readable, on the screen that was there before
    shell.assert_put_back()


@pytest.mark.slow
def test_stopped_by_a_signal_that_cannot_be_heard(shell: Shell) -> None:
    os.kill(shell.start(), signal.SIGSTOP)
    shell.wait(lambda: "Stopped" in shell.screen())
    shell.type("fg")
    shell.wait(lambda: "▀" in shell.screen() and "Stopped" not in shell.screen())
    shell.press("Escape")
    shell.assert_put_back()


@pytest.mark.slow
def test_another_size_is_filled(shell: Shell) -> None:
    shell.start()
    for columns, rows in ((60, 20), (140, 45), (20, 5), (3, 2), (100, 30)):
        shell.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        if columns > 10:
            shell.wait(lambda columns=columns: max(map(len, shell.screen().splitlines()), default=0) >= columns * 0.4)
    shell.wait(lambda: "▀" in shell.screen())
    shell.press("Escape")
    shell.assert_put_back()


@pytest.mark.slow
def test_minus_9_is_put_right_by_reset(shell: Shell) -> None:
    os.kill(shell.start(), signal.SIGKILL)
    shell.wait(lambda: not viewers())
    shell.type("reset")
    shell.wait(lambda: shell.modes()[2:] == PUT_BACK[2:])  # reset leaves the other screen to whoever uses it next
    assert {"icanon", "echo", "isig", "icrnl"} <= set(shell.stty("after").replace(";", "").split())


@pytest.mark.slow
def test_minus_9_in_a_shell_that_puts_nothing_back(tmp_path: Path, generator_path: Path) -> None:
    """bash repairs stty by itself; this one does not, so that the next start has to."""
    shutil.copyfile(generator_path, tmp_path / "m.onnx")
    shell = Shell(tmp_path, "sh")
    try:
        os.kill(shell.start(), signal.SIGKILL)
        shell.wait(lambda: not viewers())
        assert "-icanon" in shell.stty("broken")
        shell.start()
        shell.press("Escape")
        shell.wait(lambda: shell.modes() == PUT_BACK)
        after = shell.stty("after").split()
        assert "icanon" in after
        assert "echo" in after
    finally:
        shell.end()
