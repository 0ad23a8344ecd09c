"""The supervisor: what dies starts again, what makes no progress is given up, and nothing is left behind."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil", reason="needs the train extra")

ROOT = Path(__file__).resolve().parents[2]
SUPERVISE = [sys.executable, str(ROOT / "launch" / "supervise.py"), "--longest-pause", "0.1"]

# A training in small: a checkpoint each time it is started, and an end that its arguments choose.
TRAINING = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
def say(**facts):
    with open(os.environ["UTSUROI_EXIT_FILE"], "a") as file:
        print(json.dumps(facts), file=file)
launcher, ending, run = os.getpid(), sys.argv[1], Path(sys.argv[sys.argv.index("--out") + 1])
run.mkdir(exist_ok=True)
with open(run / "starts", "a") as file:
    file.write("x")
starts = len((run / "starts").read_text())
def checkpoint():
    (run / "checkpoints" / f"step_{starts:08d}").mkdir(parents=True)
if ending == "mend":  # the third start finishes
    checkpoint()
    sys.exit(0 if starts == 3 else 1)
if ending == "never":
    sys.exit(1)
if ending == "refused":  # as a launcher does with options that it does not know
    sys.exit(2)
if ending == "mistake":
    say(code=2)
    sys.exit(1)
if ending == "stand":
    if starts >= 2:
        sys.exit(0)
    checkpoint()
    time.sleep(600)
if ending == "orphan":  # dies by kill -9; what it started writes a late checkpoint, as a worker that lost its launcher
    if starts == 2:
        sys.exit(0 if (run / "late").exists() else 3)
    if not os.fork():
        os.setsid()
        while os.getppid() == launcher:
            time.sleep(0.01)
        time.sleep(2)  # it saves
        (run / "late").touch()
        os._exit(0)
    while not (run / "seen").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
if ending == "wait":
    def stop(number, frame):
        checkpoint()
        sys.exit(75)
    signal.signal(signal.SIGTERM, stop)
    (run / "ready").touch()
    time.sleep(600)
if ending.startswith("asked"):
    def stop(number, frame):
        if "codes" in ending:
            say(code=int(ending.rpartition("-")[2]))
        sys.exit(1)
    signal.signal(signal.SIGTERM, stop)
    if "idle" not in ending:
        say(began=0)
    (run / "ready").touch()
    time.sleep(600)
if ending == "deaf":
    signal.signal(signal.SIGTERM, lambda number, frame: (run / "heard").touch())
    (run / "ready").touch()
    while True:
        time.sleep(600)
"""

# The supervisor, which makes a file when it has seen the children of its launcher.
SAYS_WHAT_IT_SEES = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "launch")!r})
import supervise
look, seen = supervise.Start.look, Path(sys.argv.pop(1))
def look_and_say(self):
    code = look(self)
    if self.processes:
        seen.touch()
    return code
