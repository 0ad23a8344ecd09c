"""HEIC and AVIF: read as any other image where Pillow can, and where a package is missing, a line that names it."""

import re
import struct
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.contract import headers
from trainer.contract.errors import ImageError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import decode, decode_layers
from trainer.data.__main__ import main
from viewer.files.inputs import photo_size, read_photo

EXIF_START = b"Exif\0\0MM\0*\0\0\0\x08\0\x01"


@pytest.fixture(params=["AVIF", "HEIF"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs pillow-heif, of the extra data").register_heif_opener()
    return str(request.param)


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    """The bytes of a file of an image u8 [h, w, 3 or 4] RGB."""
    target = BytesIO()
    Image.fromarray(image).save(target, kind, quality=95, **options)
    return target.getvalue()


def quarter() -> np.ndarray:
    """Black, with a corner in orange."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :32] = (255, 128, 0)
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_followed(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = EXIF_START + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    (tmp_path / "a").write_bytes(data := encoded(quarter(), kind, exif=exif))
    header = read_header(data)
    image = decode(data, header)[..., ::-1]
    assert image.shape[:2] == header.shape == photo_size(tmp_path / "a") == ((96, 64) if orientation > 4 else (64, 96))
    place = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    corners = {(y, x): image[[8, -8][y], [8, -8][x]].astype(int) for y in (0, 1) for x in (0, 1)}
    assert [at for at, colour in corners.items() if abs(colour - (255, 128, 0)).max() < 12] == [place]


def test_alpha_lies_on_white_and_grey_is_known(kind: str) -> None:
    clear = np.dstack([quarter(), np.full((64, 96), 255, np.uint8)])
    clear[:, 48:, 3] = 0
    data = encoded(clear, kind)
    image = decode(data, read_header(data))
    assert image[:, 60:].min() > 250
    assert image[40:, :40].max() < 8
    assert decode_layers(data, read_header(data)).alpha is not None
    assert not read_header(data).plain
    grey = encoded(np.full((64, 96), 90, np.uint8), kind)
    assert not read_header(grey).rgb
    assert decode_layers(grey, read_header(grey)).grey


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif, of the extra data")
    deep = quarter().astype(np.uint16) * 257
    pillow_heif.encode("RGB;16", (96, 64), deep.tobytes(), tmp_path / "a.heic", quality=95)
    assert read_header((tmp_path / "a.heic").read_bytes()).deep
    photo = read_photo(tmp_path / "a.heic")
    assert photo.notes == ("more than 8 bits a channel became 8",)
    assert abs(photo.image[8, 8].astype(int) - (0, 128, 255)).max() < 12


def test_what_is_cut_short_or_vast_is_refused(kind: str) -> None:
    data = encoded(quarter(), kind)
    for length in range(12, len(data), 7):
        with pytest.raises(Unreadable, match=r"truncated|damaged"):
            read_header(data[:length])
    with pytest.raises(Unreadable, match=r"million|damaged"):
        read_header(data.replace(struct.pack(">II", 96, 64), struct.pack(">II", 30_000, 30_000)))


@pytest.mark.parametrize(
    ("kind", "package"), [("heic", r"pillow-heif: .*pip install .*"), ("avif", "Pillow .*: pip install -U pillow")]
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, package: str
) -> None:
    for need in (headers._need_heif, headers._need_avif):
        need.cache_clear()
        monkeypatch.setattr(headers, need.__name__, need.__wrapped__)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    file = tmp_path / f"IMG_1.{kind.upper()}"
    file.write_bytes(b"\0\0\0\x18ftyp" + kind.encode() + b"\0\0\0\0mif1" + kind.encode())
    with pytest.raises(SystemExit) as ended:
        main(["create", str(tmp_path), "-o", str(tmp_path / "a.npy")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"skipped {file}: a" in said
    assert re.search(f" {package}\n", said)
    with pytest.raises(ImageError, match=f"IMG_1.{kind.upper()}: .* {package}$"):
        read_photo(file)
