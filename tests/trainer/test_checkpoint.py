"""A checkpoint is whole, intact and its own, or it is not used."""

import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from base_runs import blurring_run
from commands import train
from torch import nn

from export.to_onnx import Output, export_run
from trainer import checkpoint
from trainer.checkpoint import Origin, State
from trainer.contract.errors import UserError
from trainer.family import Nets
from trainer.runs import store as runs


def make_nets(value: float = 0.0) -> Nets:
    net = nn.Linear(3, 2)
    nn.init.constant_(net.weight, value)
    return Nets(net=net)


def save(run: Path, step: int, score: float | None = None) -> Path:
    nets = make_nets(step)
    optimizer = torch.optim.Adam(nets.net.parameters())
    state = State(step=step, images_seen=step * 10, seconds=1.0, world_size=1, score=score)
    states = runs.state_dicts(nets)
    return runs.save(run, state, states, states, {"net": optimizer.state_dict()})


def load(path: Path) -> tuple[State, float]:
    nets = make_nets()
    state = runs.load(path, nets, make_nets(), {"net": torch.optim.Adam(nets.net.parameters())})
    return state, nets.net.weight[0, 0].item()


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    state, weight = load(save(tmp_path, 7, score=0.5))
    assert (state.step, state.images_seen, state.score, weight) == (7, 70, 0.5, 7.0)


def test_newest_and_best_are_kept(tmp_path: Path) -> None:
    for step, score in ((1, 0.5), (2, 0.1), (3, 0.4), (4, 0.3), (5, 0.2)):
        save(tmp_path, step, score)
        checkpoint.prune(tmp_path, keep=2)
    found = checkpoint.checkpoints(tmp_path)
    assert [checkpoint.step_of(path) for path in found] == [2, 4, 5]
    assert checkpoint.best_of(found) == found[0]


def test_without_scores_the_newest_is_the_best(tmp_path: Path) -> None:
    paths = [save(tmp_path, step) for step in (1, 12)]
    assert checkpoint.best_of(checkpoint.checkpoints(tmp_path)) == paths[1]


def test_every_flipped_bit_is_noticed_and_the_older_one_is_used(tmp_path: Path) -> None:
    old, new = save(tmp_path, 1), save(tmp_path, 2)
    files = [(file, file.read_bytes()) for file in sorted(new.iterdir())]
    generator = random.Random(0)
    for _ in range(100):
        file, data = generator.choice(files)
        spoilt = bytearray(data)
        offset = generator.randrange(len(data))
        spoilt[offset] ^= 1 << generator.randrange(8)
        file.write_bytes(spoilt)
        path, complaints = checkpoint.newest_intact(tmp_path)
        assert path == old, (file.name, offset)
        assert len(complaints) == 1
        assert str(new) in complaints[0]
        file.write_bytes(data)
    assert checkpoint.newest_intact(tmp_path) == (new, [])


def test_a_checkpoint_of_an_older_version_is_still_one(tmp_path: Path) -> None:
    old, new = save(tmp_path, 1), save(tmp_path, 2)
    facts = checkpoint.read_manifest(new)["files"]
    (new / checkpoint.MANIFEST).write_text(json.dumps(facts, indent=1))  # as manifests were before they had a seal
    assert checkpoint.newest_intact(tmp_path) == (new, [])
    assert checkpoint.origin_of(new) == Origin()
    (new / checkpoint.STATE).write_text("{}")
    assert checkpoint.newest_intact(tmp_path)[0] == old


def test_a_manifest_says_what_made_it(tmp_path: Path) -> None:
    nets = runs.state_dicts(make_nets())
    origin = Origin(run="abc", config={"batch_size": 4}, versions={"torch": "2.0"})
    path = runs.save(tmp_path, State(step=3, images_seen=9, seconds=1, world_size=2), nets, nets, {}, origin)
    facts = json.loads((path / checkpoint.MANIFEST).read_bytes())
    assert (facts["step"], facts["world_size"], facts["run"]) == (3, 2, "abc")
    assert facts["files"][checkpoint.NETS]["bytes"] == (path / checkpoint.NETS).stat().st_size
    assert checkpoint.origin_of(path) == origin
    renamed = path.with_name("step_00000009")
    path.rename(renamed)
    assert "is of step 3" in checkpoint.damage(renamed)


def test_damaged_ones_never_count_as_those_to_keep(tmp_path: Path) -> None:
    """With the newest two damaged, a run goes on from the third, and must not remove what it saves next."""
    first, *spoilt = (save(tmp_path, step) for step in (2, 6, 8))
    for path in spoilt:
        (path / checkpoint.NETS).write_bytes(b"")
    chosen, complaints = checkpoint.newest_intact(tmp_path)
    assert (chosen, len(complaints)) == (first, 2)
    for path in spoilt:
        checkpoint.set_aside(path)
    for step in (3, 4, 5):
        save(tmp_path, step)
        checkpoint.prune(tmp_path, keep=2)
    assert [checkpoint.step_of(path) for path in checkpoint.checkpoints(tmp_path)] == [4, 5]
    assert not any(checkpoint.damage(path) for path in checkpoint.checkpoints(tmp_path))


VERIFY = """
import sys
from trainer.checkpoint import main
code = main(["verify", sys.argv[1]])
assert "torch" not in sys.modules
sys.exit(code)
"""


