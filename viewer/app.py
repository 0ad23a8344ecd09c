"""The loop that joins a session and a display.

There are two: ``run_live`` where a person watches, and ``run_scripted`` where nobody does; there every picture is
waited for, so that the same script gives the same frames.
"""

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from viewer.displays.display import Display
from viewer.keys import Event
from viewer.session import Session

DELAY_MS: Final = 50  # between the frames of a walk, and between scripted keys at least

_SHOW_SECONDS: Final = 1 / 60  # between frames at least: keys come first


def run_live(session: Session[Any, Any, Any], display: Display, script: Sequence[Event] = (), frames: int = 0) -> None:
    """Show a session to a person until it is quit, or after so many frames of a walk. Raises ``DisplayError``.

    ``script``: keys that press themselves, each when the picture of the one before is seen.
    """
    show_at = step_at = script_at = 0.0
    delay = DELAY_MS / 1000
    shown = 0
    keys = deque(script)
    while True:
        now = time.monotonic()
        session.pump(now)
        if session.moving and now >= step_at and shown and session.step():
            step_at = step_at + delay if now < step_at + delay else now + delay
        if session.changed and now >= show_at:
            display.show(session.frame(strip=not display.coarse), session.title(hints=display.coarse))
            shown += 1
            now = time.monotonic()
            show_at = now + _SHOW_SECONDS
            if not session.moving:
                script_at = now + delay
            if shown == 1:
                step_at = now + delay
            if frames and shown >= frames:
                return
        wait = session.wait_seconds()
        if session.changed:
            wait = min(wait, show_at - now)
        if session.moving and step_at > now:
            wait = min(wait, step_at - now)
        if keys:
            wait = min(wait, delay)
        event = display.poll(max(wait, 0.0))
        if event is None and keys and session.settled and time.monotonic() >= script_at:
            event, script_at = keys.popleft(), time.monotonic() + delay
        if event is not None and session.handle(event):
            return


def run_scripted(
    session: Session[Any, Any, Any], display: Display, script: Sequence[Event] = (), frames: int = 0
) -> None:
    """Run a session without a person: a frame, then a key of the script, and so on; each frame is complete.

    ``frames``: of a walk, which goes on when the script has ended.
    """
    delay = DELAY_MS / 1000 if frames else 1.0  # a virtual person presses a key a second
    now, shown = 0.0, 0
    keys = deque(script)
    session.pump(now)
    session.frame()  # OpenCV takes its time to load a font: meanwhile the worker begins
    while True:
        session.settle(now)
        display.show(session.frame(), session.title())
        shown += 1
        if shown == frames or (not keys and not frames):
            return
        if keys and session.handle(keys.popleft()):
            return
        now += delay
        if frames:
            session.settle(now)
            session.step()
