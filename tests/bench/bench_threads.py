"""Training beside other work: images a second of each thread setting, on an idle machine and beside busy loops.

    python tests/bench/bench_threads.py vae
    python tests/bench/bench_threads.py wgan_gp --settings utsuroi: '10000 turns:GOMP_SPINCOUNT=10000'

One process a model and setting trains toy cats with the real loop, a few seconds at a time, in turn; the others wait
meanwhile. Ratios are to the first setting, medians of the rounds. A setting is a name and the variables that it sets.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

FLAGS = {
    "vae": "--arch conv --image-size 64 --latent-size 16 --batch-size 32",
    "wgan_gp": "--image-size 32 --width 32 --batch-size 32",
    "ddpm": "--image-size 32 --width 16 --batch-size 16",
}
SETTINGS = (
    "libgomp's own:GOMP_SPINCOUNT=300000", "passive:OMP_WAIT_POLICY=passive", "utsuroi:",
    "one thread:OMP_NUM_THREADS=1",
)  # fmt: skip
VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_DYNAMIC", "KMP_BLOCKTIME")


def train(model: str, flags: Sequence[str]) -> None:
    """Train for as many seconds as each line of the input says, and answer with images a second."""
    from trainer.families import load_family  # first, as every training has it

    family = load_family(model)
    from trainer.command_line import parse
    from trainer.distributed import World
    from trainer.loop import Run
    from trainer.progress import Progress

    config = parse(family.Config, list(flags), "")
    run = Run(family, config, World(config), Progress(speaks=False))
    for net in run.raw.values():
        net.train()
    for line in sys.stdin:
        first, started = run.stream.position, time.perf_counter()
        while time.perf_counter() - started < float(line):
            run.advance()
            run.over()
        print(f"speed {(run.stream.position - first) / (time.perf_counter() - started)}", flush=True)


def speed(process: "subprocess.Popen[str]", seconds: float) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("speed "):
            return float(line.split()[1])
    raise SystemExit(f"a training ended with {process.wait()}")


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """Other programs that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for loop in running:
            loop.kill()
            loop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=FLAGS)
    parser.add_argument("--settings", nargs="+", default=SETTINGS, metavar="NAME:VARIABLE=VALUE,...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each setting in each round")
    parser.add_argument("--loops", type=int, default=4, help="busy loops")
    options = parser.parse_args()
    plain = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        data = str(Path(folder) / "cats.npy")
        subprocess.run(
            [sys.executable, "-m", "trainer.data", "toycats", "-o", data, "--count", "512", "--size", "64"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started = {}
        for model in options.models:
            for number, setting in enumerate(options.settings):
                name, _, variables = setting.partition(":")
                more = dict(pair.split("=", 1) for pair in variables.split(",") if pair)
                flags = ["--data", data, "--out", f"{folder}/{model}-{number}", *FLAGS[model].split()]
                command = [sys.executable, __file__, "--train", model, json.dumps(flags)]
                process = subprocess.Popen(
                    command, env={**plain, "TQDM_DISABLE": "1", **more}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, text=True,
                )  # fmt: skip
                stack.callback(process.wait)
                stack.callback(process.send_signal, signal.SIGKILL)
                started[model, name] = process
        for process in started.values():
            speed(process, 0.5)  # allocate
        found: dict[tuple[str, str, bool], list[float]] = {}
        for _ in range(options.rounds):
            for loaded in (False, True):
                with busy(options.loops if loaded else 0):
                    for (model, name), process in started.items():
                        found.setdefault((model, name, loaded), []).append(speed(process, options.seconds))
    print("| | idle | | busy | |\n|---|---|---|---|---|")
    for model in options.models:
        first = next(name for other, name in started if other == model)
        for name in (name for other, name in started if other == model):
            cells = []
            for loaded in (False, True):
                speeds = found[model, name, loaded]
                median = statistics.median(speeds)
                ratio = statistics.median(
                    mine / base for mine, base in zip(speeds, found[model, first, loaded], strict=True)
                )
                cells += [f"{median:.0f} ({min(speeds):.0f}–{max(speeds):.0f})", f"{ratio:.2f}"]
            print(f"| {model}, {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        train(sys.argv[2], json.loads(sys.argv[3]))
    else:
        main()
