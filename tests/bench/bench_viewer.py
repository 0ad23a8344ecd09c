"""The viewer against a minimal torch viewer of the same decoder, in alternating processes and rounds.

    python tests/bench/bench_viewer.py runs/cats cats.onnx [--int8 cats-int8.onnx]

Prints: time and memory from start to the first grid on disk, time of a 6x8 grid, what the time of a page goes to (the
network, the sheet), processor share of ``animate`` at 20 frames/s in a window (where Xvfb is installed), frames/s of
the terminal display at 160x48 cells.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

TORCH_VIEWER = """
import sys
import cv2, numpy as np, torch
from trainer.runs.store import restore
from pathlib import Path
torch.set_num_threads(1)
nets = restore(Path(sys.argv[1])).nets
network = next(iter(nets.values()))
with torch.no_grad():
    images = network.decode(torch.randn(48, int(sys.argv[2])))
images = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
n, h, w, c = images.shape
grid = images.reshape(6, 8, h, w, c).transpose(0, 2, 1, 3, 4).reshape(6 * h, 8 * w, c)
cv2.imwrite(sys.argv[3], grid[..., ::-1])
"""
TERMINAL = """
import numpy as np, sys, time
from viewer.displays.terminal import Terminal
frames = [np.random.default_rng(i).integers(0, 256, (480, 640, 3), dtype=np.uint8) for i in range(8)]
display = Terminal()
start = time.perf_counter()
shown = 0
while time.perf_counter() - start < 3:
    display.show(frames[shown % 8], "frame %d" % shown)
    display.poll(0)
    shown += 1
seconds = time.perf_counter() - start
display.close()
open(sys.argv[1], "w").write(str(shown / seconds))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_start(arguments.run, arguments.model, arguments.rounds, Path(folder))
        measure_grid(arguments.run, arguments.model, arguments.int8, arguments.rounds)
        measure_page(arguments.model, arguments.rounds)
        measure_terminal(Path(folder))
        measure_animate(arguments.model)


def latent_size(model: Path) -> int:
    from viewer.model import open_model

    return open_model(model).latent.size


def measure_start(run: Path, model: Path, rounds: int, folder: Path) -> None:
    commands = {
        "viewer": [sys.executable, "-m", "viewer", "grid", str(model), "--display", "none", "--record",
                   str(folder / "viewer.png")],
        "torch viewer": [sys.executable, "-c", TORCH_VIEWER, str(run), str(latent_size(model)),
                         str(folder / "torch.png")],
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            process = subprocess.Popen(command)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, name
            if turn:  # the first round warms the file cache
                times[name].append(time.perf_counter() - start)
                memory[name] = usage.ru_maxrss / 1024
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"start to first grid: {medians['viewer']:.3f} s, torch {medians['torch viewer']:.3f} s, "
          f"ratio {medians['viewer'] / medians['torch viewer']:.3f}")  # fmt: skip
    print(f"memory: {memory['viewer']:.0f} MB, torch {memory['torch viewer']:.0f} MB, "
          f"ratio {memory['viewer'] / memory['torch viewer']:.3f}")  # fmt: skip


def measure_grid(run: Path, model: Path, int8: Path | None, rounds: int) -> None:
    import torch

    from trainer.runs.store import restore
    from viewer.model import open_model
    from viewer.render import blank, place
    from viewer.sheet import Sheet

    network = next(iter(restore(run).nets.values()))
    latents = np.random.default_rng(0).standard_normal((48, latent_size(model)), dtype=np.float32)

    def by_torch() -> None:
        with torch.no_grad():
            images = network.decode(torch.from_numpy(latents))
        levels = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        _, height, width, channels = levels.shape
        grid = levels.reshape(6, 8, height, width, channels).transpose(0, 2, 1, 3, 4)
        np.ascontiguousarray(grid.reshape(6 * height, 8 * width, channels)[..., ::-1])

    def by_viewer(file: Path, threads: int) -> Callable[[], None]:
        opened = open_model(file, threads=threads)
        height, width = opened.image_size
        sheet = Sheet(rows=6, columns=8, cell_height=height, cell_width=width)
        return lambda: place(blank(sheet), sheet, 0, opened.generate(latents))

    for threads in (1, 2):
        torch.set_num_threads(threads)
        sides = {"torch": by_torch, "onnxruntime": by_viewer(model, threads)}
        if int8:
            sides["int8"] = by_viewer(int8, threads)
        medians = alternating(sides, rounds)
        faster = ", ".join(f"{name} {medians['torch'] / value:.2f}x" for name, value in medians.items())
        figures = ", ".join(f"{name} {value:.1f}" for name, value in medians.items())
        print(f"6x8 grid, {threads} thread(s): {figures} ms; {faster}")


