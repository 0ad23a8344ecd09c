"""Every reader of weights, from a file to the screen: saved, exported, compared with torch, played.

    python tests/bench/bench_importers.py                                # all of them, one after another
    python tests/bench/bench_importers.py dcgan spandrel                 # those of some readers
    python tests/bench/bench_importers.py --keep made/                   # the files stay, and sheet.png

A network of each, by the library or of its published layout and with random weights, is saved in every wrapper that
programs put round weights. Each file is exported as the command does it. What onnxruntime makes is held against the
network's own arithmetic at batches of 1, 2 and 5 and, where images may have any size, at two sizes. The graph of the
same weights is traced once. The viewer then plays one file of each in its mode and records it: sheet.png shows all
recordings. Prints a row for each network: the kind, wrappers that were read, the most that any file differs (of 1; of
the largest number where that is more), and how many of the numbers in the images that were made are black or white.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "export")]

from small_networks import card_of, traced  # noqa: E402
from small_restorers import small  # noqa: E402

import export.to_onnx  # noqa: E402
from export.card import Card  # noqa: E402
from export.from_weights import export_weights  # noqa: E402
from export.given import Given  # noqa: E402
from export.graph import FLOATS, float_output  # noqa: E402
from export.importers import importer_names  # noqa: E402
from export.importers import spandrel as spandrel_importer  # noqa: E402
from export.to_onnx import Output  # noqa: E402
from tests.export import test_pix2pix  # noqa: E402
from tests.export.importers import published_gans as gans  # noqa: E402
from tests.export.importers import published_unets as unets  # noqa: E402
from tests.export.importers import published_vaes as vaes  # noqa: E402
from trainer.families.vae import HierarchicalVAE, VAEConfig  # noqa: E402
from trainer.family import DataSpec  # noqa: E402

BATCHES = (1, 2, 5)
LIMIT = 1e-4
Inputs = Mapping[str, Tensor]
State = Mapping[str, Tensor]
_LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, and what its own program makes of the inputs of each file that is written of it."""

    name: str
    family: str  # the reader's name
    network: nn.Module
    mode: str  # of the viewer
    theirs: Mapping[str, Callable[[Inputs], Tensor]]  # by kind of file: images [n, c, h, w] in 0..1, or other numbers
    given: Mapping[str, Any]  # flags of the export
    beside: Mapping[str, str] = field(default_factory=dict)  # other files of its folder
    low: nn.Module | None = None  # whose images get the detail


def cases() -> list[Case]:
    """All of them."""
    made = [*_gans(), *_vaes(), *_translators(), *_denoisers()]
    assert {case.family for case in made} == set(importer_names()), "a reader without a network here"
    return made


def _case(name: str, network: nn.Module, mode: str, theirs: Any, kind: str = "generator", **given: Any) -> Case:
    theirs = theirs if isinstance(theirs, dict) else {kind: theirs}
    family, _, _ = name.partition(",")
    return Case(name=name, family=family, network=network, mode=mode, theirs=theirs, given=given)


def vivid(network: nn.Module) -> nn.Module:
    """With a stronger last layer: at first all of these draw middle grey."""
    last = [part for part in network.modules() if hasattr(part, "weight") and part.weight.ndim in (2, 4)][-1]
    last.weight.data *= 2 if isinstance(last, nn.Linear) else 8
    return network


def _gans() -> list[Case]:
    def drawn(network: nn.Module) -> Callable[[Inputs], Tensor]:
        return lambda inputs: network(*inputs.values()) / 2 + 0.5

    networks = {
        "dcgan": lambda: gans.TutorialDCGAN(nz=20, ngf=8, doublings=4),
        "mlp_gan, classes": lambda: gans.Linears(classes=5, channels=3, size=(32, 32)),
        "mlp_gan, grey": lambda: gans.Linears(size=(28, 28)),
        "upsampled_gan, classes": lambda: gans.Upsampled(classes=4, channels=3),
    }
    made = {name: vivid(gans.lively(make())) for name, make in networks.items()}
    return [_case(name, network, "grid", drawn(network)) for name, network in made.items()]


