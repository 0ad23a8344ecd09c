"""Figures of models on a set: what they are means of, what is compared with what, and what is said of them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from small_denoisers import make_denoiser
from small_models import constant, make_encoder, make_generator, make_graph, make_translator, photo_like, write

from trainer.contract.images import FITS
from trainer.contract.resample import shrink
from viewer.__main__ import main
from viewer.files.png import read_recipe
from viewer.keys import decode_character
from viewer.latents import draw_many
from viewer.model import ModelError, open_model, open_sibling_encoder
from viewer.modes import Mode
from viewer.modes.compare import metrics, views
from viewer.modes.compare.figures import Figures, Row
from viewer.modes.compare.headless import as_text
from viewer.modes.compare.session import CompareSession
from viewer.room import Room

IMAGES = np.stack([photo_like(16, 16, seed) for seed in range(10)])  # RGB, as sets are


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    for name, hidden in (("a", 8), ("b", 5)):
        make_generator(folder / f"{name}.onnx", hidden=hidden)
        make_encoder(folder / f"{name}.encoder.onnx")
    make_translator(folder / "twice.onnx", scale=2, context=4)
    make_translator(folder / "same.onnx")
    make_translator(folder / "drawn.onnx", latent=3)
    make_denoiser(folder / "good.onnx", spread=0.4)
    make_denoiser(folder / "poor.onnx", spread=0.01)
    extractor(folder / "net.onnx")
    np.save(folder / "set.npy", IMAGES)
    np.save(folder / "half.npy", np.concatenate([IMAGES[:, :, ::-1], IMAGES], axis=2))
    np.save(folder / "turned.npy", IMAGES[:, :, ::-1])
    return folder


def extractor(path: Path, batch: int | str = "n") -> Path:
    """A network of f32 [n, 3, 8, 8] in 0..1 that gives the means of red, green and blue."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    return write(path, make_graph(nodes, [("x", "f32", [batch, 3, 8, 8])], [("y", "f32", [batch, 3])],
                                  [constant("unused", np.float32(0))]))  # fmt: skip


def measured(folder: Path, *words: str, count: int = 10) -> Figures:
    """The figures, as the screen has them."""
    mode = Mode("compare")
    named = [str(folder / word) if (folder / word).exists() else word for word in words]
    session: CompareSession = mode.open(mode.parse([*named, "--count", str(count), "--threads", "1"]))
    session.settle(0.0)
    session.close()
    assert not session.failures
    assert session._figures is not None
    assert session._figures.finished
    return session._figures


def values(figures: Figures, name: str) -> tuple[float | None, ...]:
    return next(row.values for row in figures.rows if row.name == name)


def bgr(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.ascontiguousarray(image[..., ::-1]) for image in images]


def test_reconstructions_are_measured(folder: Path) -> None:
    figures = measured(folder, "a.onnx", "b.onnx", "--data", "set.npy")
    for place, name in enumerate("ab"):
        model, encoder = open_model(folder / f"{name}.onnx"), open_sibling_encoder(folder / f"{name}.onnx")
        originals = bgr(IMAGES)
        made = model.generate(encoder.encode(np.stack(originals)))
        pairs = [(metrics.unit(one), metrics.unit(other)) for one, other in zip(made, originals, strict=True)]
        for row, formula in (
            ("mean squared error", metrics.squared_error),
            ("PSNR", metrics.peak_signal_to_noise),
            ("SSIM", metrics.structural_similarity),
        ):
            wanted = np.mean([formula(*pair) for pair in pairs])
            assert values(figures, row)[place] == pytest.approx(wanted)


def test_features_of_reconstructions_and_of_samples(folder: Path) -> None:
    figures = measured(folder, "a.onnx", "b.onnx", "--data", "set.npy", "--features", "net.onnx", "--seed", "3")

    def features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = [cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA) for image in images]
        means: NDArray[np.float32] = (np.stack(small)[..., ::-1].mean((1, 2)) / 255).astype(np.float32)
        return means

    originals = np.stack(bgr(IMAGES))
    for place, name in enumerate("ab"):
        model, encoder = open_model(folder / f"{name}.onnx"), open_sibling_encoder(folder / f"{name}.onnx")
        made = model.generate(encoder.encode(originals))
        apart = np.linalg.norm(features(made) - features(originals), axis=1).mean()
        assert values(figures, "feature distance")[place] == pytest.approx(apart, rel=1e-4)
        samples = model.generate(draw_many(model.latent, 3, range(10)))
        wanted = metrics.frechet_distance(features(originals), features(samples))
        assert values(figures, "Frechet distance")[place] == pytest.approx(wanted, rel=1e-3)


