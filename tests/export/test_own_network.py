"""--module: somebody's own definition of a network becomes a file with a card, or one line says why not."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from small_networks import card_of

from export import __main__ as command

CODE = """
import torch
from torch import nn

import beside


class Generator(nn.Module):
    def __init__(self, width=4, last=True):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(6, width, 4), nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, 3, 4, 2, 1), *([nn.Tanh()] if last else []),
        )

    def forward(self, z):
        return self.main(z)


class Double(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1, stride=2)
        self.up = nn.PixelShuffle(2)

    def forward(self, x):
        return x + self.up(self.conv(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 8)

    def forward(self, x):
        return self.conv(x)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.time = nn.Embedding(1000, 3)

    def forward(self, x, t):
        return self.conv(x) + self.time(t)[:, :, None, None]


class Edm(Denoiser):
    def forward(self, x, sigma, labels=None):
        return self.conv(x) * sigma[:, None, None, None]


class Breaks(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 8)
        raise RuntimeError("of the user's own")


def nothing():
    return 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "model.py").write_text(CODE)
    (folder / "beside.py").write_text("")
    return folder


def network(folder: Path, name: str, file: str = "w.pth", wrapped: str = "", **values: object) -> torch.nn.Module:
    """A network of the file with random weights, which are saved beside it."""
    from export.own_network import build

    torch.manual_seed(0)
    made = build(f"{folder / 'model.py'}:{name}", json.dumps(values)).eval()
    with torch.no_grad():
        for value in made.buffers():
            value.copy_(torch.rand(value.shape) + 0.5)
        for parameter in made.parameters():
            parameter.mul_(2)
    state = made.state_dict()
    torch.save({wrapped: state, "epoch": 3} if wrapped else state, folder / file)
    return made


def export(folder: Path, name: str, *more: str) -> int:
    given = ["--module", f"{folder / 'model.py'}:{name}", "-o", str(folder / "out.onnx"), "--force", *more]
    return command.main([str(folder / "w.pth"), *given])


def test_a_generator_with_arguments_and_the_range_it_reaches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = network(folder, "Generator", wrapped="netG", width=7)
    assert export(folder, "Generator", "--module-args", '{"width": 7}', "--kind", "generator", "--latent", "6x1x1") == 0
    printed = capsys.readouterr().err
    assert "model.py:Generator was run as your own code" in printed
    assert "come out as -1..1" in printed
    card = card_of(folder / "out.onnx")
    assert (card.kind, card.image_size, card.latent and card.latent.size) == ("generator", (8, 8), 6)
    latent = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    found = onnxruntime.InferenceSession(folder / "out.onnx").run(None, {"latent": latent})[0]
    with torch.no_grad():
        expected = made(torch.from_numpy(latent)[:, :, None, None]).permute(0, 2, 3, 1).numpy() * 0.5 + 0.5
    assert np.abs(found - expected.clip(0, 1) * 255).max() <= 0.6


@pytest.mark.slow
def test_a_translator_of_any_size_in_its_own_range(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = network(folder, "Double")
    assert export(folder, "Double", "--kind", "translator", "--input-range", "-1..1") == 0
    assert "in the range in which they go in" in capsys.readouterr().err
    card = card_of(folder / "out.onnx")
    assert (card.kind, card.image_size, card.scale, card.multiple) == ("translator", None, 1, 2)
    image = np.random.default_rng(0).integers(0, 256, (3, 34, 50, 3), np.uint8)
    found = onnxruntime.InferenceSession(folder / "out.onnx").run(None, {"image": image})[0]
    with torch.no_grad():
        expected = made(torch.from_numpy(image).permute(0, 3, 1, 2) / 127.5 - 1).permute(0, 2, 3, 1).numpy()
    assert np.abs(found - (expected * 0.5 + 0.5).clip(0, 1) * 255).max() <= 0.6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more", "kind"),
    [
        ("Encoder", ("--kind", "encoder", "--image-size", "8"), "encoder"),
        ("Denoiser", ("--kind", "denoiser", "--image-size", "16x8", "--noise-schedule", "cosine"), "denoiser"),
    ],
)
def test_other_kinds(
    folder: Path, name: str, more: tuple[str, ...], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network(folder, name)
    assert export(folder, name, *more) == 0, capsys.readouterr().err
    card = card_of(folder / "out.onnx")
    assert card.kind == kind
    if kind == "denoiser":
        assert card.image_size == (8, 16)
        assert (card.schedule["kind"], card.schedule["prediction"]) == ("cosine", "epsilon")
        assert "prediction for epsilon" in capsys.readouterr().err


def test_mistakes_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(folder, "Generator")
    out = ["-o", str(folder / "none.onnx")]
    latent = ["--kind", "generator", "--latent", "6x1x1"]
    own = f"{folder / 'model.py'}"
    (folder / "broken.py").write_text("import torch\nx = 1 / 0\n")
    for arguments, expected in (
        (["--module", own, *latent], "expected FILE.py:Class"),
        (["--module", f"{folder / 'gone.py'}:G", *latent], "there is no such file"),
        (["--module", f"{folder / 'broken.py'}:G", *latent], "line 2: ZeroDivisionError: division by zero"),
        (["--module", f"{own}:Wrong", *latent], "has no Wrong, expected one of Generator, Double, Encoder"),
        (["--module", f"{own}:nothing", *latent], "gives a int, expected a torch.nn.Module"),
        (["--module", f"{own}:Breaks", *latent], "RuntimeError: of the user's own"),
        (["--module", f"{own}:Generator", *latent, "--module-args", "width=3"], "--module-args is no JSON"),
        (["--module", f"{own}:Generator", *latent, "--module-args", "[3]"], "--module-args is [3], expected such as"),
        (
            ["--module", f"{own}:Generator", *latent, "--module-args", '{"widht": 3}'],
            "unexpected keyword argument 'widht'",
        ),
        (
            ["--module", f"{own}:Generator", *latent, "--module-args", '{"width": 9}'],
            "it has main.0.bias of [4], expected [9]",
        ),
        (
            ["--module", f"{own}:Encoder", "--kind", "encoder"],
            "it lacks conv.bias, conv.weight; it has besides main.0.bias",
        ),
        (["--module", f"{own}:Generator"], "--kind is missing, expected what --module makes"),
        (["--module", f"{own}:Generator", "--kind", "generator"], "--latent is missing, expected the shape"),
        (["--module", f"{own}:Generator", "--kind", "generator", "--latent", "6"], "Error"),
        (["--module", f"{own}:Generator", "--kind", "translator"], "Error"),
        (["--module", f"{own}:Generator", *latent, "--family", "vae"], "expected none with --module"),
        (["--module", f"{own}:Edm", "--kind", "denoiser"], "takes (x, sigma), the strength of noise as EDM does"),
        (["--module", f"{own}:Edm", "--kind", "translator"], "missing 1 required positional argument: 'sigma'"),
    ):
        network(folder, "Edm" if "Edm" in arguments[1] else "Generator")
        assert command.main([str(folder / "w.pth"), *arguments, *out]) == 2, arguments
        printed = capsys.readouterr()
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert expected in printed.err, printed.err
    assert not (folder / "none.onnx").exists()
