"""Files without a card that take more than one input: what each is given, how many classes there are, what is said."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_foreign as foreign
from onnx import TensorProto, helper
from small_models import constant, make_graph, write

from viewer.graph.reading import Reading, parse
from viewer.latents import draw_many
from viewer.model import Model, ModelError, open_model


def opened(path: Path, **said: str) -> Model:
    reading = Reading(**{name: parse(name, text) for name, text in said.items()})
    return open_model(path, reading=reading, silent=True)


def brightness(model: Model, labels: Sequence[int] | None = None, **settings: float) -> list[float]:
    """Of images of one latent."""
    count = 1 if labels is None else len(labels)
    latents = np.repeat(draw_many(model.latent, 0, range(1)), count, axis=0)
    asked = None if labels is None else np.array(labels, np.int64)
    return [float(one) for one in model.generate(latents, asked, settings or None).mean((1, 2, 3))]


@pytest.mark.parametrize("kind", ["i64", "i32", "f32"])
@pytest.mark.parametrize("shape", [("n",), ("n", 1), (), (1,)])
def test_a_label_is_a_class(tmp_path: Path, kind: str, shape: Sequence[int | str]) -> None:
    if kind == "f32":
        nodes = [helper.make_node("Cast", ["y"], ["whole"], to=TensorProto.INT64),
                 helper.make_node("Reshape", ["whole", "line"], ["label"]),
                 helper.make_node("Gather", ["table", "label"], ["more"], axis=0)]  # fmt: skip
        constants = [foreign.table(5), constant("line", np.array([-1]))]
        path = foreign.generator(tmp_path / "g.onnx", [("y", "f32", shape)], nodes, constants)
    else:
        path = foreign.labelled(tmp_path / "g.onnx", shape=shape, kind=kind)
    model = opened(path)

    assert model.kind == "generator"
    assert model.classes == ("0", "1", "2", "3", "4")
    found = brightness(model, [0, 1, 2, 3, 4])
    assert found == sorted(found)
    assert found[4] - found[0] > 50
    assert any("one of 5" in line and "--classes" in line for line in model.remarks)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    nodes = [foreign.node("Gather", ["table", "y"], "more", axis=0)]
    path = foreign.generator(tmp_path / "g.onnx", [("y", "i64", (4,))], nodes, [foreign.table(3)], shape=(4, 4))
    model = opened(path)

    found = brightness(model, [0, 1, 2, 0, 1, 2])
    assert found[:3] == sorted(found[:3])
    assert found[:3] == found[3:]


def test_one_hot_rows_by_name_and_by_size(tmp_path: Path) -> None:
    for name in ("y", "input.3"):
        model = opened(foreign.one_hot(tmp_path / "g.onnx", name))
        assert len(model.classes) == 5
        assert model.latent.size == 8
        found = brightness(model, [0, 1, 2, 3, 4])
        assert found == sorted(found)
        assert found[4] - found[0] > 50
        assert any(f"--set {name}=latent" in line for line in model.remarks)


def test_a_one_hot_row_may_be_said_to_be_a_latent(tmp_path: Path) -> None:
    model = opened(foreign.one_hot(tmp_path / "g.onnx"), set="y=latent")

    assert not model.classes
    assert model.latent.size == 13
    before, after = np.zeros((2, 1, 13), np.float32)
    after[0, 8:] = 1
    assert np.abs(model.generate(before).astype(int) - model.generate(after)).max() == 0  # the table's rows cancel out
    after[0, 12] = 5
    assert model.generate(after).mean() > model.generate(before).mean() + 20


def test_an_input_that_hardly_matters_as_a_class_is_a_latent(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).standard_normal((1, foreign.PIXELS)).astype(np.float32) * np.ones(
        (5, 1), np.float32
    )
    nodes = [foreign.node("MatMul", ["u", "others"], "more")]
    path = foreign.generator(
        tmp_path / "g.onnx", [("u", "f32", ("n", 5))], nodes, [constant("others", rows)], shape=("n", 8)
    )
    model = opened(path)

    assert not model.classes
    assert model.latent.size == 13
    assert any("as a class it hardly matters" in line for line in model.remarks)
    assert len(opened(path, set="u=onehot").classes) == 5


def test_further_latents_are_a_part_of_the_latent(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).standard_normal((6, foreign.PIXELS)).astype(np.float32)
    nodes = [foreign.node("MatMul", ["z2", "others"], "more")]
    model = opened(foreign.generator(tmp_path / "g.onnx", [("z2", "f32", ("n", 6))], nodes, [constant("others", rows)]))

    assert model.latent.size == 10
    latents = np.zeros((2, 10), np.float32)
    latents[1, 9] = 2
    images = model.generate(latents).astype(int)
    assert np.abs(images[0] - images[1]).mean() > 5


@pytest.mark.parametrize("shape", [(), (1,), ("n",), ("n", 1)])
def test_a_truncation_is_a_scalar_of_1(tmp_path: Path, shape: Sequence[int | str]) -> None:
    model = opened(foreign.scaled(tmp_path / "g.onnx", shape=shape))

    assert model.settings == {"psi": 1.0}
    assert model.knob is not None
    assert model.knob.choices[:2] == (0.0, 0.1)
    assert model.knob.choices[-1] == 2.0
    assert brightness(model, psi=1.0) == brightness(model)
    assert brightness(model, psi=0.0) < brightness(model) < brightness(model, psi=2.0)
    assert brightness(opened(model.path, set="psi=2")) == brightness(model, psi=2.0)
    assert any("psi is taken to be 1" in line for line in model.remarks)
    assert not opened(model.path, set="psi=0.7").remarks


def test_noise_inputs_are_drawn_once(tmp_path: Path) -> None:
    nodes = [
        foreign.node("Reshape", ["noise_0", "line"], "flat_noise"),
        foreign.node("Tile", ["flat_noise", "thrice"], "more"),
    ]
    constants = [constant("line", np.array([1, -1])), constant("thrice", np.array([1, 3]))]
    extras = [("noise_0", "f32", (1, 1, foreign.SIDE, foreign.SIDE))]
    path = foreign.generator(tmp_path / "g.onnx", extras, nodes, constants)
    model, zeros = opened(path), opened(path, set="noise_0=0")

    latents = np.zeros((2, 4), np.float32)
    images = model.generate(latents)
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images, opened(path).generate(latents))
    assert images.std() > 20
    assert zeros.generate(latents).std() == 0
    assert any("drawn once" in line and "--set noise_0=0" in line for line in model.remarks)


def test_yes_and_no(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["training"], ["more"], to=TensorProto.FLOAT)]
    path = foreign.generator(tmp_path / "g.onnx", [("training", "bool", ())], nodes)

    assert brightness(opened(path)) < brightness(opened(path, set="training=true"))
    assert opened(path).knob is None


def count_of(tmp_path: Path, *nodes: Any, **said: str) -> tuple[str, ...]:
    constants = [foreign.table(8), constant("eight", np.int64(8)), constant("values", np.float32([0, 1])),
                 constant("line", np.array([-1])), constant("one", np.int64(1))]  # fmt: skip
    return opened(foreign.generator(tmp_path / "g.onnx", [("y", "i64", ("n",))], nodes, constants), **said).classes


def test_classes_are_counted_by_the_graph_and_by_runs(tmp_path: Path) -> None:
    hot = [foreign.node("OneHot", ["y", "eight", "values"], "hot", axis=-1),
           foreign.node("MatMul", ["hot", "table"], "more")]  # fmt: skip
    hidden = [foreign.node("Mul", ["y", "one"], "same"), foreign.node("Gather", ["table", "same"], "more", axis=0)]
    saturated = [foreign.node("Mul", ["eight", "one"], "depth"),
                 foreign.node("OneHot", ["y", "depth", "values"], "hot", axis=-1), hot[1]]  # fmt: skip
    for nodes in (hot, hidden, saturated):
        assert len(count_of(tmp_path, *nodes)) == 8


def test_classes_that_cannot_be_counted_are_said(tmp_path: Path) -> None:
    nodes = [
        foreign.node("Cast", ["y"], "number", to=TensorProto.FLOAT),
        foreign.node("Reshape", ["number", "column"], "more"),
    ]
    path = foreign.generator(
        tmp_path / "g.onnx", [("y", "i64", ("n",))], nodes, [constant("column", np.array([-1, 1]))]
    )
    model = opened(path)

    assert len(model.classes) == 10
    assert any("10 are assumed; --classes" in line for line in model.remarks)
    assert opened(path, classes="3").classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "text",
    ['["a", "b", "c", "d", "e"]', "{0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e'}", "a,b,c,d,e",
     '{"0": "a", "1": "b", "2": "c", "3": "d", "4": "e"}', '{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}'],
)  # fmt: skip
def test_names_of_classes_in_the_metadata(tmp_path: Path, text: str) -> None:
    assert opened(foreign.labelled(tmp_path / "g.onnx", names=text)).classes == ("a", "b", "c", "d", "e")


def test_names_of_classes_in_a_file(tmp_path: Path) -> None:
    path, names = foreign.labelled(tmp_path / "g.onnx"), tmp_path / "names.txt"
    names.write_text("ä\nb\nc\nd\ne\n\n", "utf-8")

    assert opened(path, classes=str(names)).classes == ("ä", "b", "c", "d", "e")
    names.write_text("a\nb\nc\nd\ne\nf\n")
    with pytest.raises(ModelError, match="--classes gives 6 classes, expected at most 5, which y takes"):
        opened(path, classes=str(names))


def test_the_image_among_several_outputs(tmp_path: Path) -> None:
    mask, image = ("mask", "f32", ("n", 1, 16, 16)), ("image", "f32", ("n", 3, 16, 16))
    after = [foreign.node("ReduceMean", ["image"], "mask", axes=[1])]
    path = foreign.generator(tmp_path / "g.onnx", outputs=[mask, image], after=after)

    model, other = opened(path), opened(path, output_name="mask")
    assert model.layout.output == "image"
    assert any("mask, image: image is taken" in line and "--output-name" in line for line in model.remarks)
    assert other.layout.output == "mask"
    assert not other.remarks


@pytest.mark.parametrize("shape", [("n", 4, 8, 8), (2, 4, 8, 8), ("n", 14, 6), ("n", 4, 1, 1)])
def test_latents_of_other_shapes(tmp_path: Path, shape: Sequence[int | str]) -> None:
    model = opened(foreign.generator(tmp_path / "g.onnx", shape=shape))

    size = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    assert model.kind == "generator"
    assert model.latent.size == size
    images = model.generate(draw_many(model.latent, 0, range(3)))
    assert images.shape == (3, 16, 16, 3)
    assert len({image.tobytes() for image in images}) == 3


@pytest.mark.parametrize(
    ("name", "shape", "kind", "value"),
    [
        ("mask", ("n", 1, "h", "w"), "f32", 1.0),
        ("mask", (1, 1, "h", "w"), "bool", 1.0),
        ("strength", (), "f32", 1.0),
        ("sigma", ("n", 1, 1, 1), "f32", 0.1),
        ("noise_level_map", ("n", 1, "h", "w"), "f32", 0.1),
        ("anything", (1,), "f32", 1.0),
    ],
)
def test_inputs_beside_an_image(tmp_path: Path, name: str, shape: Sequence[int | str], kind: str, value: float) -> None:
    path = foreign.restorer(tmp_path / "r.onnx", name, shape, kind)
    model = opened(path)

    assert model.kind == "translator"
    assert model.settings == {name: value}
    image = np.full((20, 30, 3), 200, np.uint8)
    assert np.abs(model.translate(image).astype(int) - round(200 * value)).max() <= 1
    assert opened(path, set=f"{name}=0").translate(image).max() == 0
    assert model.translate(image, settings={name: 0.0}).max() == 0
    assert any(name in line and f"--set {name}=" in line for line in model.remarks)
    told = any("diffusion model that is told strengths of noise, as EDM" in line for line in model.remarks)
    assert told is (name == "sigma")


def test_a_second_image_is_the_same(tmp_path: Path) -> None:
    model = opened(foreign.restorer(tmp_path / "r.onnx", "reference", ("n", 3, "h", "w")))

    image = np.full((20, 30, 3), 128, np.uint8)
    assert np.abs(model.translate(image).astype(int) - 64).max() <= 1
    assert any("given the same image" in line for line in model.remarks)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"set": "sigma=1"}, "--set sigma names none of its inputs, expected one of: psi"),
        ({"set": "psi=label"}, ""),
        ({"set": "psi=cat"}, "expected a number or one of latent, label, onehot, noise, step"),
        ({"classes": "3"}, "--classes is given, expected none: it takes no class"),
        ({"schedule": "linear"}, "--schedule is linear:1000:0.0001..0.02, expected none: it is no denoiser"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, said: dict[str, str], expected: str) -> None:
    path = foreign.scaled(tmp_path / "g.onnx")
    if not expected:
        assert len(opened(path, **said).classes) == 10
        return
    with pytest.raises(ModelError) as caught:
        opened(path, **said)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_map_of_latents_of_any_size_is_given_one_that_is_said(tmp_path: Path) -> None:
    """As decoders of latent diffusion declare it."""
    nodes = [
        foreign.node("Conv", ["latent_sample", "k"], "small"),
        foreign.node("Resize", ["small", "", "f"], "sample"),
    ]
    constants = [constant("k", np.full((3, 4, 1, 1), 0.25, np.float32)),
                 constant("f", np.array([1, 1, 8, 8], np.float32))]  # fmt: skip
    takes, gives = ("latent_sample", "f32", ["n", 4, "h", "w"]), ("sample", "f32", ["n", 3, "H", "W"])
    model = opened(write(tmp_path / "d.onnx", make_graph(nodes, [takes], [gives], constants)))
    assert (model.kind, model.latent.size, model.image_size) == ("generator", 4 * 8 * 8, (64, 64))
    assert any("takes latents of any size: 4x8x8 is assumed" in line for line in model.remarks)


@pytest.mark.parametrize("sides", [(32, 32), ("h", "w")])
def test_a_denoiser_of_latents_is_no_generator(tmp_path: Path, sides: Sequence[int | str]) -> None:
    nodes = [foreign.node("Cast", ["timestep"], "t", to=1), foreign.node("Add", ["latent", "t"], "noise_pred")]
    takes = [("latent", "f32", [1, 4, *sides]), ("timestep", "i64", [1])]
    model = make_graph(nodes, takes, [("noise_pred", "f32", [1, 4, *sides])], [])
    with pytest.raises(ModelError, match="it works on the latents of another network"):
        opened(write(tmp_path / "u.onnx", model))


def test_a_time_between_two_images_is_no_step(tmp_path: Path) -> None:
    nodes = [foreign.node("Sub", ["img1", "img0"], "change"), foreign.node("Mul", ["change", "timestep"], "part"),
             foreign.node("Add", ["img0", "part"], "output")]  # fmt: skip
    image = ["n", 3, "h", "w"]
    takes = [("img0", "f32", image), ("img1", "f32", image), ("timestep", "f32", [1])]
    path = write(tmp_path / "between.onnx", make_graph(nodes, takes, [("output", "f32", image)], []))
    model = opened(path)
    assert (model.kind, model.settings) == ("translator", {"timestep": 0.5})
    assert any("timestep is taken to be 0.5" in line and "=step" in line for line in model.remarks)
    assert opened(path, set="timestep=step").kind == "denoiser"


def test_images_of_a_film_are_no_latent(tmp_path: Path) -> None:
    nodes = [foreign.node("ReduceMean", ["film"], "image", axes=[1], keepdims=0)]
    film, image = ("film", "f32", [1, 5, 3, 32, 32]), ("image", "f32", [1, 3, 32, 32])
    model = opened(write(tmp_path / "film.onnx", make_graph(nodes, [film], [image], [])))
    assert model.kind == "other"
    assert "a model whose images are not understood" in model.what