def _vaes() -> list[Case]:
    found = []
    for name, make in {"linear": lambda: vaes.Example(64), "convolutional": vaes.Convolutional}.items():
        network = vivid(gans.lively(make()))
        halves = {
            "generator": lambda inputs, network=network: network.decode(inputs["latent"]),
            "encoder": lambda inputs, network=network: network.encode(inputs["image"]),
        }
        found.append(_case(f"plain_vae, {name}", network, "latent", halves))
    image = photo(48, 48) / 255
    blurred = cv2.GaussianBlur(image, (0, 0), 2)
    networks = [_hierarchical(1, blurred), _hierarchical(2, 0.5 + image - blurred)]
    for network, name in zip(networks, ("vae", "vae, detail"), strict=True):
        if name == "vae":
            halves = {
                "generator": lambda inputs, network=network: network.decode(inputs["latent"]).flip(1),  # it makes BGR
                "encoder": lambda inputs, network=network: network.encode(inputs["image"].flip(1)),
            }
            found.append(_case(name, network, "latent", halves))
        else:
            high = {"detail": lambda inputs, network=network: network.decode(inputs["latent"]).flip(1) - 0.5}
            theirs = Case(
                name=name, family="vae", network=network, mode="hpf", theirs=high, given={"kind": "detail"},
                low=networks[0],
            )  # fmt: skip
            found.append(theirs)
    return found


def _hierarchical(seed: int, image: NDArray[np.float64]) -> nn.Module:
    """One that draws an image, h·w·BGR in 0..1, more or less, at every latent."""
    torch.manual_seed(seed)
    config = VAEConfig(arch="hierarchical", latent_size=8, hidden_size=32)
    network = HierarchicalVAE(DataSpec(image_size=(48, 48), channels=3), config)
    kept = torch.from_numpy(image.clip(0.02, 0.98)).float()
    network.decoder1.linear2.bias.data = torch.logit(kept).flatten()
    return network.eval().requires_grad_(False)


def _translators() -> list[Case]:
    def on_pairs(network: nn.Module) -> Callable[[Inputs], Tensor]:
        return lambda inputs: network(inputs["image"] * 2 - 1) / 2 + 0.5

    torch.manual_seed(0)
    residual = gans.lively(gans.ResidualGenerator(nn.InstanceNorm2d, 6))
    nested, larger = test_pix2pix.reference("instance"), vivid(gans.lively(gans.LeftThomas()))
    made = [
        _case("cyclegan", residual, "translate", on_pairs(residual), "translator"),
        _case("pix2pix", nested.eval(), "translate", on_pairs(nested), "translator"),
        _case("srresnet", larger, "upscale", lambda inputs: larger(inputs["image"]), "translator"),
    ]
    for name, mode in (("Compact.Compact", "upscale"), ("SwinIR.SwinIR", "upscale"), ("NAFNet.NAFNet", "translate")):
        network = small(name)
        found = spandrel_importer.load(network.state_dict())
        found.model.eval()

        def call(inputs: Inputs, found: Any = found) -> Tensor:
            return torch.cat([found._call_fn(found.model, image) for image in inputs["image"].split(1)])

        made.append(_case(f"spandrel, {name.partition('.')[0]}", network, mode, call, "translator"))
    return made


def _denoisers() -> list[Case]:
    from diffusers import DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = gans.lively(unets.Unet("2"))
    options = {
        "sample_size": 16, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 4,
    }  # fmt: skip
    maker: Any = UNet2DModel
    library = maker(**options).eval().requires_grad_(False)
    scheduler = DDPMScheduler(prediction_type="sample")  # random noise would be taken off until all is black and white
    theirs = {"denoiser": lambda inputs: library(inputs["noisy"], inputs["t"]).sample}
    return [
        _case(
            "ddpm_unet", unet, "diffuse", lambda inputs: unet(inputs["noisy"], inputs["t"]), "denoiser",
            image_size=(16, 16),
        ),
        Case(
            name="diffusers_unet", family="diffusers_unet", network=library, mode="diffuse", theirs=theirs, given={},
            beside={"config.json": library.to_json_string(), "scheduler_config.json": scheduler.to_json_string()},
        ),
    ]  # fmt: skip


