"""Named directions in the card: of a file that was exported before, and of networks; nothing else in a file changes."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_networks import LATENT, card_of, encoder, export, generator, run

from export import __main__ as command
from export.card import SCHEMA
from export.to_onnx import Origin, Output, export_networks
from trainer.contract.directions import add_direction
from trainer.contract.errors import UserError
from trainer.family import DataSpec


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "small.directions.json"
    add_direction(file, "smile", {"direction": [1.0, 0, 0, 0.5], "model": {"step": 7}})
    add_direction(file, "笑", {"direction": [0, 1e-3, 0, 0]})
    return file


def test_a_file_that_was_exported_gets_them_and_stays_the_same_model(
    names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "small.onnx", tmp_path / "new.onnx"
    export(old, generator())
    before = old.read_bytes()
    assert command.main([str(old), "-o", str(new), "--directions", str(names)]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{new}: generator with 2 named directions: smile, 笑\n", "")
    assert old.read_bytes() == before
    card, plain = card_of(new), card_of(old)
    assert card.named_directions == {"smile": (1.0, 0, 0, 0.5), "笑": (0, 1e-3, 0, 0)}
    assert card.schema == SCHEMA
    assert {**vars(card), "named_directions": 0} == {**vars(plain), "named_directions": 0}
    graphs = [onnx.load(path).graph.SerializeToString(deterministic=True) for path in (old, new)]
    assert graphs[0] == graphs[1]
    latent = np.random.default_rng(0).normal(size=(5, LATENT)).astype(np.float32)
    assert np.array_equal(run(old, latent=latent), run(new, latent=latent))


def test_in_place_only_by_force_and_older_ones_stay(
    names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.onnx"
    export(file, generator())
    arguments = [str(file), "-o", str(file), "--directions", str(names)]
    before = file.read_bytes()
    assert command.main(arguments) == 2
    assert "give --force to replace it" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert command.main([*arguments, "--force"]) == 0
    more = tmp_path / "more.json"
    add_direction(more, "smile", {"direction": [0, 0, 0, 1.0]})
    add_direction(more, "ears", {"direction": [0, 0, 1.0, 0], "model": {"step": 8}})
    capsys.readouterr()
    assert command.main([*arguments[:-1], str(more), "--force"]) == 0
    printed = capsys.readouterr()
    assert "3 named directions: smile, 笑, ears; in place of older ones: smile" in printed.out
    assert printed.err == f"warning: {more}: found in another model, may mean nothing in this one: ears\n"
    assert card_of(file).named_directions["smile"] == (0, 0, 0, 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.json", names.name, "small.onnx"]


def test_mistakes_are_one_line_and_write_nothing(
    names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "small.onnx", tmp_path / "out.onnx"
    export(file, generator(), encoder())
    data, broken, half, bare = file.read_bytes(), *(tmp_path / f"{name}.onnx" for name in ("broken", "half", "bare"))
    broken.write_bytes(data.replace(b'"small"', b'"smell"'))
    half.write_bytes(data[:500])
    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, bare)
    wide = tmp_path / "wide.json"
    add_direction(wide, "a", {"direction": [1.0, 2.0]})
    for source, target, directions, more, expected in (
        (file, out, None, [], "has a card already"),
        (file, out, names, ["--name", "other"], "is exported already"),
        (file, out, names, ["--input-range", "-1..1"], "is exported already"),
        (file, tmp_path / "out.pth", names, [], "expected .onnx"),
        (file, tmp_path / "no" / "out.onnx", names, [], "there is no folder"),
        (broken, out, names, [], "do not match their SHA-256 seal"),
        (half, out, names, [], "is no ONNX file, or only a part of one"),
        (bare, out, names, [], "has no card"),
        (tmp_path / "small.encoder.onnx", out, names, [], "is of kind encoder, expected a generator"),
        (file, out, wide, [], "'a' is 2 numbers, expected a list of 4"),
        (file, out, tmp_path / "missing.json", [], "cannot read"),
    ):
        flags = [] if directions is None else ["--directions", str(directions)]
        assert command.main([str(source), "-o", str(target), *flags, *more]) == 2
        printed = capsys.readouterr()
        assert expected in printed.err
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert not target.exists()


def test_networks_are_exported_with_them(names: Path, tmp_path: Path) -> None:
    origin = Origin(family="small", spec=DataSpec(image_size=(8, 8), channels=3))
    path = tmp_path / "small.onnx"
    export_networks([generator(), encoder()], origin, Output(path=path, directions=names))
    assert list(card_of(path).named_directions) == ["smile", "笑"]
    assert not card_of(tmp_path / "small.encoder.onnx").named_directions
    with pytest.raises(UserError, match="--directions is for generators, found encoder to export"):
        export_networks([encoder()], origin, Output(path=tmp_path / "e.onnx", directions=names))
    content = json.loads(names.read_text())
    content["directions"]["smile"]["direction"] = [1]
    names.write_text(json.dumps(content))
    with pytest.raises(UserError, match="expected a list of 4"):
        export_networks([generator()], origin, Output(path=tmp_path / "b.onnx", directions=names))
    assert not (tmp_path / "b.onnx").exists()
