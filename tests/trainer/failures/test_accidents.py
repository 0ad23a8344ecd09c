"""What happens to a run that was sound: one line, a code, the last good checkpoint kept, and the way on."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from trainings import NET, error_lines, run_trainings, training, weights

OPTIONS = ("--steps", 8, *NET, "--save-every", 2, "--sample-every", 100)
STREAMED = ("--memory", 0)  # read while training, as sets are that do not fit into memory
ACCIDENTS: list[Any] = [  # how, options, code, words
    pytest.param("nan", (), 2, "loss/vae/", id="nan"),
    pytest.param("memory", (), 1, "out of memory", id="memory"),
    pytest.param("loader", (*STREAMED, "--workers", 2), 1, "a loader process (", id="loader"),
    pytest.param("truncate", STREAMED, 2, "cut short", id="truncated"),
    pytest.param("truncate", (*STREAMED, "--workers", 2), 2, "cut short", id="truncated-for-loaders"),
]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(("how", "options", "code", "words"), ACCIDENTS)
def test_an_accident_is_one_line_and_costs_the_steps_since_the_last_checkpoint(
    tmp_path: Path, images: Path, ranks: int, how: str, options: tuple[Any, ...], code: int, words: str
) -> None:
    run, data, calm = tmp_path / "run", tmp_path / "data.npy", tmp_path / "calm"
    shutil.copy(images, data)
    common = ("--data", data, *OPTIONS, *options)
    happens = {"step": 5, "rank": ranks - 1, "how": how, "file": str(data)}
    broken, whole = run_trainings(
        [
            training(run, *common, ranks=ranks, **{"break": happens}),
            training(calm, *("--data", images, *OPTIONS, *options), ranks=ranks),
        ]
    )
    assert whole["codes"] == [0] * ranks
    said = [line for rank in range(ranks) for line in error_lines(broken, rank)]
    # a file is cut short for all of them: whoever reads on first finds it
    assert code in (broken["codes"] if how == "truncate" else broken["codes"][ranks - 1 :]), broken
    assert all(broken["codes"]), broken
    assert "Traceback" not in "".join(broken["errors"])
    assert any(words in line for line in said), said
    assert all(str(run / "checkpoints" / "step_00000004") in line for line in said), said
    assert broken["newest"] == 4
    assert not broken["complaints"]
    shutil.copy(images, data)
    (again,) = run_trainings([training(run, *common, ranks=ranks)])
    assert again["codes"] == [0] * ranks, again
    assert weights(run) == weights(calm)


def test_memory_that_runs_out_names_the_last_good_checkpoint(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    (broken,) = run_trainings([training(run, "--data", images, *OPTIONS, **{"break": {"step": 5, "how": "memory"}})])
    assert broken["codes"] == [1]
    (said,) = error_lines(broken)
    assert said.startswith(f"error: {run}: out of memory; ")
    assert said.endswith(f"in step 6; last good checkpoint: {run / 'checkpoints' / 'step_00000004'}")


@pytest.mark.slow
def test_a_defect_still_shows_where_it_is(tmp_path: Path, images: Path) -> None:
    (broken,) = run_trainings(
        [training(tmp_path / "run", "--data", images, *OPTIONS, **{"break": {"step": 1, "how": "raise"}})]
    )
    assert broken["codes"] == [1]
    assert "RuntimeError: a defect" in broken["errors"][0]
