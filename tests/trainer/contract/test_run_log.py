"""Logs are read on while they grow, are cut, replaced or damaged; what is shown is what is in the file."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.contract import run_log
from trainer.contract.run_log import RunLog, last_row


def row(step: int, kind: str = "train", **values: Any) -> bytes:
    more = values or {"loss/vae/l1": 1 / step, "seconds": step * 0.5} if kind == "train" else values or {"score": 0.5}
    return json.dumps({"kind": kind, "step": step, "images_seen": step * 32, **more}).encode() + b"\n"


def rows(*steps: int) -> bytes:
    return b"".join(map(row, steps))


def read(log: RunLog) -> RunLog:
    while log.read():
        pass
    return log


def contents(log: RunLog) -> dict[str, Any]:
    return {
        f"{kind}/{name}": np.asarray(values, np.float32).tolist()
        for kind, table in log.tables.items()
        for name, values in [("images", table.images), *((name, table.column(name)) for name in table.names)]
        if table.count and np.isfinite(values).any()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_columns(path: Path) -> None:
    path.write_bytes(rows(5, 10) + row(10, "held_out") + row(15))
    log = read(RunLog(path))
    train, held_out = log.tables["train"], log.tables["held_out"]
    assert train.images.tolist() == [160, 320, 480]
    assert train.steps.tolist() == [5, 10, 15]
    assert train.names == ("loss/vae/l1", "seconds")
    assert train.column("seconds").tolist() == [2.5, 5, 7.5]
    assert (held_out.images.tolist(), held_out.column("score").tolist()) == ([320], [0.5])
    assert (log.rows, log.unreadable, log.offset) == (4, 0, path.stat().st_size)


def test_only_what_is_new_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(rows(*range(1, 100)))
    log = read(RunLog(path))
    parsed: list[bytes] = []
    monkeypatch.setattr(log, "_parse", parsed.append)
    with path.open("ab") as file:
        file.write(row(100) + row(101)[:20])
    read(log)
    assert parsed == [row(100)]


def test_a_row_that_is_half_written_is_read_once_it_is_whole(path: Path) -> None:
    whole = rows(1, 2, 3)
    for count in range(0, len(whole), 3):
        path.write_bytes(whole[:count])
        assert read(RunLog(path)).unreadable == 0
    log = RunLog(path)
    for count in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:count])
        read(log)
    path.write_bytes(whole)
    assert read(log).tables["train"].steps.tolist() == [1, 2, 3]


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_training_that_goes_back_voids_what_came_after(path: Path, before: int) -> None:
    first = rows(10, 20) + row(20, "held_out") + rows(30, 40) + row(40, "held_out")
    path.write_bytes(first)
    log = RunLog(path)
    for _ in range(before):
        log.read()
    path.write_bytes(first + row(25) + row(35))
    read(log)
    assert log.tables["train"].steps.tolist() == [10, 20, 25, 35]
    assert log.tables["held_out"].steps.tolist() == [20]


def test_arrays_that_were_given_out_stay_as_they_are(path: Path) -> None:
    path.write_bytes(rows(10, 20, 30, 40, 50))
    log = read(RunLog(path))
    images, values = log.tables["train"].images, log.tables["train"].column("loss/vae/l1")
    kept = images.copy(), values.copy()
    with path.open("ab") as file:
        file.write(rows(15, 16))
    read(log)
    assert log.tables["train"].steps.tolist() == [10, 15, 16]
    assert np.array_equal(images, kept[0])
    assert np.array_equal(values, kept[1])


def test_another_file_under_the_name_is_read_from_its_start(path: Path) -> None:
    log = RunLog(path)
    for steps in ([1, 2, 3, 4], [1, 2], [7, 8, 9], [3, 4, 5, 6, 8, 9]):  # longer, shorter, as long
        path.write_bytes(rows(*steps))
        assert read(log).tables["train"].steps.tolist() == steps
    path.unlink()
    assert read(log).tables["train"].count == 6  # what was known stays on the screen
    assert not log.there
    path.write_bytes(b"")
    assert read(log).there
    path.write_bytes(rows(1))
    assert read(log).tables["train"].steps.tolist() == [1]


BAD = (b"", b"x\n", b"{}\n", b"[1, 2]\n", b"null\n", b"\xff\xfe\n", b"[" * 5000 + b"\n", b'{"kind": 1}\n',
       b'{"kind": "train", "step": "1", "images_seen": 2}\n', b'{"kind": "train", "step": 1, "images_seen": NaN}\n',
       b'{"kind": "train", "step": -1, "images_seen": 2}\n', b'{"kind": "other", "step": 1, "images_seen": 32}\n',
       b'{"kind": "train", "step": 1, "images_seen": 1' + b"0" * 400 + b"}\n", row(2)[:30] + row(3))  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_lines_that_are_no_rows_are_counted_and_left_out(bad: bytes, path: Path) -> None:
    path.write_bytes(row(1) + bad + rows(4, 5))
    log = read(RunLog(path))
    assert log.tables["train"].steps.tolist() == [1, 4, 5]
    assert log.unreadable == (1 if bad else 0)


@pytest.mark.parametrize("value", ["null", '"text"', "[1]", "{}", "NaN", "Infinity", "1e400", "1" + "0" * 400])
def test_values_that_are_no_numbers_leave_a_gap(value: str, path: Path) -> None:
    path.write_bytes(
        row(1) + f'{{"kind": "train", "step": 2, "images_seen": 64, "a": {value}}}\n'.encode() + row(3, a=1)
    )
    column = read(RunLog(path)).tables["train"].column("a")
    assert not np.isfinite(column[1])
    assert column[2] == 1


def test_a_line_without_an_end_takes_no_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "PIECE", 256)
    path.write_bytes(row(1) + b"x" * 5000 + b"\n" + rows(2, 3))
    log = read(RunLog(path))
    assert log.tables["train"].steps.tolist() == [1, 2, 3]
    assert log.unreadable == 1
    assert len(log._known) <= 64


def test_no_more_names_than_can_be_shown(path: Path) -> None:
    path.write_bytes(b"".join(row(step, **{f"n{step}-{number}": 1.0 for number in range(50)}) for step in range(1, 9)))
    assert len(read(RunLog(path)).tables["train"].names) == 128


@pytest.mark.parametrize("piece", [1 << 19, 300])
def test_a_thousand_truncations(piece: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader follows a file that is cut and goes on as it likes; it ends with what a new reader finds."""
    monkeypatch.setattr(run_log, "PIECE", piece)
    chance = random.Random(piece)
    whole = b"".join(row(step) + (row(step, "held_out") if step % 4 == 0 else b"") for step in range(1, 25))
    log = RunLog(path)
    for _ in range(500):
        data = whole[: chance.randrange(len(whole))]
        if chance.random() < 0.3:  # a kill in the middle of a row, and another training that goes on
            data += rows(*sorted(chance.sample(range(1, 60), 5)))
        path.write_bytes(data)
        if chance.random() < 0.2:
            log.read()
            continue
        fresh = read(RunLog(path))
        assert contents(read(log)) == contents(fresh)
        assert (log.unreadable, log.offset) == (fresh.unreadable, fresh.offset)
        assert (np.diff(log.tables["train"].images) > 0).all()
        assert last_row(path) == {} or log.tables["train"].count


def test_a_glance_has_rows_of_all_parts(path: Path) -> None:
    path.write_bytes(rows(*range(1, 20_000)))
    glance, log = RunLog.glance(path).tables["train"], read(RunLog(path)).tables["train"]
    assert 500 < glance.count < 6000
    assert np.isin(glance.images, log.images).all()
    assert np.diff(glance.images).max() < log.images[-1] / 100
    assert (glance.images[0], glance.images[-1]) == (log.images[0], log.images[-1])
    path.unlink()
    assert RunLog.glance(path).rows == 0
