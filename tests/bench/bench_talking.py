r"""How soon a training says something, shows its first samples, and saves: a run of each family, with the time of every
byte that it writes.

    python tests/bench/bench_talking.py vae ddpm --seconds 180 > talking.txt
    python tests/bench/bench_talking.py --terminal vae      # the bar, in a pseudo-terminal, instead of a log file
    python tests/bench/bench_talking.py --lines vae         # every line with its time

Data are drawn. The base run and the networks that some families need are made first, within seconds.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
CATS = ("--data", "toycats:600", "--image-size", 64)
OPTIONS: dict[str, tuple[object, ...]] = {
    "vae": (*CATS, "--arch", "conv"),
    "pix2pix": ("--data", "toycats:600", "--condition", "edges", "--image-size", 128),
    "ddpm": CATS,
    "ddpm128": ("--data", "toycats:600", "--image-size", 128),
    "srgan": ("--data", "toycats:600", "--crop-size", 64, "--blocks", 8, "--perceptual", 0, "--pixel", 1),
    "cgan": ("--data", "LABELS", "--image-size", 32),
    "classifier": ("--data", "LABELS", "--image-size", 32),
    "hpf": (*CATS, "--low", "BASE"),
}


@dataclass(kw_only=True)
class Timing:
    """Seconds from the start of a process; ``None``: never."""

    first_words: float | None = None
    first_step: float | None = None
    first_sheet: float | None = None
    first_checkpoint: float | None = None
    longest_silence: float = 0.0
    silent_after: str = ""  # what was said before it
    seconds: float = 0.0
    code: int | None = None
    lines: list[tuple[float, str]] = field(default_factory=list)


def watch(command: Sequence[object], run: Path, *, terminal: bool = False, limit: float = 900) -> Timing:
    """Run a training, and take the time of all that it writes to its output and to its folder."""
    found = Timing()
    ours, theirs = pty.openpty() if terminal else os.pipe()
    if terminal:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))  # bars are as wide as it is
    variables = {key: value for key, value in os.environ.items() if key != "TQDM_DISABLE"}
    started = last = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=variables, cwd=ROOT,
    )  # fmt: skip
    os.close(theirs)
    words = ""
    while True:
        ready = select.select([ours], [], [], 0.1)[0]
        now = time.monotonic()
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # a pseudo-terminal ends so
                data = os.read(ours, 65536)
            if not data:
                break
        for name, pattern in (("first_sheet", "samples/*.png"), ("first_checkpoint", "checkpoints/step_*")):
            if getattr(found, name) is None and any(run.glob(pattern)):
                setattr(found, name, now - started)
        if data:
            if now - last > found.longest_silence:
                found.longest_silence, found.silent_after = now - last, words
            last = now
            text = data.decode("utf-8", "replace")
            found.first_words = now - started if found.first_words is None else found.first_words
            if found.first_step is None and "step 1" in text and "loss" in text:
                found.first_step = now - started
            lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
            found.lines += [(now - started, line) for line in lines]
            words = lines[-1] if lines else words
        if now - started > limit:
            process.kill()
    os.close(ours)
    found.code, found.seconds = process.wait(), time.monotonic() - started
    return found


@contextlib.contextmanager
def commands(names: Sequence[str], seconds: float, folder: Path) -> Iterator[list[tuple[str, Path, list[object]]]]:
    """Name, run and command of each training."""
    sys.path.insert(0, str(ROOT / "tests" / "trainer"))
    made = []
    for name in names:
        options = [*OPTIONS.get(name, CATS)]
        if "BASE" in options:
            script = [sys.executable, "trainer/train_vae.py", "--out", folder / "base", "--steps", 2]
            train = [*script, *CATS, "--arch", "conv"]
            subprocess.run([str(word) for word in train], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            options[options.index("BASE")] = folder / "base"
        if "LABELS" in options:
            options[options.index("LABELS")] = labelled(folder / "labelled")
        run = folder / name
        script = ROOT / "trainer" / f"train_{name.removesuffix('128')}.py"
        limits = ("--steps", 10**7, "--minutes", seconds / 60, "--device", "cpu", "--out", run)
        made.append((name, run, [sys.executable, script, *options, *limits]))
    yield made


def labelled(folder: Path) -> Path:
    """Folders of classes: drawn cats, and the same upside down."""
    import cv2

    from trainer.data.drawing.toycats import choose, paint

    for number in range(400):
        image = paint(choose(0, number), 64)
        for name, turned in (("cats", image), ("upside_down", image[::-1])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name / f"{number:04}.png"), turned)
    return folder


def row(name: str, found: Timing) -> str:
    """One line of the table."""
    times = (found.first_words, found.first_step, found.first_sheet, found.first_checkpoint, found.longest_silence)
    cells = [("-" if value is None else f"{value:.1f}").rjust(10) for value in (*times, found.seconds)]
    return f"{name:<12}{''.join(cells)}{found.code!s:>6}  {found.silent_after[:70]}"


def main() -> None:
    from trainer.families import family_names

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("families", nargs="*", default=[*family_names(), "ddpm128"], help="(all, and ddpm at 128 px)")
    parser.add_argument("--seconds", type=float, default=180, help="of training each (180)")
    parser.add_argument("--terminal", action="store_true", help="in a pseudo-terminal")
    parser.add_argument("--lines", action="store_true", help="print every line with its time")
    options = parser.parse_args()
    heads = ("words", "step", "sheet", "saved", "silence", "in all")
    print(f"{'family':<12}{''.join(head.rjust(10) for head in heads)}{'code':>6}  silent after", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        commands(options.families, options.seconds, Path(folder)) as trainings,
    ):
        for name, run, command in trainings:
            found = watch(command, run, terminal=options.terminal)
            print(row(name, found), flush=True)
            if options.lines or found.code:
                for seconds, line in found.lines:
                    print(f"    {seconds:7.1f}  {line}", flush=True)


if __name__ == "__main__":
    main()
