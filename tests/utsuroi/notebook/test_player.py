"""The player in notebooks, without a browser: what it shows and what it answers."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import make_encoder, make_generator

import utsuroi
from export.player import built
from utsuroi.notebook import Still
from viewer.model import open_model

WIDGET = "application/vnd.jupyter.widget-view+json"
pytest.importorskip("anywidget")
needs_player = pytest.mark.skipif(bool(built.missing()), reason=built.missing())


@pytest.fixture
def model(tmp_path: Path) -> utsuroi.Generator:
    make_encoder(tmp_path / "m.encoder.onnx")
    return utsuroi.load(make_generator(tmp_path / "m.onnx"), utsuroi.Generator)


class Sent:
    """The other side of a player: what was sent to it."""

    def __init__(self, player: Any) -> None:
        self.player, self.messages = player, []
        player.send = lambda content, buffers=(): self.messages.append((content, buffers))

    def ask(self, message: dict[str, Any], *buffers: bytes) -> tuple[Any, Any]:
        """The answer to a message of a view."""
        self.messages.clear()
        self.player._receive(None, {"view": "v", **message}, [memoryview(one) for one in buffers])
        return self.messages[0] if self.messages else (None, None)

    def engine(self, request: dict[str, Any], *buffers: bytes) -> tuple[Any, Any]:
        content, answer = self.ask({"type": "engine", "request": request}, *buffers)
        return (content["reply"] if content else None), answer


@needs_player
def test_a_model_shows_its_player_and_a_still_page_for_those_who_cannot(model: utsuroi.Generator) -> None:
    data, _ = model._repr_mimebundle_()
    assert {WIDGET, "text/html", "text/plain"} <= set(data)
    assert data["text/html"] == model._repr_html_()
    assert type(model._display_()).__name__ == "Player"


def test_without_anywidget_a_model_shows_a_still_page(
    model: utsuroi.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.setattr("utsuroi.notebook.find_spec", lambda name: None)
    data = model._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert isinstance(model._display_(), Still)
    with pytest.raises(utsuroi.UtsuroiError, match=r"needs anywidget, .* pip install 'utsuroi\[notebook\]'$"):
        model.player()


@needs_player
def test_an_encoder_alone_shows_a_still_page(model: utsuroi.Generator) -> None:
    assert model.encoder is not None
    assert set(model.encoder._repr_mimebundle_()) == {"text/html", "text/plain"}
    with pytest.raises(utsuroi.UtsuroiError, match="with which no page begins"):
        model.encoder.player()


@needs_player
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"mode": "draw"}, r"^mode is 'draw', expected one of grid, animate, latent, encode, hpf for .*m\.onnx$"),
        ({"runs": "gpu"}, "^runs is 'gpu', expected 'browser' or 'python'$"),
    ],
)
def test_mistakes_are_one_line(words: dict[str, Any], said: str, model: utsuroi.Generator) -> None:
    with pytest.raises(utsuroi.UtsuroiError, match=said):
        model.player(**words)


@needs_player
@pytest.mark.parametrize("runs", ["browser", "python"])
def test_the_page_of_a_frame(runs: Any, model: utsuroi.Generator) -> None:
    """It has the models and the runtime where they run in the browser, and neither where Python runs them."""
    content, (page,) = Sent(model.player("animate", seed=3, runs=runs)).ask({"type": "page", "theme": "dark"})
    assert (content["type"], content["view"]) == ("page", "v")
    found = re.search(rb'id="page">(.*?)</script>', page)
    assert found is not None
    facts = json.loads(found[1])
    assert (facts["mode"], facts["frame"], facts["theme"], facts["poster"]["seed"]) == ("animate", True, "dark", 3)
    names = ["m.onnx", "m.encoder.onnx"]
    assert [entry["name"] for entry in facts["models"]] == names
    assert [entry.get("held", False) for entry in facts["models"]] == [runs == "python"] * 2
    assert bool(facts["runtime"]) == (runs == "browser")
    assert (b"worker-src data:;" in page) == (runs == "browser")  # VS Code allows no others
    assert b"connect-src 'none'" in page


@needs_player
def test_large_models_stay_in_python(model: utsuroi.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.player().runs == "browser"
    monkeypatch.setattr("utsuroi.notebook.player._BROWSER_BYTES", 100)
    assert model.player().runs == "python"
    assert model.player(runs="browser").runs == "browser"


@needs_player
def test_python_runs_what_the_page_asks_for(model: utsuroi.Generator, tmp_path: Path) -> None:
    sent = Sent(model.player(runs="python"))
    opened, _ = sent.engine({"type": "open", "id": 1, "name": "m.onnx"})
    graph = open_model(model.path)
    assert opened["sha256"] == graph.sha256
    assert opened["size"] == model.path.stat().st_size
    assert graph.card is not None
    assert opened["properties"] == graph.card.to_props()
    latents = model.latents(5, seed=2)
    inputs = [{"name": "latent", "dtype": "f32", "dims": [5, 4]}]
    run = {"type": "run", "id": 1, "run": 8, "inputs": inputs}
    made, (data,) = sent.engine(run, latents.tobytes())
    output = made["output"]
    images = np.frombuffer(data, {"u8": np.uint8}[output["dtype"]]).reshape(output["dims"])
    np.testing.assert_array_equal(images, model.sample(5, seed=2))
    assert (made["type"], made["run"]) == ("made", 8)
    wrong = [{"name": "latent", "dtype": "f32", "dims": [4, 5]}]
    failed, _ = sent.engine({**run, "inputs": wrong}, latents.tobytes())
    assert failed["type"] == "failed"
    assert "cannot be run" in failed["text"]
    other = make_generator(tmp_path / "other.onnx", size=6)
    opened, _ = sent.engine({"type": "open", "id": 2, "name": "../other.onnx"}, other.read_bytes())
    assert opened["sha256"] == open_model(other).sha256
    refused, _ = sent.engine({"type": "open", "id": 3, "name": "x.onnx"}, b"<!doctype html>")
    assert refused["type"] == "refused"
    assert "web page" in refused["text"]
    assert sent.engine({"type": "close", "id": 1}) == (None, None)
    failed, _ = sent.engine(run, latents.tobytes())
    assert "closed" in failed["text"]
    folder = Path(sent.player._folder.name)
    sent.player.close()
    assert not folder.exists()


@needs_player
def test_what_is_shown_and_saved_comes_to_python(model: utsuroi.Generator) -> None:
    import cv2

    player = model.player()
    assert (player.mode, player.seed, player.saved) == ("", 0, [])
    player.place = {"mode": "grid", "params": {"seed": "7"}}
    assert (player.mode, player.seed) == ("grid", 7)
    player.go(seed=9)
    assert player.place == {"mode": "grid", "params": {"seed": "9"}}
    player.go("animate", seed=1)
    assert (player.mode, player.seed) == ("animate", 1)
    image = model.sample(1)[0]
    _, png = cv2.imencode(".png", image[..., ::-1])
    Sent(player).ask({"type": "saved", "name": "m.png"}, png.tobytes())
    np.testing.assert_array_equal(player.saved[0][0], image)


def test_loading_asks_for_no_widget() -> None:
    import subprocess

    code = "import sys, utsuroi; utsuroi.load().sample(1); print({'anywidget', 'ipywidgets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
