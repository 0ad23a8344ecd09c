"""Files dropped onto a page: those that the viewer saved give the same page, others are read as by the viewer."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from pages import Kinds, OpenPage
from test_generators import by_viewer
from test_images_in_browser import choose, drop, farthest, photograph, saved

from trainer.contract.recipe import find_recipe
from viewer import __main__ as viewer
from viewer.files.inputs import read_photo
from viewer.model import open_model
from viewer.modes.translate import session as translate
from viewer.sessions.translation import Translator

FOLLOWED = "before => location.hash !== before"
CASES = {
    "edges": ("edges", "translate", ["translate"], "+,+,s"),
    "latent": ("masks", "translate", ["translate"], "space,space,s"),
    "between two latents": ("masks", "translate", ["translate"], "space,i,up,up,s"),
    "enlarged": ("twice", "upscale", ["upscale", "--tile", "32"], "s"),
    "diffused": ("denoiser", "diffuse", ["diffuse", "--rows", "2", "--cols", "2", "--steps", "6"], "space,right,s"),
    "of a class": (
        "denoiser of classes",
        "diffuse",
        ["diffuse", "--rows", "2", "--cols", "2", "--steps", "6", "--guidance", "2", "--label", "bee"],
        "s",
    ),
    "of a generator": (
        "denoiser of a generator",
        "diffuse",
        ["diffuse", "--rows", "2", "--cols", "2", "--steps", "3", "--start", "8"],
        "down,s",
    ),
}


SLOW = ("of a class", "of a generator", "latent")  # alike to others


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in SLOW else case for case in CASES]
)
def test_what_the_viewer_saved_gives_the_same_page(
    case: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    kind, mode, (command, *options), keys = CASES[case]
    model, *beside = map(str, kinds[kind])
    words = [command, model, *options, *(["--init", *beside] if beside else [])]
    page = open_page(kind, hash=f"#mode={mode}")
    if mode != "diffuse":
        photo = photograph(tmp_path / "photo.png", 61, 47)
        words.insert(2, str(photo))
        choose(page, [photo])
    theirs = by_viewer(tmp_path / "viewer", *words, keys=keys)
    image, said = cv2.imread(str(theirs)), find_recipe(theirs.read_bytes())
    drop(page, theirs)
    page.wait_for_function(FOLLOWED, arg=page.evaluate("location.hash"))
    mine, recipe = saved(page, "s")
    assert farthest(mine, np.asarray(image)) <= 1
    assert without_rounding(recipe) == without_rounding(said)


def without_rounding(recipe: dict[str, object] | None) -> object:
    """A recipe with its latents as both programs compute them, to six places."""
    return json.loads(json.dumps(recipe), parse_float=lambda text: round(float(text), 6))


@pytest.mark.parametrize("kind", [pytest.param("edges", marks=pytest.mark.slow), "masks"])
def test_a_drawing_of_the_viewer_gives_the_same_page(
    kind: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    (model,) = map(str, kinds[kind])
    folder = tmp_path / "viewer"
    script = "2,drag:60:60:300:200,+,+,drag:100:300:320:320,rdrag:200:80:210:260,click:40:40,space,s,esc"
    words = ["translate", model, "--draw", "--display", "none", "--out", str(folder), "--keys", script]
    assert viewer.main(words) == 0
    files = sorted(folder.iterdir())
    assert len(files) == 2, "the result and the drawing"
    for file in files:
        page = open_page(kind, hash="#mode=draw")
        before = page.evaluate("location.hash")
        drop(page, file)
        page.wait_for_function(FOLLOWED, arg=before)
        mine, recipe = saved(page, "d" if "drawing" in file.name else "s")
        assert farthest(mine, np.asarray(cv2.imread(str(file)))) <= 1
        assert recipe == find_recipe(file.read_bytes())
        page.context.close()


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [("edges", ["--size", "24"], "--size 24"), ("edges", ["--condition", "given"], "--condition given")],
)
def test_options_that_a_page_lacks_are_named(
    kind: str, options: Sequence[str], said: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    photo = photograph(tmp_path / "photo.png", 61, 47)
    words = ["translate", str(kinds[kind][0]), str(photo), *options]
    theirs = by_viewer(tmp_path / "viewer", *words, keys="s")
    page = open_page(kind, hash="#mode=translate")
    drop(page, theirs)
    page.wait_for_selector(f".notice.error:has-text('{said}')")


def test_a_drawing_of_another_size_is_said(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    folder = tmp_path / "viewer"
    words = ["translate", str(kinds["masks"][0]), "--draw", "--size", "48", "--display", "none", "--out", str(folder)]
    assert viewer.main([*words, "--keys", "drag:60:60:300:200,s,esc"]) == 0
    page = open_page("masks", hash="#mode=draw")
    drop(page, next(path for path in folder.iterdir() if "drawing" not in path.name))
    page.wait_for_selector(".notice.error:has-text('48x48')")


def test_a_mask_is_coloured_and_deep_files_are_stretched_as_by_the_viewer(
    kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    mask = np.kron(np.random.default_rng(3).integers(0, 4, (4, 5)), np.ones((16, 16), int)).astype(np.uint8)
    ramp = np.linspace(0, 4095, 64 * 48).reshape(64, 48).astype(np.uint16)
    translator = Translator(open_model(kinds["masks"][0]))
    state = translate.begin(translator, 1)
    for name, image, said in (
        ("mask.png", mask, "numbers of classes became colours"),
        ("deep.png", ramp, "as a file of 12 bits"),
    ):
        path = tmp_path / name
        cv2.imwrite(str(path), image)
        page = open_page("masks", hash="#mode=translate")
        choose(page, [path])
        page.wait_for_selector(f".notice:has-text('{said}'):has-text('shrunk'):has-text('{name}')")
        result, _ = saved(page, "s")
        assert farthest(result, translate.make(translator, read_photo(path), state).results[0]) <= 1
        page.context.close()
