"""What a person who trains would be hurt by: a lost run, a silent change, a wrong clock."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import environment, log_rows, run_training, train, train_command
from PIL import Image
from trainings import training

from trainer import checkpoint, exit_status
from trainer.clock import Clock
from trainer.config import RunConfig, from_json, to_json
from trainer.contract.errors import UserError
from trainer.data.batches.dataset import ImageDataset
from trainer.distributed import World, asked_size
from trainer.families.vae import VAE
from trainer.family import DataSpec
from trainer.launcher import Launcher
from trainer.loop import Run
from trainer.progress import Progress
from trainer.runs.resume import as_it_began, as_numbered, check_same_run, in_full, set_up, settled
from trainer.runs.store import read_run

NET = ("--batch-size", 4, "--hidden-size", 8, "--latent-size", 3, "--hold-out", 5, "--log-every", 3)
SMALL = (*NET, "--save-every", 4, "--sample-every", 100)


def weights(run: Path) -> bytes:
    """Every tensor and optimiser state of the newest checkpoint, as bytes."""
    path, complaints = checkpoint.newest_intact(run)
    assert path is not None
    assert not complaints
    names = (checkpoint.NETS, checkpoint.AVERAGED, checkpoint.OPTIMIZERS)
    return b"".join((path / name).read_bytes() for name in names)


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_run_equals_an_undisturbed_one(tmp_path: Path, images: Path, ranks: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    result = train("--data", images, "--out", whole, "--steps", 12, *SMALL, ranks=ranks)
    assert result.returncode == 0, result.stderr
    for steps in (4, 12):
        result = train("--data", images, "--out", parts, "--steps", steps, *SMALL, ranks=ranks)
        assert result.returncode == 0, result.stderr
    assert "resuming" in result.stdout
    assert weights(parts) == weights(whole)
    assert log_rows(parts) == log_rows(whole)
    assert log_rows(parts, "held_out") == log_rows(whole, "held_out")
    assert [row["images_seen"] for row in log_rows(whole)] == [4 * ranks * row["step"] for row in log_rows(whole)]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_ten_stops_at_random_steps_change_nothing(tmp_path: Path, images: Path, ranks: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    each = (*NET[:-2], "--log-every", 1, "--save-every", 10**6, "--sample-every", 10**6)
    result = train("--data", images, "--out", whole, "--steps", 60, *each, ranks=ranks)
    assert result.returncode == 0, result.stderr
    for steps in [*sorted(random.Random(ranks).sample(range(1, 60), 10)), 60]:  # an epoch ends every 30 images
        result = train("--data", images, "--out", parts, "--steps", steps, *each, ranks=ranks)
        assert result.returncode == 0, result.stderr
    assert weights(parts) == weights(whole)
    assert log_rows(parts) == log_rows(whole)


@pytest.mark.parametrize(("count", "hold_out"), [(3, 0), (4, 2)])
def test_a_handful_of_images_is_refused_in_a_line(tmp_path: Path, count: int, hold_out: int) -> None:
    np.save(tmp_path / "few.npy", np.full((count, 16, 16, 3), 128, np.uint8))
    result = train("--data", tmp_path / "few.npy", "--out", tmp_path / "run", "--steps", 1, "--hold-out", hold_out)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert f"few.npy: {count} image(s), " in result.stderr
    assert "to train on, expected 4 or more" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT])
def test_asked_to_stop_it_saves_first_and_then_resumes(tmp_path: Path, images: Path, number: int) -> None:
    run = tmp_path / "run"
    options = ("--data", images, "--out", run, *NET, "--save-every", 10**6, "--sample-every", 10**6)
    in_background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as shells start what they do not wait for
    process = subprocess.Popen(
        [*in_background, *train_command(*options, "--steps", 10**6)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: (run / "log.jsonl").exists() and log_rows(run), process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 75, output
    path, _ = checkpoint.newest_intact(run)
    assert path is not None
    stopped_at = checkpoint.step_of(path)
    result = train(*options, "--steps", stopped_at + 2)
    assert result.returncode == 0, result.stderr
    assert f"resuming {run} at step {stopped_at}" in result.stdout


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_last_good_checkpoint(
    tmp_path: Path, images: Path
) -> None:
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, "--steps", 4, *SMALL).returncode == 0
    result = train("--data", images, "--out", run, "--steps", 9, *SMALL, "--learning-rate", "1e30", "--force")
    assert result.returncode == 2
    assert "step_00000004" in result.stderr
    assert "Traceback" not in result.stderr
    assert checkpoint.newest_intact(run)[0] == run / "checkpoints" / "step_00000004"


def test_other_options_in_the_same_folder_are_a_question(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, "--steps", 1, *SMALL).returncode == 0
    before = (run / "config.json").read_bytes()
    result = train("--data", images, "--out", run, "--steps", 2, *SMALL, "--beta", 2)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "--beta was 1.0, is 2.0" in result.stderr
    assert (run / "config.json").read_bytes() == before


def test_checkpoints_of_another_run_are_a_question(tmp_path: Path, images: Path) -> None:
    """Files copied from one run into another, with the same options or others."""
    run, other = tmp_path / "run", tmp_path / "other"
    for folder, steps in ((run, 1), (other, 2)):
        assert train("--data", images, "--out", folder, "--steps", steps, *SMALL).returncode == 0
    shutil.copytree(other / "checkpoints" / "step_00000002", run / "checkpoints" / "step_00000002")
    result = train("--data", images, "--out", run, "--steps", 3, *SMALL)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "of another run" in result.stderr
    assert train("--data", images, "--out", run, "--steps", 3, *SMALL, "--force").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1)])
def test_another_number_of_ranks_goes_on_and_says_so(tmp_path: Path, images: Path, before: int, now: int) -> None:
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, "--steps", 3, *SMALL, ranks=before).returncode == 0
    result = train("--data", images, "--out", run, "--steps", 5, *SMALL, ranks=now)
    assert result.returncode == 0, result.stderr
    change = f"on {now} process{'es' * (now > 1)}, before {before}: {4 * now} images a step instead of {4 * before}"
    assert f"resuming {run} at step 3, {12 * before} images seen ({change})" in result.stdout
    assert log_rows(run)[-1]["images_seen"] == 12 * before + 8 * now


def test_another_number_of_threads_is_said(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    outputs = [
        train("--data", images, "--out", run, "--steps", steps, "--threads", threads, *SMALL).stdout
        for steps, threads in ((1, 2), (2, 2), (3, 1))
    ]
    assert [", before 2" in output for output in outputs] == [False, False, True]
    assert "(1 thread(s) each, before 2: sums may differ in their last bits)" in outputs[2]


def test_two_runs_never_share_a_folder(tmp_path: Path, images: Path) -> None:
    held = checkpoint.lock(tmp_path / "run")
    result = train("--data", images, "--out", tmp_path / "run", "--steps", 1, *SMALL)
    assert (result.returncode, "another process is training there" in result.stderr) == (1, True)
    held.close()
    assert train("--data", images, "--out", tmp_path / "run", "--steps", 1, *SMALL).returncode == 0


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, "--steps", 8, *SMALL).returncode == 0
    (run / "checkpoints" / "step_00000008" / checkpoint.NETS).write_bytes(b"spoilt")
    result = train("--data", images, "--out", run, "--steps", 8, *SMALL)
    assert result.returncode == 0, result.stderr
    assert "step_00000008: skipped" in result.stderr
    assert "at step 4" in result.stdout
    assert not checkpoint.damage(run / "checkpoints" / "step_00000008")
    assert "begins at step 0" not in result.stderr
    for kept in checkpoint.checkpoints(run):
        (kept / checkpoint.NETS).write_bytes(b"spoilt")
    result = train("--data", images, "--out", run, "--steps", 2, *SMALL)
    assert f"{run}: no checkpoint is intact, training begins at step 0" in result.stderr
    shutil.rmtree(run / "checkpoints")
    result = train("--data", images, "--out", run, "--steps", 2, *SMALL)
    assert f"{run}: ended before its first checkpoint, training begins at step 0" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--precision", "fp16"), "fp16"),
        (("--processes", 2), "asked for 2 processes, found 1"),
        (("--device", "cuda"), "--device is cuda"),
        (("--batch-size", 0), "--batch-size is 0"),
        (("--min-steps", 3), "--min-steps is 3, expected 0 without --minutes"),
        (("--data", "missing.npy"), "missing.npy"),
        (("--arch", "conv", "--image-size", 17), "17x17"),
        (("--no-such-flag",), "no-such-flag"),
    ],
)
def test_what_cannot_be_is_refused_with_code_2(
    tmp_path: Path, images: Path, options: tuple[str, ...], words: str
) -> None:
    run = tmp_path / "run"
    result = train("--data", images, "--out", run, "--steps", 1, *options)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (run / "checkpoints").exists()


def test_a_launcher_that_silently_starts_one_rank_is_caught(tmp_path: Path, images: Path) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
               *train_command("--data", images, "--out", tmp_path / "run", "--steps", 1)[1:]]  # fmt: skip
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode != 0
    assert "asked for 2 processes, found 1" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not say which cores are ours")
def test_the_launcher_leaves_no_core_idle(tmp_path: Path, images: Path) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1",
               "--mixed_precision", "no", "--dynamo_backend", "no",
               *train_command("--data", images, "--out", tmp_path / "run", "--steps", 1, *SMALL)[1:]]  # fmt: skip
    shell = {key: value for key, value in environment().items() if key != "OMP_NUM_THREADS"}
    result = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert f"{len(os.sched_getaffinity(0))} thread(s) each" in result.stdout


@pytest.mark.slow
def test_two_ranks_agree_and_see_what_one_rank_sees(tmp_path: Path, images: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    common = ("--data", images, "--steps", 8, *SMALL[2:])
    assert train(*common, "--out", one, "--batch-size", 8).returncode == 0
    result = train(*common, "--out", two, "--batch-size", 4, ranks=2)
    assert result.returncode == 0, result.stderr  # the loop itself fails where the ranks' weights differ
    assert "2 processes on" in result.stdout
    resumes = json.loads((two / "config.json").read_text())["resumes"]
    assert resumes[0]["world_size"] == 2
    clock = [(row["step"], row["images_seen"]) for row in log_rows(one)]
    assert clock == [(row["step"], row["images_seen"]) for row in log_rows(two)]


def test_the_least_steps_are_taken_however_late_it_is(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    clock = ("--minutes", 1e-6, "--schedule", "linear", "--log-every", 1)
    for least, steps in ((5, 5), (7, 7)):  # resumed, too
        result = train("--data", images, "--out", run, "--min-steps", least, *NET[:-2], *clock)
        assert result.returncode == 0, result.stderr
        assert f"finished step {steps}" in result.stdout
    rates = [row["rate/vae"] for row in log_rows(run)]
    assert [rate / rates[0] for rate in rates] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 2 / 7, 1 / 7])


def wait_for(condition: object, process: subprocess.Popen[bytes] | None, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        assert process is None or process.poll() is None, process.stderr.read() if process.stderr else "ended early"
        time.sleep(0.02)


@pytest.mark.parametrize("seconds", [30.0, 61.0])
def test_a_resumed_schedule_goes_by_the_time_of_the_starts_before(seconds: float) -> None:
    """On an accelerator ranks agree every few steps; the first step of a start is seldom one of those."""

    class Started(Exception):
        """With which share of the run behind it."""

    class Accelerated(Run):
        def __init__(self) -> None:
            self.config = RunConfig(steps=10**6, minutes=1.0, out=Path("run"))
            self.world = SimpleNamespace(
                rank=0, device=SimpleNamespace(type="cuda"), stop_asked_at=None, is_main=True,
                agree=lambda *values: values, same_parameters=lambda nets: True,
            )  # fmt: skip
            self.step, self.raw, self.time_done, self.asked_to_stop, self.unsaved = 3, {}, 0.0, False, ""
            self.progress, self.clock = Progress(False), Clock(self.config, seconds)
            self.saved, self.write_samples, self.stream = None, lambda: None, SimpleNamespace(position=12)

        def advance(self) -> None:
            raise Started(self.fraction)

    if seconds > 60:
        assert Accelerated().go() == 0, "the time is up: not a step more"
        return
    with pytest.raises(Started) as started:
        Accelerated().go()
    assert started.value.args[0] == pytest.approx(0.5, abs=0.1)


def test_a_mistake_that_one_rank_finds_is_named(tmp_path: Path, images: Path) -> None:
    """Of two ranks each on a machine of its own, one lacks the data; then both do, and it is said once."""
    for lacking in ((1,), (0, 1)):
        run = tmp_path / str(len(lacking))
        machines = [tmp_path / f"machine{rank}-{len(lacking)}" for rank in (0, 1)]
        for rank, machine in enumerate(machines):
            machine.mkdir()
            if rank not in lacking:
                shutil.copy(images, machine / "data.npy")
        own = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        places = [
            {"folder": str(machine), "environment": {**own, exit_status.EXIT_FILE: str(machine / "said")}}
            for machine in machines
        ]
        options = ("--data", "data.npy", "--steps", 1, "--image-size", 16, "--device", "cpu")
        ended = run_training(training(run, *options, ranks=2, machines=places, environment=environment()))
        assert ended["codes"] == [2, 2], ended
        lines = [line for errors in ended["errors"] for line in errors.splitlines() if line.startswith("error:")]
        (line,) = lines
        assert line.startswith("error: --data is" if 0 in lacking else "error: process 1: --data is"), line
        for rank, machine in enumerate(machines):
            said_lines = (machine / "said").read_text().splitlines()
            assert [json.loads(text) for text in said_lines] == [{"code": 2, "rank": rank}]


@pytest.mark.parametrize(
    ("command", "environment_says", "expected"),
    [
        ("torchrun --nnodes=2 --nproc-per-node 4 train.py", {}, 8),
        ("python -m torch.distributed.run --nproc_per_node=2 train.py --num_processes 3", {}, 2),
        ("torchrun --nnodes 1:4 --nproc_per_node 2 train.py", {}, None),
        ("torchrun --nproc_per_node gpu train.py", {}, None),
        ("torchrun train.py", {"PET_NPROC_PER_NODE": "3"}, 3),
        ("accelerate launch train.py", {}, 6),
        ("accelerate launch --num_processes 2 train.py", {}, 2),
    ],
)
def test_each_launcher_is_asked_for_ranks_in_its_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, environment_says: dict[str, str], expected: int
) -> None:
    """torchrun reads nothing of what ``accelerate config`` has written."""
    from accelerate.commands.config import config_args

    default = tmp_path / "default_config.yaml"
    default.write_text("compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nnum_processes: 6\n")
    monkeypatch.setattr(config_args, "default_yaml_config_file", str(default))
    for name, value in environment_says.items():
        monkeypatch.setenv(name, value)
    assert asked_size(Launcher(1, command.split(), {})) == expected


def test_other_images_under_the_same_name_are_a_question(tmp_path: Path, images: Path) -> None:
    run, data = tmp_path / "run", tmp_path / "data.npy"
    shutil.copy(images, data)
    assert train("--data", data, "--out", run, "--steps", 1, *SMALL).returncode == 0
    np.save(data, np.load(images)[::-1])
    before = (run / "config.json").read_bytes()
    result = train("--data", data, "--out", run, "--steps", 2, *SMALL)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert f"{data} holds other images than before; choose another --out, or --force" in result.stderr
    assert (run / "config.json").read_bytes() == before
    np.save(data, np.load(images)[:30])
    assert "than before: 37, now 30; " in train("--data", data, "--out", run, "--steps", 2, *SMALL).stderr
    assert train("--data", data, "--out", run, "--steps", 2, *SMALL, "--force").returncode == 0
    assert train("--data", data, "--out", run, "--steps", 3, *SMALL).returncode == 0, "it has been asked"


def test_a_run_of_before_data_were_noted_goes_on(tmp_path: Path, images: Path) -> None:
    run = tmp_path / "run"
    assert train("--data", images, "--out", run, "--steps", 1, *SMALL).returncode == 0
    facts = json.loads((run / "config.json").read_bytes())
    del facts["data"]
    (run / "config.json").write_text(json.dumps(facts))
    file = run / "checkpoints" / "step_00000001" / checkpoint.MANIFEST
    manifest = json.loads(file.read_bytes())
    del manifest["data"]
    file.write_bytes(checkpoint.sealed(manifest))
    result = train("--data", images, "--out", run, "--steps", 2, *SMALL)
    assert result.returncode == 0, result.stderr
    assert "resuming" in result.stdout


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A run of version 0.1, whose config.json says nothing of ``fit``."""
    fixture = Path(__file__).parents[1] / "fixtures" / "v0_1" / "runs" / "vae"
    return shutil.copytree(fixture, tmp_path / "old")


