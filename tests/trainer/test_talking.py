"""A run says what it does, shows samples and saves in time, and none of it changes what it learns."""

import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from commands import ROOT, environment, log_rows, run_training, train, train_command
from torch import Tensor
from trainings import training, weights

from trainer import checkpoint, clock, launcher, next_commands, validation
from trainer.checkpoint import State
from trainer.clock import Clock
from trainer.config import RunConfig
from trainer.families.ddpm import DDPM, DDPMConfig
from trainer.family import DataSpec
from trainer.launcher import Launcher
from trainer.progress import Progress
from trainer.runs import store
from trainer.validation import Validation

NET = ("--batch-size", 4, "--hidden-size", 8, "--latent-size", 3, "--hold-out", 2)


class Time:
    """A clock that stands still."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> Time:
    still = Time()
    for module in (clock, validation):
        monkeypatch.setattr(module, "time", still)
    monkeypatch.setattr(clock.psutil, "Process", lambda: SimpleNamespace(create_time=lambda: 1000.0))
    return still


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_sheets_and_checkpoints_by_the_clock_change_no_bit(tmp_path: Path, images: Path, ranks: int) -> None:
    often, seldom = tmp_path / "often", tmp_path / "seldom"
    common = ("--data", images, *NET, "--steps", 9, "--save-every", 100, "--log-every", 100)
    by_clock = ("--save-minutes", 1e-6, "--sample-every", 1, "--score-seconds", 1e-9)
    for run, options in ((often, by_clock), (seldom, ("--save-minutes", 0, "--sample-every", 100))):
        result = train(*common, "--out", run, *options, ranks=ranks)
        assert result.returncode == 0, result.stderr
    assert len(list((often / "samples").iterdir())) == 10
    assert len(list((seldom / "samples").iterdir())) == 2
    assert [row["step"] for row in log_rows(often)] == list(range(1, 10)), "it saved after every step"
    assert weights(often) == weights(seldom)


def test_sheets_come_at_growing_intervals(clock_at: Time) -> None:
    made, drawn = Clock(RunConfig(save_minutes=0)), []
    while clock_at.now < 1300:
        if made.wants_sheet():
            drawn.append(clock_at.now - 1000)
            made.drew()
        clock_at.now += 1
    assert drawn == [15, 30, 60, 120, 240]
    assert not made.wants_save()


def test_no_more_work_is_lost_than_stated(clock_at: Time) -> None:
    """A step takes 9 s, writing 4 s: each checkpoint is there before what it adds to the last one is too old."""
    made, written_at, state_of = Clock(RunConfig(save_minutes=5)), [1000.0], [1000.0]
    while clock_at.now < 3000:
        clock_at.now += 9
        made.step_seconds = 9
        if made.wants_save():
            since = clock_at.now
            clock_at.now += 4
            made.saved(since)
            state_of.append(since)
            written_at.append(clock_at.now)
    lost = [done - before for done, before in zip(written_at[1:], state_of[:-1], strict=True)]
    assert lost[0] <= 60
    assert max(lost) <= 300
    assert min(lost[1:]) > 250


@pytest.mark.parametrize(("seconds", "side"), [(1000.0, 8), (30.0, 5), (3.5, 1), (0.0, 1)])
def test_a_slow_family_draws_a_corner_of_its_sheet(clock_at: Time, seconds: float, side: int) -> None:
    class Slow:
        """A second a sample, which is its latent."""

        needs_labels, sheet_side, score_batch, image_range = False, 8, 64, (0.0, 1.0)

        def draft(self) -> Any:
            return self

        def describe(self, *_: Any) -> dict[str, Any]:
            return {}

        def sample_inputs(self, count: int, *_: Any) -> tuple[Tensor]:
            return (torch.arange(count).float()[:, None, None, None],)

        def sample(self, nets: Any, description: Any, latent: Tensor) -> Tensor:
            clock_at.now += len(latent)
            return latent

        def sheet(self, samples: Tensor, *inputs: Tensor) -> Tensor:
            assert samples.equal(inputs[0])
            return samples

    nothing = np.arange(0)
    images: Any = SimpleNamespace(spec=DataSpec(image_size=(1, 1), channels=1), split=lambda _: (nothing, nothing))
    slow, world, any_nets = Slow(), SimpleNamespace(device=torch.device("cpu")), SimpleNamespace()
    made = Validation(slow, RunConfig(), world, Progress(speaks=False), images, any_nets)  # type: ignore[arg-type]
    sheet, drawn, whole = made.sheet(0, seconds)
    assert (drawn, whole) == (side, 8)
    corner = torch.arange(64).view(8, 8)[:side, :side]
    assert sheet.flatten().tolist() == corner.flatten().tolist()


def test_the_sheet_before_training_is_a_draft_of_slow_samplers() -> None:
    for steps, expected in ((25, 4), (2, 2)):
        assert DDPM(DDPMConfig(sample_steps=steps)).draft().config.sample_steps == expected


def test_scoring_is_bounded_and_all_checkpoints_of_a_run_alike(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    options = ("--data", images, "--out", run, *NET, "--save-every", 2, "--keep", 9, "--score-seconds", 1e-9)
    result = train(*options, "--steps", 4)
    assert "scoring 8 of 18 held-out images, the same of every checkpoint" in result.stdout, result.stdout
    again = train(*options, "--steps", 6)
    assert again.returncode == 0
    assert "held-out images" not in again.stdout, "as many as before, without measuring"
    states = [checkpoint.read_state(path) for path in checkpoint.checkpoints(run)]
    assert [state.scored_images for state in states] == [8, 8, 8]
    assert states[0].metrics["score"] == states[0].score == log_rows(run, "held_out")[0]["score"]
    everything = train(*options[:-1], 0, "--steps", 8)
    assert everything.returncode == 0
    assert checkpoint.read_state(checkpoint.checkpoints(run)[-1]).scored_images == 0


def test_the_best_is_of_those_scored_on_as_many_images_as_the_newest(tmp_path: Path) -> None:
    for step, score, images in ((1, 0.1, 8), (2, 0.4, 50), (3, 0.2, 50), (4, 0.3, 50)):
        path = store.save(tmp_path, State(step=step, images_seen=0, seconds=0, world_size=1), {}, {}, {})  # type: ignore[arg-type]
        checkpoint.write_score(path, score=score, scored_images=images)
    found = checkpoint.checkpoints(tmp_path)
    assert checkpoint.best_of(found) == found[2]
    data = bytearray((found[2] / checkpoint.SCORE).read_bytes())
    data[12] ^= 1
    (found[2] / checkpoint.SCORE).write_bytes(data)
    assert "score.json does not match" in checkpoint.damage(found[2])


def test_a_checkpoint_that_was_never_scored_is_scored_when_the_run_resumes(tmp_path: Path, images: Path) -> None:
    """As after a kill between saving and scoring."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ("--data", images, *NET, "--save-every", 2)
    for run, steps in ((whole, 4), (killed, 2)):
        assert train(*options, "--out", run, "--steps", steps).returncode == 0
    (path,) = checkpoint.checkpoints(killed)
    (path / checkpoint.SCORE).unlink()
    rows = (killed / "log.jsonl").read_text().splitlines(keepends=True)
    (killed / "log.jsonl").write_text("".join(row for row in rows if json.loads(row)["kind"] == "train"))
    assert train(*options, "--out", killed, "--steps", 4).returncode == 0
    assert log_rows(killed, "held_out") == log_rows(whole, "held_out")
    assert checkpoint.score_of(path) == checkpoint.score_of(whole / "checkpoints" / path.name) is not None