def wrappers(state: State) -> dict[str, Any]:
    """What programs save, by name. Beside averaged weights lie others, which nothing may take."""
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    judge = {"main.0.weight": torch.zeros(4, 3, 4, 4), "main.2.weight": torch.zeros(1, 4, 4, 4)}
    optimiser = {"state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]}

    def before(prefix: str) -> dict[str, Tensor]:
        return {f"{prefix}{key}": value for key, value in state.items()}

    return {
        "bare": dict(state),
        "sorted": dict(sorted(state.items())),
        "state_dict": {"state_dict": state, "epoch": np.int64(3), "optimizer": optimiser},
        "model": {"model": state, "args": {"lr": np.float64(1e-4)}},
        "params": {"params": state},
        "params_ema": {"params": other, "params_ema": state},
        "ema": {"model": other, "ema": state, "opt": optimiser},
        "netG": {"netG": state, "netD": judge},
        "G": {"G": state, "D": judge},
        "g_ema": {"g": other, "d": judge, "g_ema": state},
        "generator": {"generator": state, "discriminator": judge},
        "generator_state_dict": {"generator_state_dict": state, "discriminator_state_dict": judge},
        "Lightning": {
            "state_dict": before("generator.") | {f"discriminator.{key}": value for key, value in judge.items()},
            "pytorch-lightning_version": "2.0",
        },
        "module.": before("module."),
        "_orig_mod.": before("_orig_mod."),
        "safetensors": state,
    }


def save(content: Any, file: Path) -> None:
    """As ``torch.save`` or safetensors writes it."""
    if file.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: value.contiguous() for key, value in content.items()}, file)
    else:
        torch.save(content, file)


def run_case(case: Case, folder: Path) -> dict[str, Any]:
    """Save it in each wrapper, export and compare each file; keeps those of the first."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in case.beside.items():
        (folder / name).write_text(text)
    given = dict(case.given)
    if case.low is not None:
        given["low"] = folder / "low.pth"
        save(dict(case.low.state_dict()), given["low"])
        export_weights(given["low"], Output(path=folder / "low.onnx", force=True))
    worst, failed, first = 0.0, list[str](), list[Path]()
    said: list[str] = []
    for number, (wrapper, content) in enumerate(wrappers(case.network.state_dict()).items()):
        file = folder / ("w.safetensors" if wrapper == "safetensors" else "w.pth")
        save(content, file)
        out = folder / ("x.onnx" if number == 0 else "again.onnx")
        lines: list[str] = []
        try:
            written = export_weights(file, Output(path=out, force=True), say=lines.append, given=Given(**given))
            worst = max(worst, *(difference(case, path) for path in written))
            kept = f"by {case.family}: "
            assert any(kept in line for line in lines), f"not read by {case.family}: {lines}"
            assert any("averaged" in line for line in lines) == ("ema" in wrapper), f"averaged or not: {lines}"
        except Exception as error:  # a row says so, and the others follow
            failed.append(f"{wrapper}: {type(error).__name__}: {error}"[:300])
            continue
        finally:
            file.unlink()
        if number == 0:
            first, said = written, lines
    for path in folder.glob("again*.onnx"):
        path.unlink()
    if not first:
        return {"failed": failed}
    return {"failed": failed, "difference": worst, "said": said, "files": first, "clipped": clipped(first[0])}


def difference(case: Case, path: Path) -> float:
    """The most that a file's numbers, of images before they become levels, differ from the network's own."""
    import onnx

    card = card_of(path)
    session = onnxruntime.InferenceSession(float_output(onnx.load(path)).SerializeToString())
    worst, sizes = 0.0, [card.image_size or (0, 0)]
    if card.image_size is None:
        side = -(-32 // card.multiple) * card.multiple
        sizes = [(side, side), (side + card.multiple, 2 * side)]
    for seed, batch in enumerate(BATCHES):
        for size in sizes:
            feed, inputs = drawn(card, batch, size, seed)
            outputs = dict(zip((port.name for port in session.get_outputs()), session.run(None, feed), strict=True))
            found = outputs.get(FLOATS, outputs[card.output.name])
            with torch.no_grad():
                expected = case.theirs[card.kind](inputs)
            expected = expected.permute(0, 2, 3, 1) if expected.ndim == 4 and card.kind != "denoiser" else expected
            reference = expected.numpy()
            assert found.shape == reference.shape, f"{found.shape}, expected {reference.shape}"
            assert len(found) == batch
            off = np.abs(found - reference).max() / max(1.0, np.abs(reference).max())
            assert off <= LIMIT, f"{card.kind}, {batch} of {size}: differs by {off:.2g}"
            worst = max(worst, float(off))
    return worst


def drawn(card: Card, batch: int, size: tuple[int, int], seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Random inputs of a file, and the same as its network takes them: images [n, c, h, w] in 0..1."""
    random = torch.Generator().manual_seed(seed)
    feed, inputs = dict[str, Any](), dict[str, Tensor]()
    for port in card.inputs:
        shape = [batch, *(length or 0 for length in port.shape[1:])]
        if port.dtype == "u8":
            height, width = size
            shape = [batch, height, width, shape[3] or 3]
            value = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
            image = value.float().permute(0, 3, 1, 2) / 255
            grey = (card.input_channels or card.channels) == 1 and shape[3] == 3
            inputs[port.name] = (image * _LUMA).sum(1, keepdim=True) if grey else image
        elif port.dtype == "i64":
            most = len(card.classes) if port.name == "label" else 100
            value = inputs[port.name] = torch.randint(0, most, shape, generator=random)
        else:
            value = inputs[port.name] = torch.randn(shape, generator=random)
        feed[port.name] = value.numpy()
    return feed, inputs


