"""Drawing, translating, enlarging and denoising in a browser: the viewer's images to one level, and its recipes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pages import Kinds, OpenPage

from trainer.contract.recipe import find_recipe
from viewer.files.inputs import read_photo
from viewer.files.png import encode_png
from viewer.files.results import bicubic
from viewer.model import open_model
from viewer.modes.diffuse import session as diffuse
from viewer.modes.diffuse.options import Options as DiffuseOptions
from viewer.modes.diffuse.replay import recipe_of as diffuse_recipe
from viewer.modes.translate import session as translate
from viewer.modes.translate.draw import session as draw
from viewer.sessions.replay import signed
from viewer.sessions.translation import Translator, Upscaler
from viewer.state import next_seed

if TYPE_CHECKING:
    from playwright.sync_api import Page

SEEDS = range(10)


def saved(page: "Page", key: str) -> tuple[np.ndarray, dict[str, Any]]:
    """What a key saves: pixels in OpenCV's order, and the recipe."""
    with page.expect_download() as download:
        page.keyboard.press(key)
    data = Path(download.value.path()).read_bytes()
    recipe = find_recipe(data)
    assert recipe is not None
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)), recipe


def choose(page: "Page", paths: Sequence[Path]) -> None:
    """Choose images by the button that invites to."""
    with page.expect_file_chooser() as choosing:
        page.click(".invitation button")
    choosing.value.set_files([str(path) for path in paths])
    page.wait_for_selector(".invitation", state="detached")


