"""Characters of other alphabets: on which Latin key they are, by layout, by platform, and by X11's key symbols."""

import ctypes
import locale
import re
import shutil
import subprocess

import pytest

from viewer.keys import Action, Event, decode_character, decode_window_key
from viewer.layouts import KEYS, LAYOUTS, character_of, latin_of

XKB = {"uk": "ua", "be": "by", "sr": "rs", "el": "gr", "he": "il", "ar": "ara", "fa": "ir", "ka": "ge"}  # by language


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_letter_of_a_layout_in_its_own_language(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", f"{name}.UTF-8")
    for typed, latin in zip(LAYOUTS[name], KEYS, strict=True):
        if typed not in " .":
            assert latin_of(typed) == latin
            if typed.upper() != typed and typed != "ς" and latin.isalpha():
                assert latin_of(typed.upper()) == latin.upper()


@pytest.mark.parametrize(
    ("language", "typed", "keys"),
    [
        ("", "ыЫшкйрг", "sSirqhu"),
        ("de_DE", "σΣιρυς", "sSiryw"),
        ("sr_RS", "сијк", "sijk"),
        ("ru_RU", "си", "cb"),
        ("", "é€ß猫", "é€ß猫"),
        ("", "٣३", "33"),
    ],
)
def test_the_layout_of_the_language_comes_first(
    language: str, typed: str, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    assert "".join(map(latin_of, typed)) == keys


def test_characters_of_other_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert decode_character("ы") == decode_character("s") == Event(Action.SAVE)
    assert decode_window_key(ord("ы"), platform="darwin") == Event(Action.SAVE)
    assert decode_window_key(0xF702, platform="darwin") == Event(Action.LEFT)
    monkeypatch.setattr(locale, "getencoding", lambda: "cp1251")
    for code in (0xFB, 0xFB - 256):
        assert decode_window_key(code, platform="win32") == Event(Action.SAVE)
    monkeypatch.setattr(locale, "getencoding", lambda: "utf-8")
    assert decode_window_key(0xFB, platform="win32") is None
    for symbol, shift, action in ((0x6D9, False, Action.SAVE), (0x6D9, True, Action.SAVE_ALL),
                                  (0x7F2, False, Action.SAVE), (0x6CA, False, Action.LEAVE)):  # fmt: skip
        assert decode_window_key(symbol, shift, "linux").action is action


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "ko"])  # Korean is typed by an input method
def test_the_tables_are_those_of_xkeyboard_config(name: str, screen: str) -> None:
    if not shutil.which("setxkbmap") or not shutil.which("xkbcomp"):
        pytest.skip("needs setxkbmap and xkbcomp")
    x = ctypes.CDLL("libX11.so.6")
    ask = f"setxkbmap -display {screen} -layout {XKB.get(name, name)} -option '' -print | xkbcomp -w0 -xkb - -"
    symbols = subprocess.run(["sh", "-c", ask], check=True, capture_output=True, text=True).stdout
    for row, latins in zip(("AD", "AC", "AB"), KEYS.split(), strict=True):
        for number, latin in enumerate(latins, 1):
            key = re.search(rf"key +<{row}{number:02}> +\{{(.*?)\}};", symbols, re.DOTALL)
            assert key
            named = re.search(r"\[ +(\w+)", key[1])
            assert named
            symbol = x.XStringToKeysym(named[1].encode())
            found = chr(symbol & 0xFFFFFF) if symbol >> 24 == 1 or symbol < 0x100 else character_of(symbol)
            typed = LAYOUTS[name][KEYS.index(latin)]
            assert found == typed or (typed == "." and (found.isascii() or found == "\ufefb")), (latin, named[1])