def test_an_old_run_goes_on_stretching_and_a_new_one_crops(old_run: Path, tmp_path: Path) -> None:
    known = read_run(old_run)
    config = replace(from_json(VAE.Config, known["config"]), fit="auto", out=old_run)
    assert "fit" not in json.loads((old_run / "config.json").read_bytes())["config"]
    assert settled(config).fit == from_json(VAE.Config, known["config"]).fit == "stretch"
    assert settled(replace(config, out=tmp_path / "new")).fit == "crop"
    spec = from_json(DataSpec, known["spec"])
    saved = checkpoint.origin_of(checkpoint.newest_intact(old_run)[0])
    data = {"images": saved.data["pictures"], "fingerprint": saved.data["fingerprint"]}
    for fit in ("stretch", "crop"):
        asked = settled(replace(config, fit=fit, out=Path(known["config"]["out"])))
        with nullcontext() if fit == "stretch" else pytest.raises(UserError, match="--fit was stretch, is crop"):
            check_same_run(known, saved, VAE(asked), asked, spec, data)


def test_an_old_run_keeps_its_divergence_and_says_so(old_run: Path, tmp_path: Path) -> None:
    """A hierarchical VAE that was not trained on its bound goes on as it was, unless told otherwise."""
    known = read_run(old_run)
    config = VAE.Config(out=old_run)
    assert settled(config).divergence == from_json(VAE.Config, known["config"]).divergence == "analytic"
    assert settled(replace(config, out=tmp_path / "new")).divergence == "sampled"
    assert "--divergence analytic (a new run: sampled)" in as_it_began(known, settled(config))
    assert not as_it_began({"config": to_json(settled(config))}, settled(config)), "said once"
    spec = from_json(DataSpec, known["spec"])
    data = {"images": known["data"]["pictures"], "fingerprint": known["data"]["fingerprint"]}
    asked = replace(from_json(VAE.Config, known["config"]), divergence="sampled")
    with pytest.raises(UserError, match="--divergence was analytic, is sampled; choose another --out, or --force"):
        check_same_run(known, checkpoint.Origin(), VAE(asked), asked, spec, data)
    asked = replace(from_json(VAE.Config, known["config"]), free_bits=0.5)
    lacking = {**known, "config": {name: value for name, value in known["config"].items() if name != "free_bits"}}
    with pytest.raises(UserError, match=r"--free-bits was 0\.0, is 0\.5"):  # and so had an option that it did not have
        check_same_run(lacking, checkpoint.Origin(), VAE(asked), asked, spec, data)


