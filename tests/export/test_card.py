"""The card: what is written is read back, and no file can make the reader do anything but raise ``CardError``."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.card import BLANK_SEAL, PREDICTIONS, SCHEMA, Card, CardError, Latent, Port, check_seal, seal
from export.kinds import KINDS

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
TEXT = st.text(max_size=20)


def rows(size: int, count: int) -> st.SearchStrategy:
    row = st.lists(FLOATS, min_size=size, max_size=size).map(tuple)
    return st.lists(row, min_size=count, max_size=count).map(tuple)


def conditions() -> st.SearchStrategy:
    edges = st.fixed_dictionaries(
        {"kind": st.just("edges")},
        optional={"sigma": st.floats(0, 1), "blur": st.sampled_from([0, 3, 5]), "invert": st.booleans()},
    )
    masks = st.fixed_dictionaries(
        {"kind": st.just("given")}, optional={"size": st.just([96, 128]), "palette": st.just([[0, 0, 0], [255, 0, 9]])}
    )
    return st.just({}) | masks | edges


def schedules() -> st.SearchStrategy:
    shares = st.sets(st.floats(0, 1, exclude_min=True, exclude_max=True), min_size=1, max_size=9)
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["linear", "cosine"]),
            "prediction": st.sampled_from(PREDICTIONS),
            "alpha_bar": shares.map(lambda values: sorted(values, reverse=True)),
        }
    )


@st.composite
def cards(draw: st.DrawFn) -> Card:
    kind = draw(st.sampled_from(sorted(KINDS)))
    ports, output = KINDS[kind].inputs, KINDS[kind].output
    types = {port.name: port.dtype for port in ports if not port.optional or draw(st.booleans())}
    shape = st.lists(st.none() | st.integers(0, 1 << 20), min_size=1, max_size=4).map(tuple)
    size = draw(st.integers(1, 4))
    known = draw(st.booleans())
    latent = Latent(
        size=size,
        prior=draw(st.sampled_from(["normal", "uniform"])),
        mean=draw(rows(size, 1))[0] if known else (),
        covariance=draw(rows(size, size)) if known else (),
    )
    has_latent = kind in ("generator", "encoder", "detail") or draw(st.booleans())
    return Card(
        kind=kind,
        family=draw(TEXT),
        name=draw(TEXT),
        inputs=tuple(Port(name=name, dtype=dtype, shape=draw(shape)) for name, dtype in types.items()),
        output=Port(name=output.name, dtype=output.dtype, shape=draw(shape)),
        image_size=draw(st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999))),
        channels=draw(st.sampled_from([1, 3])),
        input_channels=draw(st.integers(0, 4)),
        scale=draw(st.integers(1, 4)),
        multiple=draw(st.sampled_from([1, 4, 256])),
        context=draw(st.integers(0, 200)),
        condition=draw(conditions()),
        latent=latent if has_latent else None,
        classes=tuple(draw(st.lists(TEXT, min_size=int(kind == "denoiser"), max_size=3))),
        schedule=draw(schedules()) if kind == "denoiser" else {},
        directions=draw(rows(size, 2)) if has_latent and known else (),
        named_directions={f"{n} 笑": row for n, row in enumerate(draw(rows(size, 2)))} if has_latent and known else {},
        sample_latents=draw(rows(size, 3)) if has_latent and known else (),
        licence=draw(TEXT),
        data=draw(TEXT),
        training=draw(st.dictionaries(TEXT, st.none() | FLOATS | TEXT, max_size=3)),
    )


@given(cards())
@settings(max_examples=100)
def test_what_is_written_is_read_back(card: Card) -> None:
    assert Card.from_props(card.to_props()) == card


def plain_card(**changes: object) -> dict[str, str]:
    card = Card(
        kind="generator",
        family="vae",
        name="cats",
        inputs=(Port(name="latent", dtype="f32", shape=(None, 2)),),
        output=Port(name="image", dtype="u8", shape=(None, 8, 8, 3)),
        latent=Latent(size=2, mean=(0.0, 1.0)),
    )
    return {**card.to_props(), **{key: json.dumps(value) for key, value in changes.items()}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(plain_card())), value=JSON.map(json.dumps) | TEXT)
@settings(max_examples=300)
def test_hostile_entries_raise_card_errors_only(key: str, value: str) -> None:
    try:
        card = Card.from_props({**plain_card(), key: value})
    except CardError as error:
        assert len(str(error)) <= 300  # noqa: PT017 - the property holds for every error
    else:
        assert card is not None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema": "2.0"}, "update"),
        ({"schema": 1}, "expected a version"),
        ({"kind": "poem"}, "expected one of generator"),
        ({"latent": None}, "lacks latent"),
        ({"latent": {"size": 3, "mean": [0, 1]}}, "does not fit the latent size 3"),
        ({"latent": {"size": 1e9}}, "latent size"),
        ({"classes": "abc"}, "list of texts"),
        ({"classes": ["x"] * 65537}, "card has 65537 classes, expected 65536 at most"),
        ({"image_size": [0, 8]}, "image_size"),
        ({"directions": [[1, 2, 3]]}, "directions"),
        ({"named_directions": {"a": [1, 2, 3]}}, "named_directions does not fit"),
        ({"named_directions": [[1, 2]]}, "named_directions is list, expected a mapping"),
        ({"named_directions": {"": [1, 2]}}, "named_directions name is ''"),
        ({"named_directions": {"\x1b[2J": [1, 2]}}, "printable"),
        ({"named_directions": {"x" * 65: [1, 2]}}, "named_directions name"),
        ({"named_directions": {str(k): [1, 2] for k in range(257)}}, "at most 256"),
        ({"sample_latents": [["x", "y"]]}, "finite numbers"),
        ({"inputs": []}, "card inputs"),
        ({"inputs": [{"name": "latent", "dtype": "f32", "shape": [None, 2]}] * 2}, "each name once"),
        ({"output": {"name": "image", "dtype": "f32", "shape": []}}, "card output"),
        ({"scale": 0}, "scale is 0, expected 1..16"),
        ({"multiple": 0}, "multiple is 0, expected 1..4096"),
        ({"multiple": True}, "multiple"),
        ({"context": -1}, "context is -1, expected 0..16384"),
        ({"input_channels": 5}, "input_channels is 5, expected 0..4"),
        ({"condition": "edges"}, "condition is str, expected a mapping"),
        ({"condition": {"sigma": 0.3}}, "condition kind is None, expected one of given, edges"),
        ({"condition": {"kind": "edges", "sigma": 7}}, "condition sigma is 7, expected 0..1"),
        ({"condition": {"kind": "edges", "sigma": "x"}}, "condition sigma is 'x'"),
        ({"condition": {"kind": "edges", "blur": 4}}, "condition blur is 4, expected 0 or an odd number"),
        ({"condition": {"kind": "given", "size": [0, 64]}}, "condition size is .0, 64., expected height and width"),
        ({"condition": {"kind": "given", "palette": [[0, 0, 256]]}}, "condition palette"),
        ({"condition": {"kind": "given", "palette": "red"}}, "condition palette is 'red', expected at most 64"),
        ({"condition": {"kind": "edges", "invert": 1}}, "condition invert is 1, expected true or false"),
    ],
)
def test_wrong_entries_are_named(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(CardError, match=expected):
        Card.from_props(plain_card(**changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": {}}, "card of a denoiser lacks schedule"),
        ({"schedule": {"prediction": "v"}}, "alpha_bar is NoneType, expected a list"),
        ({"schedule": {"alpha_bar": [0.5]}}, "prediction is None, expected one of epsilon, x0, v"),
        ({"schedule": {"prediction": "score", "alpha_bar": [0.5]}}, "prediction is 'score', expected one of"),
        ({"schedule": {"prediction": "v", "alpha_bar": []}}, "alpha_bar has 0 steps"),
        ({"schedule": {"prediction": "v", "alpha_bar": [0.9, "x"]}}, "alpha_bar holds 'x'"),
        ({"schedule": {"prediction": "v", "alpha_bar": [0.9, 0.9]}}, "not a list of numbers that fall within 0..1"),
        ({"schedule": {"prediction": "v", "alpha_bar": [0.1, 0.9]}}, "not a list of numbers that fall within 0..1"),
        ({"schedule": {"prediction": "v", "alpha_bar": [1.0, 0.5]}}, "not a list of numbers that fall within 0..1"),
        ({"schedule": {"prediction": "v", "alpha_bar": [0.5, 0.0]}}, "not a list of numbers that fall within 0..1"),
        ({"classes": []}, "takes labels lacks classes"),
    ],
)
def test_denoisers_that_cannot_be_sampled_from_are_refused(changes: dict[str, object], expected: str) -> None:
    card = Card(
        kind="denoiser",
        family="ddpm",
        name="cats",
        inputs=(
            Port(name="noisy", dtype="f32", shape=(None, 3, 8, 8)),
            Port(name="t", dtype="i64", shape=(None,)),
            Port(name="label", dtype="i64", shape=(None,)),
        ),
        output=Port(name="prediction", dtype="f32", shape=(None, 3, 8, 8)),
        classes=("cat",),
        schedule={"kind": "linear", "prediction": "v", "alpha_bar": [0.9, 0.5]},
    )
    with pytest.raises(CardError, match=expected):
        Card.from_props({**card.to_props(), **{key: json.dumps(value) for key, value in changes.items()}})


def test_deep_and_large_json_is_refused() -> None:
    for text in ("[" * 100_000, "9" * 5_000, "1e999", "NaN", '{"size": NaN}'):
        with pytest.raises(CardError):
            Card.from_props({**plain_card(), "latent": text})


def test_unknown_keys_and_newer_minor_versions_are_read() -> None:
    card = Card.from_props(plain_card(schema=SCHEMA.split(".")[0] + ".99", mood="sleepy"))
    assert card is not None
    assert card.name == "cats"


def test_files_from_before_translators_had_facts_are_read_with_none() -> None:
    card = Card.from_props(plain_card(schema="1.0"))
    assert card is not None
    assert (card.input_channels, card.multiple, card.context, card.condition) == (0, 1, 0, {})


def test_a_kind_of_condition_that_is_not_known_yet_is_read() -> None:
    card = Card.from_props(plain_card(condition={"kind": "depth", "far": [1, 2]}))
    assert card is not None
    assert card.condition["kind"] == "depth"


def test_a_file_without_a_card_has_none() -> None:
    assert Card.from_props({"author": '"someone"'}) is None


def test_facts_that_json_cannot_hold_are_refused() -> None:
    card = Card.from_props(plain_card())
    assert card is not None
    for fact in (float("nan"), object(), "\ud800"):
        broken = Card(**{**vars(card), "training": {"score": fact}})
        with pytest.raises(CardError, match="training cannot be written"):
            broken.to_props()


def test_every_bit_counts() -> None:
    chance = random.Random(0)
    body = chance.randbytes(4000)
    data = seal(body + BLANK_SEAL.encode() + chance.randbytes(4000))
    assert check_seal(data)
    start = data.index(b'"sealed:')
    inside = set(range(start, start + len(BLANK_SEAL)))
    for offset in chance.sample(sorted(set(range(len(data))) - inside), 100):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << chance.randrange(8)
        with pytest.raises(CardError, match="damaged"):
            check_seal(bytes(flipped))
    for offset in inside:  # the seal itself: another hash, or no seal where the card says there is one
        flipped = bytearray(data)
        flipped[offset] ^= 1
        try:
            assert not check_seal(bytes(flipped))
        except CardError:
            continue


def test_sealing_needs_one_blank_seal() -> None:
    for data in (b"no seal", BLANK_SEAL.encode() * 2):
        with pytest.raises(CardError, match="expected one"):
            seal(data)
    assert not check_seal(b"no seal")
