"""Bytes from a terminal → events, however they are cut up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viewer.displays.terminal_input import Found, Parser
from viewer.keys import Action, Event, parse_keys

CASES = [
    (b"\x1b[A\x1b[B\x1b[C\x1b[D", "up,down,right,left"),
    (b"\x1bOA\x1bOB\x1bOC\x1bOD", "up,down,right,left"),
    (b"\x1b[1;2A\x1b[1;5D", "up,left"),
    (b"\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~\x1bOH\x1bOF", "pageup,pagedown,home,end,home,end,home,end"),
    (b"\x1bOk\x1bOm\x1bOM", "+,-,enter"),
    (b"sSir+-= \n", "s,S,i,r,+,-,=,space,enter"),
    ("é€猫😺".encode(), "é,€,猫,😺"),
    (b"\x1b[<0;12;5M\x1b[<0;12;5m\x1b[<1;1;1M\x1b[<66;3;3Mx",
     [Event(Action.CLICK, 11, 4), Event(Action.RELEASE, 11, 4), "x"]),
    (b"\x1b[<2;1;1M\x1b[<34;2;2M\x1b[<2;2;2m\x1b[<64;3;3M\x1b[<65;3;3M",
     [Event(Action.SECOND_CLICK, 0, 0), Event(Action.SECOND_DRAG, 1, 1), Event(Action.SECOND_RELEASE, 1, 1),
      Event(Action.WHEEL_UP, 2, 2), Event(Action.WHEEL_DOWN, 2, 2)]),
    (b"\x1b[<35;2;3M\x1b[<36;2;3M\x1b[<39;2;3M\x1b[<48;9;9M\x1b[<33;9;9M\x1b[<99;9;9M",
     [Event(Action.MOVE, 1, 2), Event(Action.DRAG, 1, 2), Event(Action.MOVE, 1, 2), Event(Action.DRAG, 8, 8)]),
    (b"\x1b[M !!a", "a"),
    (b"\x1b[[Bb", "b"),
    (b"\x1bOP\x1b[11~\x1b[[A\x1b[1;2P\x7f\x08b", "f1,f1,f1,f1,backspace,backspace,b"),
    ("ыЫй".encode(), "s,S,q"),
    (b"\x1b[15~\x1b[3~\x1b[2~\x1b[Z\x1b[200~c", "c"),
    (b"\x1b_Gi=31;OK\x1b\\\x1bP1$r48:2:1:2:3m\x1b\\\x1b[?62;22cd",
     ["\x1b_Gi=31;OK\x1b\\", "\x1bP1$r48:2:1:2:3m\x1b\\", "\x1b[?62;22c", "d"]),
    (b"\x80\xff\xc3(\x00\x07\t\x7fa", "(,tab,backspace,a"),
    (b"\x1b[12\x01a\x1b[[zb", "a,b"),
    (b"\xf65;2\xe2\x829\xf0\x1b[A\xe2\x1b[Bq", "5,;,2,9,up,down,q"),
    (b"\x1bx", "x"),  # Alt and a key
    (b"\x1b\x1bx", "esc,x"),
    (b"\x1b\x1b[A", "esc,up"),
]  # fmt: skip


def events(expected: str | list[Found]) -> list[Found]:
    parts = [expected] if isinstance(expected, str) else expected
    keys = [isinstance(part, str) and not part.startswith("\x1b") for part in parts]
    return [item for part, typed in zip(parts, keys, strict=True) for item in (parse_keys(part) if typed else [part])]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_whole_and_byte_by_byte(data: bytes, expected: str | list[Found]) -> None:
    assert Parser().feed(data) == events(expected)
    parser = Parser()
    assert [item for byte in data for item in parser.feed(bytes([byte]))] == events(expected)
    assert not parser.waits_for_more


def test_a_lone_escape_is_the_key_once_nothing_follows() -> None:
    parser = Parser()
    assert parser.feed(b"\x1b") == []
    assert parser.lone_escape
    assert parser.flush() == parse_keys("esc")
    assert parser.feed(b"\x1b[") == []
    assert not parser.lone_escape
    assert parser.flush() == []
    assert parser.feed(b"a") == parse_keys("a")


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_garbage_never_fails_and_is_never_kept_for_long(data: bytes, cut: int) -> None:
    parser = Parser()
    parser.feed(data[:cut])
    parser.feed(data[cut:])
    parser.flush()
    assert parser.feed(b"\x1b[A") == parse_keys("up")


def test_a_string_without_end_is_given_up() -> None:
    parser = Parser()
    parser.feed(b"\x1b_" + b"x" * 10_000)
    parser.flush()
    assert parser.feed(b"s") == parse_keys("s")
