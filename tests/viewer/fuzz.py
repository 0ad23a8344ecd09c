"""Fuzzes one target for so many seconds: ``python tests/viewer/fuzz.py card 600``.

With atheris (coverage leads the way) where that is installed, with plain mutation where not.
"""

import importlib
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    try:
        import atheris
    except ImportError:
        targets = importlib.import_module("fuzz_targets")
        print(f"{name}: {targets.fuzz(name, seconds, seed=time.time_ns())} inputs, no failure")
        return
    with atheris.instrument_imports(include=["export", "viewer", "trainer"]):
        targets = importlib.import_module("fuzz_targets")
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(targets.seeds(name)):
            (Path(folder) / str(number)).write_bytes(data)
        limits = [f"-max_total_time={int(seconds)}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], folder, *limits], lambda data: targets.check(name, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
