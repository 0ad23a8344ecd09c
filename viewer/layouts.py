"""Keyboards without Latin letters: which Latin letter is on the key of a character.

A window of X11 asks the server for it (``viewer.displays.x11``). Where nothing but a character arrives, in a terminal
above all, these tables say it. A character that is on different keys in two layouts (Russian, Serbian) is looked for in
that of the user's language first, then in the order of the tables.
"""

import os
from functools import lru_cache
from typing import Final

KEYS: Final = "qwertyuiop[] asdfghjkl;' zxcvbnm,./"  # of a Latin keyboard, row by row
# What the same keys type elsewhere, by language, as xkeyboard-config has them. A dot stands for what is ASCII there
# too, or is no single character.
LAYOUTS: Final = {
    "ru": "йцукенгшщзхъ фывапролджэ ячсмитьбю.",
    "uk": "йцукенгшщзхї фівапролджє ячсмитьбю.",
    "be": "йцукенгшўзх. фывапролджэ ячсмітьбю.",
    "bg": ".уеишщксдзц. ьяаожгтнвмч юйъэфхпрлб",
    "sr": "љњертзуиопшђ асдфгхјклчћ жџцвбнм...",
    "mk": "љњертѕуиопшѓ асдфгхјклчќ зџцвбнм...",
    "el": ".ςερτυθιοπ.. ασδφγηξκλ.. ζχψωβνμ...",
    "he": "..קראטוןםפ.. שדגכעיחלךף. זסבהנמצתץ.",
    "ar": "ضصثقفغعهخحجد شسيبلاتنمكط ئءؤر.ىةوزظ",
    "fa": "ضصثقفغعهخحجچ شسیبلاتنمکگ ظطزرذدپو..",
    "ka": "ქწერტყუიოპ.. ასდფგჰჯკლ.. ზხცვბნმ...",
    "th": "ๆไำพะัีรนยบล ฟหกดเ้่าสวง ผปแอิืทมใฝ",
    "ko": "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ.. ㅁㄴㅇㄹㅎㅗㅓㅏㅣ.. ㅋㅌㅊㅍㅠㅜㅡ...",
}
_SHIFTED: Final = dict(zip("[];',./", '{}:"<>?', strict=True))
# X11's key symbols of other alphabets: the upper byte chooses the set of characters, the lower is a place in it.
_SETS: Final = {0x05: "iso8859_6", 0x06: "koi8_u", 0x07: "iso8859_7", 0x0C: "iso8859_8", 0x0D: "tis_620"}
_SINGLE: Final = {0x7D2: "Σ", 0x7F2: "σ", 0x7F3: "ς"} | {  # not where these sets have them
    code + 16 * capital: letter.upper() if capital else letter
    for code, letter in zip(
        (0x6A1, 0x6A2, 0x6A5, 0x6A8, 0x6A9, 0x6AA, 0x6AB, 0x6AC, 0x6AE, 0x6AF), "ђѓѕјљњћќўџ", strict=True
    )
    for capital in (False, True)
}


def language() -> str:
    """The user's language, in two letters, as the locale says it; empty where it does not."""
    found = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return found[:2].lower()


def latin_of(character: str) -> str:
    """The Latin character on the key that types this one, a capital for a capital; the digit for another script's
    digit. The character itself where that is not known."""
    if character.isdecimal():
        return str(int(character))
    return _by_character(language()).get(character, character)


def character_of(symbol: int) -> str:
    """The character of an X11 key symbol of another alphabet; empty where it is not known."""
    if symbol in _SINGLE:
        return _SINGLE[symbol]
    encoding = _SETS.get(symbol >> 8)
    return bytes([symbol & 0xFF]).decode(encoding, "ignore") if encoding and symbol & 0x80 else ""


@lru_cache(maxsize=4)
def _by_character(first: str) -> dict[str, str]:
    """From characters to Latin ones, those of the layout of a language before others."""
    table: dict[str, str] = {}
    for name in sorted(LAYOUTS, key=lambda name: name != first):
        for typed, latin in zip(LAYOUTS[name], KEYS, strict=True):
            if typed not in " .":
                table.setdefault(typed, latin)
                if typed.upper() != typed and typed.upper().lower() == typed:  # Σ is the capital of σ, and not of ς
                    table.setdefault(typed.upper(), _SHIFTED.get(latin, latin.upper()))
    return table
