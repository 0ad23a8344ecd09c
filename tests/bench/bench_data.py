"""How fast the image tools are, beside what a short script of one's own would do.

    python tests/bench/bench_data.py photos/ --rounds 7

``create``: JPEGs of 500x400 px are cut from the photographs, each in four mirrored and turned ways, and brought to
128 px by the tool, in this process, up to the file being on the disk; by a loop of cv2.imread and cv2.resize in one
thread, which writes nothing; and read alone, by cv2.imread in one thread. ``filter``: each kind on images in memory
in one thread, beside numpy's copy of the same array and OpenCV's own calls, which write to memory that is there
already; and the whole tool, from file to file, with a thread a core. Rounds in turn; medians, the least and the most.
"""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.images import centre, files_in
from trainer.contract.options import add_options
from trainer.data.__main__ import main as tool
from trainer.data.tools import filter as filters

SIZE = 128
WIDTH, HEIGHT = 500, 400


def make_photographs(source: Path, folder: Path, quality: int, most: int) -> list[Path]:
    """JPEGs of 500x400 px of the first photographs of a folder, in four ways each."""
    made = []
    for path in islice(files_in(source), most):
        image = cv2.imread(str(path))
        if image is None:
            continue
        cut = centre(image, HEIGHT, WIDTH)
        for number, way in enumerate((cut, cut[:, ::-1], cut[::-1], cut[::-1, ::-1])):
            made.append(folder / f"{path.stem}-{number}.jpg")
            cv2.imwrite(str(made[-1]), way, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return made


def run_tool(*arguments: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        tool([str(word) for word in arguments])


def script(files: list[Path]) -> np.ndarray:
    """What one writes first."""
    return np.array([cv2.resize(cv2.imread(str(file)), (SIZE, SIZE)) for file in files])


def decode_alone(files: list[Path]) -> None:
    for file in files:
        cv2.imread(str(file))


def rounds(
    sides: dict[str, Callable[[], object]], count: int, clock: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each side by a clock, in turn, and the median of its processor time; a first round does not count."""
    for work in sides.values():
        work()
    found: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(count):
        for name, work in sides.items():
            started, busy = clock(), time.process_time()
            work()
            found[name].append(clock() - started)
            processor[name].append(time.process_time() - busy)
    return found, {name: statistics.median(values) for name, values in processor.items()}


def text(values: list[float], scale: float = 1.0) -> str:
    return f"{statistics.median(values) * scale:8.2f} ({min(values) * scale:.2f}-{max(values) * scale:.2f})"


def bench_create(source: Path, folder: Path, arguments: argparse.Namespace) -> None:
    (folder / "photographs").mkdir()
    files = make_photographs(source, folder / "photographs", arguments.quality, arguments.most)
    size = statistics.mean(file.stat().st_size for file in files) / 1000
    print(f"create: {len(files)} JPEGs of {WIDTH}x{HEIGHT} px, {size:.0f} kB each; images a second, and their range")
    output = folder / "out.npy"
    create = ("create", folder / "photographs", "-o", output, "--size", SIZE, "--force")
    sides: dict[str, Callable[[], object]] = {
        "create": lambda: run_tool(*create),
        "create --exact": lambda: run_tool(*create, "--exact"),
        "create --dedupe --crop center": lambda: run_tool(*create, "--dedupe", "--crop", "center"),
        "imread and resize, one thread": lambda: script(files),
        "imread alone, one thread": lambda: decode_alone(files),
    }
    found, processor = rounds(sides, arguments.rounds, time.perf_counter)
    rate = {name: len(files) / statistics.median(values) for name, values in found.items()}
    for name, values in found.items():
        print(
            f"  {name:34} {rate[name]:7.0f} ({len(files) / max(values):.0f}-{len(files) / min(values):.0f}), "
            f"{processor[name] / len(files) * 1000:.2f} ms of processor time each"
        )
    for name in list(sides)[:3]:
        print(
            f"  {name}: {rate[name] / rate['imread and resize, one thread']:.2f} times the script, "
            f"{rate[name] / 2 / rate['imread alone, one thread']:.2f} of twice the decoding"
        )
    run_tool(*create)
    made = np.load(output)[:200]
    whole = [cv2.resize(cv2.imread(str(file)), (SIZE, SIZE), interpolation=cv2.INTER_AREA) for file in files[:200]]
    apart = np.abs(made - np.array(whole)[..., ::-1].astype(int)).mean()
    print(f"  mean difference to averages of all pixels: {apart:.2f} levels of 255")


def opencv_calls() -> dict[str, Callable[[np.ndarray, np.ndarray], object]]:
    """What OpenCV itself has for each kind, from an image into another."""
    sharp, high = filters.kernel(filters.SHARPEN_CENTRE), filters.kernel(filters.HIGH_PASS_CENTRE) / 256
    even = cv2.createCLAHE(2.0, (2, 2))

    def brightness(image: np.ndarray, out: np.ndarray) -> None:
        parts = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))
        cv2.cvtColor(cv2.merge((even.apply(parts[0]), *parts[1:])), cv2.COLOR_LAB2RGB, out)

    return {
        "--kind highpass": lambda image, out: cv2.GaussianBlur(image, (0, 0), 2.0, out),
        "--kind highpass --sigma 0": lambda image, out: cv2.filter2D(image, -1, high, out, delta=127.5),
        "--kind sharpen": lambda image, out: cv2.filter2D(image, -1, sharp, out),
        "--kind clahe": brightness,
        "--kind clahe --channels": lambda image, out: cv2.merge([even.apply(part) for part in cv2.split(image)], out),
        "--kind blur": lambda image, out: cv2.GaussianBlur(image, (7, 7), 0, out),
    }


def bench_filters(folder: Path, arguments: argparse.Namespace) -> None:
    """Images in memory, and from file to file."""
    run_tool("create", folder / "photographs", "-o", folder / "in.npy", "--size", arguments.size, "--force")
    images = np.load(folder / "in.npy")
    out = np.empty_like(images)
    print(f"filter: {len(images)} images of {arguments.size} px; microseconds an image, and their range")
    parser = argparse.ArgumentParser()
    add_options(parser, filters.Options)

    def each(change: Callable[[np.ndarray], np.ndarray]) -> None:
        for image, target in zip(images, out, strict=True):
            target[...] = change(image)

    def into(call: Callable[[np.ndarray, np.ndarray], object]) -> None:
        for image, target in zip(images, out, strict=True):
            call(image, target)

    clock = time.perf_counter if arguments.idle else time.process_time
    for kind, call in opencv_calls().items():
        flags = kind.split()
        change = filters.make_filter(filters.Options(**vars(parser.parse_args(["in", "-o", "out", *flags]))))
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda change=change: each(change),  # type: ignore[misc]
            "opencv": lambda call=call: into(call),  # type: ignore[misc]
            "copy": lambda: np.copyto(out, images),
            "tool": lambda flags=flags: run_tool(  # type: ignore[misc]
                "filter", folder / "in.npy", "-o", folder / "filtered.npy", "--force", *flags
            ),
        }
        found, _ = rounds(sides, arguments.rounds, clock)
        scale = 1e6 / len(images)
        middle = {name: statistics.median(values) for name, values in found.items()}
        ratio = middle["ours"] / max(middle["opencv"], middle["copy"])
        print(
            f"  {kind:26} ours {text(found['ours'], scale)}  opencv {text(found['opencv'], scale)}  copy "
            f"{text(found['copy'], scale)}: {ratio:.2f} of the larger; tool {text(found['tool'], scale)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder of photographs")
    parser.add_argument("--most", type=int, default=1000, help="photographs taken of the folder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quality", type=int, default=95, help="of the JPEGs (95, which OpenCV takes too)")
    parser.add_argument("--size", type=int, default=128, help="side of the images that are filtered, in pixels")
    parser.add_argument("--busy", dest="idle", action="store_false", help="filters by processor time, not by the clock")
    parser.add_argument("--folder", type=Path, help="where to work; removed afterwards")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, OpenCV {cv2.__version__}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench_create(arguments.photographs, Path(folder), arguments)
        bench_filters(Path(folder), arguments)


if __name__ == "__main__":
    main()