def test_a_run_keeps_the_order_of_its_classes(old_run: Path, tmp_path: Path) -> None:
    found = ("1", "2", "10")
    images = ImageDataset(images=np.zeros((4, 8, 8, 3), np.uint8), labels=np.arange(4) % 3, classes=found, name="x")
    facts = json.loads((old_run / "config.json").read_bytes())
    for classes in (["1", "10", "2"], ["1", "10", "3"], ["1", "1", "2"], []):
        facts["spec"]["classes"] = classes
        (old_run / "config.json").write_text(json.dumps(facts))
        kept = as_numbered(images, old_run)
        same = classes == ["1", "10", "2"]
        assert kept.classes == (tuple(classes) if same else found)
        assert kept.labels is not None
        assert [kept.classes[label] for label in kept.labels] == ["1", "2", "10", "1"]
    assert as_numbered(images, tmp_path / "new") is images


def test_defaults_of_data_and_out_are_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr("trainer.runs.resume.open_data", lambda *_: pytest.fail("too far"))
    for data in ("toycats", "photos.npy"):
        with pytest.raises(pytest.fail.Exception):
            set_up(VAE, VAE.Config(data=data), SimpleNamespace(sharded=False), Progress(speaks=True, file=said))
    assert said.getvalue() == "opening toycats: drawn cats, the default of --data\nopening photos.npy\n"
    world = World(RunConfig(device="cpu"))
    assert world.in_words(RunConfig()).endswith("writing to runs/run, the default of --out")
    assert world.in_words(RunConfig(out=Path("runs/a"))).endswith("writing to runs/a")


