"""Key tables: what each platform's codes mean, and scripts of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.bindings import CLASS, SHARED, Binding, help_text, hints_of, merged
from viewer.keys import NAMES, Action, Event, decode_window_key, parse_keys
from viewer.modes import Mode, mode_names
from viewer.modes.translate.options import DRAW_BINDINGS

MOVES = ("left", "up", "right", "down", "pageup", "pagedown", "home", "end")


@pytest.mark.parametrize(
    ("platform", "codes"),
    [
        ("X11", (65361, 65362, 65363, 65364, 65365, 65366, 65360, 65367)),
        ("X11 keypad", (65430, 65431, 65432, 65433, 65434, 65435, 65429, 65436)),
        ("GTK with NumLock", tuple(0x100000 | code for code in (65361, 65362, 65363, 65364))),
        ("Windows", (2424832, 2490368, 2555904, 2621440, 2162688, 2228224, 2359296, 2293760)),
        ("macOS", (63234, 63232, 63235, 63233, 63276, 63277, 63273, 63275)),
    ],
)
def test_moves_on_every_platform(platform: str, codes: tuple[int, ...]) -> None:
    assert [decode_window_key(code) for code in codes] == [NAMES[name] for name in MOVES[: len(codes)]]


@pytest.mark.parametrize(
    ("code", "shift", "event"),
    [
        (27, False, Event(Action.QUIT)),
        (9, False, Event(Action.NEXT_VIEW)),
        (0xFF09, False, Event(Action.NEXT_VIEW)),
        (ord("s"), False, Event(Action.SAVE)),
        (ord("s"), True, Event(Action.SAVE_ALL)),
        (ord("S"), False, Event(Action.SAVE_ALL)),
        (ord("S"), True, Event(Action.SAVE_ALL)),
        (0x10000 | ord("S"), False, Event(Action.SAVE_ALL)),
        (ord("i"), True, Event(Action.INTERPOLATE)),
        (ord("r"), False, Event(Action.RANDOM)),
        (ord("+"), True, Event(Action.MORE)),
        (ord("="), False, Event(Action.MORE)),
        (ord("-"), False, Event(Action.LESS)),
        (65451, False, Event(Action.MORE)),
        (65453, False, Event(Action.LESS)),
        (32, False, Event(Action.PAUSE)),
        (13, False, Event(Action.NEW, key="enter")),
        (10, False, Event(Action.NEW, key="enter")),
        (65421, False, Event(Action.NEW, key="enter")),
        (65461, False, Event(Action.NEW, key="5")),
        (ord("7"), False, Event(Action.NEW, key="7")),
        (ord("x"), True, Event(Action.NEW, key="X")),
        (-23, False, Event(Action.NEW, key="é")),
        (0xE9, False, Event(Action.NEW, key="é")),
        (0x10020AC, False, Event(Action.NEW, key="€")),
        (8, False, Event(Action.BACK)),
        (127, False, Event(Action.BACK)),
        (0xFF08, False, Event(Action.BACK)),
        (ord("u"), True, Event(Action.BACK)),
        (65470, False, Event(Action.HELP)),
        (0x700000, False, Event(Action.HELP)),
        (ord("?"), True, Event(Action.HELP)),
        (ord("h"), False, Event(Action.HELP)),
        (ord("q"), False, Event(Action.LEAVE)),
        (0x4B1, False, Event(Action.NEW, key="0x4b1")),
    ],
)
def test_codes(code: int, shift: bool, event: Event) -> None:
    assert decode_window_key(code, shift) == event


@pytest.mark.parametrize(
    "code", [-1, 0, 7, 65505, 65506, 65507, 65509, 65407, 65513, 65515, 65027, 65471, 0x710000, 1 << 23]
)
def test_lone_modifiers_and_unknown_codes_are_nothing(code: int) -> None:
    assert decode_window_key(code) is None


@given(st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_no_code_fails(code: int, shift: bool) -> None:
    decode_window_key(code, shift)


def test_a_script_with_the_mouse() -> None:
    assert parse_keys("move:3:4,tab") == [Event(Action.MOVE, 3, 4), Event(Action.NEXT_VIEW)]
    assert parse_keys("drag:1:2:30:40") == [
        Event(Action.CLICK, 1, 2),
        Event(Action.DRAG, 30, 40),
        Event(Action.RELEASE, 30, 40),
    ]
    assert parse_keys("drag:1:2:3:4:5:6") == [
        Event(Action.CLICK, 1, 2),
        Event(Action.DRAG, 3, 4),
        Event(Action.DRAG, 5, 6),
        Event(Action.RELEASE, 5, 6),
    ]
    assert parse_keys("rdrag:1:2:3:4") == [
        Event(Action.SECOND_CLICK, 1, 2),
        Event(Action.SECOND_DRAG, 3, 4),
        Event(Action.SECOND_RELEASE, 3, 4),
    ]
    assert parse_keys("rclick:1:2,wheel:2,wheel:-1:8:9,ctrl+z") == [
        Event(Action.SECOND_CLICK, 1, 2),
        *[Event(Action.WHEEL_UP)] * 2,
        Event(Action.WHEEL_DOWN, 8, 9),
        Event(Action.UNDO),
    ]


def test_a_script_of_all_names() -> None:
    assert [event.action.name for event in parse_keys("right,s,S,i,r,+,-,space, click:40:60,pageup,esc")] == [
        "RIGHT", "SAVE", "SAVE_ALL", "INTERPOLATE", "RANDOM", "MORE", "LESS", "PAUSE", "CLICK", "PAGE_UP", "QUIT",
    ]  # fmt: skip
    assert parse_keys("click:40:60") == [Event(Action.CLICK, 40, 60)]
    assert parse_keys("x,comma,enter") == [Event(Action.NEW, key=key) for key in ("x", ",", "enter")]
    assert parse_keys("") == []


@pytest.mark.parametrize(
    "script",
    [
        "foo",
        "right,foo",
        "a,,b",
        "click:1",
        "click:a:b",
        "click:-1:2",
        "right,",
        "drag:1:2",
        "drag:1:2:3:4:5",
        "rdrag:1:2",
        "rclick:1",
        "wheel:",
        "wheel:x",
        "wheel:1:2",
        "wheel:-",
        "wheel:1001",
        "click:1:123456789",
        "move:1",
        "drag:1:2:3:x",
        "move:1:2:3",
        "hop:1:2",
        "click:",
        "click",
    ],
)
def test_an_unknown_name_is_one_line(script: str) -> None:
    with pytest.raises(ValueError, match="expected") as failure:
        parse_keys(script)
    assert "\n" not in str(failure.value)


def test_the_help_tells_every_action_in_the_words_of_the_mode() -> None:
    tables = [Mode(name).bindings for name in mode_names()]
    assert {action for table in (*tables, DRAW_BINDINGS) for binding in table for action in binding.actions} == set(
        Action
    )
    assert "pause" in help_text(Mode("animate").bindings)
    assert "pause" not in help_text(Mode("grid").bindings)
    assert len(help_text(SHARED).splitlines()) == len(SHARED)


def test_a_mode_adds_rewords_and_leaves_out_bindings() -> None:
    table = merged(Binding("f", "flip", after="S"), Binding("s", "save it"), without=("i", "r"))
    assert [binding.keys for binding in table] == [
        "ESC", "q", "h ? F1", "arrows, click", "PageUp PageDown Home End", "s", "S", "f", "+ -", "Backspace u", "Space",
        "any other key",
    ]  # fmt: skip
    assert [(one.does, one.actions) for one in table if one.keys == "s"] == [("save it", (Action.SAVE,))]
    with pytest.raises(ValueError, match="shared"):
        merged(Binding("f", "flip", after="?"))
    with pytest.raises(ValueError, match="shared"):
        merged(without=("?",))


def test_hints_depend_on_the_situation_and_come_by_rank() -> None:
    table = merged(CLASS, Binding("f", "flip", after="S", hint={"back": "f back", "": "f flip"}))
    first = ("h: keys", "any key: new", "esc quit", "s save")
    assert hints_of(table, {}) == (*first, "f flip", "S save all")
    assert hints_of(table, {"classes": 0, "back": True}) == (*first, "f back", "S save all")
    expected = (*first, "f flip", "i interpolate", "0-9 n p class", "S save all")
    assert hints_of(table, {"random": True, "classes": 3}) == expected
