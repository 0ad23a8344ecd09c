"""Flags, presets and files of options: which of them wins, what --help shows, what is refused."""

import dataclasses
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from commands import train

from trainer.command_line import GROUPS, documented, parse
from trainer.config import Check, to_json
from trainer.distributed import SILENT_SECONDS, leave
from trainer.families import family_names, load_family
from trainer.presets import flag, presets_of

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "v0_1" / "runs"


def parsed(family: str, *words: object) -> Any:
    return parse(load_family(family).Config, [str(word) for word in words], "", "train")


def helped(capsys: pytest.CaptureFixture[str], family: str, *words: object) -> str:
    with pytest.raises(SystemExit) as ended:
        parsed(family, *words)
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("family", family_names())
def test_each_option_has_its_flag(family: str) -> None:
    config = load_family(family).Config()
    assert parsed(family) == config
    words = [word for name, value in vars(config).items() if value is not None for word in flag_of(name, value)]
    assert parsed(family, *words) == config


@pytest.mark.parametrize("family", family_names())
def test_help_says_what_an_option_must_be_a_multiple_of(family: str) -> None:
    config = load_family(family).Config
    for name, annotation in get_type_hints(config, include_extras=True).items():
        for one in get_args(annotation):
            if isinstance(one, Check) and one.expected.startswith("a multiple of"):
                assert one.expected in documented(config)[name]


def flag_of(name: str, value: Any) -> list[str]:
    """The flag of an option, and its values."""
    first, *others = flag(name, value).split(" ")
    return [first, *(others if isinstance(value, tuple) else [" ".join(others)] if others else [])]


