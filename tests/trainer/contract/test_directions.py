"""Files of named directions: what is added is read back, what was there stays, what is hostile is one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from export import card
from trainer.contract import directions
from trainer.contract.directions import add_direction, beside, name_error, read_directions
from trainer.contract.errors import UserError

ENTRY = {"direction": [0.5, -1.0, 0.25], "how": "principal 1", "model": {"run": "a", "step": 7}}


def test_what_is_added_is_read_back_and_the_rest_stays(tmp_path: Path) -> None:
    file = beside(tmp_path / "cats.v2.onnx")
    assert file.name == "cats.v2.directions.json"
    add_direction(file, "smile", ENTRY)
    content = json.loads(file.read_text())
    content["note"], content["directions"]["smile"]["by"] = "ours", "me"
    file.write_text(json.dumps(content))
    add_direction(file, "笑 [1, 2]", {"direction": [1e-5, 2.0, 3e5]})
    read = read_directions(file, 3)
    assert list(read.vectors.items()) == [("smile", (0.5, -1.0, 0.25)), ("笑 [1, 2]", (1e-5, 2.0, 3e5))]
    after = json.loads(file.read_text())
    assert (after["note"], after["directions"]["smile"]["by"], after["size"]) == ("ours", "me", 3)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_name_that_is_taken_is_replaced_only_where_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    add_direction(file, "smile", ENTRY)
    before = file.read_bytes()
    with pytest.raises(UserError, match="'smile' is there already, expected another name"):
        add_direction(file, "smile", {"direction": [1.0, 1.0, 1.0]})
    assert file.read_bytes() == before
    add_direction(file, "smile", {"direction": [1.0, 1.0, 1.0]}, replace=True)
    assert read_directions(file, 3).vectors == {"smile": (1.0, 1.0, 1.0)}


def test_those_of_another_run_or_step_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    add_direction(file, "smile", ENTRY)
    add_direction(file, "fur", {"direction": [1, 0, 0]})
    read = read_directions(file, 3)
    assert read.strangers({"run": "a", "step": 7}) == read.strangers({}) == []
    assert read.strangers({"run": "a", "step": 8}) == read.strangers({"run": "b"}) == ["smile"]


def content(**changes: Any) -> Any:
    return {"schema": "1.0", "size": 2, "directions": {"a": {"direction": [1, 0]}}, **changes}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is no file of named directions"),
        ("[" * 100_000, "is no file of named directions"),
        (b"\xff\xfe{", "is no file of named directions"),
        ([1], "is no file of named directions"),
        (content(schema="2.0"), "has schema 2.0, expected 1.0 at most"),
        (content(schema=1), "is no file of named directions"),
        (content(directions=[1]), "no object of objects"),
        (content(directions={"a": [1, 0]}), "no object of objects"),
        (content(directions={"a": {}}), "'a' is NoneType, expected a list of 2"),
        (content(directions={"a": {"direction": [1]}}), "'a' is 1 numbers, expected a list of 2"),
        (content(directions={"a": {"direction": "12"}}), "'a' is str, expected a list of 2"),
        (content(directions={"a": {"direction": [1, True]}}), "holds 'True', expected finite numbers"),
        (content(directions={"a": {"direction": [1, float("nan")]}}), "holds 'nan'"),
        (content(directions={"a": {"direction": [1, 10**400]}}), "holds '1000"),
        (content(directions={"a": {"direction": [0, 0]}}), "is 0 long, expected"),
        (content(directions={"a": {"direction": [1e300, 1e300]}}), "long, expected 1e-6..1e6"),
        (content(directions={"": {"direction": [1, 0]}}), "name is '', expected 1..64 characters"),
        (content(directions={"\x1b[2J": {"direction": [1, 0]}}), "characters that can be printed"),
        (content(directions={"x" * 5000: {"direction": [1, 0]}}), "expected 1..64 characters"),
        (content(directions={str(k): {"direction": [1, 0]} for k in range(300)}), "300 of them"),
    ],
)
def test_a_hostile_file_is_one_line_and_stays_as_it_is(text: Any, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    data = text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
    file.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_directions(file, 2)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"{file}: ")
    assert message.isprintable()
    assert len(message) < len(str(file)) + 450
    with pytest.raises(UserError):
        add_direction(file, "b", {"direction": [0, 1]})
    assert file.read_bytes() == data


def test_a_folder_and_a_file_that_is_missing_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(UserError, match="cannot read"):
            read_directions(path, 2)
    with pytest.raises(UserError, match="cannot write"):
        add_direction(tmp_path / "no" / "a.json", "a", {"direction": [1]})


def test_the_card_has_the_same_limits() -> None:
    assert (card._MAX_NAMED, card._MAX_NAME) == (directions.MOST, directions.LONGEST_NAME)
    assert [bool(name_error(name)) for name in ("a", " a", "a ", "", "x" * 65, "a\n")] == [False] + [True] * 5
