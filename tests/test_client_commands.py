"""What the commands of the client say of a job, whatever a gateway sends."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

import dhess.client
from dhess.cli.outputs import say
from dhess.cli.remote import COMMANDS
from dhess.cli.remote.following import JobMeter
from dhess.cli.remote.options import typed
from dhess.cli.remote.viewing import described, listed, moment, state
from dhess.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEW: dict[str, Any] = {
    "id": "0123456789abcdef", "task": "find", "state": "running", "note": "", "wish": "run",
    "source": "/data/run.zarr::T", "variable": None, "measure": "slope", "output": None,
    "submitter": "ada", "created": "2026-01-05T06:00:00.000Z",
    "started": "2026-01-05T06:00:01.000Z", "ended": None, "windows": 40, "done": 10,
    "blocks": 40, "of_blocks": 160, "nbytes": 10**9, "of_nbytes": 4 * 10**9, "rate": 2.5,
    "eta": 12.0, "best": {"value": 1.5e-3, "index": [3, 14]}, "attempts": 0, "spec": {},
    "queue": None,
}  # fmt: skip
WAITING = VIEW | {
    "state": "queued", "queue": 3, "windows": 0, "done": 0, "blocks": 0, "of_blocks": 0,
    "nbytes": 0, "of_nbytes": 0, "rate": None, "eta": None, "best": None, "started": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(what: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    say(what)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(described(VIEW), capsys) == [
        "job        0123456789abcdef",
        "state      running",
        "task       find slope",
        "source     /data/run.zarr::T",
        "handed in  2026-01-05 06:00:00 by ada",
        "started    2026-01-05 06:00:01",
        "windows    10 of 40, 25 %",
        "read       1 GB of 4 GB",
        "pace       2.5 windows/s, 12 s left",
        "best       0.0015 at index 3, 14",
    ]
    assert shown(described(WAITING), capsys)[1] == "state      queued, place 3"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"state": "paused", "note": "the disk is full"}, "paused: the disk is full"),
        ({"wish": "cancel"}, "running, to be cancelled"),
        ({"wish": "delete"}, "running, to be deleted"),
        ({"state": "cancelled", "wish": "cancel"}, "cancelled"),
        ({"state": "failed", "note": "it\x1b]0;owned\x07 broke\n"}, "failed: it?]0;owned? broke"),
    ],
)
def test_states(more: dict[str, Any], told: str) -> None:
    assert state(VIEW | more) == told


def test_listed(capsys: pytest.CaptureFixture[str]) -> None:
    many = VIEW | {"source": ["/data/a.nc", "/data/b.nc"], "measure": "\x9b2Jslope"}
    head, _, first, second = shown(listed([WAITING, many]), capsys)
    assert head.split() == ["id", "state", "task", "done", "handed", "in", "source"]
    assert first.split("  ")[1:3] == ["queued", " find slope"]
    assert first.endswith("2026-01-05 06:00  run.zarr::T")
    assert second.endswith("a.nc and 1 more")
    assert "find ?2Jslope  25 %" in second
    head, _, first, _ = shown(listed([VIEW, VIEW | {"submitter": "eve"}]), capsys)
    assert "  by  " in head
    assert "  ada  " in first


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-01-05T06:00:00+02:00", "2026-01-05 04:00:00"),
        (None, ""),
        ("soon\x1b[2J", "soon?[2J"),
    ],
)
def test_moments(text: str | None, told: str) -> None:
    assert moment(text) == told


def test_progress_is_told_as_of_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    running = VIEW | {"nbytes": 0, "blocks": 0, "done": 0, "best": None}
    full = VIEW | {"state": "paused", "note": "the disk is full"}
    with JobMeter("find") as meter:
        for second, view in [
            (1.0, WAITING), (2.0, WAITING), (3.0, WAITING | {"queue": 1}), (4.0, running),
            (8.0, VIEW), (9.0, full), (10.0, full), (12.0, VIEW), (99.0, VIEW | {"state": "done"}),
        ]:  # fmt: skip
            now[0] = second
            meter.look(view)
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "find: queued, place 3",
        "find: queued, place 1",
        "find: running",
        "find: 40 of 160 blocks, 25 %, window 10 of 40, 250 MB/s, 12 s left, best 0.0015",
        "find: paused: the disk is full",
        "find: running",
    ]


def test_what_to_type_is_for_the_same_gateway() -> None:
    client = Client("http://localhost:8765")
    given = {"server": "http://localhost:8765/", "token_file": "my token", "ca": None, "job": "a"}
    with click.Context(COMMANDS[0]) as context:
        context.params = given
        told = typed("show 0123 --watch", client)
    assert told == (
        "'dhess show 0123 --watch --server http://localhost:8765 --token-file \"my token\"'"
    ).replace('"', "'")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_command_takes_a_token_where_others_could_read_it(command: click.Command) -> None:
    names = {name for each in command.params for name in each.opts}
    assert {"--server", "--token-file", "--ca"} <= names
    assert "--token" not in names


def test_the_client_needs_nothing_but_errors_and_the_standard_library() -> None:
    assert dhess.client.__file__ is not None
    for path in Path(dhess.client.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            for name in names:
                ours = name.startswith(("dhess.errors", "dhess.client"))
                assert ours or name == "xarray" or name.split(".")[0] in sys.stdlib_module_names


def test_help_needs_no_client(fresh_process_environment: dict[str, str]) -> None:
    code = (
        "import sys; from dhess.cli import main; main(['submit', '--help']); "
        "print([n for n in ('dhess.client', 'urllib.request', 'pydantic') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=fresh_process_environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