def test_verify_says_a_line_on_each_without_torch(tmp_path: Path) -> None:
    good, bad = save(tmp_path, 1, score=0.5), save(tmp_path, 2)
    command = [sys.executable, "-c", VERIFY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    data = bytearray((bad / checkpoint.OPTIMIZERS).read_bytes())
    data[len(data) // 2] ^= 1
    (bad / checkpoint.OPTIMIZERS).write_bytes(data)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    intact, damaged = done.stdout.splitlines()
    assert intact.startswith(f"{good}: intact: ")
    assert "score 0.5" in intact
    assert damaged == f"{bad}: damaged: {checkpoint.OPTIMIZERS} does not match its SHA-256"
    assert checkpoint.main(["verify", str(tmp_path / "nothing")]) == 2


@pytest.mark.parametrize("name", [checkpoint.NETS, checkpoint.STATE, checkpoint.MANIFEST])
def test_missing_and_truncated_files_are_noticed(tmp_path: Path, name: str) -> None:
    old, new = save(tmp_path, 1), save(tmp_path, 2)
    data = (new / name).read_bytes()
    (new / name).write_bytes(data[: len(data) // 2])
    assert checkpoint.newest_intact(tmp_path)[0] == old
    (new / name).unlink()
    assert checkpoint.newest_intact(tmp_path)[0] == old


def test_a_damaged_checkpoint_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    path = save(tmp_path, 2)
    (path / checkpoint.NETS).write_bytes(b"")
    assert save(tmp_path, 2) == path
    assert not checkpoint.damage(path)


def test_a_full_disk_leaves_the_old_checkpoint_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = save(tmp_path, 1)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 2)
    assert [path.name for path in (tmp_path / checkpoint.FOLDER).iterdir()] == [old.name]


def test_leftovers_of_kills_are_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    litter = tmp_path / checkpoint.FOLDER / ".tmp-step_00000002-123"
    litter.mkdir()
    (litter / "nets.safetensors").write_bytes(b"half")
    checkpoint.prune(tmp_path, keep=2)
    assert not litter.exists()


@pytest.mark.parametrize(
    "config",
    [
        None,
        "not json",
        "[]",
        json.dumps({"family": "os:system", "config": {}, "spec": {}, "run_id": "x"}),
        json.dumps({"family": "trainer.families.vae:nn", "config": {}, "spec": {}, "run_id": "x"}),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path, config: Any) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
        save(tmp_path, 1)
    with pytest.raises(UserError) as caught:
        runs.restore(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_outlives_a_killed_run_does_not_hold_its_lock(tmp_path: Path) -> None:
    program = f"""
import os, signal, time
from pathlib import Path
from trainer.checkpoint import lock
held = lock(Path({str(tmp_path)!r}))
child = os.fork()
if not child:
    os.close(1)
    time.sleep(60)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    try:
        checkpoint.lock(tmp_path).close()
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


def test_a_score_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    for step, score in ((1, math.nan), (2, -math.inf), (3, 0.4), (4, 0.5)):
        save(tmp_path, step, score)
    found = checkpoint.checkpoints(tmp_path)
    assert checkpoint.best_of(found) == found[2]
    assert checkpoint.best_of(found[:2]) == found[1]


def test_scores_of_another_meaning_are_not_compared(tmp_path: Path) -> None:
    """The error by way of z1 is smaller than that of what is exported; a run may have checkpoints scored by either."""
    for step, score in ((1, 0.1), (2, 0.5), (3, 0.4)):
        save(tmp_path, step, None)
        path = checkpoint.checkpoints(tmp_path)[-1]
        checkpoint.write_score(path, score=score, **({"scored_by": "exported"} if step > 1 else {}))
    found = checkpoint.checkpoints(tmp_path)
    assert checkpoint.best_of(found) == found[2]
    assert checkpoint.read_state(found[2]).scored_by == "exported"
    assert checkpoint.best_of(found[:1]) == found[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows locks otherwise")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    checkpoint.lock(tmp_path).close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {tmp_path}: cannot be locked ({os.strerror(number)})")


@pytest.mark.slow
def test_a_run_of_version_0_1_resumes_and_exports_with_the_base_run_that_it_has(tmp_path: Path, images: Path) -> None:
    """In that version the copy of the base run lay in ``foundation``, and config.json listed ``starts``."""
    low, run = blurring_run(images, 32), tmp_path / "run"
    options = ("--data", images, "--image-size", 32, "--low", low, "--out", run, "--batch-size", 4, "--hold-out", 5)
    assert train(*options, "--steps", 1, model="hpf").returncode == 0
    (run / "base_run").rename(run / "foundation")
    config = json.loads((run / "config.json").read_text())
    config["starts"] = config.pop("resumes")
    (run / "config.json").write_text(json.dumps(config))
    low.rename(tmp_path / "moved")  # neither needs it
    try:
        done = train(*options, "--steps", 2, model="hpf")
        assert done.returncode == 0, done.stderr
        assert not (run / "base_run").exists()
        resumes = json.loads((run / "config.json").read_text())["resumes"]
        assert [resume["at_step"] for resume in resumes] == [0, 1]
        assert checkpoint.verify(run) == 0
        assert export_run(run, Output(path=tmp_path / "detail.onnx")) == [tmp_path / "detail.onnx"]
    finally:
        (tmp_path / "moved").rename(low)
