"""Images of all kinds are read as people see them, or refused in one line."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from small_models import make_encoder, make_generator, photo_like

from trainer.contract.errors import ImageError
from trainer.contract.images import load_bytes, read_bytes
from viewer.files.inputs import photo_size, read_photo
from viewer.files.tree import find_images
from viewer.model import open_sibling_encoder

RGB = photo_like(20, 30)[..., ::-1].copy()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif", ".ppm", ".jpg"])
def test_the_usual_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    Pillow.fromarray(RGB).save(path, lossless=True, quality=95)
    photo = read_photo(path)
    assert photo_size(path) == (20, 30)
    assert np.array_equal(photo.image[..., ::-1], np.asarray(Pillow.open(path)) if suffix == ".jpg" else RGB)
    assert (photo.alpha, photo.grey, photo.notes) == (None, False, ())


def test_alpha_is_kept_where_there_is_any(tmp_path: Path) -> None:
    alpha = np.linspace(0, 255, 600).reshape(20, 30).astype(np.uint8)
    path = tmp_path / "alpha.png"
    Pillow.fromarray(np.dstack([RGB, alpha])).save(path)
    photo = read_photo(path)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)
    white = photo.on_white()
    assert np.array_equal(white[0, 0], (255, 255, 255))
    assert np.array_equal(white[-1, -1], photo.image[-1, -1])
    Pillow.fromarray(np.dstack([RGB, np.full_like(alpha, 255)])).save(path)
    assert read_photo(path).alpha is None


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    Pillow.fromarray(RGB).quantize(8).save(path, transparency=0)
    photo = read_photo(path)
    assert photo.alpha is not None
    assert set(np.unique(photo.alpha)) == {0, 255}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_become_8_by_rounding_and_say_so(tmp_path: Path, channels: int) -> None:
    deep = np.random.default_rng(0).integers(200, 65536, (20, 30, channels), dtype=np.uint16)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), deep)
    photo = read_photo(path)
    assert photo.notes == ("16 bits a channel became 8",)
    assert np.array_equal(photo.image[..., 0], np.rint(deep[..., 0] / 257).astype(np.uint8))
    assert (photo.alpha is not None, photo.grey) == (channels == 4, channels == 1)


def test_grey_is_known_and_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Pillow.fromarray(RGB[..., 0]).save(tmp_path / "grey.png")
    photo = read_photo(tmp_path / "grey.png")
    assert photo.grey
    assert np.array_equal(photo.image, np.repeat(RGB[..., :1], 3, axis=2))
    Pillow.fromarray(RGB).convert("CMYK").save(tmp_path / "print.jpg")
    assert read_photo(tmp_path / "print.jpg").notes == ("CMYK became RGB",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    path = tmp_path / "turned.png"
    image = Pillow.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Pillow.open(path)))
    assert np.array_equal(read_photo(path).image[..., ::-1], upright)
    assert photo_size(path) == upright.shape[:2]


def test_training_and_viewer_read_the_same_pixels_of_every_kind(tmp_path: Path) -> None:
    kinds: list[tuple[str, str, dict[str, object]]] = [
        ("RGB", "TIFF", {}), ("L", "TIFF", {}), ("RGBA", "TIFF", {}), ("CMYK", "TIFF", {}), ("RGB", "PPM", {}),
        ("L", "PNG", {"transparency": 7}), ("LA", "PNG", {}), ("P", "GIF", {}), ("1", "BMP", {}), ("CMYK", "JPEG", {}),
        ("RGB", "MPO", {"save_all": True, "append_images": [Pillow.fromarray(RGB[::-1])]}),
    ]  # fmt: skip
    for mode, kind, options in kinds:
        path = tmp_path / f"{mode}.{kind}"
        Pillow.fromarray(RGB).convert(mode).save(path, kind, **options)
        photo = read_photo(path)
        assert np.array_equal(photo.on_white()[..., ::-1], load_bytes(read_bytes(path), 20, 30)), (mode, kind)
        assert photo.grey == (mode in ("L", "LA", "1")), (mode, kind)
        shown = Pillow.new("RGBA", (30, 20), "white")
        shown.alpha_composite(Pillow.open(path).convert("RGBA"))
        assert np.abs(photo.on_white()[..., ::-1].astype(int) - np.asarray(shown)[..., :3]).max() <= 1, (mode, kind)


def bomb(path: Path, side: int) -> Path:
    """A small file that says it is an image of ``side`` x ``side``."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def test_what_cannot_be_used_is_one_line_that_names_it(tmp_path: Path) -> None:
    good = tmp_path / "good.jpg"
    Pillow.fromarray(RGB).save(good)
    truncated = tmp_path / "half.jpg"
    truncated.write_bytes(good.read_bytes()[:-200])
    text = tmp_path / "notes.png"
    text.write_text("no image")
    moving = tmp_path / "moving.gif"
    frames = [Pillow.fromarray(RGB), Pillow.fromarray(RGB[::-1])]
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    empty = tmp_path / "empty.png"
    empty.touch()
    broken = tmp_path / "broken.png"
    Pillow.fromarray(RGB).save(broken)
    data = bytearray(broken.read_bytes())
    data[60] ^= 255
    broken.write_bytes(data)
    cases = {
        truncated: "truncated", text: "a text file, expected", moving: "GIF of 2 frames", empty: "an empty file",
        broken: "damaged", tmp_path / "gone.png": "no such file", tmp_path: "a folder",
        bomb(tmp_path / "bomb.png", 12_000): "at most 100 million",
        bomb(tmp_path / "huge.png", 200_000): "at most 100 million",
    }  # fmt: skip
    for path, expected in cases.items():
        with pytest.raises(ImageError, match=expected) as caught:
            read_photo(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for read in (read_photo, photo_size):
        with pytest.raises(ImageError, match="not a regular file"):
            read(tmp_path / "pipe.png")


def test_files_folders_and_patterns(tmp_path: Path) -> None:
    names = ["b10.png", "b2.png", "a.jpg", "sub/c.png", "notes.txt", ".hidden/d.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(*words: str) -> list[str]:
        return [str(path.relative_to(tmp_path)) for path in find_images([str(tmp_path / word) for word in words]).paths]

    assert found(".") == ["a.jpg", "b2.png", "b10.png", "sub/c.png"]
    assert found("b*.png", "a.jpg", "b2.png") == ["b2.png", "b10.png", "a.jpg"]
    assert found("notes.txt") == ["notes.txt"]  # it was named, so that its error is
    for word, expected in (("x*.png", "matches this pattern"), ("empty", "no images in this folder")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ImageError, match=expected):
            found(word)


def test_only_what_is_hidden_below_the_folder_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".images" / ".thumbs").mkdir(parents=True)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("10.png", "5²7.png", ".thumbs/1.png"):
        (tmp_path / ".images" / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert [path.name for path in find_images(["../../.images"]).paths] == ["5²7.png", "10.png"]


def test_endings_in_capitals_are_found_once(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.jpg", "c.HEIC", "d.Png", "notes.TXT"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images([str(tmp_path / "*.jpg")]).paths] == ["a.JPG", "b.jpg"]
    assert find_images([str(tmp_path / "*.heic"), str(tmp_path)]).paths[0].name == "c.HEIC"
    assert len(find_images([str(tmp_path / "*.JPG"), str(tmp_path)]).paths) == 4


def test_a_model_in_capitals_has_its_encoder(tmp_path: Path) -> None:
    make_generator(tmp_path / "tiny.onnx").rename(tmp_path / "TINY.ONNX")
    make_encoder(tmp_path / "tiny.encoder.onnx").rename(tmp_path / "TINY.ENCODER.ONNX")
    assert open_sibling_encoder(tmp_path / "TINY.ONNX").kind == "encoder"


def test_what_values_mean_is_found_out_and_said(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 4000, (20, 30), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    photo = read_photo(tmp_path / "deep.png")
    assert photo.notes == ("16 bits a channel became 8, as a file of 12 or 10 bits",)
    assert photo.image.max() >= 248
    ids = np.zeros((20, 20), np.uint8)
    ids[5:15, 5:15] = 2
    cv2.imwrite(str(tmp_path / "mask.png"), ids)
    photo = read_photo(tmp_path / "mask.png")
    assert photo.notes == ("numbers of classes became colours",)
    assert {tuple(colour) for colour in photo.image.reshape(-1, 3).tolist()} == {(0, 0, 0), (0, 128, 0)}
    cv2.imwrite(str(tmp_path / "dark.png"), np.random.default_rng(0).integers(0, 9, (20, 20), dtype=np.uint8))
    assert read_photo(tmp_path / "dark.png").notes == ("dark as black: its brightest value is 8 of 255",)
