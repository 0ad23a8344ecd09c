"""Which signals mean that a run is to stop at once."""

import os
import signal
import socket
import time

import pytest

from trainer.distributed import ECHO_SECONDS, World

ENDED_AT_ONCE = "ended at once"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Asked to stop a while ago, and still saving; its launcher is this process's parent."""

    def leave(code: int) -> None:
        raise RuntimeError(ENDED_AT_ONCE, code)

    monkeypatch.setattr(os, "_exit", leave)
    world = World.__new__(World)
    world.launcher, world.launcher_died = os.getppid(), False
    world.stop_asked_at = time.monotonic() - ECHO_SECONDS - 1
    return world


def hear(world: World, *numbers: int) -> None:
    heard, sender = socket.socketpair()
    with heard, sender:
        sender.sendall(bytes(numbers))
        sender.shutdown(socket.SHUT_WR)
        world.listen(heard, {signal.SIGTERM, signal.SIGINT})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_request_ends_a_run_at_once(world: World, number: int) -> None:
    with pytest.raises(RuntimeError, match=ENDED_AT_ONCE) as ended:
        hear(world, number)
    assert ended.value.args[1] == 128 + number


def test_the_death_of_the_launcher_is_no_second_request(world: World) -> None:
    world.launcher = -1  # no longer the parent
    hear(world, signal.SIGTERM)  # by the kernel
    with pytest.raises(RuntimeError, match=ENDED_AT_ONCE):
        hear(world, signal.SIGTERM)  # by somebody
