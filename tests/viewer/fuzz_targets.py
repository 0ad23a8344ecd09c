"""What is fuzzed: each target takes any bytes, and raises only where the program is wrong.

For as long as one likes: ``python tests/viewer/fuzz.py card 600``. What fails is kept in ``tests/viewer/corpus`` and
replayed by the fast tests.
"""

import contextlib
import hashlib
import json
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from hostile_models import MAKERS, whole
from small_denoisers import alpha_bar
from small_models import generator_card

from export.card import Card, CardError, Latent, Port, check_seal
from trainer.contract.errors import ImageError, UserError
from trainer.contract.text import printable
from trainer.data.sources.npy_set import ImageSet
from viewer.displays.terminal_input import Found, Parser
from viewer.files.image_set import open_set
from viewer.graph.screening import ScreeningError, screen
from viewer.keys import Action, Event, decode_window_key
from viewer.modes.animate.session import AnimateState, advance
from viewer.modes.diffuse.session import DiffuseState
from viewer.modes.info.headless import _describe_card
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.space import Space
from viewer.modes.latent.state import LatentState, begin
from viewer.modes.translate.draw.session import DrawState, make_easel
from viewer.modes.translate.session import STOPS, TranslateState
from viewer.modes.upscale.session import UpscaleState, opened
from viewer.sessions.classes import Classes
from viewer.sessions.generator_page.session import GridState
from viewer.sessions.sheet_state import DETAIL
from viewer.sheet import Sheet

CORPUS: Final = Path(__file__).with_name("corpus")
MOST_SECONDS: Final = 2.0  # of processor time that one input may take
_FOLDER: Final = tempfile.TemporaryDirectory()
_ACTIONS: Final = tuple(Action)
_KEYS: Final = ("", *"xyXYlLncpq0123456789[]mzyCc", "enter")


_REDUCERS: Final[dict[type, Callable[[Any, Event], Any]]] = {
    GridState: GridState.after,
    AnimateState: AnimateState.after,
    LatentState: LatentState.after,
    TranslateState: TranslateState.after,
    DrawState: DrawState.after,
    UpscaleState: UpscaleState.after,
    DiffuseState: DiffuseState.after,
}


def card(data: bytes) -> None:
    """A card, written as ``key NUL value NUL key NUL value ...``; and the seal of the same bytes."""
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    properties = dict(zip(parts[::2], parts[1::2], strict=False))
    with contextlib.suppress(CardError):
        check_seal(data)
    try:
        found = Card.from_props(properties)
    except CardError as error:
        _check_message(error, 300)
        return
    if found is None:
        return
    for name, text in _describe_card(found):
        assert printable(name + text).isprintable()
    try:
        again = found.to_props()
    except CardError:  # half a character, which JSON can say and UTF-8 cannot
        return
    assert _same(Card.from_props(again), found)


def _check_message(error: Exception, longest: int = 2000) -> None:
    """One line that can be printed, once it is cleaned as all messages are."""
    assert printable(str(error), longest).isprintable()
    assert len(str(error)) <= longest


def _same(one: Card | None, other: Card) -> bool:
    """Whether two cards say the same; what came as a list may be a tuple."""
    return one is not None and all(
        json.dumps(_plain(getattr(one, item.name))) == json.dumps(_plain(getattr(other, item.name)))
        for item in fields(Card)
        if item.name != "schema"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return vars(value) if isinstance(value, Port | Latent) else value


def npy(data: bytes) -> None:
    """A .npy file, as training and as the viewer read it; a warning would be a second line."""
    path = Path(_FOLDER.name) / "set.npy"
    path.write_bytes(data)
    with warnings.catch_warnings(record=True, action="always", category=UserWarning) as noted:
        _read_npy(path)
    assert not [warning for warning in noted if issubclass(warning.category, UserWarning)]


def _read_npy(path: Path) -> None:
    try:
        stored = ImageSet(path)
        assert stored[np.array([0, len(stored) - 1])].dtype == np.uint8
        for _ in stored.pieces():
            break
    except UserError as error:
        _check_message(error)
    try:
        opened_set = open_set(path)
        image = opened_set.fetch(0)
        assert image.shape[2] == 3
    except ImageError as error:
        _check_message(error)


def state(data: bytes) -> None:
    """Events in any mode: the first byte chooses it, then six bytes an event."""
    if not data:
        return
    made = _states()
    current: Any = made[data[0] % len(made)]
    for place in range(1, len(data) - 5, 6):
        action, key, x, y = data[place], data[place + 1], data[place + 2 : place + 4], data[place + 4 : place + 6]
        position = (int.from_bytes(part, "little", signed=True) for part in (x, y))
        event = Event(_ACTIONS[action % len(_ACTIONS)], *position, _KEYS[key % len(_KEYS)])
        current = _REDUCERS[type(current)](current, event)
        _check_state(current)


def _states() -> list[Any]:
    sheet, layout = Sheet(3, 4, 20, 10, 2), make_layout(16, 16)
    flat, deep = Space(Latent(size=2)), Space(Latent(size=9), np.eye(9)[:3], np.zeros(9))
    draw_easel, few, none = (make_easel(32, 48, count) for count in (4, 2, 0))
    colours = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255))
    return [
        GridState(sheet),
        GridState(sheet, seed=2**63 - 1, classes=Classes(3), can_mix=True, gain=DETAIL),
        AnimateState(sheet),
        AnimateState(Sheet(1, 1, 9, 9, 0), classes=Classes(12), gain=DETAIL),
        begin(flat, layout),
        replace(begin(deep, layout, seed=2**63 - 1), classes=Classes(4)),
        TranslateState(3, sigma=33, has_latent=True),
        TranslateState(1),
        UpscaleState(2),
        opened(UpscaleState(1), 900, 1400),
        DrawState(draw_easel, colours, has_latent=True),
        DrawState(few, colours[:2]),
        DrawState(none, colours[:2], lines=True),
        DiffuseState(sheet, 25, 1000),
        DiffuseState(sheet, 25, 300, origin="photographs", photos=30, classes=Classes(2)),
        DiffuseState(Sheet(1, 1, 9, 9, 0), 1, 1, seed=2**63 - 1),
    ]