def clipped(path: Path) -> str:
    """Percent of the numbers in images that a file makes that are black or white; "": it makes none."""
    card = card_of(path)
    if card.output.dtype != "u8":
        return ""
    feed, _ = drawn(card, 16, card.image_size or (64, 64), 9)
    (images,) = onnxruntime.InferenceSession(path).run(None, feed)
    return f"{100 * np.mean((images == 0) | (images == 255)):.1f}"


def photo(height: int, width: int) -> NDArray[np.uint8]:
    """A drawn image, BGR: colours that run, an edge, and strokes."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([255 * x / width, 255 * y / height, 255 - 255 * x / width], 2).astype(np.uint8)
    middle, radius = (width // 2, height // 2), height // 3
    cv2.circle(image, middle, radius, (40, 200, 240), -1)
    cv2.line(image, (middle[0] - radius // 2, middle[1]), (middle[0] + radius // 2, middle[1]), (30, 30, 30), 2)
    cv2.line(image, (middle[0], middle[1] - radius // 2), middle, (30, 30, 30), 1)
    return image


def play(case: Case, files: list[Path], folder: Path) -> Path:
    """Let the viewer record what a person would see."""
    file, recording = folder / "photo.png", folder / "record.png"
    cv2.imwrite(str(file), photo(96, 128))
    inputs = {
        "grid": [files[0], "--rows", "3", "--cols", "4"],
        "latent": [files[0]],
        "hpf": [folder / "low.onnx", files[0], "--rows", "3", "--cols", "4"],
        "translate": [files[0], file],
        "upscale": [files[0], file],
        "diffuse": [files[0], "--rows", "2", "--cols", "3"],
    }[case.mode]
    command = [
        sys.executable,
        "-m",
        "viewer",
        case.mode,
        *inputs,
        "--display",
        "none",
        "--force",
        "--record",
        recording,
    ]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the viewer ends with {done.returncode}: {done.stderr.strip()}")
    return recording


def sheet(recordings: Mapping[str, Path], path: Path) -> None:
    """All recordings beside one another, with their names."""
    width, height, cells = 480, 320, []
    for name, recording in recordings.items():
        cell, image = np.full((height, width, 3), 40, np.uint8), cv2.imread(str(recording))
        factor = min(width / image.shape[1], (height - 24) / image.shape[0])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        cell[24 : 24 + image.shape[0], : image.shape[1]] = image[: height - 24, :width]
        cv2.putText(cell, name, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        cells.append(cell)
    cells += [np.zeros((height, width, 3), np.uint8)] * (-len(cells) % 4)
    rows = [np.hstack(cells[start : start + 4]) for start in range(0, len(cells), 4)]
    cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    """A row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="READER", help="such as dcgan (all)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the files and images stay")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    setattr(export.to_onnx, "trace", traced)  # noqa: B010  (as the tests do)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        keep = options.keep or Path(folder)
        recordings: dict[str, Path] = {}
        print(
            "| network | file | wrappers | torch − onnxruntime | black or white, % | mode |\n|---|---|---|---|---|---|"
        )
        for case in cases():
            if options.names and case.family not in options.names:
                continue
            place = keep / case.name.replace(", ", "-")
            found = run_case(case, place)
            count = len(wrappers(case.network.state_dict()))
            for line in found["failed"]:
                print(f"{case.name}: {line}", file=sys.stderr, flush=True)
            bad += len(found["failed"])
            if "files" not in found:
                continue
            recordings[case.name] = play(case, found["files"], place)
            kinds = " + ".join(card_of(path).kind for path in found["files"])
            read = f"{count - len(found['failed'])} of {count}"
            most = f"{found['difference']:.1e}"
            print(f"| {case.name} | {kinds} | {read} | {most} | {found['clipped']} | {case.mode} |", flush=True)
            print(f"{case.name}: {'; '.join(found['said'])}", file=sys.stderr, flush=True)
        if recordings:
            sheet(recordings, keep / "sheet.png")
    sys.exit(f"{bad} files failed" if bad else 0)


if __name__ == "__main__":
    main()
