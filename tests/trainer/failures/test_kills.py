"""kill -9 while checkpoints are written: the newest is whole, loads, and holds one moment's files alone."""

import random
from pathlib import Path

import pytest
from trainings import NET, many, run_trainings, training

from trainer import checkpoint


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_no_kill_while_saving_costs_or_mixes_anything(tmp_path: Path, images: Path, ranks: int) -> None:
    """Each start goes on from what the last kill has left, and saves at every step; KILLS=200 kills it so often."""
    kills = many("KILLS", 20)
    run, generator = tmp_path / "run", random.Random(ranks)
    options = ("--data", images, "--steps", 10**6, *NET, "--save-every", 1, "--sample-every", 10**6)
    victims = [[0], [1], [0, 1]][: 2 * ranks - 1]
    commands = [
        training(
            run, *options, ranks=ranks, kill={"after": generator.uniform(0, 0.2), "ranks": generator.choice(victims)}
        )
        for _ in range(kills)
    ]
    endings = run_trainings(commands)
    reached, nets = -1, {}
    for number, ending in enumerate(endings):
        what = f"kill {number}: {ending}"
        assert -9 in ending["codes"], what
        assert not ending["complaints"], what
        assert "skipped" not in "".join(ending["errors"]), what
        assert ending["newest"] > reached, what
        assert not number or f"at step {reached}," in ending["out"], what  # it loaded the newest
        assert nets.setdefault(ending["newest"], ending["nets"]) == ending["nets"], what
        reached = ending["newest"]
    path, _ = checkpoint.newest_intact(run)
    assert path is not None
    state = checkpoint.read_state(path)
    assert state.images_seen == state.step * 4 * ranks
    calm = tmp_path / "calm"
    (whole,) = run_trainings(
        [training(calm, "--data", images, "--steps", reached, *NET, "--save-every", 10**6,
                  "--sample-every", 10**6, ranks=ranks)]
    )  # fmt: skip
    assert whole["nets"] == nets[reached]  # as if nothing had happened