def _check_state(current: Any) -> None:
    hash(current)
    if not isinstance(current, TranslateState | UpscaleState):
        assert 0 <= current.seed < 2**63
    if isinstance(current, GridState | AnimateState):
        assert 0 <= current.cursor < current.sheet.count
        assert 0 <= current.classes.label < max(current.classes.count, 1)
    if isinstance(current, AnimateState):
        assert advance(current).position >= current.position
    if isinstance(current, LatentState):
        assert current.axes[0] != current.axes[1]
        assert all(0 <= axis < current.space.count for axis in (*current.axes, current.chosen))
        assert 0 <= current.stop < len(current.layout.stops)
        assert current.view in current.views
        assert np.isfinite(current.space.exact(current.point)).all()
        assert all(np.isfinite(current.space.exact(point)).all() for point in current.line)
    if isinstance(current, TranslateState):
        assert 0 <= current.index < current.count
        assert 0 <= current.stop < (STOPS if current.line else 1)
        assert current.sigma is None or 0 <= current.sigma <= 100
    if isinstance(current, UpscaleState):
        assert 0 <= current.index < current.count
        assert 0.0 <= current.divider <= 1.0
        assert all(np.isfinite((current.across, current.down, *current.corner, current.scale)))
    if isinstance(current, DrawState):
        assert 0 <= current.colour < len(current.palette)
        assert all(0 <= stroke.colour < len(current.palette) for stroke in current.strokes)
    if isinstance(current, DiffuseState):
        assert 1 <= current.steps <= current.most_steps
        assert 0 <= current.cursor < current.count


def terminal(data: bytes) -> None:
    """What a terminal sends, in pieces of any size: the first byte says how large those are."""
    if not data:
        return
    size, stream = data[0] % 17 + 1, data[1:]
    whole_parser, parser = Parser(), Parser()
    found: list[Found] = []
    for place in range(0, len(stream), size):
        found += parser.feed(stream[place : place + size])
        assert len(parser._pending) <= 4096 + size
    at_once = whole_parser.feed(stream)
    if len(stream) < 4096:  # beyond, what is given up as endless depends on the pieces
        assert found == at_once
    for item in (*found, *parser.flush()):
        assert isinstance(item, Event | str)
        assert not isinstance(item, Event) or item.key == "" or item.key.isprintable()
    assert not parser.waits_for_more
    assert [item.action for item in parser.feed(b"\x1b[A") if isinstance(item, Event)] == [Action.UP]
    for place in range(0, len(stream) - 3, 4):
        decode_window_key(int.from_bytes(stream[place : place + 4], "little", signed=True), bool(size % 2))


def model(data: bytes) -> None:
    """An ONNX file, as it is looked over."""
    try:
        screen(data)
    except ScreeningError as error:
        _check_message(error)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "card": card,
    "npy": npy,
    "state": state,
    "terminal": terminal,
    "model": model,
}


def seeds(name: str) -> list[bytes]:
    """Inputs that mean something, to begin with."""
    kept = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    return [*kept, *_SEEDS[name]()]


