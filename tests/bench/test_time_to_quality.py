"""The comparison of times to quality: every plain implementation learns, and the table says what the curves do."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from plain.base import Plain  # noqa: E402
from quality import report, tasks  # noqa: E402

from trainer.family import Batch, DataSpec  # noqa: E402

SIDE = 32
MAY_FAIL = ("published-0.02", "published-0.1")  # step sizes of which the paper takes the one that begins best
EVERY = [
    pytest.param(kind, settings, id=f"{family}-{name}")
    for family, task in tasks.TASKS.items()
    for name, (kind, settings) in task.variants.items()
    if not name.endswith(MAY_FAIL) and family != "vaegan"  # which has to learn what it measures by first: minutes
]


def batch(count: int, channels: int, image_range: tuple[float, float], paired: int, small: int = 1) -> Batch:
    """Images that are light above or light below, which their labels and conditions say."""
    label = torch.arange(count) % 2
    random = torch.Generator().manual_seed(0)
    image = 0.4 + 0.1 * torch.rand(count, channels, SIDE, SIDE, generator=random)
    image[label == 0, :, : SIDE // 2] += 0.4
    image[label == 1, :, SIDE // 2 :] += 0.4
    low, high = image_range
    image = image * (high - low) + low
    condition = image[:, :paired, ::small, ::small] if paired else None
    return Batch(image=image, label=label, condition=condition)


def measured(kind: type[Plain], side: Plain, given: Batch) -> float:
    """Mean squared error of what a side makes of the batch, or of the mean of its samples from that of the images."""
    low, high = side.image_range
    image = (given.image - low) / (high - low)
    with torch.no_grad():
        side.train(False)
        if kind.translate is not Plain.translate:
            assert given.condition is not None
            made = side.translate((given.condition - low) / (high - low))
        elif kind.reconstruct is not Plain.reconstruct:
            made = side.reconstruct(image)
        else:
            made = side.sample(len(image), torch.Generator().manual_seed(0))
            assert made.shape == image.shape
            return float((made.mean(0) - image.mean(0)).square().mean())
        side.train(True)
    assert made.shape == image.shape
    return float((made - image).square().mean())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), EVERY)
def test_a_plain_implementation_learns_two_images(kind: type[Plain], settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    name = kind.__name__
    paired = 3 if name in ("Pix2Pix", "SRResNet", "Sharpened") else 0
    spec = DataSpec(image_size=(SIDE, SIDE), channels=3, classes=("0", "1"), condition_channels=paired)
    side = kind(spec, **settings)
    given = batch(min(side.batch_size, 16), 3, side.image_range, paired, 2 if name == "SRResNet" else 1)
    batches = iter(lambda: given, None)
    before = measured(kind, side, given)
    side.train(True)
    for _ in range({"PaperVAE": 80, "WGAN": 40}.get(name, 12)):
        side.step(batches)
    assert measured(kind, side, given) < before


def test_times_to_one_quality_are_read_between_points() -> None:
    rows = [{"seconds": s, "error": e} for s, e in ((1.0, 4.0), (2.0, 5.0), (4.0, 1.0), (8.0, None))]
    curve = report.best_so_far(rows)
    assert curve == [(1.0, 4.0), (4.0, 1.0)]
    assert report.seconds_to(curve, 5.0) == 1.0
    assert report.seconds_to(curve, 2.0) == pytest.approx(2.0)
    assert report.seconds_to(curve, 1.0) == 4.0
    assert math.isinf(report.seconds_to(curve, 0.9))
    assert report.envelope([curve, [(2.0, 2.0)]]) == [(1.0, 4.0), (2.0, 2.0), (4.0, 1.0)]


def write(out: Path, side: str, seed: int, curve: list[tuple[float, float]]) -> None:
    (out / "curves").mkdir(exist_ok=True)
    rows = [{"seconds": seconds, "error": error} for seconds, error in curve]
    job = {"family": "gan", "side": side, "seed": seed, "rows": rows}
    (out / "curves" / f"gan-{side}-{seed}.json").write_text(json.dumps(job), encoding="utf-8")


def test_the_table_has_the_better_plain_side_and_the_ratio_of_times(tmp_path: Path) -> None:
    for seed, ahead in ((0, 4.0), (1, 2.0), (2, 3.0)):
        write(tmp_path, "plain-published", seed, [(1.0, 100.0), (40.0, 20.0)])
        write(tmp_path, "plain-tutorial", seed, [(1.0, 80.0), (40.0, 40.0)])
        write(tmp_path, "ours", seed, [(1.0, 90.0), (40.0 / ahead, 20.0), (40.0, 10.0)])
    text = report.write_report(tmp_path)
    (row,) = [line for line in text.splitlines() if line.startswith("| gan ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["gan", "frechet", "20 (20–20)", "published"]
    assert cells[4] == "10 (10–10)"
    assert cells[5] == "3 (2–4)"
    assert (tmp_path / "gan.png").stat().st_size > 1000


def test_a_side_that_never_gets_there_is_said_to_be_behind(tmp_path: Path) -> None:
    write(tmp_path, "plain-published", 0, [(1.0, 100.0), (40.0, 20.0)])
    write(tmp_path, "ours", 0, [(1.0, 100.0), (40.0, 30.0)])
    assert "behind in 1 of 1" in report.write_report(tmp_path)


def test_every_task_names_options_that_its_family_has() -> None:
    places = {name: Path(name) for name in ("data", "low", "features")}
    for task in tasks.TASKS.values():
        config = task.config(task.ours, places)
        assert config.hold_out >= 2 or task.measure == "psnr"
        plain = task.config(task.plain_data, places)
        assert replace(plain, image_size=config.image_size) == plain, "both sides learn images of one size"