def test_upscalers_get_small_versions_of_the_set(folder: Path) -> None:
    figures = measured(folder, "twice.onnx", "twice.onnx", "--images", str(folder / "p.png"), "--data", "set.npy")
    model, found = open_model(folder / "twice.onnx", many_sizes=True), []
    for image in bgr(IMAGES):
        result = model.translate(np.ascontiguousarray(shrink(image, 2)))
        one, other = (metrics.luma(value)[2:-2, 2:-2] for value in (result, image))
        found.append(metrics.peak_signal_to_noise(one, other))
    assert values(figures, "PSNR of the luma") == pytest.approx([np.mean(found)] * 2)


@pytest.fixture(autouse=True)
def _photo(folder: Path) -> None:
    cv2.imwrite(str(folder / "p.png"), photo_like(16, 16))


@pytest.mark.parametrize(("data", "pairs"), [("set.npy", "turned.npy"), ("half.npy", "halves")])
def test_translators_get_what_the_pairs_say(data: str, pairs: str, folder: Path) -> None:
    figures = measured(
        folder, "same.onnx", "drawn.onnx", "--images", str(folder / "p.png"), "--data", data, "--pairs", pairs
    )
    model = open_model(folder / "same.onnx", many_sizes=True)
    found = [
        metrics.squared_error(metrics.unit(model.translate(np.ascontiguousarray(image[:, ::-1]))), metrics.unit(image))
        for image in bgr(IMAGES)
    ]
    assert values(figures, "mean squared error")[0] == pytest.approx(np.mean(found))


def test_denoisers_are_measured_by_what_they_take_noise_for(folder: Path) -> None:
    figures = measured(folder, "good.onnx", "poor.onnx", "--data", "set.npy", "--steps", "2", "--features", "net.onnx")
    by_noise = [values(figures, f"PSNR at {share} % noise") for share in (10, 50, 90)]
    assert all(good > poor for good, poor in by_noise)
    assert by_noise[0][0] > by_noise[1][0] > by_noise[2][0]
    assert len(set(values(figures, "Frechet distance"))) == 2


def test_models_without_an_encoder_have_no_reconstructions(folder: Path) -> None:
    make_generator(folder / "bare.onnx", hidden=3)
    figures = measured(folder, "a.onnx", "bare.onnx", "--data", "set.npy", "--features", "net.onnx", count=4)
    assert values(figures, "SSIM")[1] is None
    assert None not in values(figures, "Frechet distance")
    assert any(line.startswith("SSIM") and line.endswith(" -") for line in as_text(figures, ["A", "B"]))


def test_images_that_cannot_be_read_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    for number, image in enumerate(IMAGES[:4]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:150])
    figures = measured(folder, "a.onnx", "b.onnx", "--data", str(tmp_path))
    assert figures.progress.startswith("3 images")
    assert "1 images cannot be read" in figures.notes[0]


@pytest.mark.parametrize("name", ["crop", "stretch"])
def test_other_sizes_are_fitted_as_in_training(name: str, folder: Path, tmp_path: Path) -> None:
    make_generator(tmp_path / "a.onnx", training={} if name == "crop" else {"fit": name})
    make_encoder(tmp_path / "a.encoder.onnx")
    images = np.stack([photo_like(20, 30, seed) for seed in range(3)])
    np.save(tmp_path / "wide.npy", images)
    figures = measured(folder, str(tmp_path / "a.onnx"), "b.onnx", "--data", str(tmp_path / "wide.npy"))
    model, encoder = open_model(tmp_path / "a.onnx"), open_sibling_encoder(tmp_path / "a.onnx")
    originals = np.stack([FITS[name](image, 16, 16) for image in bgr(images)])
    made = model.generate(encoder.encode(originals))
    found = [metrics.squared_error(*map(metrics.unit, pair)) for pair in zip(made, originals, strict=True)]
    assert values(figures, "mean squared error")[0] == pytest.approx(np.mean(found))


def test_a_table_without_a_screen(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "figures.json"
    words = [
        "compare",
        str(folder / "a.onnx"),
        str(folder / "b.onnx"),
        "--data",
        str(folder / "set.npy"),
        "-o",
        str(target),
    ]
    assert main(words) == 0
    said = capsys.readouterr()
    best = measured(folder, "a.onnx", "b.onnx", "--data", "set.npy")
    found = json.loads(target.read_text())["figures"]
    assert [one["file"] for one in found] == ["a.onnx", "b.onnx"]
    for row in best.rows:
        assert [one["values"][row.name] for one in found] == pytest.approx(row.values)
        assert row.name in said.out
    assert said.out.count("*") == 1 + sum(len(row.best_places) for row in best.rows)
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words[:3], "--display", "none"]) == 2
    assert "add --data" in capsys.readouterr().err