def _card_seeds() -> Iterator[bytes]:
    known = generator_card("cat", 4, 16, 16, classes=("a", "b"), training={"run": "x", "images": 3},
                           sample_latents=((0.0, 1.0, 2.0, 3.0),), directions=((1.0, 0.0, 0.0, 0.0),))  # fmt: skip
    shares = alpha_bar()[::50].tolist()
    denoiser = Card(kind="denoiser", family="ddpm", name="d", image_size=(16, 16),
                    inputs=(Port(name="noisy", dtype="f32", shape=(None, 3, 16, 16)),
                            Port(name="t", dtype="i64", shape=(None,))),
                    output=Port(name="prediction", dtype="f32", shape=(None, 3, 16, 16)),
                    schedule={"kind": "linear", "prediction": "epsilon", "alpha_bar": shares})  # fmt: skip
    image = Port(name="image", dtype="u8", shape=(None, None, None, 3))
    edges = {"kind": "edges", "sigma": 0.3, "blur": 3, "size": [8, 8], "palette": [[1, 2, 3]]}
    translator = Card(kind="translator", family="p", name="t", inputs=(image,), multiple=8, context=4, scale=2,
                      output=Port(name="translated", dtype="u8", shape=(None, None, None, 3)),
                      condition=edges)  # fmt: skip
    for each in (known, denoiser, translator):
        yield "\0".join(part for pair in each.to_props().items() for part in pair).encode()
    yield b'"sealed:' + b"0" * 64 + b'"'


def _npy_seeds() -> Iterator[bytes]:
    for array in (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((3, 4, 4), np.uint8), np.zeros((2, 3, 8, 8), np.uint8),
                  np.asfortranarray(np.zeros((2, 8, 8, 3), np.uint8)), np.zeros((2, 2), np.float64)):  # fmt: skip
        path = Path(_FOLDER.name) / "seed.npy"
        np.save(path, array, allow_pickle=False)
        yield path.read_bytes()
        if array.ndim == 4:
            with path.open("wb") as file:
                np.lib.format.write_array(file, array, version=(2, 0), allow_pickle=False)
            yield path.read_bytes()

    old = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 8L, 8L, 3L), }".ljust(117) + b"\n"
    yield b"\x93NUMPY\x01\x00" + len(old).to_bytes(2, "little") + old + bytes(384)


def _state_seeds() -> Iterator[bytes]:
    for mode in range(len(_states())):
        yield bytes([mode]) + bytes(range(6 * 30))


def _terminal_seeds() -> Iterator[bytes]:
    yield b"\x03\x1b[A\x1b[1;2B\x1bOC\x1b[5~sSi\xc3\xa9\xe2\x82\xac\x1b[<0;12;5M\x1b[<35;2;3M\x1b[<64;3;3M"
    yield b"\x01\x1b_Gi=31;OK\x1b\\\x1bP1$r48:2:1:2:3m\x1b\\\x1b[?62;22c\x1b]11;rgb:0/0/0\x07\x1b[M !!\x1b[[A\x1b"


def _model_seeds() -> Iterator[bytes]:
    yield whole()
    for name in ("weights_above", "a_billion_laughs", "sparse_weights_of_64_GiB", "weights_elsewhere_in_a_branch"):
        yield MAKERS[name]()


_SEEDS: Final = {
    "card": lambda: list(_card_seeds()),
    "npy": lambda: list(_npy_seeds()),
    "state": lambda: list(_state_seeds()),
    "terminal": lambda: list(_terminal_seeds()),
    "model": lambda: list(_model_seeds()),
}
_ODD: Final = (b"\xff", b"\0", b"\x1b", b"[", b"]", b"{", b"}", b'"', b"-1", b"1e999", b"NaN", b"null", b"true", b"(",
               b")", b"O", b"'", b"\r\n", b"9" * 400, b"[" * 300, b"\\ud800", b"\xed\xa0\x80", b"\x80" * 9)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """The same with a few things done to it."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        place = chance.randrange(len(changed) + 1)
        end = min(place + chance.choice((1, 2, 4, 16, 200)), len(changed))
        match chance.randrange(6):
            case 0 if changed:
                changed[place % len(changed)] ^= 1 << chance.randrange(8)
            case 1:
                changed[place:end] = chance.randbytes(end - place)
            case 2:
                changed[place:place] = chance.choice(_ODD)
            case 3:
                del changed[place:end]
            case 4:
                changed[place:place] = changed[place:end] * chance.choice((1, 2, 8))
            case _:
                other = chance.choice(others)
                first = chance.randrange(len(other) + 1)
                changed[place:end] = other[first : first + chance.choice((4, 40, 400))]
    return bytes(changed[:20_000])


def check(name: str, data: bytes) -> None:
    """Run a target; an input that it fails on, or that takes long, is kept."""
    begun = time.process_time()
    try:
        TARGETS[name](data)
        assert time.process_time() - begun < MOST_SECONDS, "takes too long"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        raise


def fuzz(name: str, seconds: float, seed: int = 0) -> int:
    """Mutate and run for so many seconds of processor time; how many inputs that were."""
    chance, begin_with = random.Random(seed), seeds(name)
    until, count = time.process_time() + seconds, 0
    while time.process_time() < until:
        check(name, mutated(chance.choice(begin_with), begin_with, chance))
        count += 1
    return count
