"""On one GPU: step times of all families beside a plain loop and the roofline, and two trainings. See ``gpu.sh``.

A step of each family with its default options, on drawn images: by a plain loop (fp32, a DataLoader, ``.item()`` every
step), by the real loop in bf16, and compiled besides; medians of rounds. The roofline is the least that the device
could take for it: the step's floating-point operations at the rate that it reaches in a bf16 product of large matrices,
or what Adam and the averaging of weights must read and write at the rate of a large copy, whichever takes longer.
``of roofline`` is that over the time of a step. Then SRGAN with its default options and DDPM at 64 px train for a
minute and a quarter each. What there is no time for is said, and left out. Writes gpu.json, of everything, and sheets.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from base_runs import blurring_run
from bench_scaling import OPTIONS, step_of
from bench_training import plain_loop, real_loop

from trainer.command_line import parse
from trainer.data.batches import open_data
from trainer.data.drawing import toycats
from trainer.families import family_names, load_family
from trainer.family import Crops

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 450.0  # in all
TRAINING_SECONDS = 75.0  # of each of the two
LEAST_COMPILING = 25.0  # seconds that must be left to compile another family
PASSES = 9 * 4  # bytes an update reads and writes for each weight: Adam seven numbers of 4 bytes, the average two
IMAGES = 256
TINY: dict[str, list[str]] = {
    "classifier": ["--width", "8"],
    "ddpm": ["--width", "8"],
    "pix2pix": ["--image-size", "32", "--width", "8"],
    "srgan": ["--crop-size", "32", "--blocks", "1", "--features", "8", "--discriminator-width", "8"],
    "vaegan": ["--image-size", "32", "--discriminator", "resnet10"],
}


class Bench:
    """The device, the time that is left, and what was found."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.tiny = options.tiny
        self.device = torch.device("cpu" if self.tiny else "cuda")
        self.until = time.monotonic() + SECONDS
        self.rounds, self.steps = (2, 1) if self.tiny else (5, 10)
        self.found: dict[str, Any] = {"torch": torch.__version__, "tiny": self.tiny, "families": {}, "trainings": {}}

    def left(self) -> float:
        """Seconds for step times, the trainings' kept aside."""
        return self.until - time.monotonic() - 2 * (15 if self.tiny else TRAINING_SECONDS + 15)

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def milliseconds(self, steps: Callable[[int], None], warm_up: int = 3) -> float:
        """Of a step, the median of rounds."""
        steps(warm_up)
        times = []
        for _ in range(self.rounds):
            self.synchronise()
            began = time.perf_counter()
            steps(self.steps)
            self.synchronise()
            times.append((time.perf_counter() - began) / self.steps * 1e3)
        return statistics.median(times)

    def rates(self) -> None:
        """What the device reaches: operations a second of a bf16 product, bytes a second of a copy."""
        side, numbers = (256, 1 << 20) if self.tiny else (8192, 1 << 28)
        one, other = (torch.randn(side, side, device=self.device, dtype=torch.bfloat16) for _ in "ab")
        source = torch.randn(numbers, device=self.device)
        target = torch.empty_like(source)
        product = self.milliseconds(lambda count: [one @ other for _ in range(count)] and None)
        copy = self.milliseconds(lambda count: [target.copy_(source) for _ in range(count)] and None)
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"
        self.found |= {
            "device": name,
            "teraflops_bf16": 2 * side**3 / product / 1e9,
            "gigabytes_a_second": 2 * 4 * numbers / copy / 1e6,
        }
        print(f"{name}: {self.found['teraflops_bf16']:.4g} TFLOP/s of bf16, "
              f"{self.found['gigabytes_a_second']:.4g} GB/s", flush=True)  # fmt: skip

    def flags(self, name: str, *more: str) -> list[str]:
        """Of a run of a family with its default options, on drawn images."""
        family = load_family(name)
        own = [] if not self.tiny else ["--batch-size", "4", *TINY.get(name, [])]
        for option, value in OPTIONS.get(name, {}).items():
            own += [] if option == "low" else [f"--{option.replace('_', '-')}", str(value)]
        config: Any = parse(family.Config, own, "") if name != "hpf" else family.Config(low=Path("low"))
        reading = family(config).reading()
        side = reading.size_px + 32 if isinstance(reading, Crops) else config.image_size or (32 if self.tiny else 64)
        data = self.drawn(side)
        if name == "hpf":
            own += ["--low", str(blurring_run(data, side))]
        where = ["--data", str(data), "--out", str(self.folder / f"{name}-{len(more)}"), "--hold-out", "0"]
        return [*own, *where, "--device", self.device.type, *(["--threads", "1"] if self.tiny else []), *more]

    def drawn(self, side: int) -> Path:
        """Drawn cats of this size, of ten classes."""
        path = self.folder / f"cats{side}.npy"
        if not path.exists():
            count = 16 if self.tiny else IMAGES
            np.save(path, np.stack([toycats.paint(toycats.choose(0, k), side) for k in range(count)]))
            labels = {"labels": [k % 10 for k in range(count)], "classes": [str(k) for k in range(10)]}
            path.with_suffix(".json").write_text(json.dumps(labels), encoding="utf-8")
        return path

    def eager(self, name: str) -> None:
        """The plain loop and the real one in bf16."""
        family = load_family(name)
        config: Any = parse(family.Config, self.flags(name), "")
        images = open_data(config, family(config).reading(), progress=False)
        row = self.found["families"][name] = {"images": config.batch_size, "px": images.spec.image_size[0]}
        counted = step_of(name, family(config))
        updates = sum(counted.parameters[net] * count for net, count in counted.turns.items())
        compute = counted.flop / self.found["teraflops_bf16"] / 1e9
        moving = PASSES * updates / self.found["gigabytes_a_second"] / 1e6
        row |= {"gigaflop": counted.flop / 1e9, "roofline_ms": max(compute, moving)}
        row["bound_by"] = "operations" if compute > moving else "weights"
        row["plain_ms"] = self.milliseconds(plain_loop(family, config, images, 0, self.device.type))
        real: Any = parse(family.Config, self.flags(name, "--precision", "bf16"), "")
        row["bf16_ms"] = self.milliseconds(real_loop(family, real))
        self.say(name)

    def compiled(self, name: str) -> None:
        family, row = load_family(name), self.found["families"][name]
        began = time.monotonic()
        config: Any = parse(family.Config, self.flags(name, "--precision", "bf16", "--compile"), "")
        row["compiled_ms"] = self.milliseconds(real_loop(family, config))
        row["compiling_s"] = time.monotonic() - began
        self.say(name)

    def say(self, name: str) -> None:
        row = self.found["families"][name]
        best = min(row["bf16_ms"], row.get("compiled_ms", row["bf16_ms"]))
        row["times_plain"], row["of_roofline"] = row["plain_ms"] / best, row["roofline_ms"] / best
        compiled = f", compiled {row['compiled_ms']:.4g}" if "compiled_ms" in row else ""
        print(f"{name}: plain {row['plain_ms']:.4g} ms a step, bf16 {row['bf16_ms']:.4g}{compiled}; "
              f"{row['times_plain']:.2f} times the plain loop, {row['of_roofline']:.1%} of the roofline "
              f"({row['roofline_ms']:.3g} ms, {row['bound_by']})", flush=True)  # fmt: skip

    def step_times(self) -> None:
        """Of all families: first without compiling, then compiled as far as there is time."""
        for measure, least in ((self.eager, 0.0), (self.compiled, LEAST_COMPILING)):
            for name in self.options.families:
                row = self.found["families"].get(name, {})
                if "error" in row:
                    continue
                if self.left() < least:
                    self.found["families"].setdefault(name, {})["left_out"] = measure.__name__
                    print(f"{name}: no time left for {measure.__name__} steps", flush=True)
                    continue
                try:
                    measure(name)
                except Exception as error:  # the others are measured all the same
                    text = " ".join(str(error).split())[:300]
                    self.found["families"].setdefault(name, {})["error"] = f"{measure.__name__}: {text}"
                    print(f"{name}: {measure.__name__} failed: {text}", flush=True)
                self.write()

    def train(self, name: str, *flags: str) -> None:
        """A training, its log and its last sheet."""
        run = self.folder / f"training-{name}"
        seconds = 4 if self.tiny else min(TRAINING_SECONDS, self.until - time.monotonic() - 15)
        words = [*flags, "--minutes", f"{seconds / 60:.3f}", "--out", str(run), "--device", self.device.type]
        words += ["--batch-size", "4", "--threads", "1", *TINY[name]] if self.tiny else ["--precision", "bf16"]
        command = [sys.executable, str(ROOT / "trainer" / f"train_{name}.py"), *words]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        rows = []
        if (run / "log.jsonl").exists():
            rows = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        last = {
            kind: next((row for row in reversed(rows) if row["kind"] == kind), {}) for kind in ("train", "held_out")
        }
        self.found["trainings"][name] = {"flags": words, "code": ended.returncode, **last}
        if ended.returncode:
            error = (ended.stderr.strip().splitlines() or ["no error was said"])[-1]
            self.found["trainings"][name]["error"] = error
            print(f"{name}: training failed: {error}", flush=True)
            return
        sheet = max((run / "samples").glob("*.png"))
        (self.options.out / f"{name}.png").write_bytes(sheet.read_bytes())
        print(f"{name}: {last['train'].get('step')} steps, {last['train'].get('images_per_second')} images/s, "
              f"{json.dumps(last['held_out'])}", flush=True)  # fmt: skip
        self.write()

    def trainings(self) -> None:
        data = self.options.data or self.photographs()
        vgg = ["--vgg", str(self.options.vgg)] if self.options.vgg else ["--perceptual", "0", "--pixel", "1"]
        pretrain = "3" if self.tiny else "400"  # of the time that there is; the rest is the second stage
        self.train("srgan", "--data", str(data), "--hold-out", "10", "--pretrain", pretrain, "--steps", "1000000", *vgg)
        size = ["--image-size", "32", "--sample-steps", "4"] if self.tiny else ["--image-size", "64"]
        self.train("ddpm", "--data", str(data), "--hold-out", "10", "--schedule", "cosine", "--steps", "1000000", *size)

    def photographs(self) -> Path:
        """Drawn cats as files, where there are no photographs."""
        folder = self.folder / "drawn"
        folder.mkdir()
        side = 64 if self.tiny else 320
        for number in range(20 if self.tiny else IMAGES):
            image = toycats.paint(toycats.choose(1, number), side)
            cv2.imwrite(str(folder / f"{number:04}.png"), np.ascontiguousarray(image[..., ::-1]))
        return folder

    def write(self) -> None:
        (self.options.out / "gpu.json").write_text(json.dumps(self.found, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--families", nargs="*", default=family_names(), choices=family_names(), help="which (all)")
    parser.add_argument("--tiny", action="store_true", help="small sizes, on the processor")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("error: found no CUDA device, expected one; CPU=1 tries everything with tiny sizes")
    options.out = options.out.absolute()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        if options.tiny:
            torch.set_num_threads(1)
        bench.rates()
        bench.step_times()
        bench.trainings()
        bench.write()
    failed = [name for part in ("families", "trainings") for name, row in bench.found[part].items() if "error" in row]
    print(f"written to {options.out / 'gpu.json'}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