def test_what_differs_from_the_run_in_a_folder_is_said_in_words(tmp_path: Path) -> None:
    config = VAE.Config(data="photos.npy", out=tmp_path / "run")
    cats = DataSpec(image_size=(128, 128), channels=3, classes=("solid", "tabby"))
    photos = replace(cats, image_size=(64, 96), classes=())
    name = "trainer.families.vae:VAE"

    def message(began: VAE.Config, spec: DataSpec) -> str:
        known = {"family": name, "spec": to_json(cats), "config": to_json(began), "run_id": "0"}
        with pytest.raises(UserError) as caught:
            check_same_run(known, checkpoint.Origin(), VAE(config), config, spec, {})
        return str(caught.value).removeprefix(f"{config.out}: ")

    drawn = replace(config, data="toycats")
    way = "choose another --out"
    assert message(drawn, photos) == (
        "was trained on toycats: 128x128 px, 3 channel(s), 2 classes (solid, tabby); found photos.npy: 96x64 px, "
        f"3 channel(s), no classes; give --data toycats, which it began with, or {way}"
    )
    assert message(config, replace(cats, classes=("dog",))) == (
        f"was trained on photos.npy: 2 classes (solid, tabby); found photos.npy: 1 class (dog); {way}"
    )
    said = message(replace(config, learning_rate=0.1), cats)
    assert said.startswith("--learning-rate was 0.1, is 0.0 (1e-4 for hierarchical, 1e-3 for conv); choose another")


