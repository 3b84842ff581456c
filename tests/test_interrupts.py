"""Ctrl-C where Python would lose it, or turn it into something else."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import click
import dask
import pytest

from dhess.cli import commands, main
from dhess.interrupts import ctrl_c_heeded
from dhess.running import run

from .test_search import client

__all__ = ["client"]


PRESSED = signal.SIGINT


def press() -> None:
    os.kill(os.getpid(), PRESSED)
    for _ in range(1000):  # Python heeds a signal between two of its steps
        pass


class Finalized:
    """Ctrl-C comes while this is being cleared away."""

    def __del__(self) -> None:
        press()


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python prints and forgets."""
    found: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda what: found.append(what.exc_type))
    return found


def test_what_a_finalizer_loses_is_raised_later(dropped: list[Any]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with ctrl_c_heeded() as check:
        check()
        Finalized()
        assert dropped == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("there", [False, True], ids=["threads", "cluster"])
def test_work_ends_though_a_finalizer_lost_it(
    dropped: list[Any], there: bool, request: pytest.FixtureRequest
) -> None:
    if there:
        request.getfixturevalue("client")
    parts = [dask.delayed(pow)(i, 2) for i in range(5)]
    seen: list[int] = []

    def done(_: int, result: int) -> None:
        seen.append(result)
        if len(seen) == 2:
            Finalized()

    with pytest.raises(KeyboardInterrupt):
        run(parts, done, name="squares")
    assert (len(seen), dropped) == (2, [KeyboardInterrupt])


def test_what_came_of_it_is_it() -> None:
    """An interrupted wait may leave a lock that is not held: its release is an error."""

    def wait() -> None:
        lock = threading.Lock()
        with ctrl_c_heeded(), lock:
            lock.release()
            press()

    with pytest.raises(KeyboardInterrupt) as caught:
        wait()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_other_errors_pass() -> None:
    with pytest.raises(LookupError), ctrl_c_heeded():
        raise LookupError


def test_what_was_heeded_before_does_not_count() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(LookupError), ctrl_c_heeded():
            raise LookupError from None


def test_the_last_chance_to_heed_it(dropped: list[Any]) -> None:
    with pytest.raises(KeyboardInterrupt), ctrl_c_heeded():
        Finalized()
    assert dropped == [KeyboardInterrupt]


def test_sigterm_that_is_ctrl_c(monkeypatch: pytest.MonkeyPatch, dropped: list[Any]) -> None:
    monkeypatch.setattr(f"{__name__}.PRESSED", signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), ctrl_c_heeded():
            Finalized()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert dropped == [KeyboardInterrupt]


def test_a_thread_leaves_signals_alone() -> None:
    told: list[Any] = []

    def work() -> None:
        with ctrl_c_heeded() as check:
            check()
        told.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [signal.getsignal(signal.SIGINT)]


def test_a_command_that_fails_over_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command("measures")
    def fails() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("cannot release un-acquired lock")

    monkeypatch.setitem(commands.commands, "measures", fails)
    assert main(["measures"]) == 130
    assert capsys.readouterr().err == "dhess: interrupted; nothing was written\n"