def farthest(one: np.ndarray, other: np.ndarray) -> int:
    """Levels between two images of the same shape."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max(initial=0))


def photograph(path: Path, height: int, width: int, channels: int = 3) -> Path:
    """An image with edges and with soft areas, as PNG."""
    random = np.random.default_rng(height)
    image = cv2.GaussianBlur(random.integers(0, 256, (height, width, channels), np.uint8), (0, 0), 4)
    image = np.asarray(cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX), np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 3, (40, 160, 220, 128)[:channels], -1)
    cv2.imwrite(str(path), image)
    return path


def strokes_of(page: "Page", *lines: Sequence[tuple[float, float]]) -> None:
    """Draw lines by the mouse; places are fractions of the page that is drawn on."""
    box = page.locator(".draw canvas").first.bounding_box()
    assert box is not None
    for line in lines:
        for number, (x, y) in enumerate(line):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if number == 0:
                page.mouse.down()
        page.mouse.up()


@pytest.mark.parametrize("kind", ["edges", "masks"])
def test_a_drawing_becomes_what_the_viewer_makes_of_it(
    kind: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(kind, hash="#mode=draw")
    if kind == "masks":
        page.keyboard.press("2")
    strokes_of(page, [(0.2, 0.3), (0.5, 0.8), (0.8, 0.3)], [(0.3, 0.6), (0.9, 0.61)], [(0.5, 0.5)])
    translator = Translator(open_model(kinds[kind][0]))
    state = draw.begin(translator, 0)
    drawing, said = saved(page, "d")
    strokes = tuple(draw.Stroke(*entry[:2], tuple(map(tuple, entry[2]))) for entry in said["strokes"])
    wanted = np.full_like(drawing, state.palette[0])
    draw.add_strokes(wanted, state, strokes)
    assert np.count_nonzero((drawing != state.palette[0]).any(2)) > 20
    assert np.array_equal(drawing, wanted)
    for seed in range(6) if state.has_latent else [0]:
        result, recipe = saved(page, "s")
        assert (said["mode"], recipe["mode"], recipe.get("seed", 0)) == ("drawing", "draw", seed)
        made = translator.translate(translator.channels_of(drawing), translator.latent(seed))
        assert farthest(result, made) <= 1
        page.keyboard.press("Space")
    # again, by the link and by the file that was saved
    page.evaluate("() => { window.dispatchEvent(new Event('pagehide')); }")  # else the address follows in a moment
    link = page.evaluate("location.hash")
    first, _ = saved(page, "S")
    again = open_page(kind, hash=link)
    assert np.array_equal(saved(again, "S")[0], first)
    file = tmp_path / "drawing.png"
    file.write_bytes(encode_png(drawing, said))
    other = open_page(kind, hash="#mode=draw")
    drop(other, file)
    other.wait_for_function("() => location.hash.includes('strokes')")
    assert np.array_equal(saved(other, "d")[0], drawing)


def drop(page: "Page", *paths: Path) -> None:
    """Drop files onto the page."""
    page.evaluate(
        """(given) => {
            const files = new DataTransfer();
            for (const [data, name] of given) {
                files.items.add(new File([new Uint8Array(data)], name, {type: "image/png"}));
            }
            window.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
        }""",
        [[list(path.read_bytes()), path.name] for path in paths],
    )


def test_a_stylus_presses_and_erases(kinds: Kinds, open_page: OpenPage) -> None:
    page = open_page("masks", hash="#mode=draw")
    page.evaluate(
        """() => {
            const canvas = document.querySelector(".draw canvas"), box = canvas.getBoundingClientRect();
            canvas.setPointerCapture = () => {};
            const send = (type, x, y, pressure, more = {}) => canvas.dispatchEvent(new PointerEvent(type, {
                pointerId: 7, pointerType: "pen", isPrimary: true, bubbles: true, pressure, buttons: 1,
                clientX: box.left + x * box.width, clientY: box.top + y * box.height, ...more}));
            send("pointerdown", 0.2, 0.5, 0.1);
            for (let at = 1; at <= 6; at++) send("pointermove", 0.2 + at / 10, 0.5, at / 6);
            send("pointerup", 0.8, 0.5, 0);
            send("pointerdown", 0.5, 0.5, 0.5, {button: 5, buttons: 32});
            send("pointerup", 0.5, 0.5, 0, {button: 5, buttons: 0});
        }"""
    )
    _, recipe = saved(page, "s")
    sizes = [size for colour, size, _ in recipe["strokes"] if colour == 1]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 3
    assert recipe["strokes"][-1][0] == 0
    page.keyboard.press("z")  # the eraser's dot
    page.keyboard.press("z")  # all of the movement
    _, recipe = saved(page, "s")
    assert recipe["strokes"] == []


@pytest.mark.parametrize(("kind", "size"), [("edges", (90, 120)), ("edges", (30, 40)), ("masks", (61, 47))])
def test_a_photograph_becomes_what_the_viewer_makes_of_it(
    kind: str, size: tuple[int, int], kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    path = photograph(tmp_path / "photo.png", *size)
    page = open_page(kind, hash="#mode=translate")
    choose(page, [path])
    translator = Translator(open_model(kinds[kind][0]))
    state = translate.begin(translator, 1)
    for _ in SEEDS:
        result, recipe = saved(page, "s")
        made = translate.make(translator, read_photo(path), state)
        assert farthest(result, made.results[0]) <= 1
        assert recipe == json.loads(json.dumps(signed(translator.model, translate.recipe_of(translator, state, path))))
        if not state.has_latent:
            break
        page.keyboard.press("Space")
        state = translate.replace(state, seed=next_seed(state.seed))


@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_is_enlarged_as_by_the_viewer(
    channels: int, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    path = photograph(tmp_path / "photo.png", 150, 310, channels)
    page = open_page("twice", hash="#mode=upscale")
    choose(page, [path])
    result, recipe = saved(page, "s")
    upscaler = Upscaler(open_model(kinds["twice"][0]), recipe["tile"])
    photo = read_photo(path)
    wanted = upscaler.result_of(upscaler.prepared(photo))
    if photo.alpha is not None:
        wanted = np.dstack([wanted, bicubic(photo.alpha, *wanted.shape[:2])])
    assert farthest(result, wanted) <= 1
    assert recipe == {**signed(upscaler.model, {"mode": "upscale", "image": path.name, "scale": 2.0, "tile": 128})}


DIFFUSE = {
    "plain": ("denoiser", {}, {}),
    "new noise": ("denoiser", {"sampler": "ddpm", "steps": 12}, {"sampler": "ddpm", "steps": "12"}),
    "solver": ("denoiser", {"sampler": "dpm", "eta": 0.5, "steps": 5}, {"sampler": "dpm", "eta": "0.5", "steps": "5"}),
    "guided": ("denoiser of classes", {"guidance": 2.0, "label": "bee"}, {"guidance": "2", "class": "1"}),
    "generated": ("denoiser of a generator", {"init": True, "start": 8}, {"from": "generator", "start": "8"}),
}


@pytest.mark.parametrize("case", DIFFUSE)
def test_noise_becomes_the_images_of_the_viewer(case: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    kind, options, params = DIFFUSE[case]
    model, *beside = kinds[kind]
    given = {**options, **({"init": [str(beside[0])]} if options.get("init") else {})}
    page = open_page(
        kind,
        hash="#"
        + "&".join(f"{name}={value}" for name, value in {"mode": "diffuse", "rows": 2, "cols": 3, **params}.items()),
    )
    for seed in SEEDS if case == "plain" else range(2):
        sheet, recipe = saved(page, "S")
        wanted = DiffuseOptions(model=model, rows=2, cols=3, seed=seed, **given)
        diffusion, state, _ = diffuse.begin(wanted)
        run = diffusion.begin(diffuse.page_of(state))
        while run.advance():
            pass
        images = run.images()
        height, width = images.shape[1:3]
        for number, image in enumerate(images):
            top, left = 2 + number // 3 * (height + 2), 2 + number % 3 * (width + 2)
            assert farthest(sheet[top : top + height, left : left + width], image) <= 1
        told = signed(diffusion.denoiser.model, diffuse_recipe(diffusion, diffuse.page_of(state)))
        assert recipe == json.loads(json.dumps(told))
        page.keyboard.press("Space")
    # what the page saved is where the viewer begins, and what the viewer saved where the page does
    file = tmp_path / "one.png"
    one, recipe = saved(page, "s")
    file.write_bytes(encode_png(one, recipe))
    more = {"init": given["init"]} if "init" in given else {}
    diffusion, state, _ = diffuse.begin(DiffuseOptions(model=model, saved=file, **more))
    run = diffusion.begin(diffuse.page_of(state))
    while run.advance():
        pass
    assert farthest(run.images()[state.cursor], one) <= 1
    other = open_page(kind)
    drop(other, file)
    other.wait_for_function(f"() => location.hash.includes('seed={recipe['seed']}')")
    assert np.array_equal(saved(other, "s")[0], one)
