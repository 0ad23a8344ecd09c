"""``python -m export FILE.onnx --html``: what is written, what is refused, and in which words."""

import subprocess
import sys
from pathlib import Path

import pytest
from pages import Page
from small_models import make_encoder, make_generator

from export import __main__ as command
from export.player import built

Kinds = dict[str, list[Path]]
pytestmark = pytest.mark.usefixtures("player")


@pytest.mark.parametrize(
    "kind",
    ["generator", "classes", "encoder", "detail", "edges", "twice", "denoiser", "denoiser of a generator"],
)
def test_every_kind_becomes_a_page(kind: str, kinds: Kinds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    first, *others = map(str, kinds[kind])
    more = {"detail": ["--detail", *others], "denoiser of a generator": ["--init", *others]}.get(kind, [])
    assert command.main([first, *more, "--html", str(out)]) == 0
    printed = capsys.readouterr()
    page = Page(out)
    assert [page.contents(model) for model in page.facts["models"]] == [path.read_bytes() for path in kinds[kind]]
    assert [model["name"] for model in page.facts["models"]] == [path.name for path in kinds[kind]]
    assert page.title == Path(first).stem
    assert printed.out.startswith(f"{out}: ")
    assert "open it by a double click" in printed.out
    assert ("nothing is shown before the model runs" in printed.err) == (kind in ("edges", "twice"))
    assert ("which lies beside it" in printed.err) == (kind == "encoder")


def test_the_order_of_the_files_does_not_matter(kinds: Kinds, tmp_path: Path) -> None:
    noise, plain = map(str, kinds["denoiser of a generator"])
    assert (
        command.main([plain, noise, "--html", str(tmp_path / "a.html"), "--title", "Noise & cats", "--seed", "5"]) == 0
    )
    page = Page(tmp_path / "a.html")
    assert [model["name"] for model in page.facts["models"]] == ["noise.onnx", "plain.onnx"]
    assert (page.title, page.facts["poster"]["seed"]) == ("Noise & cats", 5)


def test_the_built_in_model_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["toycats", "--folder", str(tmp_path / "site"), "--mode", "animate"]) == 0
    assert Page(tmp_path / "site" / "index.html").facts["mode"] == "animate"
    assert "python -m http.server --directory" in capsys.readouterr().out


