"""A set of images is recognised, and nothing else is taken for it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.data.sources import need_source
from trainer.data.sources._identity import fingerprint


def of(*sources: Path | str, labels: np.ndarray | None = None, without: Path = Path("none")) -> str:
    return fingerprint([need_source(str(source)) for source in sources if source], labels, without)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "set" / name / f"{number}.png").write_bytes(bytes(100 + number))
    return tmp_path / "set"


def moved(folder: Path) -> None:
    (folder / "a" / "3.png").rename(folder / "b" / "x.png")


def exchanged(folder: Path) -> None:
    (folder / "a" / "3.png").write_bytes(b"another")


def added(folder: Path) -> None:
    (folder / "c.png").touch()


def removed(folder: Path) -> None:
    (folder / "b" / "29.png").unlink()


@pytest.mark.parametrize("change", [moved, exchanged, added, removed])
def test_a_folder_with_other_images_is_another(folder: Path, change: Callable[[Path], None]) -> None:
    before = of(folder)
    change(folder)
    assert of(folder) != before


def test_a_folder_elsewhere_and_with_notes_is_the_same(folder: Path, tmp_path: Path) -> None:
    before = of(folder)
    (folder / "README.md").write_text("of cats")
    (folder / ".hidden").touch()
    run = folder / "runs" / "cats"
    run.mkdir(parents=True)
    (run / "sample.png").touch()
    assert of(folder, without=run) == before
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("runs"))
    assert of(tmp_path / "copy") == before


def test_a_file_with_other_bytes_or_labels_is_another(tmp_path: Path) -> None:
    file = tmp_path / "set.npy"
    data = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3), np.uint8)
    np.save(file, data)
    known = of(file)
    np.save(file, data[::-1])
    assert of(file) != known
    np.save(file, data[:-1])
    assert of(file) != known
    np.save(file, data)
    assert of(file) == known
    labels = np.arange(50)
    assert len({of(file, labels=labels), of(file, labels=labels[::-1]), known}) == 3


def test_shards_written_again_are_others(tmp_path: Path) -> None:
    (tmp_path / "cats-000.tar").write_bytes(bytes(100))
    (tmp_path / "cats-001.tar").write_bytes(bytes(100))
    (tmp_path / "cats.index.json").write_text('{"sha256": "1"}')
    known = of(tmp_path), of(tmp_path / "cats-{000..001}.tar")
    (tmp_path / "cats.index.json").write_text('{"sha256": "2"}')
    later = of(tmp_path), of(tmp_path / "cats-{000..001}.tar")
    assert all(new != old for new, old in zip(later, known, strict=True))


def test_a_set_of_the_hub_is_known_by_its_labels_alone() -> None:
    assert of("hub:owner/name") == of("hub:owner/name", "")