def test_a_zero_is_said_with_what_it_stands_for() -> None:
    found = {
        name: in_full(VAE(VAE.Config()), name, value)
        for name, value in (("hold_out", 0), ("basis", 0), ("flip", False), ("seed", 0), ("schedule", "constant"))
    }
    assert found == {
        "hold_out": "0 (trains on all)", "basis": "0 (none (conv))", "flip": "False", "seed": "0",
        "schedule": "constant",
    }  # fmt: skip


@pytest.mark.slow
def test_an_old_run_on_photographs_ends_in_the_bits_that_it_would_have_had(tmp_path: Path) -> None:
    random, folder = np.random.default_rng(0), tmp_path / "wide"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (16, 24, 3), np.uint8)).save(folder / f"{number}.png")
    command = ("--data", folder, "--image-size", 16, *SMALL)
    old, whole, new = (tmp_path / name for name in ("old", "whole", "new"))
    assert train(*command, "--out", old, "--fit", "stretch", "--steps", 2).returncode == 0
    facts = json.loads((old / "config.json").read_bytes())
    del facts["config"]["fit"]
    (old / "config.json").write_text(json.dumps(facts))
    file = old / "checkpoints" / "step_00000002" / checkpoint.MANIFEST
    manifest = json.loads(file.read_bytes())
    del manifest["config"]["fit"]
    file.write_bytes(checkpoint.sealed(manifest))
    resumed = train(*command, "--out", old, "--steps", 4)
    assert resumed.returncode == 0, resumed.stderr
    assert "12 of 12 images stretched to a square" in resumed.stderr
    assert train(*command, "--out", whole, "--fit", "stretch", "--steps", 4).returncode == 0
    assert "12 of 12 images cropped to a square" in train(*command, "--out", new, "--steps", 4).stderr
    assert weights(old) == weights(whole) != weights(new)
    assert json.loads((new / "config.json").read_bytes())["config"]["fit"] == "crop"
