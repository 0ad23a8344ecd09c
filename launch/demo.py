"""Demo: set up, train on toy cats, export and view the model: ``python3 launch/demo.py``.

Sets itself up, draws toy cats, trains on them for about a minute (longer on a busy machine: for at least 400 steps,
which draw recognisable cats), exports ``cats.onnx``, and opens the viewer: a window, else the terminal. With neither,
it writes ``cats.png`` and ``cats.gif``. A second run goes straight to the viewer.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environment
from environment import fail, stage

RUN = Path("runs/demo")
DATA = RUN / "cats.npy"
TRAINED = RUN / "training"
DONE = RUN / "done.json"  # what the demo last exported, and after how much training
MODEL = Path("cats.onnx")
LEAST_STEPS = 400  # of training; fewer draw blurred cats
DRAWING = ("trainer.data", "toycats", "-o", str(DATA), "--count", "4000", "--size", "64", "--force")
TRAINING = (
    *("--arch", "conv", "--latent-size", "16", "--batch-size", "32", "--learning-rate", "2e-3", "--schedule", "cosine"),
    *("--ema", "2000", "--no-flip", "--steps", "1000000", "--save-every", "2000", "--sample-every", "500"),
    *("--min-steps", str(LEAST_STEPS)),
)
NEXT = (
    f"utsuroi view animate {MODEL}     # a walk through the latent space; --help lists the keys",
    f"utsuroi view latent {MODEL} --view sliders",
    "utsuroi data create 'photos/*.jpg' -o photos.npy --size 128     # photographs of your own",
    "utsuroi train vae --data photos.npy --out runs/photos --preset small-photos --minutes 5",
)
VIEWER_HAS_NO_SCREEN = 2  # the viewer's exit code for what it says in one line


def run_module(*arguments: str) -> int:
    """Run ``python -m ...`` to its end → its exit code. Ctrl-C goes to that program: it may have something to save."""
    with subprocess.Popen([sys.executable, "-m", *arguments]) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def run_stage(title: str, *arguments: str) -> None:
    """Run a module as a stage of the demo; ends the demo with one line where it fails."""
    with stage(title):
        code = run_module(*arguments)
        if code != 0:
            fail(f"{title}: python -m {arguments[0]} ended with code {code} (its reason is above)", code)


def sha256(path: Path) -> str:
    """Of a file's bytes; empty where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def read_done() -> tuple[float, str]:
    """Seconds of training behind the last export, and the hash of its file; 0 and empty where there was none."""
    try:
        found = json.loads(DONE.read_text(encoding="utf-8"))
        return float(found["train_seconds"]), str(found["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, ""


def make_model(train_seconds: float) -> None:
    """Draw, train and export, as far as that has not been done yet."""
    trained_seconds, exported = read_done()
    if exported and sha256(MODEL) == exported and trained_seconds >= train_seconds:
        print(f"{MODEL} is there from an earlier run; --fresh makes it anew", flush=True)
        return
    if MODEL.exists() and sha256(MODEL) != exported:
        fail(f"{MODEL} is there and was not made by the demo: move it away first")
    if not DATA.exists():
        RUN.mkdir(parents=True, exist_ok=True)
        run_stage("Draw toy cats", *DRAWING)
    paths = ("--data", str(DATA), "--out", str(TRAINED))
    title = f"Train for {train_seconds:.0f} s, and at least {LEAST_STEPS} steps"
    run_stage(title, "trainer.train_vae", *paths, "--minutes", str(train_seconds / 60), *TRAINING)
    run_stage(f"Export {MODEL}", "export", str(TRAINED), "-o", str(MODEL), "--force")
    DONE.write_text(json.dumps({"train_seconds": train_seconds, "sha256": sha256(MODEL)}), encoding="utf-8")


def show(display: str) -> None:
    """Open the viewer, or write an image and a movie where there is nothing to show on."""
    if display != "none":
        code = run_module("viewer", "grid", str(MODEL), "--display", display)
        if code == 0:
            return
        if display != "auto" or code != VIEWER_HAS_NO_SCREEN:
            fail(f"the viewer ended with code {code} (its reason is above)", code)
        print("Nothing to show on: writing images instead", flush=True)
    headless = ("--display", "none", "--force", "--record")
    for name, *mode in (("cats.png", "grid"), ("cats.gif", "animate", "--loop", "--frames", "120")):
        run_stage(f"Write {Path(name).resolve()}", "viewer", *mode, str(MODEL), *headless, name)


def say_what_next() -> None:
    """Print commands to go on with, and before them what makes them work in a new terminal."""
    own = environment.ROOT / ".venv"
    lines = environment.activation(own) if Path(sys.prefix) == own else []
    text = "\n".join(["", "To go on, type:", "", *lines, *(f"    {line}" for line in NEXT), ""])
    print(text, flush=True)


def main(arguments: Sequence[str]) -> None:
    """Set up, make the model, show it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    longer = f"how long to train (60); longer where {LEAST_STEPS} steps take longer, so that there are cats"
    parser.add_argument("--train-seconds", type=float, default=60.0, help=longer)
    shown = "where to show the cats; none writes cats.png and cats.gif (auto)"
    parser.add_argument("--display", choices=("auto", "window", "terminal", "none"), default="auto", help=shown)
    parser.add_argument("--fresh", action="store_true", help="delete an earlier demo and begin anew")
    parser.add_argument(environment.READY_FLAG, action="store_true", help="use this Python as it is")
    options = parser.parse_args(arguments)
    if not options.train_seconds > 0:
        fail(f"--train-seconds is {options.train_seconds}, expected more than 0", 2)
    new = not options.fresh and not (environment.ROOT / DATA).exists()
    if new:
        (environment.ROOT / RUN).mkdir(parents=True, exist_ok=True)
    environment.enter(["", "export"], Path(__file__).resolve(), arguments, meanwhile=DRAWING if new else ())
    if options.fresh:
        if MODEL.exists() and sha256(MODEL) == read_done()[1]:
            MODEL.unlink()
            MODEL.with_suffix(".encoder.onnx").unlink(missing_ok=True)
        shutil.rmtree(RUN, ignore_errors=True)
    make_model(options.train_seconds)
    show(options.display)
    say_what_next()


if __name__ == "__main__":
    main(sys.argv[1:])
