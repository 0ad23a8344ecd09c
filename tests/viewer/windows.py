"""The viewer in a window of a real X server, in a process that writes down each event that it gets."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import HANG_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
VIEWER = """
import os, sys
from viewer.__main__ main
from viewer.displays.window import Window
pump, poll, heard = Window._pump, Window.poll, open(os.environ["HEARD"], "a", buffering=1)
def pump_and_say(self, wait_ms):
    pump(self, wait_ms)
    if self._x.listening and not heard.tell():
        print("LISTENING 0 0", file=heard)
def poll_and_say(self, seconds):
    event = poll(self, seconds)
    if event is not None:
        print(event.action.name, event.x, event.y, file=heard)
    return event
Window._pump, Window.poll = pump_and_say, poll_and_say
""".replace("__main__ main", "__main__ import main")


@contextmanager
def running_screen(size: str, *words: str) -> Iterator[str]:
    """The name of an X server of its own, of this size and depth; Xvfb finds a free number."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-noreset", *words]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as numbers:
        number = numbers.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


class Application:
    """``python -m viewer …`` in a window; what is done to it returns when the viewer has got the event."""

    def __init__(self, screen: str, name: str, *words: object, heard: Path, change: str = "") -> None:
        """``name``: how the title begins. ``heard``: a file for the events. ``change``: code to run before ``main``."""
        self.environment = os.environ | {"DISPLAY": screen, "HEARD": str(heard)}
        heard.touch()
        self._heard = heard
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{VIEWER}\n{change}\nsys.exit(main(sys.argv[1:]))", *map(str, words),
             "--display", "window"],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            wait_until(self.events, self._ended)
            self.window = self.xdotool("search", "--onlyvisible", "--name", f"^{name} - ").split()[0]
            self.xdotool("windowfocus", "--sync", self.window)
        except BaseException:
            self.kill()
            raise

    def _ended(self) -> str:
        return f"exit code {self.process.poll()}"

    def xdotool(self, *words: str) -> str:
        command = ["xdotool", *words]
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, timeout=HANG_SECONDS
        ).stdout

    def events(self) -> list[str]:
        """All so far, one a line: the action and its place."""
        return [line for line in self._heard.read_text().splitlines() if line.count(" ") == 2]

    def move(self, x: int, y: int) -> None:
        """Move the mouse to another place of the window."""

        def place() -> list[str]:
            return self.events()[-1].split()[1:]

        before = place()
        self.xdotool("mousemove", "--window", self.window, str(x), str(y))
        wait_until(lambda: place() != before, self._ended)

    def do(self, *words: str, events: int = 1) -> None:
        """A command of xdotool that makes so many events besides movements."""
        before = self._count()
        self.xdotool(*words)
        wait_until(lambda: self._count() >= before + events, self._ended)

    def press(self, *keys: str, gap_ms: int = 12) -> None:
        """Press keys that mean something, one after another."""
        self.do("key", "--delay", str(gap_ms), *keys, events=len(keys))

    def _count(self) -> int:
        return sum(not line.startswith(("MOVE", "DRAG", "SECOND_DRAG")) for line in self.events())

    def leave(self) -> None:
        """Press ESC, and see that it ends well."""
        self.xdotool("key", "Escape")
        output, _ = self.process.communicate(timeout=HANG_SECONDS)
        assert (self.process.returncode, output) == (0, "")

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
