"""``utsuroi push``: what arrives, what stays, and that nothing is half pushed."""

import gzip
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hub_server import TOKEN, Hub
from small_models import make_detail, make_encoder, make_generator, make_translator, photo_like

import utsuroi
from export.player import built
from utsuroi.__main__ import main
from utsuroi.push.readme import escaped, is_replaceable

WORDS = ("--licence", "cc-by-4.0")


@pytest.fixture(autouse=True)
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that was built, as far as a page is concerned."""
    folder = tmp_path / "built"
    folder.mkdir()
    monkeypatch.setattr(built, "FOLDER", folder)
    for name in built.NEEDED:
        built.stored(name).write_bytes(gzip.compress(b"x"))


@pytest.fixture
def cats(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    make_encoder(tmp_path / "cats.encoder.onnx")
    make_detail(tmp_path / "cats.detail.onnx")
    measured = {"metrics": {"mse": 0.0169}, "evaluation": {"kid": 0.031, "ok": True}}
    training = {"images_seen": 1_000_000, "score": 0.0168, **measured}
    return make_generator(tmp_path / "cats.onnx", data="hub:me/photos:train", training=training)


def push(*words: object) -> int:
    try:
        return main(["push", *map(str, words)])
    except SystemExit as stop:
        return int(stop.code or 0)


def metadata(readme: bytes) -> dict[str, object]:
    return yaml.safe_load(readme.decode().split("---\n")[1])


def test_a_model_its_parts_its_page_and_its_player_are_one_commit(
    cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(cats, "me/cats", *WORDS) == 0
    out, err = capsys.readouterr()
    assert out == f"{hub.url}/me/cats\nutsuroi view hub:me/cats\n"
    assert TOKEN not in out + err
    repository = hub.repositories["me/cats"]
    files = repository.files()
    assert len(repository.messages) == 1
    assert not repository.private
    assert set(files) == {
        "cats.onnx", "cats.encoder.onnx", "cats.detail.onnx", "samples.png", "index.html", "README.md"}  # fmt: skip
    for path in cats.parent.glob("cats.*onnx"):
        assert files[path.name] == path.read_bytes()
    assert metadata(files["README.md"]) == {
        "library_name": "utsuroi", "license": "cc-by-4.0", "pipeline_tag": "unconditional-image-generation",
        "tags": ["utsuroi", "onnx", "generator", "vae"], "datasets": ["me/photos"]}  # fmt: skip
    text = files["README.md"].decode()
    for words in (f"{hub.url}/me/cats/resolve/main/index.html?download=true", "![", "view grid hub:me/cats/cats.onnx",
                  'utsuroi.load("hub:me/cats/cats.onnx")', "| Images seen in training | 1,000,000 |", "| kid | 0.031 |",
                  "| Licence | cc&#45;by&#45;4.0 |", "| `cats.encoder.onnx` |"):  # fmt: skip
        assert words in text
    sheet = cv2.imdecode(np.frombuffer(files["samples.png"], np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(sheet, utsuroi.load(cats).sample(24).sheet(6))
    assert b"<title>" in files["index.html"]
    assert not hub.tokens_elsewhere
    np.testing.assert_array_equal(utsuroi.load("hub:me/cats").sample(2), utsuroi.load(cats).sample(2))


def test_pushed_again_only_what_a_person_wrote_stays(cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(cats, "hub:me/cats", *WORDS, "--private", "-m", "first") == 0
    repository = hub.repositories["me/cats"]
    assert repository.private
    cats.with_name("cats.detail.onnx").unlink()
    assert push(cats, "me/cats", "--licence", "MIT") == 0
    assert "note: cats.detail.onnx is removed there" in capsys.readouterr().err
    assert "cats.detail.onnx" not in repository.files()
    assert metadata(repository.files()["README.md"])["license"] == "mit"
    own = repository.files()["README.md"].replace(b"## Play", b"My own words\n\n## Play")
    repository.commit({**repository.files(), "README.md": own, "notes.txt": b"mine"})
    assert push(cats, "me/cats", *WORDS) == 0
    assert "note: README.md there is not as utsuroi wrote it: it stays" in capsys.readouterr().err
    assert repository.files()["README.md"] == own
    assert push(cats, "me/cats", *WORDS, "--force") == 0
    assert repository.files()["README.md"] != own
    assert repository.files()["notes.txt"] == b"mine"
    assert repository.messages[0] == "first"
    assert push(cats, "me/cats", *WORDS, "--private") == 0, "it is private"


def test_a_branch_is_made(cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add("me/cats", {"README.md": b"---\nlicense: mit\n---\n"})
    assert push(cats, "me/cats", *WORDS, "--branch", "v2", "--no-html") == 0
    assert capsys.readouterr().out.endswith("utsuroi view hub:me/cats@v2/cats.onnx\n")
    repository = hub.repositories["me/cats"]
    assert list(repository.files()) == ["README.md"]
    assert "index.html" not in repository.files("v2")
    assert b"hub:me/cats@v2/cats.onnx" in repository.files("v2")["README.md"]


def test_a_space_shows_the_player(cats: Path, hub: Hub) -> None:
    assert push(cats, "me/cats", *WORDS, "--space") == 0
    space = hub.repositories["spaces/me/cats"].files()
    assert space["index.html"] == hub.repositories["me/cats"].files()["index.html"]
    assert metadata(space["README.md"])["sdk"] == "static"
    assert metadata(space["README.md"])["models"] == ["me/cats"]
    assert f"({hub.url}/spaces/me/cats)".encode() in hub.repositories["me/cats"].files()["README.md"]
    before = len(hub.repositories["me/cats"].messages)
    assert push(cats, "me/cats", *WORDS, "--space-only") == 0, "it is its own"
    assert len(hub.repositories["me/cats"].messages) == before


@pytest.mark.parametrize(
    ("lie", "error"), [("no space", "status 402 (Spaces need a paid plan)"), ("no page", "shows nothing new")]
)
def test_a_space_that_fails_leaves_the_model_and_says_how_to_go_on(
    lie: str, error: str, cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.lie = lie
    assert push(cats, "me/cats", *WORDS, "--space") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: the model is pushed ({hub.url}/me/cats), its Space is not: the Space me/cats: ")
    assert error in line
    command = f"utsuroi push {cats} me/cats --space-only --licence cc-by-4.0"
    assert line.endswith(f"; to try the Space alone: {command}")
    assert "cats.onnx" in hub.repositories["me/cats"].files()
    hub.lie = ""
    assert push(*command.split()[2:]) == 0
    assert capsys.readouterr().out.startswith(f"{hub.url}/spaces/me/cats\n")
    assert "index.html" in hub.repositories["spaces/me/cats"].files()
    assert len(hub.repositories["me/cats"].messages) == 1


def test_a_space_that_somebody_wrote_stays(cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"README.md": b"---\nsdk: gradio\n---\nmine", "app.py": b"import gradio"}
    hub.add("spaces/me/cats", own)
    assert push(cats, "me/cats", *WORDS, "--space") == 2
    assert "the Space me/cats is there, and not as utsuroi wrote it: " in capsys.readouterr().err
    assert hub.repositories["spaces/me/cats"].files() == own
    assert "me/cats" not in hub.repositories
    assert push(cats, "me/cats", *WORDS, "--space", "--force") == 0
    assert "index.html" in hub.repositories["spaces/me/cats"].files()


def test_a_dry_run_sends_nothing(cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(cats, "me/cats", *WORDS, "--dry-run") == 0
    out, err = capsys.readouterr()
    assert out.startswith("---\n")
    assert "would be pushed to hub:me/cats, and nothing was:\n  cats.onnx" in err
    assert not hub.asked


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (
            "refuses",
            r"somebody else pushed at the same time: try again; nothing was pushed; but me/cats was made there",
        ),
        ("full", r"status 507 \(.*Storage quota of the account is used up.*\); nothing was pushed"),
    ],
)
def test_nothing_is_half_pushed(lie: str, error: str, cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.lie = lie
    assert push(cats, "me/cats", *WORDS) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert re.search(f"^error: hub:me/cats: .*{error}", line)
    assert not hub.repositories["me/cats"].files()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["me/cats"], r"its card names no licence, expected --licence with the terms, such as --licence cc-by-4\.0"),
        (["cats", *WORDS], r"^error: cats: expected OWNER/NAME, as in utsuroi push cats\.onnx owner/cats"),
        (["me/cats", *WORDS, "--branch", "a/../b"], r"--revision is a/\.\./b, expected the name of a branch"),
        (["me/there", *WORDS, "--private"], r"hub:me/there: is there and public, expected no --private"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], error: str, cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add("me/there", {"README.md": b""})
    assert push(cats, *words) == 2
    assert re.search(error, capsys.readouterr().err.splitlines()[-1])
    assert set(hub.repositories) == {"me/there"}
    assert list(hub.repositories["me/there"].files()) == ["README.md"]


def test_without_a_token_or_with_a_wrong_one(
    cats: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    assert push(cats, "me/cats", *WORDS) == 2
    error = capsys.readouterr().err
    assert "hub:me/cats: the token may not do this" in error
    assert "wrongwrong" not in error
    monkeypatch.delenv("HF_TOKEN")
    assert push(cats, "me/cats", *WORDS) == 2
    assert (
        "hub:me/cats: there is no token to push with: log in (hf auth login), or set HF_TOKEN"
        in capsys.readouterr().err
    )
    assert not hub.repositories


def test_a_model_without_a_card_is_exported_first(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_generator(tmp_path / "plain.onnx", card=False)
    assert push(path, "me/cats", *WORDS) == 2
    assert "has no card" in capsys.readouterr().err


def test_without_a_player_it_says_so(cats: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    built.stored("player.js").unlink()
    assert push(cats, "me/cats", *WORDS) == 2
    assert capsys.readouterr().err.rstrip().endswith("or push without it: --no-html")
    assert not hub.repositories


def test_a_translator_shows_images_that_are_given(
    hub: Hub, tmp_path: Path, cats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_translator(tmp_path / "t.onnx")
    cv2.imwrite(str(tmp_path / "photo.png"), photo_like(40, 40))
    assert push(path, "me/t", *WORDS) == 0
    assert "note: without --images there are no samples" in capsys.readouterr().err
    assert "samples.png" not in hub.repositories["me/t"].files()
    assert push(path, "me/t", *WORDS, "--images", tmp_path / "photo.png") == 0
    assert hub.repositories["me/t"].files()["samples.png"]
    assert metadata(hub.repositories["me/t"].files()["README.md"])["pipeline_tag"] == "image-to-image"


def test_words_of_a_card_are_no_markup(hub: Hub, tmp_path: Path, cats: Path) -> None:
    evil = "<script>alert(1)</script> | [x](http://evil) \n# head `code` ![i](http://evil/i.png)"
    path = make_generator(tmp_path / "evil.onnx", name=evil, data=evil, licence=evil)
    assert push(path, "me/evil") == 0
    readme = hub.repositories["me/evil"].files()["README.md"]
    assert metadata(readme)["license"] == "other"
    text = readme.decode().split("---\n", 2)[2]
    assert "<script" not in text
    assert "http://evil" not in text
    assert "](http://evil" not in text
    assert not re.search(r"^# head", text, re.MULTILINE)
    assert escaped("a_b") == "a&#95;b"


def test_which_readme_may_be_replaced() -> None:
    assert is_replaceable("---\nlicense: mit\n---\n")
    assert is_replaceable("")
    assert not is_replaceable("---\nlicense: mit\n---\nwords")
