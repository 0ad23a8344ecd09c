"""Evaluations of small runs: figures, ranks, sheets, the card, and a person's mistakes in one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from commands import ROOT, TWO_RANKS, environment
from drawn_cats import CLASSES, draw
from onnx import TensorProto, helper
from torch import nn

from export.card import Card
from export.to_onnx import Output, export_run, read_evaluation
from trainer import metrics
from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.distributed import World
from trainer.evaluation.evaluation import Evaluation, same_classes
from trainer.evaluation.features import Repooled, fit, load_inception, open_onnx
from trainer.evaluation.options import EvaluateConfig
from trainer.families.classifier import Classifier
from trainer.families.vae import VAE
from trainer.loop import train
from trainer.progress import Progress

SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled cats to train on, others to measure with, and features that average blocks of 4 pixels."""
    folder = tmp_path_factory.mktemp("evaluate")
    for name, count, start in (("cats", 120, 0), ("others", 60, 500)):
        cats = draw(count, SIDE, 0, start=start)
        np.save(folder / f"{name}.npy", cats.images)
        facts = {"labels": cats.labels.tolist(), "classes": cats.classes}
        (folder / f"{name}.json").write_text(json.dumps(facts))
    write_onnx(folder / "blocks.onnx", TensorProto.FLOAT, ["n", 3, "h", "w"])
    return folder


def write_onnx(path: Path, kind: int, shape: list[Any], nodes: list[onnx.NodeProto] | None = None) -> Path:
    """An ONNX file of one image input; unless told otherwise it averages blocks of 4 pixels."""
    nodes = nodes or [helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[4, 4], strides=[4, 4])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def world() -> World:
    return World(RunConfig(device="cpu"))


def run_of(family: Any, folder: Path, name: str, world: World, **options: Any) -> Path:
    out = folder / name
    config = family.Config(
        data=str(folder / "cats.npy"), out=out, batch_size=16, save_every=1000, sample_every=1000, hold_out=4,
        device="cpu", **options,
    )  # fmt: skip
    assert train(family, config, world, Progress(speaks=False)) == 0
    return out


@pytest.fixture(scope="module")
def vae(folder: Path, world: World) -> Path:
    return run_of(VAE, folder, "vae", world, steps=30, hidden_size=16, latent_size=4, learning_rate=1e-3)


@pytest.fixture(scope="module")
def bound(folder: Path, world: World) -> Path:
    """A run whose own figure draws latents."""
    return run_of(
        VAE, folder, "bound", world, steps=5, arch="conv", width=16, latent_size=4, reconstruction="bernoulli"
    )


@pytest.fixture(scope="module")
def classifier(folder: Path, world: World) -> Path:
    return run_of(Classifier, folder, "classifier", world, steps=60, width=8, feature_size=8, dropout=0.0)


def options(run: Path, folder: Path, **changes: Any) -> EvaluateConfig:
    return EvaluateConfig(
        run=run, **{"samples": 80, "batch_size": 32, "features": str(folder / "blocks.onnx"), **changes}
    )


def evaluation_of(config: EvaluateConfig, world: World) -> Evaluation:
    return Evaluation(config, world, Progress(speaks=True, file=sys.stderr))


def test_figures_are_those_of_the_networks(vae: Path, folder: Path, world: World) -> None:
    evaluation = evaluation_of(options(vae, folder, data=str(folder / "others.npy")), world)
    facts = evaluation.go()
    found = facts["metrics"]
    assert facts["images"] == 60
    assert json.loads((vae / "evaluation" / "metrics.json").read_text()) == facts
    nets = evaluation.nets
    images = torch.from_numpy(np.load(folder / "others.npy")).permute(0, 3, 1, 2).float() / 255
    latents = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        again, samples = nets.vae.decode(nets.vae.encode(images)), nets.vae.decode(latents)
    assert found["mse_exported"] == pytest.approx(float((again - images).square().mean()), rel=1e-4)
    assert found["psnr"] == pytest.approx(float(metrics.peak_signal_to_noise(again, images).mean()), rel=1e-4)
    real, sampled = (nn.functional.avg_pool2d(rows, 4).flatten(1) for rows in (images, samples))
    assert found["frechet"] == pytest.approx(metrics.frechet_distance(real, sampled), rel=1e-3)
    assert found["precision"] == metrics.precision_recall(real, sampled)[0]
    assert {"ssim", "mse", "kernel", "kernel_std", "recall", "copying"} <= found.keys()
    for name, columns in (("reconstructions", 12), ("samples", 8), ("neighbours", 6)):
        sheet = cv2.imread(str(vae / "evaluation" / f"{name}.png"))
        assert sheet.shape[1] == columns * (SIDE + 2) + 2