def test_help_begins_with_what_one_needs_first(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = re.split(r"^\W*?((?:\w+ )?options)\b\W*?$", helped(capsys, "wgan_gp", "--help"), flags=re.MULTILINE)[1:]
    titles, (first, *others) = boxes[::2], boxes[1::2]
    assert re.findall(r"^\W+--([a-z][a-z-]+)", first, re.MULTILINE) == [name.replace("_", "-") for name in GROUPS[""]]
    assert titles == ["options", "model options", "image options", "learning options", "run options", "machine options"]
    assert "--critic-steps" in others[0]
    assert "--beta2" in others[2]
    assert "--keep" in others[3]


def test_help_shows_the_defaults_of_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(re.sub("[│╭╮╰╯─|]", " ", helped(capsys, "dcgan", "--preset", "faces", "--help")).split())
    assert re.search(r"--width INT [^-]*\(default: 48\)", text)
    assert "There are: paper, faces, digits." in text


@pytest.mark.parametrize("words", [["--preset", "help"], ["--preset=help", "--steps", "3"], ["--preset"]])
def test_presets_describe_themselves(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "dcgan", *words)
    for name, preset in presets_of(load_family("dcgan").Config).items():
        assert f"{name}\n    " in text
        assert " ".join(preset.about.split()) in " ".join(text.split())
        assert all(flag(*option) in text for option in preset.options.items())


def test_flags_win_over_a_file_and_it_over_a_preset(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.toml", 'batch-size = 32\nwidth = 16\ndata = "faces/"\nrotate = 3\n')
    config = parsed("dcgan", "--config", file, "--preset", "faces", "--width", 8)
    assert (config.diffaugment, config.minutes) == ("colour,translation", 15.0)
    assert (config.batch_size, config.data, config.rotate) == (32, "faces/", 3)
    assert config.width == 8
    assert (config.preset, config.config) == ("faces", file)


def test_a_file_may_name_its_preset(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.toml", 'preset = "digits"\ndata = "mnist/"\nmultipliers = [1, 2]\n')
    config = parsed("ddpm", "--config", file)
    assert (config.preset, config.flip, config.multipliers) == ("digits", False, (1, 2))
    assert parsed("ddpm", "--config", file, "--preset", "paper").width == 128


def test_a_default_that_is_typed_wins_over_a_preset() -> None:
    assert parsed("vae", "--preset", "digits", "--flip", "--latent-size", 10).flip


@pytest.mark.parametrize("run", sorted(path.name for path in OLD.iterdir()))
def test_options_of_an_old_run_are_taken(run: str) -> None:
    config = to_json(parsed(run, "--config", OLD / run / "config.json", "--steps", 9))
    options = json.loads((OLD / run / "config.json").read_text())["config"]
    ours = {"out": "runs/run", "steps": 9, "device": "auto", "threads": 0}
    assert {name: config[name] for name in options} == options | ours
    assert config["fit"] == "stretch"  # as all images of version 0.1 were, before there was a choice
    assert parsed(run, "--config", OLD / run).seed == 3  # its folder


REFUSED = {
    "unknown preset": (["--preset", "x"], "--preset is x, expected one of paper, small-photos, "),
    "no such file": (["--config", "missing.toml"], "--config missing.toml: No such file"),
    "unknown key": (["--config", "typo.toml"], "typo.toml: batchsize is no option of this model; did you mean batch_s"),
    "own name": (["--config", "self.toml"], "self.toml: config is no option"),
    "table": (["--config", "table.toml"], "table.toml: beta is {\"a\": 1}, expected a number"),
    "text for a number": (["--config", "text.toml"], 'text.toml: steps is "many", expected a whole number'),
    "fraction": (["--config", "fraction.toml"], "fraction.toml: steps is 0.5, expected a whole number"),
    "truth for a number": (["--config", "truth.toml"], "truth.toml: steps is true, expected a whole number"),
    "choice": (["--config", "choice.toml"], 'choice.toml: arch is "x", expected "hierarchical" or "conv"'),
    "unknown preset in a file": (["--config", "preset.toml"], "--preset is x, expected one of"),
    "out of range": (["--config", "range.toml"], "--config range.toml: --batch-size is 0, expected at least 1"),
    "out of range by a flag": (["--config", "fine.toml", "--batch-size", "0"], "--batch-size is 0, expected at"),
    "binary": (["--config", "binary.toml"], "binary.toml: neither TOML nor a run's config.json"),
    "another JSON": (["--config", "other.json"], "other.json: not the config.json of a run"),
    "another model": (["--config", f"{OLD}/ddpm"], "config.json: of a run of ddpm, expected one of vae"),
    "nothing left": (["--config", "whole", "--preset", "digits"], "--preset digits would change nothing: whole sets"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "typo": "batchsize = 3", "self": 'config = "x"', "table": "[beta]\na = 1", "text": 'steps = "many"',
        "fraction": "steps = 0.5", "truth": "steps = true", "choice": 'arch = "x"', "preset": 'preset = "x"',
        "range": "batch_size = 0", "fine": "batch_size = 3",
    }.items():  # fmt: skip
        write(Path(f"{name}.toml"), text)
    Path("binary.toml").write_bytes(b"\x93NUMPY\x01\x00")
    write(Path("other.json"), '{"steps": 3}')
    Path("whole").mkdir()
    whole = {"family": "trainer.families.vae:VAE", "config": to_json(load_family("vae").Config())}
    write(Path("whole/config.json"), json.dumps(whole))
    with pytest.raises(Exception) as raised:
        parsed("vae", *words)
    assert type(raised.value).__name__ == "UserError"
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_run_records_its_preset_and_options(tmp_path: Path) -> None:
    small = ("--data", "toycats:32", "--image-size", 16, "--steps", 1, "--minutes", 0, "--basis", 2, "--hold-out", 4)
    begun = train("--preset", "few-latents", *small, "--precision", "fp32", "--out", tmp_path / "run")
    assert begun.returncode == 0, begun.stderr
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    chosen = ("preset", "detail", "batch_size", "arch", "basis")
    assert [recorded[name] for name in chosen] == ["few-latents", 0.3, 16, "conv", 2]

    again = parsed("vae", "--config", tmp_path / "run", "--out", tmp_path / "run")
    differing = {name for name, value in to_json(again).items() if recorded[name] != value}
    assert differing == {"config"}
    assert dataclasses.replace(again, config=None, fit="auto", divergence="auto") == parsed(
        "vae", "--preset", "few-latents", *small, "--precision", "fp32", "--out", tmp_path / "run"
    )

    forgotten = train(*small, "--out", tmp_path / "run")
    assert forgotten.returncode == 2
    assert "--arch was conv, is hierarchical" in forgotten.stderr
    assert "choose --preset few-latents, which it began with, another --out, or --force" in forgotten.stderr


@pytest.mark.parametrize(("rank", "waits"), [("0", []), ("1", [SILENT_SECONDS])])
def test_a_launcher_ends_no_process_before_it_has_said_why(
    rank: str, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr("trainer.distributed.time.sleep", slept.append)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit):
        leave(None, 2)
    assert slept == waits