def test_a_log_file_gets_lines_and_ends_with_commands(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "my run"
    command = training(
        run, "--data", images, *NET, "--steps", 3, "--warmup", 4, environment=environment(), folder=str(tmp_path)
    )
    ended = run_training(command)
    assert ended["errors"] == [""], "all that is no error goes to standard output"
    lines = ended["out"].splitlines()
    assert lines[0] == f"opening {images}"
    assert "--warmup 4 is longer than --steps 3: learning rates only rise" in lines
    with_time = re.compile(r"\d\d-\d\d \d\d:\d\d:\d\d step 1 of 3 \(33%\), loss .* images/s, .*")
    assert any(with_time.fullmatch(line) for line in lines), lines
    assert f"samples at step 0: {run}/samples/step_00000000.png" in lines
    export, view, longer = (line.strip() for line in lines[lines.index("next:") + 1 :][:3])
    assert shlex.split(export)[1:] == ["-m", "export", str(run), "-o", "my run.onnx"]
    assert shlex.split(view)[1:] == ["-m", "viewer", "grid", "my run.onnx"]
    assert shlex.split(longer)[-2:] == ["--steps", "6"]


@pytest.mark.parametrize(
    ("program", "launcher", "expected"),
    [
        ("utsuroi train vae", None, "utsuroi train vae --out r --steps 8"),
        (
            None,
            ["/x/python", "ACCELERATE", "launch", "train.py", "--steps", "4"],
            "accelerate launch train.py --steps 8",
        ),
        (None, ["/x/python", "-m", "torch.distributed.run", "t.py"], "PYTHON -m torch.distributed.run t.py --steps 8"),
        (None, None, "PYTHON train.py --out r --steps 8"),
    ],
)
def test_the_command_is_the_one_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str | None, launcher: list[str] | None, expected: str
) -> None:
    installed = tmp_path / "accelerate"
    installed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = [str(installed) if word == "ACCELERATE" else word for word in launcher or []]
    monkeypatch.setattr(next_commands, "find_launcher", lambda: Launcher(1, words, {}) if launcher else None)
    monkeypatch.setattr(sys, "argv", ["train.py", "--out", "r"])
    command = next_commands.own_command(program, ["--out", "r"] if program else None)
    longer = next_commands.longer(command, RunConfig(steps=4, out=tmp_path))
    assert next_commands.joined(longer) == expected.replace("PYTHON", sys.executable)


