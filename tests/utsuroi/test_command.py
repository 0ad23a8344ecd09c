"""The command ``utsuroi``: it leads to all others, which name themselves as they were called."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import utsuroi
from trainer import checkpoint
from trainer.checkpoint import State
from trainer.contract.run_folder import is_shared, is_training
from trainer.contract.text import ago
from trainer.data.tools import tool_names
from trainer.families import family_names
from utsuroi.__main__ import COMMANDS, main
from utsuroi.runs import SORTS, in_bytes, size_of
from viewer.modes import mode_names

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys; sys.argv[0] = 'utsuroi'; from utsuroi.__main__ import main; sys.exit(main())"


def run(*words: object, code: str = CODE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def ended(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    """The code with which a command ends, and what it writes."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    return stop.value.code, *capsys.readouterr()


def write_run(
    folder: Path, family: str = "vae", steps: int = 100, done: int = 0, score: float | None = None, **options: object
) -> Path:
    folder.mkdir(parents=True)
    config = {"data": "cats.npy", "steps": steps, "minutes": 0.0, **options}
    (folder / "config.json").write_text(
        json.dumps({"family": f"trainer.families.{family}:X", "config": config, "spec": {}, "run_id": "0"})
    )
    if done:
        state = State(step=done, images_seen=done * 32, seconds=done * 0.6, world_size=1, score=score)
        checkpoint.write(folder, state, dict.fromkeys(checkpoint.FILES[:3], b"x" * 1000), checkpoint.Origin())
    return folder


