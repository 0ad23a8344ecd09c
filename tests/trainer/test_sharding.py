"""Networks in pieces on two CPU ranks: the same run as with whole ones, in the same checkpoints."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import ROOT, environment, log_rows, train_command
from safetensors.torch import load_file
from torch import Tensor

from trainer import checkpoint
from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.launcher import Launcher, asked_to_shard, check_accumulation

FSDP = ["--config_file", str(ROOT / "launch" / "accelerate" / "fsdp.yaml"), "--num_processes", "2"]
DDPM = ("ddpm", "--width", 16, "--sample-steps", 5)
PIX2PIX = ("pix2pix", "--width", 8, "--image-size", 64)


def start(model: str, *options: Any, data: Path, run: Path, steps: int, fsdp: bool) -> subprocess.CompletedProcess[str]:
    """Train on two ranks."""
    flags = ("--data", data, "--out", run, "--steps", steps, "--batch-size", 4, "--hold-out", 5, "--log-every", 2,
             "--save-every", 3, "--sample-every", 4, "--schedule", "constant")  # fmt: skip
    script = train_command(*flags, *options, model=model)[1:]
    whole = train_command(*flags, *options, ranks=2, model=model)
    pieces = [sys.executable, "-m", "accelerate.commands.launch", *FSDP, "--main_process_port", "0", *script]
    return subprocess.run(
        pieces if fsdp else whole, env=environment(), capture_output=True, text=True, timeout=900, check=False
    )


def finish(*arguments: Any, **more: Any) -> None:
    done = start(*arguments, **more)
    assert done.returncode == 0, done.stderr
    assert ("FSDP" in done.stdout) == more["fsdp"]


def tensors(run: Path) -> dict[str, Tensor]:
    """Everything that the newest checkpoint holds."""
    path, complaints = checkpoint.newest_intact(run)
    assert path is not None
    assert not complaints
    found = {}
    for name in (checkpoint.NETS, checkpoint.AVERAGED):
        found |= {f"{name}/{key}": value for key, value in load_file(path / name).items()}
    for net, state in torch.load(path / checkpoint.OPTIMIZERS, weights_only=True).items():
        for number, own in state["state"].items():
            found |= {f"{net}/{number}/{key}": value for key, value in own.items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [(*DDPM, "--accumulate", 2), (*PIX2PIX, "--mode-seeking", 1), (*PIX2PIX, "--objective", "wgan")],
    ids=["ddpm-accumulated", "pix2pix-latents", "pix2pix-wgan"],
)
def test_it_learns_the_same_and_goes_on_with_and_without(
    options: tuple[Any, ...], images: Path, tmp_path: Path
) -> None:
    whole, pieces, other = tmp_path / "whole", tmp_path / "pieces", tmp_path / "other"
    finish(*options, data=images, run=whole, steps=7, fsdp=False)
    finish(*options, data=images, run=pieces, steps=4, fsdp=True)
    shutil.copytree(pieces, other)
    finish(*options, data=images, run=pieces, steps=7, fsdp=True)
    finish(*options, data=images, run=other, steps=7, fsdp=False)
    expected = tensors(whole)
    for run in (pieces, other):
        found = tensors(run)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-7, msg=name)  # sums of other alignment
        assert log_rows(run, "held_out")[-1] == log_rows(whole, "held_out")[-1]
        for row, same in zip(log_rows(run), log_rows(whole), strict=True):
            assert row == pytest.approx(same)  # norms of gradients are summed in another order


@pytest.mark.slow
@pytest.mark.parametrize("options", [("vae",), (*PIX2PIX, "--objective", "wgan_gp")], ids=["vae", "pix2pix-wgan_gp"])
def test_what_cannot_be_cut_up_is_refused(options: tuple[Any, ...], images: Path, tmp_path: Path) -> None:
    done = start(*options, data=images, run=tmp_path / "run", steps=2, fsdp=True)
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "cannot train with FSDP" in line
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({"FSDP_VERSION": "1"}, {}, "fsdp_version is 1, expected 2"),
        ({"FSDP_OFFLOAD_PARAMS": "true"}, {}, "fsdp_offload_params is true"),
        ({"FSDP_AUTO_WRAP_POLICY": "SIZE_BASED_WRAP"}, {}, "expected NO_WRAP"),
        ({}, {"compile": True}, "--compile does not go with FSDP"),
        ({}, {"precision": "fp16"}, "--precision fp16 does not go with FSDP"),
    ],
)
def test_what_is_not_done_is_not_promised(
    variables: dict[str, str], options: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ACCELERATE_USE_FSDP": "true", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=expected):
        asked_to_shard(RunConfig(**options))


def test_accelerate_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert asked_to_shard(RunConfig())
    assert "ACCELERATE_USE_FSDP" not in os.environ
    assert not asked_to_shard(RunConfig())


def test_another_accumulation_of_the_launcher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """accelerate would divide the gradients by its own number, and take every step all the same."""
    name = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"
    command = ["accelerate", "launch", "--gradient-accumulation-steps", "4", "train.py"]
    for variable, launcher in (("4", None), ("", Launcher(1, command, {}))):
        for asked, fits in ((4, True), (1, False)):
            monkeypatch.setenv(name, variable)
            expected = "accumulation_steps is 4, expected 1 as --accumulate is; --accumulate 4 does it here"
            with nullcontext() if fits else pytest.raises(UserError, match=expected):
                check_accumulation(RunConfig(accumulate=asked), launcher)
            assert name not in os.environ, "it is done once, and by us"
    monkeypatch.setenv(name, "1")
    check_accumulation(RunConfig(accumulate=3), None)
