"""How fast `watch` opens and plays long trainings.

    python tests/bench/bench_watch.py runs/ --runs 4

Makes runs of 200,000 rows and 2,000 sheets in a folder (those that are there already are kept), opens them in a window
of a virtual screen of 1920x1080, plays the sheets, and prints the seconds to the first frame, from the start of the
process and from when it has imported what it needs, the frames a second while it plays, and its memory.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from bench_viewer import screen

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "viewer")]
from small_runs import BATCH, make_run, row  # noqa: E402

ROWS, SHEETS = 200_000, 2_000
SIDE, ACROSS = 64, 8  # of an image in pixels, images across a sheet
PLAYED = 120  # frames: sheets enough for them are played at the usual rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    runs = [arguments.folder / f"run{number}" for number in range(arguments.runs)]
    if arguments.child:
        measure(runs)
        return
    for number, run in enumerate(runs):
        if not run.is_dir():
            write(run, number)
    with screen("1920x1080") as display:
        for _ in range(arguments.rounds):
            print(play(arguments, display), flush=True)


def write(run: Path, seed: int) -> None:
    """A run of noisy losses, whose sheets are of cats that go by."""
    import utsuroi

    chance = np.random.default_rng(seed)
    make_run(run, steps=ROWS, made=ROWS, sheets=0, batch_size=BATCH)
    losses = 100 / np.arange(10, ROWS + 10) ** 0.5 * chance.lognormal(0, 0.1, ROWS)
    with (run / "log.jsonl").open("wb") as file:
        for step in range(1, ROWS + 1):
            values = {"loss/vae/reconstruction": losses[step - 1], "loss/vae/divergence": 5 - losses[step - 1] / 10}
            times = {"rate/vae": 1e-3, "seconds": step * 0.1, "images_per_second": 320.0}
            file.write(row(step, **values, **times))
    (run / "samples").mkdir(exist_ok=True)
    cats = utsuroi.load().sample(ACROSS**2, seed=seed)
    sheet = np.full((ACROSS * (SIDE + 2) + 2,) * 2 + (3,), 255, np.uint8)
    for number in range(SHEETS):
        for place, cat in enumerate(cats):
            top, left = (2 + part * (SIDE + 2) for part in divmod(place, ACROSS))
            shifted = np.roll(cat[::2, ::2, ::-1], number, 1)
            sheet[top : top + SIDE, left : left + SIDE] = shifted
        step = (number + 1) * ROWS // SHEETS
        cv2.imwrite(str(run / "samples" / f"step_{step:08d}.png"), sheet)


def play(arguments: argparse.Namespace, display: str) -> str:
    command: Sequence[Any] = [__file__, arguments.folder, "--runs", arguments.runs, "--child"]
    told = subprocess.run(
        [sys.executable, *map(str, command)],
        env={"PATH": "/usr/bin:/bin", "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(told.stdout.splitlines()[-1])
    return (
        f"first frame {found['from_start']:.2f} s after the start, {found['from_import']:.2f} s after imports; "
        f"{found['frames_per_second']:.1f} frames/s; {found['mib']:.0f} MiB"
    )


def measure(runs: Sequence[Path]) -> None:
    """Open them here, play, and print what was measured."""
    from viewer import __main__ as program
    from viewer.displays import window
    from viewer.modes.watch import session  # noqa: F401

    imported = time.time()
    shown: list[float] = []
    show = window.Window.show

    def timed(self: window.Window, *given: Any) -> None:
        show(self, *given)
        shown.append(time.time())
        if len(shown) > PLAYED:
            tell(imported, shown)
            sys.exit()

    window.Window.show = timed  # type: ignore[method-assign]
    # from the first sheet on
    program.main(["watch", *map(str, runs), "--display", "window", "--keys", "home,space"])


def tell(imported: float, shown: Sequence[float]) -> None:
    process = psutil.Process()
    played = shown[len(shown) // 3 :]  # from when it runs
    print(json.dumps({
        "from_start": shown[0] - process.create_time(),
        "from_import": shown[0] - imported,
        "frames_per_second": (len(played) - 1) / (played[-1] - played[0]),
        "mib": process.memory_info().rss / 2**20,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