@pytest.fixture(autouse=True)
def _called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/utsuroi"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path / "b" / "stopped", "dcgan", done=50, score=0.25)
    write_run(tmp_path / "finished", done=100, score=0.5)
    write_run(tmp_path / "new", "ddpm")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "no-run" / "config.json").write_text("[1]")
    return tmp_path


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"], capsys)[:2] == (0, f"utsuroi {utsuroi.__version__}\n")
    listed = ended([], capsys)[1]
    assert all(f"\n    {name} " in listed for name in COMMANDS)


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert version("utsuroi") == utsuroi.__version__


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["view", "grid", "--help"], "usage: utsuroi view grid "),
        (["view", "--help"], "usage: utsuroi view "),
        (["info", "--help"], "usage: utsuroi info "),
        (["data", "info", "--help"], "usage: utsuroi data info "),
        (["export", "--help"], "usage: utsuroi export "),
        (["train", "--help"], "usage: utsuroi train "),
        (["runs", "--help"], "usage: utsuroi runs "),
    ],
)
def test_each_command_names_itself_as_it_was_called(
    words: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = ended(words, capsys)
    assert (code, out[: len(usage)]) == (0, usage)


@pytest.mark.parametrize(("words", "module"), [(["train", "dcgan"], "loop"), (["evaluate"], "evaluation.command")])
def test_trainings_name_themselves_as_they_were_called(
    words: list[str], module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"trainer.{module}.leave", lambda _, code: sys.exit(code))  # else the process ends there
    code, out, _ = ended([*words, "--help"], capsys)
    assert code == 0
    assert out.startswith(f"usage: utsuroi {' '.join(words)} ")


@pytest.mark.parametrize("words", [["x"], ["train", "x"], ["view", "x"], ["data", "x"], ["runs", "--sort", "x"]])
def test_an_unknown_word_is_refused_with_those_that_are_known(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(words, capsys)
    assert code == 2
    assert "invalid choice" in err


@pytest.mark.parametrize(
    ("words", "near"),
    [(["trian"], "train"), (["train", "vea"], "vae"), (["train", "VAE"], "vae"), (["view", "gird"], "grid"),
     (["data", "craete"], "create"),
     (["runs", "--sort", "scores"], "score"), (["export", "x", "-o", "x.onnx", "--famly=vae"], "--family")],
)  # fmt: skip
def test_a_mistyped_word_is_told_what_is_near_it(
    words: list[str], near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(words, capsys)
    assert code == 2
    assert f"did you mean {near}?" in err


def test_view_plays(tmp_path: Path) -> None:
    done = run("view", "grid", "--display", "none", "--keys", "s", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("words", [("train", "vae"), ("export", "r", "-o", "x.onnx"), ("evaluate", "r")])
def test_what_needs_torch_says_so_in_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    write_run(tmp_path / "r")
    hidden = f"import sys; sys.modules['torch'] = None; sys.modules['tyro'] = None; {CODE}"
    done = run(*(tmp_path / word if word == "r" else word for word in words), code=hidden)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1
    program = "utsuroi train vae" if words[0] == "train" else f"utsuroi {words[0]}"
    assert done.stderr.startswith(f"error: {program} needs torch")
    assert "pip install -e" in done.stderr


@pytest.mark.parametrize("words", [("export", "x", "-o", "x.onnx"), ("evaluate", "x")])
def test_what_is_no_run_is_said_before_torch_is_loaded(words: tuple[str, ...], tmp_path: Path) -> None:
    for folder in (tmp_path / "x", tmp_path):
        code = f"import atexit; atexit.register(lambda: print('torch' in sys.modules)); {CODE}"
        done = run(*(folder if word == "x" else word for word in words), code=code)
        assert (done.returncode, done.stdout) == (2, "False\n"), done
        assert done.stderr.startswith(f"error: {folder}: ")
        assert done.stderr.count("\n") == 1


def test_commands_without_torch_do_not_import_it(runs: Path) -> None:
    check = "assert main() == 0; assert 'torch' not in sys.modules"
    code = CODE.replace("sys.exit(main())", check)
    done = run("runs", runs, code=code)
    assert done.returncode == 0, done.stderr


def test_runs_are_listed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = checkpoint.lock(runs / "new")
    assert main(["runs", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    lock.close()
    assert lines[0].split() == [
        "run", "model", "data", "state", "done", "step", "images", "minutes", "best", "score", "checkpoint", "size"
    ]  # fmt: skip
    rows = {line.split()[0].removeprefix(f"{runs.as_posix()}/"): line.split()[1:] for line in lines[1:]}
    assert rows["b/stopped"][:8] == ["dcgan", "cats.npy", "stopped", "50", "%", "50", "1,600", "0.5"]
    assert rows["b/stopped"][8] == "0.25"
    assert rows["finished"][2:5] == ["finished", "100", "%"]
    assert rows["new"][2:4] == ["training", "0"]
    assert rows["new"][7:10] == ["0.0", "-", "none"]
    assert len(rows) == 3
    assert main(["runs", str(runs / "new"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["state"], found["score"]) == ("ddpm", "stopped", None)


def test_a_reader_that_has_seen_enough_ends_the_list_quietly(runs: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "utsuroi", "runs", str(runs)]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("by", SORTS)
def test_runs_are_sorted(runs: Path, by: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(runs), "--sort", by, "--json"]) == 0
    names = [Path(row["run"]).name for row in json.loads(capsys.readouterr().out)]
    by_model = ["stopped", "new", "finished"]
    most_first = ["finished", "stopped", "new"]
    assert names == {
        "name": ["stopped", "finished", "new"], "model": by_model, "score": by_model,
        "images": most_first, "minutes": most_first, "size": names, "data": names, "age": names,
        "state": ["stopped", "new", "finished"],
    }[by]  # fmt: skip


def test_options_that_differ_within_a_model_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", width=32, flip=True, out="a", threads=1, arch="conv", seed=0)
    write_run(tmp_path / "b", width=48, flip=False, out="b", threads=2, arch="conv")
    write_run(tmp_path / "c", "dcgan", width=64, seed=1)
    assert main(["runs", str(tmp_path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "options"
    assert [row[head.index("options") :] for row in rows] == ["--width 32 --flip", "--width 48 --no-flip", ""]
    assert main(["runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["options"] == {
        "data": "cats.npy", "steps": 100, "minutes": 0.0, "width": 48, "flip": False, "out": "b", "threads": 2,
        "arch": "conv",
    }  # fmt: skip
    many = {f"option_{number}": 1 for number in range(20)}
    write_run(tmp_path / "d", **{**many, "width": 2})
    write_run(tmp_path / "e", **dict.fromkeys(many, "\x1b[2J"))
    assert main(["runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.splitlines()[4].endswith("…")


def test_scores_compare_within_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, family, score in (("a", "vae", 0.3), ("b", "ddpm", 0.5), ("c", "vae", 0.1), ("d", "ddpm", None)):
        write_run(tmp_path / name, family, done=10, score=score)
    assert main(["runs", str(tmp_path), "--sort", "score"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0][-1] for line in out.splitlines()[1:]] == ["b", "d", "c", "a"]
    assert err.startswith("note: scores compare runs of one model on the same images only")
    assert err.count("\n") == 1
    shutil.rmtree(tmp_path / "b")
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "", "one model has scores"


def test_a_run_that_trains_is_shown_as_far_as_its_log(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"kind": "train", "step": 60, "images_seen": 1920, "seconds": 36.0}, {"kind": "held_out", "step": 60}]
    run = runs / "b" / "stopped"
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"kind": "tr')  # a row that is being written

    def shown() -> tuple[str, int, float]:
        assert main(["runs", str(run), "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        return found["state"], found["images"], found["minutes"]

    assert shown() == ("stopped", 1600, 0.5)
    lock = checkpoint.lock(run)
    assert shown() == ("training", 1920, 0.6)
    lock.close()


def test_a_run_that_cannot_be_read_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "finished" / "config.json").write_text("{")
    assert main(["runs", str(runs), "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2
    assert "finished/config.json: not the config.json of a run" in captured.err
    assert captured.err.count("\n") == 1


def test_files_that_vanish_meanwhile_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_bytes(b"12345")
    monkeypatch.setattr(os, "walk", lambda folder: [(str(folder), [], ["there", "gone"])])
    assert size_of(tmp_path) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_on_shared_file_systems_the_log_tells_who_trains(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = (runs / "new").stat().st_dev
    line = f"36 25 {os.major(device)}:{os.minor(device)} / /home rw shared:1 - {{}} server:/home rw\n"
    assert is_shared(runs, line.format("nfs4"))
    assert not is_shared(runs, line.format("ext4"))
    (runs / "new" / "lock").touch()
    (runs / "new" / "log.jsonl").touch()
    assert not is_training(runs / "new")
    monkeypatch.setattr("trainer.contract.run_folder.is_shared", lambda *_: True)
    assert is_training(runs / "new")
    os.utime(runs / "new" / "log.jsonl", (0, 0))
    assert not is_training(runs / "new")


def test_no_runs_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, words in ((tmp_path, "no run in or below it"), (tmp_path / "missing", "there is no such folder")):
        code, _, err = ended(["runs", str(folder)], capsys)
        assert code == 2
        assert words in err


def test_units() -> None:
    assert [ago(seconds) for seconds in (3, 200, 7200, 200_000)] == ["3 s", "3 min", "2 h", "2 d"]
    assert [in_bytes(size) for size in (5, 1500, 2_000_000, 3 * 10**9)] == ["5 B", "1.5 kB", "2 MB", "3 GB"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_modes_tools_and_models(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*mode_names(), *family_names(), *tool_names(), "--encode", "--keep-aspect"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_modes_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--completion", "bash"]) == 0
    script = capsys.readouterr().out
    for line, found in {"utsuroi view gr": "grid", "utsuroi train vae --latent-": "--latent-size"}.items():
        words = f"COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}"
        ask = f'{script}\n{words}; _shtab_utsuroi; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False)
        assert done.stdout.split() == [found], done


@pytest.mark.skipif(shutil.which("bash") is None or os.name != "posix", reason="needs bash")
def test_bash_completes_files_in_place_of_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a person types them: files are completed by readline, which takes a terminal."""
    (tmp_path / "zebras.onnx").touch()
    assert main(["--completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out + '\nutsuroi() { echo "[$*]"; }\n')
    typed = {"view ze\t": "[view zebras.onnx]", "view grid ze\t": "[view grid zebras.onnx]", "view gr\t": "[view grid]",
             "view zebras.onnx --dis\t": "[view zebras.onnx --display]"}  # fmt: skip
    terminal, side = os.openpty()
    command = ["bash", "--norc", "--noprofile", "-i"]
    ends = {"stdin": side, "stdout": side, "stderr": side, "env": {**os.environ, "TERM": "dumb"}}
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **ends)
    os.close(side)
    os.write(terminal, b"source ./script\n")
    said = ""
    for line, found in typed.items():
        os.write(terminal, f"utsuroi {line}\n".encode())
        until = time.monotonic() + 60
        while found not in said:
            assert time.monotonic() < until, said
            if select.select([terminal], [], [], 0.1)[0]:
                said += os.read(terminal, 65536).decode(errors="replace")
    os.write(terminal, b"exit\n")
    process.wait(60)
    os.close(terminal)
