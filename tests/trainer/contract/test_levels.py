"""What the numbers of pixels mean: 12 bits in 16, masks of ids, colours under alpha 0, and what is none of these."""

import cv2
import numpy as np
import pytest
from bad_images import encoded, photo

from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import crop, decode, decode_layers, files_in, found_levels, load_bytes, pad
from trainer.contract.levels import STORED, Levels, chosen, coloured, palette, too_dark
from trainer.contract.text import natural


def mask(*values: int, side: int = 32) -> np.ndarray:
    """Squares of these values, one within the other, u8 [side, side]."""
    ids = np.full((side, side), values[0], np.uint8)
    for number, value in enumerate(values[1:], 1):
        ids[3 * number : -3 * number, 3 * number : -3 * number] = value
    return ids


def deep(bits: int, most: float = 0.9) -> bytes:
    grey = photo()[..., 0].astype(np.float64)
    return encoded(".png", (grey / grey.max() * most * ((1 << bits) - 1)).astype(np.uint16))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_files_that_hold_fewer_bits_are_stretched_and_others_left(bits: int) -> None:
    data = deep(bits)
    levels = found_levels([data])
    assert levels.bits == bits
    assert (f"hold {bits} bits" in levels.note) == (bits < 16)
    image = decode(data, levels.on(read_header(data)))
    full = decode(deep(16), read_header(deep(16)))
    assert np.abs(image.astype(int) - full).max() <= 1


def test_a_set_has_the_bits_of_its_brightest_image() -> None:
    assert found_levels([deep(10), deep(12, 0.6), encoded(".jpg")]).bits == 12
    assert found_levels([deep(10), deep(16)]) == STORED


def test_a_brighter_image_of_a_12_bit_set_is_not_burnt() -> None:
    data = deep(16)
    assert np.array_equal(decode(data, Levels(bits=12).on(read_header(data))), decode(data, read_header(data)))


def test_masks_of_ids_are_told_by_a_set() -> None:
    several = [encoded(".png", one) for one in (mask(0, 1, 2), mask(1), mask(0), mask(0, 255, 3))]
    assert found_levels(several) == Levels(ids=True)
    assert found_levels(several[1:3]) == STORED, "of one value each: nothing tells"
    assert found_levels(several[1:2], alone=True).ids
    assert "--values stored" in Levels(ids=True).note


@pytest.mark.parametrize(
    "others",
    [photo()[..., 0], photo() // 8, mask(0, 255), mask(0, 100, 200), photo()[..., 0] // 8 + mask(0, side=48)[:, :1]],
    ids=["photograph", "dark colours", "black and white", "greys", "dark grey"],
)
def test_what_could_be_an_image_is_left_alone(others: np.ndarray) -> None:
    data = encoded(".png", others)
    assert found_levels([data], alone=True) == STORED
    assert found_levels([data, encoded(".png", mask(0, 1, 2))]) == STORED
    assert found_levels([encoded(".jpg", mask(0, 1, 2))], alone=True) == STORED, "JPEG holds no exact values"


@pytest.mark.parametrize("fit", [crop, pad])
def test_a_smaller_mask_has_no_colours_but_those_of_its_classes(fit: object) -> None:
    ids = mask(0, 7, 3, side=50)
    data = encoded(".png", ids)
    small = load_bytes(data, 16, 16, fit, header=Levels(ids=True).on(read_header(data)))  # type: ignore[arg-type]
    found = {tuple(colour) for colour in small.reshape(-1, 3).tolist()}
    assert found == {tuple(palette()[number].tolist()) for number in (0, 7, 3)}
    assert tuple(small[8, 8]) == tuple(palette()[3])
    shown = decode(data, Levels(ids=True).on(read_header(data)))
    assert np.array_equal(shown, coloured(ids))


def test_the_palette_is_that_of_known_masks() -> None:
    assert palette()[[0, 1, 2, 3, 8, 15, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [64, 0, 0], [192, 128, 128], [224, 224, 192],
    ]  # fmt: skip
    assert len({tuple(colour) for colour in palette().tolist()}) == 256


def test_what_is_hidden_under_alpha_0_bleeds_into_nothing() -> None:
    image = np.full((40, 40, 4), (255, 0, 255, 0), np.uint8)  # magenta, where nothing is seen
    image[10:30, 10:30] = (20, 120, 40, 255)
    image[10:30, 20:30] = (200, 180, 90, 255)
    data = encoded(".png", image)
    layers = decode_layers(data, read_header(data))
    assert layers.alpha is not None
    assert np.array_equal(layers.alpha, image[..., 3])
    assert {tuple(colour) for colour in layers.image.reshape(-1, 3).tolist()} == {(20, 120, 40), (200, 180, 90)}
    assert (layers.image[:, :19] == (20, 120, 40)).all()
    for side in (40, 17, 9):  # laid on white before it is made smaller: between white and what is seen, no magenta
        small = load_bytes(data, side, side).astype(int)
        assert (small[..., 1] >= 119).all()
    clear = encoded(".png", np.full((8, 8, 4), (255, 0, 255, 0), np.uint8))
    assert (decode_layers(clear, read_header(clear)).image == 255).all()


def test_dark_ink_on_white_paper_is_no_mask() -> None:
    line = np.eye(32, dtype=bool)
    two = [encoded(".png", np.where(np.roll(line, k, 1), 34, 255).astype(np.uint8)) for k in range(3)]
    thick = encoded(".png", mask(255, 34))  # more ink than paper
    three = encoded(".png", np.where(line, 0, np.where(np.roll(line, 9, 1), 60, 255)).astype(np.uint8))
    for drawings in (two, [*two, thick], [three], [*two, three]):
        assert found_levels(drawings) == STORED
    for drawing in (*two, thick, three):
        assert found_levels([drawing], alone=True) == STORED
    assert found_levels([*two, encoded(".png", mask(0, 1, 2))]).ids, "one class within borders tells nothing"


def test_options_say_it_and_darkness_is_warned_of() -> None:
    assert [chosen(one) for one in ("auto", "stored", "ids", "10")] == [None, STORED, Levels(ids=True), Levels(bits=10)]
    assert "brightest value is 3 of 255" in too_dark(3, "a.npy")
    assert not too_dark(200, "a.npy")


@pytest.mark.parametrize(("head", "word"), [(b"\x76\x2f\x31\x01", "OpenEXR"), (b"#?RADIANCE\n", "Radiance HDR")])
def test_images_of_light_are_named(head: bytes, word: str) -> None:
    with pytest.raises(Unreadable, match=word) as failure:
        read_header(head + bytes(99))
    assert "PNG" in str(failure.value)


def test_files_of_the_system_are_no_images(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name in ("a.png", "@eaDir/a.png/THUMB_XL.jpg", "__MACOSX/._a.png", "Thumbs.db", ".DS_Store", "b/Desktop.ini"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), photo()) if name.endswith("g") else (tmp_path / name).touch()
    junk: list = []  # type: ignore[type-arg]
    assert [file.name for file in files_in(tmp_path, junk)] == ["a.png"]
    assert sorted(path.name for path in junk) == ["@eaDir", "Desktop.ini", "Thumbs.db", "__MACOSX"]
    assert sorted(("10", "2", "a10", "a9", "1"), key=natural) == ["1", "2", "10", "a9", "a10"]
