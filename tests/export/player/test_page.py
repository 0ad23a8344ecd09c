"""Pages as they are written: what is in them, what their policy allows, where a hostile name or card gets."""

import base64
import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from pages import Page as Read
from pages import from_text
from PIL import Image

from export.player import built
from export.player.models import open_models
from export.player.page import ModelFile, Page
from export.player.poster import Poster, draw
from export.player.text import to_text
from export.player.writing import write_folder, write_html
from utsuroi import load
from viewer import latents


def page(name: str = "cats.onnx", title: str = "cats", data: bytes = bytes(range(256)) * 9) -> Page:
    return Page(title=title, models=[ModelFile(name, data)])


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7, 6 << 18, (6 << 18) + 1])
def test_bytes_come_back_from_their_text(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    text = b"".join(to_text(data))
    assert len(text) == 1 + 7 * -(-size // 6)
    if size < 100:
        assert from_text(text) == data
    else:
        assert from_text(text[-14:-7].join([b"\x01", b""])) == (data + bytes(-size % 6))[-12:-6]
        assert from_text(text[:1] + text[-7:]) == data[-6 if size % 6 == 0 else -(size % 6) :]
    assert not re.search(rb"[<>&\0\r\n\t\x1b\x80-\xff]", text)


@pytest.mark.usefixtures("player")
def test_one_file_holds_all_and_allows_no_connection(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(10_001)
    poster = Poster(b"RIFF", 30, 20, seed=3, rows=2, columns=3)
    written = write_html(Page(title="cats", models=[ModelFile("c.onnx", data)], mode="grid", poster=poster),
                         tmp_path / "c.html", force=False)  # fmt: skip
    assert written.beside == ()
    read = Read(tmp_path / "c.html")
    assert [read.contents(model) for model in read.facts["models"]] == [data]
    assert {part: read.contents(entry) for part, entry in read.facts["runtime"]["wasm"].items()} == {
        "worker": b"/* worker.js */", "module": b"/* ort.mjs */", "binary": b"/* ort.wasm */",
    }  # fmt: skip
    assert read.contents(read.facts["licences"]) == b"/* licences.txt */"
    assert list(read.facts["runtime"]) == ["wasm"]
    assert (read.facts["format"], read.facts["mode"]) == (1, "grid")
    assert read.facts["poster"] == {"seed": 3, "rows": 2, "cols": 3}
    image = read.attributes["poster"]
    assert (image["width"], image["height"]) == ("30", "20")
    assert image["src"] == f"data:image/webp;base64,{base64.b64encode(b'RIFF').decode()}"
    order = [name for name in read.order if not name.startswith(("data:", "file-"))]
    assert order == ["style", "player", "poster", "noscript", "page", "script"], "the image comes first"
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(read.texts[element].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in next(rule for rule in read.policy.split("; ") if rule.startswith(directive))
    assert "connect-src 'none'" in read.policy
    assert "'self'" not in read.policy
    assert "unsafe-inline" not in read.policy
    assert "'unsafe-eval'" not in read.policy


@pytest.mark.usefixtures("player")
def test_the_same_page_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_html(page(), tmp_path / name, force=False)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.usefixtures("player")
def test_pages_without_the_runtime_share_the_one_beside_them(tmp_path: Path) -> None:
    results = [write_html(page(), tmp_path / name, False, "no-runtime") for name in ("a.html", "b.html")]
    folders = {path.parent for result in results for path in result.beside}
    assert len(folders) == 1
    read = Read(tmp_path / "b.html")
    assert read.contents(read.facts["runtime"]["wasm"]["binary"]) == b"/* ort.wasm */"
    assert "block" in read.facts["models"][0]
    assert "connect-src 'self'" in read.policy
    next(iter(folders)).joinpath("ort.wasm").write_bytes(b"another")
    with pytest.raises(Exception, match=r"ort\.wasm exists; give --force"):
        write_html(page(), tmp_path / "c.html", False, "no-runtime")
    assert not (tmp_path / "c.html").exists()


def test_a_folder_is_files_that_hosts_can_keep(tmp_path: Path, player: Path) -> None:
    model = page("a cat#1.onnx")
    result = write_folder(model, tmp_path / "site", force=False)
    read = Read(result.path)
    assert read.contents(read.facts["models"][0]) == model.models[0].data
    assert set(read.facts["runtime"]) == {"wasm", "webgpu"}
    for runtime in read.facts["runtime"].values():
        for entry in runtime.values():
            assert read.contents(entry)
    assert "file-0" not in read.order
    assert "sha256" not in read.policy
    script = next(name for name in read.order if name.endswith("player.js"))
    assert (tmp_path / "site" / script).read_bytes() == b"/* player.js */"
    headers = (tmp_path / "site" / "_headers").read_text()
    assert "Cross-Origin-Opener-Policy: same-origin\n" in headers
    assert f"/{model.player}/*\n  Cache-Control: public, max-age=31536000, immutable" in headers
    assert "Cross-Origin-Embedder-Policy" in (tmp_path / "site" / "README.txt").read_text()
    (player / "worker.js").write_bytes(b"another player")
    assert page().player != model.player, "or browsers would keep the older one"


@pytest.mark.usefixtures("player")
def test_names_of_others_end_no_element(tmp_path: Path) -> None:
    name = "</script><script>alert(1)//.onnx"
    title = '"><img src=x onerror=alert(1)> & <!--'
    poster = Poster(b"RIFF", 1, 1, 0, 1, 1)
    write_html(Page(title=title, models=[ModelFile(name, b"1")], poster=poster), tmp_path / "a.html", False)
    read = Read(tmp_path / "a.html")
    assert (read.title, read.facts["title"], read.facts["models"][0]["name"]) == (title, title, name)
    assert read.attributes["poster"]["alt"] == title
    assert "x" not in read.attributes


def test_a_script_that_would_end_its_element_is_no_page(tmp_path: Path, player: Path) -> None:
    (player / "player.js").write_text('"</SCRIPT>"')
    with pytest.raises(ValueError, match="end its own element"):
        write_html(page(), tmp_path / "a.html", False)
    assert not list(tmp_path.glob("*.html*"))


def test_the_poster_is_the_viewers_first_page(kinds: dict[str, list[Path]]) -> None:
    (path,) = kinds["classes"]
    poster = draw(open_models([str(path)]), "", 7, print)
    assert isinstance(poster, Poster)
    assert (poster.seed, poster.rows, poster.columns) == (7, 6, 8)
    shown = np.asarray(Image.open(io.BytesIO(poster.data)).convert("RGBA")).astype(int)
    assert shown[0, 0, 3] == 0, "the page shows between the images"
    model = load(path)
    drawn = model.generate(latents.draw_many(model.card.latent, 7, range(48)), label=0)
    for index in (0, 7, 47):
        top, left = 2 + index // 8 * 18, 2 + index % 8 * 18
        cell = shown[top : top + 16, left : left + 16, :3]
        assert np.abs(cell - drawn[index].astype(int)).mean() < 6, "WebP is not exact"


def test_posters_of_other_kinds(kinds: dict[str, list[Path]]) -> None:
    said: list[str] = []
    noise = draw(open_models(list(map(str, kinds["denoiser"]))), "", 0, said.append)
    begun = draw(open_models(list(map(str, kinds["denoiser of a generator"]))), "", 0, said.append)
    detailed = draw(open_models(list(map(str, kinds["detail"]))), "hpf", 0, said.append)
    plain = draw(open_models(list(map(str, kinds["detail"]))), "", 0, said.append)
    posters = [noise, begun, detailed, plain]
    assert all(isinstance(one, Poster) for one in posters)
    assert len({one.data for one in posters if isinstance(one, Poster)}) == 4
    assert "of 25 steps" in said[0]
    assert draw(open_models([str(kinds["edges"][0])]), "", 0, print) == "it has no image before one goes in"


def test_a_poster_that_would_take_minutes_is_left_out(
    kinds: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.player.poster._MOST_SECONDS", 0.0)
    found = draw(open_models([str(kinds["denoiser"][0])]), "", 0, lambda _: None)
    assert isinstance(found, str)
    assert found.startswith("its images would take about")


def test_what_is_missing_is_a_line_with_the_way_out(player: Path) -> None:
    assert built.missing() == ""
    (player / "ort.wasm.gz").unlink()
    assert "is not in this installation of utsuroi" in built.missing()
    built.SOURCE.mkdir()
    (built.SOURCE / "package.json").write_text("{}")
    assert built.missing() == (
        "the player for browsers is not built (ort.wasm is missing): python -m export.player.built builds it, with "
        "Node.js 20 or newer"
    )
