"""Enlarging by tiles against the whole image at once, and how soon a drawing is followed.

    python tests/bench/bench_upscale.py srgan.onnx [--draw pix2pix-128.onnx pix2pix-256.onnx] [--large]
    python tests/bench/bench_upscale.py srgan.onnx other.onnx --psnr set5

Prints: peak memory and time of a 1024x768 image, in alternating processes, for the whole and for several sizes of
tiles; the largest difference of their results; the time from a stroke to its image; with ``--large``, memory and time
of the command on an image of 4000x3000. The model's weights may be random.

With ``--psnr``, instead: PSNR of the brightness on a set of large images, as ``bench_srgan.py`` has it, of models as
the viewer reads them, without a card too, and how sure it is of their ranges.
"""

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ONE = """
import sys, time
import numpy as np, cv2
from pathlib import Path
from viewer.model import open_model
from viewer.files.inputs import read_photo
from viewer.sessions.translation import Upscaler, plan_tiles
model, image, tile, threads, out = sys.argv[1:]
whole = tile == "whole"
upscaler = Upscaler(open_model(Path(model), threads=int(threads), many_sizes=not whole), 10**6 if whole else int(tile))
photo = read_photo(Path(image))
started, used = time.perf_counter(), time.process_time()
tiles = upscaler.plan(photo)
result = np.empty((photo.image.shape[0] * upscaler.scale, photo.image.shape[1] * upscaler.scale, 3), np.uint8)
for one in tiles:
    area = one.kept.times(upscaler.scale)
    result[area.top:area.bottom, area.left:area.right] = upscaler.enlarge(photo, one)
print(time.perf_counter() - started, time.process_time() - used, len(tiles),
      f"{tiles[0].window.width}x{tiles[0].window.height}")
np.save(out, result)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", metavar="model", help="a model that enlarges; --psnr: several")
    parser.add_argument("--psnr", type=Path, metavar="FOLDER", help="of large images, to be reduced and enlarged")
    parser.add_argument("--draw", type=Path, nargs="*", default=[], help="models that translate what is drawn")
    parser.add_argument("--tiles", type=int, nargs="*", default=[256, 384, 512])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", default="1024x768", help="of the image")
    parser.add_argument("--large", action="store_true", help="also an image of 4000x3000")
    arguments = parser.parse_args()
    if arguments.psnr:
        for model in arguments.models:
            measure_psnr(model, arguments.psnr)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure_tiles(arguments, Path(folder))
        for model in arguments.draw:
            measure_strokes(model, arguments.threads)
        if arguments.large:
            measure_large(arguments, Path(folder))


def image_of(folder: Path, width: int, height: int) -> Path:
    """Noise at several scales: as busy as a photograph of gravel."""
    chance, image = np.random.default_rng(0), np.zeros((height, width, 3))
    for step in (1, 4, 16, 64):
        noise = chance.normal(size=(height // step + 2, width // step + 2, 3)) * 20
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    path = folder / f"{width}x{height}.png"
    cv2.imwrite(str(path), np.clip(image + 128, 0, 255).astype(np.uint8))
    return path


def run(command: list[str]) -> tuple[str, float]:
    """What a process prints, and its peak memory in MB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return said, usage.ru_maxrss / 1024


def measure_tiles(arguments: argparse.Namespace, folder: Path) -> None:
    image = image_of(folder, *map(int, arguments.size.split("x")))
    ways = ["whole", *map(str, arguments.tiles)]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    used: dict[str, list[float]] = {way: [] for way in ways}
    memory: dict[str, list[float]] = {way: [] for way in ways}
    plans: dict[str, str] = {}
    for _ in range(arguments.rounds):
        for way in ways:
            out = folder / f"{way}.npy"
            said, peak = run(
                [sys.executable, "-c", ONE, str(arguments.models[0]), str(image), way, str(arguments.threads), str(out)]
            )
            wall, cpu, count, window = said.split()
            seconds[way].append(float(wall))
            used[way].append(float(cpu))
            memory[way].append(peak)
            plans[way] = f"{count} windows of {window}"
    whole = np.load(folder / "whole.npy").astype(int)
    for way in ways:
        wall, cpu, peak = (statistics.median(table[way]) for table in (seconds, used, memory))
        ratios = [wall / statistics.median(seconds["whole"]), cpu / statistics.median(used["whole"])]
        difference = np.abs(np.load(folder / f"{way}.npy") - whole).max()
        print(f"{arguments.size}, tile {way} ({plans[way]}): {peak:.0f} MB, "
              f"{peak / statistics.median(memory['whole']):.2f}x; {wall:.1f} s, {ratios[0]:.2f}x "
              f"(processor time {ratios[1]:.2f}x); largest difference {difference}")  # fmt: skip


def measure_psnr(model: Path, folder: Path) -> None:
    from trainer.contract.images import files_in
    from trainer.contract.resample import shrink
    from viewer.files.inputs import read_photo
    from viewer.model import open_model
    from viewer.sessions.translation import Upscaler

    opened = open_model(model, many_sizes=True)
    upscaler = Upscaler(opened)
    scale = int(upscaler.scale)
    figures = []
    for path in files_in(folder):
        photo = read_photo(path)
        height, width = (side // scale * scale for side in photo.image.shape[:2])
        large = photo.image[:height, :width]
        small = dataclasses.replace(photo, image=np.ascontiguousarray(shrink(large, scale)))
        result = np.empty_like(large)
        for _ in upscaler.fill(result, small, upscaler.plan(small)):
            pass
        difference = (brightness(result) - brightness(large))[scale:-scale, scale:-scale]
        figures.append(20 * np.log10(255 / np.sqrt(np.square(difference).mean())))
    print(f"{model.name}: {statistics.mean(figures):.2f} dB on {len(figures)} images; {opened.image_layout.describe()}")


def brightness(image: np.ndarray) -> np.ndarray:
    """Of u8 [h, w, 3] BGR, as MATLAB's ``rgb2ycbcr`` has it, 16 to 235."""
    return image @ np.array([24.966, 128.553, 65.481]) / 255 + 16


def measure_strokes(model: Path, threads: int, strokes: int = 15) -> None:
    from viewer.keys import parse_keys
    from viewer.model import open_model
    from viewer.modes.translate.draw.session import DrawSession, begin
    from viewer.sessions.translation import Translator

    translator = Translator(open_model(model, threads=threads, wanted="translator"))
    state = begin(translator, 0)
    session = DrawSession(translator, state, Path())
    session.settle(time.monotonic())
    session.frame()
    times = []
    for number in range(strokes):
        for event in parse_keys(f"drag:40:{40 + 20 * number}:300:{60 + 20 * number}"):
            session.handle(event)
        started = time.perf_counter()
        session.settle(time.monotonic())
        session.frame()
        times.append((time.perf_counter() - started) * 1e3)
    session.close()
    print(f"stroke to image, {model.name}, {state.easel.width}x{state.easel.height}, {threads} thread(s): "
          f"{statistics.median(times):.0f} ms, slowest {max(times):.0f} ms")  # fmt: skip


def measure_large(arguments: argparse.Namespace, folder: Path) -> None:
    image, out = image_of(folder, 4000, 3000), folder / "out.png"
    started = time.perf_counter()
    _, peak = run(
        [sys.executable, "-m", "viewer", "upscale", str(arguments.models[0]), str(image), "-o", str(out), "--threads",
         str(arguments.threads)]
    )  # fmt: skip
    print(f"4000x3000, the whole command: {peak:.0f} MB, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