supervise.Start.look = look_and_say
sys.exit(supervise.main())
"""


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    script = tmp_path / "training.py"
    script.write_text(TRAINING)

    def make(ending: str, *flags: str) -> list[str]:
        return [*SUPERVISE, *flags, sys.executable, str(script), ending, "--out", str(tmp_path / "run")]

    return make


@pytest.fixture
def started() -> Iterator[Callable[[list[str]], subprocess.Popen[str]]]:
    running = []

    def start(command: list[str]) -> subprocess.Popen[str]:
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def starts(folder: Path) -> int:
    return len((folder / "run" / "starts").read_text())


def wait_for(path: Path, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.05)


def test_what_dies_is_started_again_until_it_finishes(command: Callable[..., list[str]], tmp_path: Path) -> None:
    done = subprocess.run(command("mend"), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert starts(tmp_path) == 3
    line = r"\d\d:\d\d:\d\d supervise: ended with code 1 at step 1; restarting in 1 s \(4 more unless there is .*\)"
    assert re.fullmatch(line, done.stderr.splitlines()[0])


def test_starts_without_a_new_checkpoint_are_counted_and_given_up(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    done = subprocess.run(command("never", "--tries", "3"), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert starts(tmp_path) == 3
    assert "ended with code 1 before the first checkpoint; restarting" in done.stderr.splitlines()[0]
    assert "gave up: 3 attempt(s)" in done.stderr.splitlines()[-1]
    assert "there is no checkpoint" in done.stderr.splitlines()[-1]


def test_one_that_stands_still_is_ended_and_started_again(command: Callable[..., list[str]], tmp_path: Path) -> None:
    done = subprocess.run(command("stand", "--stall", "0.03"), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert starts(tmp_path) >= 2  # on a busy machine the second may be taken for standing, too
    assert "no row in" in done.stderr


def test_workers_that_outlive_their_launcher_save_before_the_next_start(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    supervisor = [sys.executable, "-c", SAYS_WHAT_IT_SEES, str(tmp_path / "run" / "seen")]
    orphan = [*supervisor, *command("orphan")[2:]]
    done = subprocess.run(orphan, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert starts(tmp_path) == 2


@pytest.mark.parametrize(("ending", "words"), [("mistake", "reports a mistake"), ("refused", "expected a launcher, a")])
def test_a_mistake_is_not_tried_again_whatever_the_launcher_makes_of_it(
    command: Callable[..., list[str]], tmp_path: Path, ending: str, words: str
) -> None:
    done = subprocess.run(command(ending), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert starts(tmp_path) == 1
    assert words in done.stderr.splitlines()[-1]


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        ("asked-codes-75", 75, "stopped on request before the first checkpoint: the same"),
        ("asked-codes-1", 1, "could not save"),
        ("asked-idle", 75, "before it had begun to train"),
        ("asked", 128 + signal.SIGTERM, "ended before it had saved"),
    ],
)
def test_only_what_has_saved_or_had_nothing_to_save_was_stopped(
    command: Callable[..., list[str]],
    started: Callable[[list[str]], subprocess.Popen[str]],
    tmp_path: Path,
    ending: str,
    code: int,
    words: str,
) -> None:
    process = started(command(ending))
    wait_for(tmp_path / "run" / "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == code
    assert process.stderr is not None
    assert words in process.stderr.read().splitlines()[-1]


@pytest.mark.slow
def test_a_launchers_code_does_not_hide_what_a_training_ended_with(tmp_path: Path) -> None:
    """A mistake, and a disk that refuses the checkpoint of a run that was asked to stop."""
    launch = [*SUPERVISE, sys.executable, "-m", "accelerate.commands.launch", str(ROOT / "trainer" / "train_vae.py")]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    run = tmp_path / "run"
    wrong = [*launch, "--data", str(tmp_path / "none.npy"), "--out", str(run)]
    done = subprocess.run(wrong, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("there is no such file") == 1
    options = "--data toycats:40 --image-size 16 --batch-size 4 --threads 1 --steps 1000000 --save-every 1000000"
    (run / "checkpoints").parent.mkdir()
    (run / "checkpoints").write_text("a file where a folder has to be")
    command = [*launch, "--out", str(run), *options.split(), "--log-every", "1"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not (run / "log.jsonl").exists() or not (run / "log.jsonl").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "could not be saved" in errors


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
def test_a_request_to_stop_is_handed_on_and_said(
    command: Callable[..., list[str]], started: Callable[[list[str]], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = started(command("wait"))
    wait_for(tmp_path / "run" / "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 75
    assert (tmp_path / "run" / "checkpoints" / "step_00000001").is_dir()
    assert starts(tmp_path) == 1


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
def test_a_second_request_ends_what_does_not_listen(
    command: Callable[..., list[str]], started: Callable[[list[str]], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = started(command("deaf"))
    wait_for(tmp_path / "run" / "ready")
    (child,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    wait_for(tmp_path / "run" / "heard")
    assert child.is_running()
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 128 + signal.SIGTERM, "nothing says that it has saved"
    assert not child.is_running()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "no command"),
        (["python", "x.py"], "names no --out"),
        (["--tries", "0", "python", "x.py", "--out", "y"], "--tries is 0"),
        (["no-such-command", "--out", "y"], "no-such-command"),
    ],
)
def test_what_cannot_be_supervised_is_one_line(arguments: list[str], expected: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*SUPERVISE, *arguments], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_launcher_that_is_killed_ten_times_ends_with_the_weights_of_an_undisturbed_run(
    started: Callable[[list[str]], subprocess.Popen[str]], tmp_path: Path
) -> None:
    def training(run: Path) -> list[str]:
        launch = [sys.executable, "-m", "accelerate.commands.launch"]
        options = "--steps 480 --save-every 5 --sample-every 100000 --image-size 32 --batch-size 16 --threads 1"
        return [*launch, str(ROOT / "trainer" / "train_vae.py"), "--out", str(run), *options.split()]

    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    subprocess.run(training(tmp_path / "calm"), check=True, env=environment, capture_output=True, timeout=1200)
    run = tmp_path / "stormy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        process = started([*SUPERVISE, "--tries", "12", *training(run)])
    kills, seen = 0, -1
    while process.poll() is None:
        steps = sorted((run / "checkpoints").glob("step_*"))
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        if kills < 10 and children and steps and int(steps[-1].name[5:]) > seen:
            seen = int(steps[-1].name[5:])
            children[0].kill()
            kills += 1
        time.sleep(0.05)
    assert process.wait(60) == 0
    assert kills == 10

    def weights(folder: Path) -> str:
        (file,) = (folder / "checkpoints" / "step_00000480").glob("averaged*")
        return hashlib.sha256(file.read_bytes()).hexdigest()

    assert weights(run) == weights(tmp_path / "calm")
