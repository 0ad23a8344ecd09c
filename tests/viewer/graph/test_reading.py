"""What a user says of a file without a card: by flags, and by the sidecar that keeps it."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper
from small_models import make_generator, make_graph

import utsuroi
from trainer.contract.errors import UserError
from viewer.__main__ import main
from viewer.graph.reading import Reading, remember, remembered, sidecar_of
from viewer.model import ModelError, open_model


@pytest.fixture
def enlarger(tmp_path: Path) -> Path:
    """x [1, 3, h, w] to x, twice as large; x reversed along its channels is a second output."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    order = numpy_helper.from_array(np.array([2, 1, 0]), "order")
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest"),
        helper.make_node("Gather", ["y", "order"], ["turned"], axis=1),
    ]
    shapes = [("y", "f32", [1, 3, "H", "W"]), ("turned", "f32", [1, 3, "H", "W"])]
    model = make_graph(nodes, [("x", "f32", [1, 3, "h", "w"])], shapes, [scales, order])
    path = tmp_path / "twice.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_flags_are_kept_and_read_again(enlarger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert main(["info", str(enlarger), "--input-range", "-1..1", "--output-range=0..255", "--output", "turned"]) == 0
    said = capsys.readouterr()
    assert "values -1..1 → chw, values 0..255" in said.out
    assert said.err == (
        f"{enlarger}: kept in twice.onnx.json for the next time: --input-range -1..1, --output-range 0..255, "
        "--output-name turned\n"
    )

    assert main(["info", str(enlarger)]) == 0
    said = capsys.readouterr()
    words = "--input-range -1..1, --output-range 0..255, --output-name turned"
    assert re.search(f"told +{words}\n", said.out)
    open_model(enlarger)
    assert capsys.readouterr().err == f"{enlarger}: read as twice.onnx.json says: {words}\n"
    assert "values -1..1 → chw, values 0..255" in said.out
    assert main(["info", str(enlarger), "--output-range", "-1..1"]) == 0  # a flag is above what is kept
    model = open_model(enlarger)
    assert model.reading.kept == {"input_range": "-1..1", "output_range": "-1..1", "output_name": "turned"}
    np.testing.assert_array_equal(model.translate(image)[::2, ::2], image[..., ::-1])


def test_order_of_colours_and_of_axes(enlarger: Path) -> None:
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    same = Reading(input_range=(0, 1), output_range=(0, 1), output_name="y")
    for order in ("rgb", "bgr"):  # of both sides: the same image, whatever a network does between
        model = open_model(enlarger, reading=Reading(channels=order).over(same), silent=True)
        np.testing.assert_array_equal(model.translate(image)[::2, ::2], image)
    assert not sidecar_of(enlarger).exists()
    with pytest.raises(ModelError, match="gives no image of any size that was tried"):
        open_model(enlarger, reading=Reading(layout="hwc"), silent=True).translate(image)


def test_a_file_with_a_card_is_read_as_that_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_generator(tmp_path / "g.onnx")
    sidecar_of(path).write_text("of something else: never looked at")
    assert main(["info", str(path)]) == 0
    capsys.readouterr()
    for words in (["info", str(path)], [str(path), "--display", "none"]):
        assert main([*words, "--output-range", "-1..1"]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said == f"error: {path}: found --output-range -1..1, expected none: its card says how it is read"


@pytest.mark.parametrize("words", [["--input-range", "1..0"], ["--input-range", "-1"], ["--output-range", "nan..1"],
                                   ["--layout", "nchw"], ["--channels", "grb"], ["--output-name", ""]])  # fmt: skip
def test_flags_that_say_nothing_sensible(enlarger: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("info", "grid", "upscale"):
        with pytest.raises(SystemExit) as ending:
            main([mode, str(enlarger), *words])
        assert ending.value.code == 2
        assert "expected" in capsys.readouterr().err.splitlines()[-1]
    assert not sidecar_of(enlarger).exists()


def test_what_does_not_fit_the_graph_is_refused_and_not_kept(enlarger: Path) -> None:
    with pytest.raises(ModelError, match="found no output 'z', expected one of: y float"):
        open_model(enlarger, reading=Reading(output_name="z"))
    assert not sidecar_of(enlarger).exists()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "no JSON"),
        (b'{"utsuroi": "reading", "input_range": "0.', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b'{"utsuroi": "reading", "input_range": ' + b"9" * 50_000 + b"}", "no JSON|input_range is"),
        (b"{}", "something else"),
        (b"[1, 2]", "something else"),
        (b'{"audio": {"sample_rate": 22050}}', "something else"),
        (b'{"utsuroi": ["reading"]}', "something else"),
        (b'{"utsuroi": "reading", "input_range": [0, 1]}', r"input_range is \[0, 1\], expected text"),
        (b'{"utsuroi": "reading", "input_range": "1..1"}', "input_range is '1..1', expected LOW..HIGH"),
        (b'{"utsuroi": "reading", "layout": null}', "layout is None, expected text"),
        (b'{"utsuroi": "reading", "external_data": true}', "'external_data', a key that this version does not know"),
        (b'{"utsuroi": "reading", "\\u001b[31m": "x"}', "a key that this version does not know"),
        (json.dumps({"utsuroi": "reading"} | {str(n): n for n in range(10**6)}).encode(), "bytes, of which"),
        (b" " * (1 << 26), "bytes, of which"),
    ],
)  # fmt: skip
def test_sidecars_that_are_none(enlarger: Path, data: bytes, found: str, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = sidecar_of(enlarger)
    sidecar.write_bytes(data)
    for more in ([], ["--input-range", "0..1"]):
        assert main(["info", str(enlarger), *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {sidecar}: ")
        assert line.isprintable()
    with pytest.raises(UserError, match=found):
        remembered(enlarger)
    assert sidecar.read_bytes() == data


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_a_sidecar_that_would_never_end(enlarger: Path) -> None:
    os.mkfifo(sidecar_of(enlarger))
    with pytest.raises(UserError, match="found no plain file"):
        remembered(enlarger)


def test_a_folder_that_cannot_be_written_to(enlarger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("trainer.contract.files.replace_bytes", full)
    said = remember(enlarger, Reading(layout="chw"))
    assert said == ("not kept in twice.onnx.json (Read-only file system), to be given again the next time: "
                    "--layout chw")  # fmt: skip
    assert open_model(enlarger, reading=Reading(layout="chw")).reading.layout == "chw"


def test_the_same_from_python(enlarger: Path) -> None:
    image = np.full((8, 8, 3), 255, np.uint8)
    model = utsuroi.load(enlarger, utsuroi.Translator, input_range=(0, 1), output_range="0..255", output_name="y")
    assert model.translate(image).max() == 1  # 1 of 255
    assert not sidecar_of(enlarger).exists()
    for words, found in (
        ({"input_range": (1, 0)}, r"input_range is \(1, 0\), expected LOW..HIGH"),
        ({"input_range": 255}, "input_range is 255, expected text"),
        ({"layout": "nchw"}, "layout is 'nchw', expected chw or hwc"),
    ):
        with pytest.raises(utsuroi.UtsuroiError, match=found):
            utsuroi.load(enlarger, **words)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected keyword argument 'input_rage'"):
        utsuroi.load(enlarger, input_rage="0..1")  # type: ignore[call-overload]