def test_nothing_is_overwritten_unless_it_is_said(
    kinds: Kinds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, page, site = str(kinds["generator"][0]), tmp_path / "a.html", tmp_path / "site"
    page.write_text("mine")
    site.mkdir()
    (site / "mine.txt").write_text("mine")
    assert command.main([model, "--html", str(page)]) == 2
    assert capsys.readouterr().err == f"error: {page} exists; give --force to replace it\n"
    assert command.main([model, "--folder", str(site)]) == 2
    assert "is not empty; give --force to write into it" in capsys.readouterr().err
    assert (page.read_text(), [one.name for one in site.iterdir()]) == ("mine", ["mine.txt"])
    assert command.main([model, "--html", str(page), "--force"]) == 0
    assert command.main([model, "--folder", str(site), "--force"]) == 0
    assert (site / "mine.txt").read_text() == "mine"
    assert Page(page).title == Page(site / "index.html").title == "plain"


def test_mistakes_are_one_line(kinds: Kinds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, noise, edges = (str(kinds[name][0]) for name in ("generator", "denoiser", "edges"))
    encoder = str(kinds["encoder"][1])
    detail = str(kinds["detail"][1])
    bare = make_generator(tmp_path / "bare.onnx", card=False)
    other = make_encoder(tmp_path / "other.onnx", size=5)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(kinds["generator"][0].read_bytes()[:-9])
    out = ["--html", str(tmp_path / "a.html")]
    for words, expected in (
        ([model, "--html", "a.htm", "--folder", "b"], "--html and --folder: expected one of them"),
        ([model, "--folder", str(tmp_path / "s"), "--no-runtime"], "--no-runtime: goes with --html"),
        ([model, "--no-runtime", "-o", "a.onnx"], "--no-runtime"),
        ([model, "--html", "page.pdf"], "the name ends in '.pdf', expected .html"),
        ([model, "--html", str(tmp_path / "no" / "a.html")], "there is no folder"),
        ([model, "--folder", str(tmp_path / "no" / "a")], "there is no folder"),
        ([model, "-o", "b.onnx", *out], "-o b.onnx: a page of ONNX files writes no other one"),
        ([model, "--precision=int8", *out], "--precision=int8: is no option of a page of ONNX files"),
        ([model, "--mode", "diffuse", *out], "--mode is diffuse, expected one of grid, animate, latent, hpf"),
        ([edges, "--seed", "3", *out], "--seed is 3, expected none"),
        ([model, "--init", model, *out], "is a generator, which begins with no image: --init is for denoisers"),
        ([noise, "--init", edges, *out], "found a translator, expected a generator"),
        ([noise, "--detail", detail, *out], "is a denoiser: --detail is for generators"),
        ([edges, model, *out], "is a translator, beside plain.onnx: expected one page for one generator, and beside"),
        ([noise, model, encoder, *out], "is an encoder, beside noise.onnx: expected one page for one denoiser"),
        ([model, model.replace("plain", "classes"), *out], "is a generator, beside plain.onnx"),
        ([encoder, *out], "is an encoder, with which no page begins"),
        ([detail, *out], "is a detail, with which no page begins"),
        ([model, "--encoder", str(other), *out], "is for latents of 5 numbers, images of 16x16, expected 4 numbers"),
        ([str(bare), *out], f"has no card, which says how a page reads it; first: python -m export {bare} -o one.onnx"),
        ([str(damaged), *out], "damaged.onnx"),
        (["nothing.onnx", *out], "nothing.onnx: no such file"),
        (["nowhere", *out], "nowhere: there is no such run or file"),
        ([model, "--title", "x" * 201, *out], "--title has 201 characters"),
    ):  # fmt: skip
        try:
            code = command.main(list(words))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        lines = said.err.splitlines()
        assert code == 2, words
        assert expected in lines[-1], (words, said.err)
        assert "Traceback" not in said.err
        assert said.out == "", words
    assert not list(tmp_path.glob("*.html"))
    assert not (tmp_path / "s").exists()


def test_flags_of_a_page_alone_are_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path), "-o", str(tmp_path / "a.onnx"), "--title", "cats"]) == 2
    assert capsys.readouterr().err == "error: --title: goes with --html OUT.html or --folder DIR, written out in full\n"


def test_without_a_player_nothing_begins(
    kinds: Kinds, tmp_path: Path, capsys: pytest.CaptureFixture[str], player: Path
) -> None:
    (player / "player.js").unlink()
    assert command.main([str(kinds["generator"][0]), "--html", str(tmp_path / "a.html")]) == 2
    assert capsys.readouterr().err == f"error: {built.missing()}\n"


def test_two_models_of_one_name_are_refused(kinds: Kinds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_generator(tmp_path / "noise.onnx")
    words = [str(kinds["denoiser"][0]), "--init", str(tmp_path / "noise.onnx"), "--html", str(tmp_path / "a.html")]
    assert command.main(words) == 2
    assert capsys.readouterr().err.startswith("error: noise.onnx: two files of this name")


def test_the_base_installation_is_enough(kinds: Kinds, tmp_path: Path) -> None:
    """The viewer's packages alone: neither torch, nor onnx, nor what trainings need."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys("
        "['torch', 'onnx', 'onnxscript', 'accelerate', 'psutil', 'tyro', 'safetensors', 'playwright']));"
        "from export.player import built; from pathlib import Path; built.FOLDER = Path(sys.argv.pop(1));"
        "from export.__main__ import main; sys.exit(main())"
    )
    words = [str(kinds["denoiser"][0]), "--html", str(tmp_path / "a.html")]
    done = subprocess.run(
        [sys.executable, "-c", code, str(built.FOLDER), *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.html").is_file()