def test_the_command_is_the_supervisors_whatever_has_ended_since(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        """A process of these words, and below it those that are told it as their parent; ``None``: it has ended."""

        pid = 1

        def __init__(self, words: str | None, above: "Process | None" = None) -> None:
            self.words, self.above = words, above

        def parent(self) -> "Process | None":
            return self.above

        def cmdline(self) -> list[str]:
            if self.words is None:
                raise launcher.psutil.AccessDenied(self.pid)
            return self.words.split()

        def environ(self) -> dict[str, str]:
            return {}

    def found(process: Process | None) -> launcher.Launcher | None:
        monkeypatch.setattr(launcher.psutil, "Process", lambda: Process("python t.py", process))
        return launcher.find_launcher()

    launcher.find_launcher.cache_clear()
    supervised = "launch/supervise.py accelerate launch t.py"
    assert found(Process("accelerate launch t.py", Process(f"/x/python {supervised}", Process("sh")))) is not None
    assert found(None) is not None  # it has ended
    assert next_commands.own_command(None, None)[1:] == supervised.split()
    launcher.find_launcher.cache_clear()
    unseen = found(Process("accelerate launch t.py", Process(None)))  # of another user
    assert unseen is not None
    assert unseen.supervisor == ()
    launcher.find_launcher.cache_clear()
    assert found(Process(None)) is None
    launcher.find_launcher.cache_clear()


def test_a_bar_by_the_clock_waits_for_the_least_steps() -> None:
    progress = Progress(speaks=False)
    progress.begin(Clock(RunConfig(minutes=1.0, min_steps=400), before=120.0), step=0)
    progress.step = 100
    assert progress.done == 15.0
    progress.step = 400
    assert progress.done == 60.0


def test_what_ends_the_run_is_what_is_counted(clock_at: Time) -> None:
    progress = Progress(speaks=False)
    progress.begin(Clock(RunConfig(minutes=10.0, steps=3)), step=0)
    progress.step, progress.status = 1, "loss 1"
    assert " step 1 of 3 (33%), loss 1" in progress.line()
    progress.said_step = -1
    progress.begin(Clock(RunConfig(minutes=10.0, steps=3), before=400.0), step=1)
    assert " step 1 (67% of 10 min), loss 1" in progress.line()


def test_what_is_left_goes_by_the_pace_of_the_last_steps() -> None:
    progress = Progress(speaks=False)
    clock = Clock(RunConfig(steps=1000))
    progress.begin(clock, step=100)
    progress.step, clock.training = 110, 50.0  # the first steps are slow
    progress.count(1.0, images=80)
    for progress.step in range(111, 150):
        clock.training += 1
        progress.count(1.0, images=8 * (progress.step - 100))
    assert progress.left == 1000 - 149
    assert "8 images/s" in progress.line()
    progress.begin(Clock(RunConfig(steps=1000, minutes=1.0), before=30.0), step=149)
    assert 0 < progress.left <= 30.0


def test_tensorboard_gets_the_sheets(tmp_path: Path, images: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, *NET, "--steps", 2).returncode == 0
    board = accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    found = board.Images("samples")
    assert [event.step for event in found] == [0, 8], "images seen"
    import cv2

    shown = cv2.imdecode(np.frombuffer(found[-1].encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(shown, cv2.imread(str(run / "samples" / "step_00000002.png")))


def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_talking", ROOT / "tests" / "bench" / "bench_talking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize("terminal", [False, True])
def test_a_family_whose_steps_take_long_is_never_silent(tmp_path: Path, terminal: bool) -> None:
    """It is a line every four seconds; a busy machine may take longer, and no step of this family less than that."""
    module = bench()
    with module.commands(["ddpm128"], 20, tmp_path) as ((_, run, command),):
        found = module.watch(command, run, terminal=terminal)
    assert found.code == 0, found.lines
    assert found.first_sheet < found.first_step < found.first_checkpoint, found
    assert found.longest_silence < 15, (found.silent_after, found.lines)


@pytest.mark.slow
def test_the_commands_at_the_end_work_as_they_are_written(tmp_path: Path, images: Path) -> None:
    shell = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    command = train_command("--data", images, "--out", "run", *NET, "--steps", 2)
    lines = subprocess.run(command, check=True, **shell).stdout.splitlines()  # type: ignore[call-overload]
    export, view, longer = (line.strip() for line in lines[lines.index("next:") + 1 :][:3])
    for line in (export, f"{view} --display none --keys S", longer):
        done: Any = subprocess.run(line, shell=True, check=False, **shell)  # type: ignore[call-overload]
        assert done.returncode == 0, (line, done.stderr)
    assert "finished step 4" in done.stdout


def test_lines_go_to_the_stream_that_is_there_when_they_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(speaks=True)
    later = io.StringIO()
    monkeypatch.setattr("sys.stdout", later)  # as the loop puts one there that ignores a reader that has gone
    progress.say("step 3")
    progress.close()
    assert later.getvalue() == "step 3\n"