def test_figures_are_saved_with_what_they_follow_from(folder: Path, tmp_path: Path) -> None:
    mode = Mode("compare")
    words = [str(folder / "a.onnx"), str(folder / "b.onnx"), "--data", str(folder / "set.npy")]
    session: CompareSession = mode.open(mode.parse([*words, "--view", "figures", "--out", str(tmp_path)]))
    session.handle(decode_character("s"))  # too early
    session.settle(0.0)
    session.handle(decode_character("S"))
    session.settle(0.0)
    session.close()
    (path,) = tmp_path.glob("*.png")
    recipe = read_recipe(path)
    assert (recipe["mode"], recipe["data"], recipe["count"]) == ("compare figures", "set.npy", 10)
    assert [one["file"] for one in recipe["models"]] == ["a.onnx", "b.onnx"]
    assert [one["name"] for one in recipe["figures"]] == ["A a", "B b"]
    assert {*recipe["figures"][0]["values"]} == {row.name for row in session._figures.rows}


def test_the_best_is_marked_where_there_is_one() -> None:
    assert Row("x", (1.0, 2.0, None), "low").best_places == {0}
    assert Row("x", (1.0, 2.0, None), "high").best_places == {1}
    assert Row("x", (1.0, 1.00001), "low").best_places == set()
    assert Row("x", (2.0, 1.0, 1.0), "low").best_places == {1, 2}
    assert Row("x", (1.0, None), "low").best_places == set()


def test_images_that_are_made_smaller_to_be_measured_are_counted(folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), photo_like(60, 90))
    cv2.imwrite(str(tmp_path / "b.png"), photo_like(40, 520))
    words = ["same.onnx", "same.onnx", "--images", str(folder / "p.png"), "--data", str(tmp_path)]
    words += ["--pairs", str(tmp_path)]
    assert "1 images are larger than what goes in (--size), and were shrunk" in measured(folder, *words).notes
    assert not any("shrunk" in note for note in measured(folder, *words, "--size", "600").notes)


def test_images_too_small_to_be_enlarged_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    for number, side in enumerate((16, 4, 1, 12)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), photo_like(side, side))
    words = ["twice.onnx", "twice.onnx", "--images", str(folder / "p.png"), "--data", str(tmp_path)]
    figures = measured(folder, *words)
    assert "2 images are too small and were left out" in figures.notes
    assert None not in values(figures, "SSIM of the luma")


def test_models_of_classes_on_a_set_without_labels(folder: Path, tmp_path: Path) -> None:
    make_generator(tmp_path / "c.onnx", labels=3)
    make_encoder(tmp_path / "c.encoder.onnx")
    figures = measured(folder, "a.onnx", str(tmp_path / "c.onnx"), "--data", "set.npy")
    assert any("no labels" in note for note in figures.notes)


def test_pairs_that_do_not_fit_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "few.npy", IMAGES[:3])
    words = [
        "compare",
        *(str(folder / name) for name in ("same.onnx", "drawn.onnx")),
        "--images",
        str(folder / "p.png"),
    ]
    assert main([*words, "--data", str(folder / "set.npy"), "--pairs", str(folder / "few.npy"), "--keys", "x"]) == 2
    assert "3 images, expected the 10 of --data" in capsys.readouterr().err


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_features_of_any_network_that_takes_images(batch: int | str, tmp_path: Path) -> None:
    model = open_model(extractor(tmp_path / "net.onnx", batch))
    images = [photo_like(8, 8, seed) for seed in range(5)]
    found = model.features(images)
    assert found == pytest.approx(np.stack(images)[..., ::-1].mean((1, 2)) / 255, abs=1e-5)
    with pytest.raises(ModelError, match="takes latent"):
        open_model(make_generator(tmp_path / "g.onnx")).features(images)


@pytest.mark.parametrize("models", [2, 4])
def test_a_terminal_shows_every_figure(models: int) -> None:
    """In 80 x 24 cells: no text is over another, and none is cut."""
    rows = ("mean squared error", "PSNR", "SSIM", "feature distance", "PSNR at 10 % noise", "Frechet distance")
    known = Figures(tuple(Row(name, (0.08796, 0.1, 12.5, 1e-9)[:models], "low") for name in rows), "60 images", True)
    frame = views.table(known, ["A cats", "B cats", "C cats", "D cats"][:models], 184, 320, Room(320, 184, 0.5, 4))
    assert frame.shape == (184, 320, 3)
    lines: dict[int, list[tuple[float, float]]] = {}
    for label in frame.labels or ():
        left = (label.x - len(label.text) * 4 * (label.anchor == "right")) / 4
        lines.setdefault(int(label.y // 8), []).append((left, left + len(label.text)))
    assert [len(lines[line]) for line in range(7)] == [models, *[models + 1] * 6]
    for line in lines.values():
        for (_, right), (left, _) in zip(sorted(line), sorted(line)[1:], strict=False):
            assert right < left
    texts = [label.text for label in frame.labels or ()]
    assert sum(text.startswith(rows) for text in texts) == len(rows)
    assert texts.count("0.08796") == len(rows)
    assert "60 images" in texts