def alternating(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, medians of alternating rounds of five calls."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 2):
        for name, side in sides.items():
            start = time.perf_counter()
            for _ in range(5):
                side()
            if turn > 1:  # the first rounds warm up
                times[name].append((time.perf_counter() - start) / 5 * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_page(model: Path, rounds: int) -> None:
    """What the time of a page goes to: the network, and what is done with its images until they are shown."""
    import onnxruntime

    from viewer.labels import painted
    from viewer.model import open_model
    from viewer.render import blank, compose, draw_strip, place
    from viewer.sheet import Sheet

    opened = open_model(model)
    height, width = opened.image_size
    sheet = Sheet(rows=6, columns=8, cell_height=height, cell_width=width)
    latents = np.random.default_rng(0).standard_normal((sheet.count, opened.latent.size), dtype=np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    at_once = max(1, 200_000 // (height * width))  # images a run, as the viewer has them

    def network() -> None:
        for first in range(0, len(latents), at_once):
            session.run(None, {"latent": latents[first : first + at_once]})

    images = opened.generate(latents)
    page = place(blank(sheet), sheet, 0, images)
    strip = draw_strip(sheet.width, ["latents 1-48"], ["h: keys"])
    frame = compose(page, strip, sheet)
    medians = alternating(
        {
            "network alone": network,
            "network, watched, to BGR": lambda: opened.generate(latents),
            "empty sheet": lambda: blank(sheet),
            "images onto it": lambda: place(page, sheet, 0, images),
            "sheet and strip to a frame": lambda: compose(page, strip, sheet),
            "text into pixels": lambda: painted(frame),
        },
        rounds,
    )
    made = medians["network, watched, to BGR"]
    drawn = sum(list(medians.values())[2:])
    print(f"a page of 6x8, 1 thread: {made + drawn:.1f} ms, of which the network {medians['network alone']:.1f}, "
          f"watching it and BGR {made - medians['network alone']:.2f}, the sheet {drawn:.2f}")  # fmt: skip
    for name, value in medians.items():
        print(f"  {name:28} {value:7.3f} ms")


def measure_terminal(folder: Path) -> None:
    report = folder / "frames"
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    drain = threading.Thread(target=read_all, args=(master,), daemon=True)
    drain.start()
    subprocess.run(
        [sys.executable, "-c", TERMINAL, str(report)], stdin=slave, stdout=slave, env=environment, check=True
    )
    print(f"terminal, 160x48 cells, every cell changing: {float(report.read_text()):.0f} frames/s")


def read_all(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1 << 16):
            pass


def measure_animate(model: Path, seconds: float = 10) -> None:
    if not shutil.which("Xvfb"):
        print("animate: skipped, no Xvfb")
        return
    with screen() as display:
        process = subprocess.Popen(
            [sys.executable, "-m", "viewer", "animate", str(model), "--display", "window"],
            env={**os.environ, "DISPLAY": display},
        )
        time.sleep(4)  # start-up and the first leg
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        share = (cpu_seconds(process.pid) - before) / seconds
        process.terminate()
        process.wait()
    print(f"animate, 20 frames/s in a window: {share:.1%} of one core")


@contextlib.contextmanager
def screen(size: str = "1280x1024") -> Iterator[str]:
    """A virtual screen: its name, as DISPLAY has it."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    with os.fdopen(read) as file:
        number = file.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
