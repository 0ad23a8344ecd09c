"""Time to quality: for each family, held-out quality over CPU-seconds, ours beside plain programs of the same paper.

    python tests/bench/bench_time_to_quality.py --data DATA --out quality/ --minutes 5 --seeds 3
    python tests/bench/bench_time_to_quality.py --out quality/ --report
    python tests/bench/bench_time_to_quality.py --data DATA --out quality/ --families vae --try wide "--width 32"

DATA is the folder of the sets: mnist, cats128, dogs286, sr/bsds_train, sr/set5 ($IMAGE_DATA without --data). Ours is a
run by the preset that the docs recommend for the set, through the loop's own step, measured by its averaged weights.
The plain programs are those of ``plain/``: the paper at its published settings (at most as wide as one core can train),
and variants as people would tune it for such a machine; all have the whole of the time, and at each moment the best of
them counts. Both sides get decoded images from the same stream, are mirrored alike, and are measured by the same code
on the same held-out images. Only training counts as time: CPU-seconds of the process, on one core (``--core``), by one
thread; neither reading the set nor measuring does.

Each family, side and seed is a process and a file of its own, curves/FAMILY-SIDE-SEED.json with a sheet beside it:
what is there is not done again. The classifier in whose features sets are compared, and the autoencoder whose images
``hpf`` sharpens, are trained first (--features and --low name others). ``--try NAME FLAGS`` adds a side of ours with
other flags. ``--report`` prints the table of ratios of times to the same quality, its spread over seeds in brackets,
and draws the curves.
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
POINTS = 10  # measurements in a run, at equal ratios of time
RATIO = 0.6  # of the times of two of them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("IMAGE_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--families", nargs="+", default=[])
    parser.add_argument("--sides", nargs="+", default=[], help="ours, plain-published, …")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--features", type=Path, help="run of a classifier of digits")
    parser.add_argument("--low", type=Path, help="run of an autoencoder of cats of 64 px")
    parser.add_argument("--try", dest="tries", nargs=2, action="append", default=[], metavar=("NAME", "FLAGS"))
    parser.add_argument("--core", type=int, help="the core to compute on; unset: the last one that there is")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)  # family, side, seed
    options = parser.parse_args()
    if options.report:
        from quality.report import write_report

        print(write_report(options.out), end="")
        return
    if options.data is None:
        raise SystemExit("error: --data is missing, expected the folder of the sets")
    options.out = options.out.absolute()
    pin(options.core)
    if options.job:
        family, side, seed = options.job
        work(options, family, side, int(seed))
        return
    from quality.tasks import TASKS

    unknown = {*options.families} - TASKS.keys()
    if unknown:
        raise SystemExit(f"error: --families has {', '.join(unknown)}, expected some of {', '.join(TASKS)}")
    families = options.families or list(TASKS)
    tries = [f"ours-{name}" for name, _ in options.tries]
    jobs = [
        (family, side, seed)
        for seed in range(options.seeds)
        for family in families
        for side in (*tries, "ours", *TASKS[family].variants)
        if not options.sides or side in (*options.sides, *tries)
    ]
    prepare(options, {TASKS[family].measure for family, _, _ in jobs})
    for family, side, seed in jobs:
        path = curve_file(options.out, family, side, seed)
        if path.exists():
            minutes = json.loads(path.read_text(encoding="utf-8"))["minutes"]
            if minutes != options.minutes:
                raise SystemExit(
                    f"error: {path}: is of {minutes:g} minutes, expected {options.minutes:g}: another --out"
                )
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--job", family, side, str(seed)]
        if subprocess.run(command, check=False).returncode:
            print(f"{family} {side} {seed}: failed", flush=True)


def pin(core: int | None) -> None:
    """Compute on one core, by one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if core is None else core})


def curve_file(out: Path, family: str, side: str, seed: int) -> Path:
    return out / "curves" / f"{family}-{side}-{seed}.json"


def places(options: argparse.Namespace) -> dict[str, Path]:
    """What is put into the flags of tasks."""
    features, low = options.features or options.out / "classifier", options.low or options.out / "low"
    return {"data": options.data.absolute(), "features": features.absolute(), "low": low.absolute()}


def prepare(options: argparse.Namespace, measures: set[str]) -> None:
    """Train what figures need: the same commands go on where they were stopped."""
    found = places(options)
    needed = {
        "features": ("frechet", options.features, "train_classifier.py", "--preset digits --data {data}/mnist"),
        "low": ("detail", options.low, "train_vae.py", "--preset small-photos --data {data}/cats128 --image-size 64"),
    }
    for name, (measure, given, program, flags) in needed.items():
        if measure in measures and given is None:
            words = [word.format(**found) for word in flags.split()]
            command = [sys.executable, str(ROOT / "trainer" / program), *words, "--threads", "1", "--device", "cpu"]
            subprocess.run([*command, "--out", str(found[name])], check=True, cwd=ROOT)


def work(options: argparse.Namespace, family: str, side: str, seed: int) -> None:
    """Train one side of a family for the time, and write its curve."""
    import torch
    from quality.measuring import Measuring
    from quality.sides import Ours, PlainSide, Side
    from quality.tasks import TASKS

    torch.set_num_threads(1)
    task, found = TASKS[family], places(options)
    flags = {f"ours-{name}": shlex.split(flags) for name, flags in options.tries}
    measuring = Measuring(task, found, seed)
    with tempfile.TemporaryDirectory() as folder:
        chosen: Side
        if side.startswith("ours"):
            chosen = Ours(task, flags.get(side, []), found, seed, options.minutes, Path(folder) / "run")
        else:
            chosen = PlainSide(task, side, found, seed)
        rows = curve(chosen, measuring, options.minutes * 60)
        path = curve_file(options.out, family, side, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        measuring.sheet(chosen, path.with_suffix(".png"))
    job = {
        "family": family, "side": side, "seed": seed, "minutes": options.minutes, "measure": task.measure,
        "flags": flags.get(side, task.ours) if side.startswith("ours") else repr(task.variants[side][1]),
        "torch": torch.__version__, "rows": rows,
    }  # fmt: skip
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(job, indent=1), encoding="utf-8")
    temporary.replace(path)
    shown = " ".join(
        f"{row['seconds']:.3g}s:{'nan' if row['error'] is None else format(row['error'], '.4g')}" for row in rows
    )
    print(f"{family} {side} {seed}, {rows[-1]['steps']} steps: {shown}", flush=True)


def curve(side: Any, measuring: Any, seconds: float) -> list[dict[str, Any]]:
    """Figures over CPU-seconds of training."""
    due = [seconds * RATIO**place for place in reversed(range(POINTS))]
    rows: list[dict[str, Any]] = []
    spent, steps = 0.0, 0
    while due:
        began = time.process_time()
        side.step(min(spent / seconds, 1.0))
        spent += time.process_time() - began
        steps += 1
        if spent >= due[0]:
            due = [at for at in due if at > spent]
            figures = {name: value if math.isfinite(value) else None for name, value in measuring.measure(side).items()}
            rows.append({"seconds": round(spent, 4), "steps": steps, "images": side.images_seen, **figures})
    return rows


if __name__ == "__main__":
    main()
