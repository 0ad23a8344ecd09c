"""The page about scaling says what the networks are now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch", reason="needs the train extra")
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clusters.md"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_scaling", ROOT / "tests" / "bench" / "bench_scaling.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.slow
def test_the_committed_tables_are_what_is_counted(bench: ModuleType) -> None:
    page = PAGE.read_text(encoding="utf-8").split(bench.START)[1].split(bench.END)[0]
    committed, speeds = ([cells(line) for line in part.splitlines()[2:]] for part in page.strip().split("\n\n"))
    steps = [bench.take_step(name) for name in bench.names()]
    counted = [cells(line) for line in bench.weights_table(steps)[2:]]
    assert [row[:-1] for row in committed] == [row[:-1] for row in counted]
    for row, expected in zip(committed, counted, strict=True):  # how torch counts differs by its version
        assert float(row[-1]) == pytest.approx(float(expected[-1]), rel=0.05)
    seconds = [step.flop / 20e12 for step in steps]
    again = [cells(line) for line in bench.speeds_table(steps, seconds, 200e9, 12.5e9)[2:]]
    assert [(row[0], row[2]) for row in speeds] == [(row[0], row[2]) for row in again]


def test_a_ring_sends_what_the_formula_says(bench: ModuleType) -> None:
    step = bench.Step(
        family="x", side_px=8, images=10, parameters={"critic": 100, "generator": 50, "unused": 7},
        turns={"critic": 5, "generator": 1}, flop=1.0,
    )  # fmt: skip
    assert step.gradient_bytes == 4 * (5 * 100 + 50)
    assert [step.sent_bytes(gpus) for gpus in (1, 2, 4)] == [0, 2200, 3300]
    assert step.images_a_second(1, 0.5, 1e3, 1e3) == 20
    assert step.images_a_second(2, 0.5, 2200, 1) == pytest.approx(20 / 1.5)  # in one machine
    assert step.images_a_second(16, 0.5, 1, 4125) == pytest.approx(160 / 1.5)  # over two


def test_it_can_be_written_again(bench: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{bench.START}\nold\n{bench.END}\nafter\n")
    bench.main(["--families", "gan", "vae", "--step-ms", "10", "20", "--write", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| `gan` | 10 ms |" in text
    bench.main(["--families", "gan", "vae", "--step-ms", "10", "20", "--write", str(page)])
    assert page.read_text() == text
