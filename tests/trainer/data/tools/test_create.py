"""create: what is cropped, left out, dropped and labelled, and what is said of it."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.images import centre, load_bytes, pad, read_bytes, resize
from trainer.data.__main__ import main
from trainer.data.batches.dataset import open_dataset
from trainer.data.sources import need_source
from trainer.data.sources.base import OpenOptions
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import info
from trainer.data.tools.create import Seen


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return int(ended.value.code or 0)


def write(path: Path, image: np.ndarray, *options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]), options)
    return path


def scene(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Blobs of colour, u8 [h, w, 3] RGB; another seed, another image."""
    random = np.random.default_rng(seed)
    return cv2.resize(random.integers(0, 256, (5, 7, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def test_the_middle_is_cut_out_without_stretching(tmp_path: Path) -> None:
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 20:80] = scene(0, 60, 60)
    assert (centre(image, 60, 60) == image[:, 20:80]).all()
    assert centre(image.transpose(1, 0, 2), 30, 30).shape == (30, 30, 3)
    assert centre(image[:1, :1], 8, 4).shape == (8, 4, 3)
    write(tmp_path / "a.png", image)
    assert run("create", tmp_path / "a.png", "-o", tmp_path / "a.npy", "--crop", "center", "--size", 60) == 0
    assert (np.load(tmp_path / "a.npy")[0] == image[:, 20:80]).all()


def test_photographs_are_cropped_unless_asked_otherwise_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = np.zeros((60, 100, 3), np.uint8)
    wide[:, 20:80] = scene(0, 60, 60)
    write(tmp_path / "in" / "a.png", wide)
    write(tmp_path / "in" / "b.png", scene(1, 60, 60))
    made = {}
    for flags in ("", "--stretch", "--crop none", "--pad", "--keep-aspect", "--crop none --keep-aspect"):
        command = ("create", tmp_path / "in", "-o", tmp_path / "a.npy", "--size", 60, "--force", *flags.split())
        assert run(*command) == 0
        made[flags] = np.load(tmp_path / "a.npy"), capsys.readouterr().out
        assert (made[flags][0][1] == scene(1, 60, 60)).all(), "a square is what it was"
    assert (made[""][0][0] == wide[:, 20:80]).all()
    assert "1 of 2 images cropped to a square: up to 40 % of an image cut off (--pad or --stretch" in made[""][1]
    assert (made["--stretch"][0][0] == resize(wide, 60, 60)).all()
    assert "1 of 2 images stretched to a square: up to 1.67 times\n" in made["--stretch"][1]
    assert run("create", tmp_path / "in", "-o", tmp_path / "n.npy", "--crop", "none") == 0
    assert ImageSet(tmp_path / "n.npy").sidecar.made["options"] == {"stretch": True}
    capsys.readouterr()
    assert (made["--pad"][0][0] == pad(wide, 60, 60)).all()
    assert "1 of 2 images padded to a square: up to 40 % of" in made["--pad"][1]
    for old, new in (("--crop none", "--stretch"), ("--keep-aspect", "--pad"), ("--crop none --keep-aspect", "--pad")):
        assert (made[old][0] == made[new][0]).all()
    assert run("create", tmp_path / "in" / "b.png", "-o", tmp_path / "b.npy") == 0
    assert "square" not in capsys.readouterr().out
    assert run("create", tmp_path / "in", "-o", tmp_path / "c.npy", "--pad", "--stretch") == 2
    assert "exclude each other" in capsys.readouterr().err


def test_large_square_photographs_have_the_bits_that_they_had(tmp_path: Path) -> None:
    """Whether they are cropped or stretched, also where they are decoded at a half of their size."""
    write(tmp_path / "a.jpg", scene(0, 256, 256))
    for size in (40, 64, 200, 300):
        assert (
            load_bytes(read_bytes(tmp_path / "a.jpg"), size, size)
            == load_bytes(read_bytes(tmp_path / "a.jpg"), size, size, resize)
        ).all()


def test_sets_and_shards_of_photographs_are_cropped_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = np.zeros((60, 100, 3), np.uint8)
    wide[:, 20:80] = scene(0, 60, 60)
    write(tmp_path / "in" / "a.png", wide)
    write(tmp_path / "in" / "b.png", scene(1, 60, 60))
    np.save(tmp_path / "wide.npy", wide[None])
    assert run("create", tmp_path / "wide.npy", "-o", tmp_path / "a.npy", "--size", 60) == 0
    assert "note: wide: 1 of 1 images cropped to a square: up to 40 %" in capsys.readouterr().err
    assert (np.load(tmp_path / "a.npy")[0] == wide[:, 20:80]).all()
    for flags, expected in (((), wide[:, 20:80]), (("--stretch",), resize(wide, 60, 60))):
        folder = tmp_path / f"shards{len(flags)}"
        assert run("shards", tmp_path / "in", "-o", folder, "--size", 60, "--format", "png", *flags) == 0
        assert "1 of 2 images" in capsys.readouterr().out
        assert (next(iter(need_source(str(folder)).open().pieces()))[0][0] == expected).all()
    assert run("shards", tmp_path / "in", "-o", tmp_path / "shards") == 0
    cropped = need_source(str(tmp_path / "shards")).open(OpenOptions(image_size=60))
    assert (next(iter(cropped.pieces()))[0][0] == wide[:, 20:80]).all()
    assert "images of other shapes cropped to a square: up to 40 %" in capsys.readouterr().err


def test_crop_and_padding_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.png", scene(0))
    command = ("create", tmp_path / "a.png", "-o", tmp_path / "a.npy", "--crop", "center", "--keep-aspect")
    assert run(*command) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_small_images_are_left_out_by_their_size_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, height, width in (("wide", 40, 200), ("fits", 64, 64), ("high", 200, 63)):
        write(tmp_path / "in" / f"{name}.png", scene(1, height, width))
    assert run("create", tmp_path / "in", "-o", tmp_path / "a.npy", "--min-size", 64, "--size", 16) == 0
    shown = capsys.readouterr()
    assert "wide.png: 200x40 px, --min-size is 64" in shown.err
    assert "1 images of 16x16 px, 2 skipped" in shown.out
    assert ImageSet(tmp_path / "a.npy").sidecar.names == ("fits.png",)


def copies(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same image, as it is found in a folder a second time."""
    random = np.random.default_rng(0)
    compressed = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    return {
        "compressed": compressed,
        "smaller": cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "lighter": np.clip(image * 1.12, 0, 255).astype(np.uint8),
        "noisier": np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8),
    }


def test_copies_are_dropped_and_named_and_others_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    for seed in range(12):
        write(folder / f"{seed:02}.png", scene(seed))
    for name, image in copies(scene(3)).items():
        write(folder / f"z-{name}.png", image)
    write(folder / "z-mirrored.png", scene(3)[:, ::-1])
    command = ("create", folder, "-o", tmp_path / "a.npy", "--size", 64)
    assert run(*command, "--dedupe") == 0
    shown = capsys.readouterr()
    for name in copies(scene(3)):
        assert f"dropped {folder}/z-{name}.png: the same image as {folder}/03.png" in shown.err
    assert "13 images of 64x64 px, 0 skipped, 4 dropped that came before" in shown.out
    assert len(ImageSet(tmp_path / "a.npy").sidecar.names) == 13
    assert run(*command, "--force") == 0
    assert len(np.load(tmp_path / "a.npy")) == 17
    assert run("create", tmp_path / "a.npy", "-o", tmp_path / "b.npy", "--dedupe") == 0
    all_names = ImageSet(tmp_path / "a.npy").sidecar.names
    assert ImageSet(tmp_path / "b.npy").sidecar.names == (*all_names[:12], "z-mirrored.png")


def test_flat_and_grey_images_are_told_apart() -> None:
    seen = Seen()
    levels = [np.full((16, 16, 3), level, np.uint8) for level in (0, 100, 200, 101)]
    assert [seen.find(image) for image in levels] == [None, None, None, 1]
    digits = [np.zeros((28, 28, 1), np.uint8) for _ in range(2)]
    digits[0][4:24, 12:16] = digits[1][12:16, 4:24] = 255
    assert [seen.find(image) for image in (*digits, digits[1])] == [None, None, 4]


def test_many_are_remembered() -> None:
    """More than there is room for at first."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2500, 8, 8, 3), np.uint8)
    seen = Seen()
    assert all(seen.find(image) is None for image in images)
    assert [seen.find(images[k]) for k in (0, 1023, 1024, 2499)] == [0, 1023, 1024, 2499]


def test_folders_are_labels_and_training_reads_them(tmp_path: Path) -> None:
    for k, name in enumerate(("10/a.png", "2/b.png", "2/deep/er/c.png", "10/d.png")):
        write(tmp_path / "in" / name, scene(k))
    assert run("create", tmp_path / "in", "-o", tmp_path / "a.npy", "--size", 16, "--labels", "folders") == 0
    images = open_dataset(str(tmp_path / "a.npy"), progress=False)
    assert images.classes == ("2", "10"), "numbers in their own order"
    assert images.labels is not None
    assert images.labels.tolist() == [1, 1, 0, 0]
    assert ImageSet(tmp_path / "a.npy").sidecar.names == ("10/a.png", "10/d.png", "2/b.png", "2/deep/er/c.png")
    both = ("create", tmp_path / "in" / "10", tmp_path / "in" / "2", "-o", tmp_path / "b.npy", "--size", 16)
    assert run(*both, "--labels", "folders") == 0
    sidecar = ImageSet(tmp_path / "b.npy").sidecar
    assert sidecar.labels is not None
    assert [sidecar.classes[label] for label in sidecar.labels] == ["10", "10", "2", "deep"]


@pytest.mark.parametrize("heading", ["", "name,label\n", "\ufefffilename,class\r\n"])
def test_a_table_gives_labels_and_what_it_does_not_name_is_left_out(
    tmp_path: Path, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, name in enumerate(("a.png", "deep/a.png", "deep/b, c.png", "none.png")):
        write(tmp_path / "in" / name, scene(k))
    table = tmp_path / "labels.csv"
    table.write_text(heading + 'a.png,dog\ndeep/a.png,cat\n"b, c.png",\U0001f408\nelsewhere.png,cat\n', "utf-8")
    assert run("create", tmp_path / "in", "-o", tmp_path / "a.npy", "--size", 16, "--labels", table) == 0
    shown = capsys.readouterr().err
    assert "none.png: no label in" in shown
    assert "1 of the names" in shown
    sidecar = ImageSet(tmp_path / "a.npy").sidecar
    assert sidecar.labels is not None
    found = dict(zip(sidecar.names, (sidecar.classes[label] for label in sidecar.labels), strict=True))
    assert found == {"a.png": "dog", "deep/a.png": "cat", "deep/b, c.png": "\U0001f408"}


def test_what_is_known_lies_beside_and_info_shows_it(tmp_path: Path) -> None:
    for k, size in enumerate(((30, 40), (90, 120))):
        write(tmp_path / "in" / f"{k}.png", scene(k, *size))
    os.rename(tmp_path / "in" / "1.png", os.fsencode(tmp_path / "in") + b"/\xff\n.png")  # noqa: PTH104
    assert run("create", tmp_path / "in", "-o", tmp_path / "a.npy", "--size", 16, "--crop", "center") == 0
    sidecar = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert sidecar["sizes"] == [[40, 30], [120, 90]]
    assert sidecar["order"] == "RGB"
    assert sidecar["made"] == {"tool": "create", "options": {"size": 16, "crop": "center"}}
    assert set(sidecar["versions"]) >= {"python", "numpy", "opencv"}
    assert os.fsencode(sidecar["names"][1]) == b"\xff\n.png", "names of bytes come back"
    lines = dict(info.describe_npy(tmp_path / "a.npy"))
    assert lines["before"] == "40x30 to 120x90 px"
    assert lines["order"].startswith("RGB")
    assert lines["names"] == "0.png, \\xff\\n.png"
    assert lines["made"] == "create --size 16 --crop center"


def test_a_set_in_blue_green_red_is_read_as_it_says(tmp_path: Path) -> None:
    from viewer.files.image_set import open_set

    red = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 2] = 255
    np.save(tmp_path / "a.npy", red)
    (tmp_path / "a.json").write_text('{"order": "BGR"}')
    assert open_dataset(str(tmp_path / "a.npy"), progress=False).images[np.arange(2)][0, 0, 0].tolist() == [255, 0, 0]
    assert open_set(tmp_path / "a.npy").fetch(0)[0, 0].tolist() == [0, 0, 255], "the viewer's order"
    assert run("create", tmp_path / "a.npy", "-o", tmp_path / "b.npy", "--size", 4) == 0
    assert np.load(tmp_path / "b.npy")[0, 0, 0].tolist() == [255, 0, 0]
    assert ImageSet(tmp_path / "b.npy").sidecar.order == "RGB"


def test_a_set_keeps_what_is_known_of_it_and_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("toycats", "-o", tmp_path / "cats.npy", "--count", 5, "--size", 24) == 0
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert run("create", tmp_path / "cats.npy", "-o", tmp_path / "small.npy", "--size", 12) == 0
    old, new = ImageSet(tmp_path / "cats.npy"), ImageSet(tmp_path / "small.npy")
    assert new.shape == (5, 12, 12, 3)
    assert new.sidecar.classes == old.sidecar.classes
    assert (new.sidecar.labels == old.sidecar.labels).all()
    assert new.sidecar.factors == old.sidecar.factors
    capsys.readouterr()
    for wrong, word in ((("-o", tmp_path / "cats.npy", "--force"), "an input as well"),
                        (("-o", tmp_path / "x.npy", "--labels", "folders"), "is a set"),
                        (("-o", tmp_path / "x.npy", "--min-size", "9"), "is a set"),
                        (("-o", tmp_path / "x.npy", "--crop", "center"), "need --size")):  # fmt: skip
        assert run("create", tmp_path / "cats.npy", *wrong) == 2
        assert word in capsys.readouterr().err
    (tmp_path / "small.npy").unlink()
    (tmp_path / "small.json").unlink()
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_endings_in_capitals_match_in_patterns_inputs_and_outputs(tmp_path: Path) -> None:
    for k, name in enumerate(("a.jpg", "b.JPG", "c.Jpg", "d.png")):
        write(tmp_path / "in" / name.lower(), scene(k))
        (tmp_path / "in" / name.lower()).rename(tmp_path / "in" / name)
    for pattern, count in (("*.jpg", 3), ("**/*.JPG", 3), ("?.png", 1)):
        command = ("create", tmp_path / "in" / pattern, tmp_path / "in" / pattern, "-o", tmp_path / "A.NPY", "--force")
        assert run(*command, "--labels", "folders") == 0
        assert len(ImageSet(tmp_path / "A.NPY").sidecar.names) == count
    assert run("create", tmp_path / "in", "-o", tmp_path / "A.NPY", "--force") == 0
    (tmp_path / "A.json").rename(tmp_path / "A.JSON")
    assert run("select", tmp_path / "A.NPY", "--keep", "0-2", "-o", tmp_path / "B.NPY") == 0
    assert ImageSet(tmp_path / "B.NPY").sidecar.names == ("a.jpg", "b.JPG", "c.Jpg")
    assert run("filter", tmp_path / "B.NPY", "--kind", "blur", "-o", tmp_path / "C.NPY") == 0
    assert run("merge", tmp_path / "?.npy", "-o", tmp_path / "all.NPY") == 0
    assert len(np.load(tmp_path / "all.NPY")) == 10
    assert run("shards", tmp_path / "all.NPY", "-o", tmp_path / "x-{0..1}.TAR") == 0
    assert need_source(str(tmp_path / "x-{0..1}.TAR")).open().shape[0] == 10
