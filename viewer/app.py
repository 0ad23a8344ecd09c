"""Run a session on a display: ``run_live`` where a user watches, ``run_scripted`` where nobody does.

``run_scripted`` waits for every image, so that the same script gives the same frames.
"""

import contextlib
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from viewer.displays import Choice, Display, open_display
from viewer.keys import CLOSED, Action, Event
from viewer.sessions.session import Session

_SHOW_SECONDS: Final = 1 / 60  # between frames at least: keys come first
_UNWATCHED_SECONDS: Final = 0.02  # between looks at what is being saved, where the window was closed
_LONG_SECONDS: Final = 1e6
_NOTHING: Final = "nothing was shown or written: add --record FILE (.png, .gif, .webp or .mp4), or --keys s to save"


def show(
    session: Session[Any, Any, Any], display: Choice = "auto", record: Path | None = None, script: Sequence[Event] = ()
) -> None:
    """Run a session on a display, and close both. ``record``: a file that gets every frame. Raises ``UserError``."""
    with contextlib.closing(session):
        mouse = {"motion": session.follows_mouse, "strokes": session.draws}
        opened = open_display(display, title=session.title(), record=record, delay_ms=session.delay_ms, **mouse)
        with contextlib.closing(opened):
            run = run_live if opened.interactive else run_scripted
            run(session, opened, script, session.frames)
        if session.failures and not opened.interactive:  # nobody has seen them
            raise ImageError(session.failures[0])
        if display == "none" and record is None and not session.wrote:
            with contextlib.suppress(OSError):  # nobody may be listening
                print(_NOTHING, file=sys.stderr, flush=True)


def run_live(session: Session[Any, Any, Any], display: Display, script: Sequence[Event] = (), frames: int = 0) -> None:
    """Show a session to a user until it is quit, or for so many frames of a walk; then wait for what is being saved.
    Keys of the script are pressed when the image of the one before is seen. Raises ``DisplayError``."""
    room = None
    show_at = step_at = script_at = 0.0
    delay = session.delay_ms / 1000
    shown = 0
    keys = deque(script)
    while True:
        now = time.monotonic()
        if display.room is not None and display.room != room:
            room = display.room
            session.fit(room)
            show_at = now  # at once: until then, places of the mouse are those of the old frame
        session.pump(now)
        if session.moving and now >= step_at and shown and session.step():
            step_at = step_at + delay if now < step_at + delay else now + delay
        if session.changed and now >= show_at:
            display.show(session.frame(strip=not display.coarse), session.title(), session.text())
            shown += 1
            now = time.monotonic()
            show_at = now + _SHOW_SECONDS
            if not session.moving:
                script_at = now + delay
            if shown == 1:
                step_at = now + delay
            if frames and shown >= frames:
                break
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
        if event is None:
            continue
        if display.coarse and event.action is not Action.MOVE:
            session.dismiss()  # there it hides what is shown
        if session.handle(event):
            break
    _finish_saving(session, display)


def _finish_saving(session: Session[Any, Any, Any], display: Display) -> None:
    """Wait for what is being saved; QUIT once more gives up. Raises ``ImageError`` where an image is lost."""
    lost, said, watched = len(session.lost), 0, True
    session.pump(time.monotonic())
    while count := session.unsaved:
        what = f"saving {count} image{'s' * (count > 1)}"
        if count != said:
            session.notify(f"{what}; ESC once more gives up", seconds=_LONG_SECONDS)
            said = count
        if not watched:
            time.sleep(_UNWATCHED_SECONDS)
        else:
            if session.changed:
                display.show(session.frame(strip=not display.coarse), session.title(), session.text())
            event = display.poll(session.wait_seconds())
            if event is not None and event.action is Action.QUIT:
                if event.key != CLOSED:
                    return
                watched = False
                with contextlib.suppress(OSError):  # nobody may be listening
                    print(f"{what}; Ctrl-C gives up", file=sys.stderr, flush=True)
        session.pump(time.monotonic())
    if len(session.lost) > lost:
        raise ImageError(session.lost[-1])  # nobody has seen it


def run_scripted(
    session: Session[Any, Any, Any], display: Display, script: Sequence[Event] = (), frames: int = 0
) -> None:
    """Run a session without a user: a frame, then a key of the script, and so on; each frame is complete. ``frames``:
    of a walk, which goes on when the script has ended."""
    delay = session.delay_ms / 1000 if frames else 1.0  # a virtual user presses a key a second
    now, shown = 0.0, 0
    keys = deque(script)
    session.pump(now)
    session.frame()  # OpenCV takes its time to load a font: meanwhile the worker begins
    while True:
        session.settle(now)
        display.show(session.frame(), session.title(), session.text())
        shown += 1
        if shown == frames or (not keys and not frames):
            return
        if keys and session.handle(keys.popleft()):
            return
        now += delay
        if frames:
            session.settle(now)
            session.step()