def test_without_data_the_runs_own_held_out_images_serve(vae: Path, folder: Path, world: World) -> None:
    facts = evaluation_of(options(vae, folder, features="none", samples=0), world).go()
    assert facts["images"] == 30
    assert "frechet" not in facts["metrics"]
    held_out = json.loads((vae / "log.jsonl").read_text().splitlines()[-1])
    assert facts["metrics"]["mse"] == pytest.approx(held_out["mse"], rel=1e-5), "as the loop has scored it"


def test_two_ranks_share_the_batches_and_nothing_changes(
    vae: Path, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = evaluation_of(options(vae, folder), world)

    def numbers(evaluation: Evaluation) -> dict[str, torch.Tensor]:
        def measure(_: int, indices: np.ndarray) -> dict[str, torch.Tensor]:
            (batch,) = evaluation.batches(evaluation.images, indices, batch_size=len(indices))
            return evaluation.family.score(evaluation.nets, batch)

        return evaluation.over_batches("held out", np.arange(37), measure)

    expected = numbers(alone)
    parts: list[Any] = []

    def hand_over(part: Any) -> Any:
        parts.append(part)
        raise BrokenPipeError  # as far as a rank comes without the other

    monkeypatch.setattr(world, "size", 2)
    monkeypatch.setattr(world, "gather", hand_over)
    for rank in (0, 1):
        monkeypatch.setattr(world, "rank", rank)
        with pytest.raises(BrokenPipeError):
            numbers(alone)
    assert [sorted(part) for part in parts] == [[0], [1]]
    monkeypatch.setattr(world, "gather", lambda part: parts)
    found = numbers(alone)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_bound_is_the_same_when_measured_again(bound: Path, folder: Path, world: World) -> None:
    first, again = (evaluation_of(options(bound, folder, samples=0), world).go()["metrics"] for _ in range(2))
    assert first == again
    assert "bound" in first


def test_sets_that_are_small_for_their_features_are_noted(
    vae: Path, folder: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation_of(options(vae, folder, samples=12), world).go()
    assert "note: 12 images are few for the 48 numbers" in capsys.readouterr().err
    evaluation_of(options(vae, folder, data=str(folder / "others.npy")), world).go()
    assert "few for the" not in capsys.readouterr().err


def test_classes_do_not_matter_to_families_without_labels(
    vae: Path, folder: Path, world: World, tmp_path: Path
) -> None:
    np.save(tmp_path / "strange.npy", np.load(folder / "others.npy"))
    (tmp_path / "strange.json").write_text(json.dumps({"labels": [0, 1] * 30, "classes": ["newt", "axolotl"]}))
    assert evaluation_of(options(vae, folder, data=str(tmp_path / "strange.npy")), world).go()["images"] == 60


@pytest.mark.parametrize("run_name", ["vae", "bound"])
def test_importance_weighted_samples_bound_the_likelihood(
    run_name: str, folder: Path, world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once and one by one, and by its definition."""
    run: Path = request.getfixturevalue(run_name)
    seen: list[torch.Tensor] = []

    def measured(count: int, numbers: int) -> dict[str, float]:
        monkeypatch.setattr("trainer.evaluation.evaluation.WEIGHTED", numbers)
        evaluation = evaluation_of(options(run, folder, samples=0, iwae=count), world)
        weigh = evaluation.family.log_weights
        seen.clear()

        def log_weights(nets: Any, batch: Any, some: int) -> torch.Tensor:
            seen.append(weigh(nets, batch, some))
            return seen[-1]

        monkeypatch.setattr(evaluation.family, "log_weights", log_weights)
        facts = evaluation.go()
        assert facts["iwae_samples"] == count
        return facts["metrics"]

    few, many, parts = measured(1, 1 << 22), measured(60, 1 << 22), measured(60, 1)
    assert [weights.shape for weights in seen] == [(1, 30)] * 60, "no more than one at once where there is no room"
    expected = -(torch.cat(seen).double().logsumexp(0) - np.log(60)).mean()
    assert parts["iwae"] == pytest.approx(float(expected), rel=1e-6)
    assert parts["iwae_bits"] == pytest.approx(parts["iwae"] / np.log(2) / (SIDE * SIDE * 3))
    assert many["iwae"] < few["iwae"]
    assert many["iwae"] == pytest.approx(parts["iwae"], abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("run_name", ["vae", "bound"])
def test_figures_do_not_depend_on_the_number_of_ranks(
    run_name: str, classifier: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    run: Path = request.getfixturevalue(run_name)
    found = []
    for launcher in ([sys.executable], [sys.executable, "-m", "accelerate.commands.launch", *TWO_RANKS,
                                        "--main_process_port", "0"]):  # fmt: skip
        command = [*launcher, ROOT / "trainer" / "evaluate.py", run, "--samples", 100, "--batch-size", 16,
                   "--features", classifier, "--classifier", classifier]  # fmt: skip
        subprocess.run(list(map(str, command)), env=environment(), check=True, capture_output=True, timeout=300)
        found.append(json.loads((run / "evaluation" / "metrics.json").read_text()))
    assert found[0] == found[1]


def test_a_classifiers_run_is_an_extractor_and_is_measured(
    vae: Path, classifier: Path, folder: Path, world: World
) -> None:
    own = evaluation_of(options(classifier, folder, features="none"), world).go()["metrics"]
    assert 0 <= own["error"] <= 1
    assert set(own) == {"error", "cross_entropy"}, "it generates nothing"
    found = evaluation_of(options(vae, folder, features=str(classifier), classifier=classifier), world).go()
    assert found["features"] == found["classifier"] == "classifier"
    assert 0 <= found["metrics"]["class_entropy"] <= np.log(len(CLASSES)) + 1e-9
    assert "label_accuracy" not in found["metrics"], "these samples were asked for without labels"


def test_labels_asked_for_are_compared_by_name(
    vae: Path, classifier: Path, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = evaluation_of(options(vae, folder, classifier=classifier), world)
    assert evaluation.classifier is not None
    order = tuple(reversed(evaluation.spec.classes))
    monkeypatch.setattr(evaluation, "spec", type(evaluation.spec)(image_size=(16, 16), channels=3, classes=order))
    labels = torch.arange(50) % len(order)
    logits = nn.functional.one_hot(len(order) - 1 - labels, len(order)).float()
    assert evaluation.count_classes(logits, labels)["label_accuracy"] == 1
    logits[:10] = logits[:10].roll(1, 1)
    assert evaluation.count_classes(logits, labels)["label_accuracy"] == pytest.approx(0.8)


def test_copies_of_training_images_are_found(
    vae: Path, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = torch.from_numpy(np.load(folder / "cats.npy")).permute(0, 3, 1, 2).float() / 255
    own = torch.tensor([k for k in range(120) if k % 4 != 3])
    monkeypatch.setattr(VAE, "sample", lambda self, nets, facts, latent: training[own[: len(latent)]])
    found = evaluation_of(options(vae, folder, features="none"), world).go()["metrics"]
    assert found["copying"] > 0.95
    sheet = cv2.imread(str(vae / "evaluation" / "neighbours.png"))
    assert (sheet[2 : 2 + SIDE, 2 : 2 + SIDE] == sheet[2 : 2 + SIDE, 4 + SIDE : 4 + 2 * SIDE]).all(), (
        "itself is nearest"
    )


def test_figures_reach_the_card_of_the_weights_that_they_are_of(
    vae: Path, folder: Path, world: World, tmp_path: Path
) -> None:
    facts = evaluation_of(options(vae, folder, features="none"), world).go()

    path, *_ = export_run(vae, Output(path=tmp_path / "vae.onnx"))
    card = Card.from_props({item.key: item.value for item in onnx.load(path).metadata_props})
    assert card is not None
    written = card.training["evaluation"]
    assert written["metrics"]["psnr"] == pytest.approx(facts["metrics"]["psnr"], rel=1e-4)
    assert written["images"] == 30
    assert not read_evaluation(vae, facts["step"] + 1), "figures of other weights"
    assert not read_evaluation(tmp_path, facts["step"])


def mistake(world: World, **changes: Any) -> str:
    with pytest.raises(UserError) as error:
        evaluation_of(EvaluateConfig(**{"features": "none", **changes}), world).go()
    message = str(error.value)
    assert "\n" not in message
    return message


def test_mistakes_are_one_line(
    vae: Path, classifier: Path, folder: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cats = np.load(folder / "cats.npy")
    np.save(tmp_path / "three.npy", cats[:3])
    np.save(tmp_path / "large.npy", np.repeat(cats[:20], 2, 1))
    np.save(tmp_path / "grey.npy", cats[:20, ..., :1])
    features = str(folder / "blocks.onnx")
    assert (
        "three.npy: 3 images, expected at least 10 to compare sets: name more images with --data, or give"
        in mistake(world, run=vae, data=str(tmp_path / "three.npy"), features=features)
    )
    monkeypatch.setattr("trainer.evaluation.evaluation.LEAST", 31)
    message = mistake(world, run=vae, features=features)
    assert f"cats.npy: 30 held-out images (--hold-out 4 of {vae}), expected at least 31" in message
    monkeypatch.undo()
    assert "--samples: 5 images, expected at least 10 to compare sets: draw more" in mistake(
        world, run=vae, samples=5, features=features
    )
    message = mistake(world, run=vae, data=str(tmp_path / "large.npy"))
    assert message.endswith("holds images of 16x32 px, 3 channel(s), expected the run's 16x16 px, 3 channel(s)")
    assert "1 channel(s), expected the run's" in mistake(world, run=vae, data=str(tmp_path / "grey.npy"))
    assert "holds no labels, Classifier needs them" in mistake(world, run=classifier, data=str(tmp_path / "three.npy"))
    message = mistake(world, run=classifier, iwae=500)
    assert message == "--iwae is 500, expected 0: Classifier has no likelihood of images, as a VAE has"
    assert "not a run" in mistake(world, run=tmp_path)
    assert "expected an .onnx file or the folder" in mistake(world, run=vae, features="vgg")
    assert "No such file" in mistake(world, run=vae, features="no.onnx")
    assert "holds a run of VAE" in mistake(world, run=vae, classifier=vae)
    (tmp_path / "text.onnx").write_text("hello")
    assert "not an ONNX model" in mistake(world, run=vae, features=str(tmp_path / "text.onnx"))
    odd = write_onnx(tmp_path / "odd.onnx", TensorProto.FLOAT, ["n", 3], [helper.make_node("Identity", ["x"], ["y"])])
    assert "expected images" in mistake(world, run=vae, features=str(odd))
    (tmp_path / "weights.pth").write_bytes(b"hello")
    assert "not a state_dict" in mistake(world, run=vae, features="inception", inception=tmp_path / "weights.pth")
    torch.save({"fc.bias": torch.zeros(7)}, tmp_path / "weights.pth")
    assert "not a state_dict of Inception" in mistake(
        world, run=vae, features="inception", inception=tmp_path / "weights.pth"
    )

    def offline(*_: Any, **__: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    assert "(no network): give a local copy with --inception PATH" in mistake(world, run=vae, features="inception")


def test_classes_are_matched_by_name() -> None:
    assert same_classes(("b", "a"), ("a", "b", "c"), "x") == [1, 0]
    with pytest.raises(UserError, match="x: has the class 'd', expected some of a, b, c"):
        same_classes(("a", "d"), ("a", "b", "c"), "x")


def test_training_images_that_are_gone_cost_the_search_only(
    vae: Path, folder: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder / "cats.npy"
    source.rename(folder / "gone.npy")
    try:
        config = options(vae, folder, data=str(folder / "others.npy"), features="none")
        found = evaluation_of(config, world).go()["metrics"]
    finally:
        (folder / "gone.npy").rename(source)
    assert "copying" not in found
    assert "cannot be searched for copies" in capsys.readouterr().err


def test_the_command_says_what_is_wrong_with_code_2(vae: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, str(ROOT / "trainer" / "evaluate.py"), str(vae), "--weights", "12", "--device", "cpu"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith(("loading PyTorch", "starting"))]
    assert said == [f"error: {vae}: --weights is 12, expected best, last or one of the steps 30"]


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_onnx_features_of_any_layout_and_batch(tmp_path: Path, batch: Any) -> None:
    image = torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.avg_pool2d(image, 4).flatten(1)
    planar = open_onnx(write_onnx(tmp_path / "p.onnx", TensorProto.FLOAT, [batch, 3, SIDE, SIDE]), "features")
    assert torch.allclose(planar.embed(image), expected, atol=1e-5)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["t"], ["y"], kernel_shape=[4, 4], strides=[4, 4]),
    ]
    last = open_onnx(write_onnx(tmp_path / "l.onnx", TensorProto.UINT8, [batch, "h", "w", 3], nodes), "features")
    assert torch.allclose(last.embed(image) / 255, expected, atol=2e-3)
    assert last.embed(image[:, :1]).shape == expected.shape, "grey images become three channels"


def test_images_are_brought_to_what_a_network_takes() -> None:
    image = torch.rand(2, 3, 20, 30)
    assert fit(image, 1, (20, 30)).shape == (2, 1, 20, 30)
    assert fit(image[:, :1], 3, (8, 8)).shape == (2, 3, 8, 8)
    assert fit(image, 3, (20, 30)) is image
    grey = image[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(fit(grey, 1, (20, 30)), image[:, :1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1008, 1000])
def test_inception_by_its_weights(tmp_path: Path, classes: int) -> None:
    from torchvision.models import inception_v3

    network = inception_v3(weights=None, aux_logits=classes == 1000, init_weights=False, num_classes=classes)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    features = load_inception(tmp_path / "weights.pth")
    repooled = [name for name, block in features.network.named_children() if isinstance(block, Repooled)]
    assert len(repooled) == (9 if classes == 1008 else 0)
    with torch.no_grad():
        assert features(torch.rand(2, 1, 28, 28)).shape == (2, 2048)


def test_the_flags_are_checked() -> None:
    with pytest.raises(UserError, match="--batch-size is 0, expected at least 1"):
        EvaluateConfig(run=Path("x"), batch_size=0)
