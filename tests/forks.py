"""Command lines in processes of their own that are forked, so that each need not import all anew.

The parent computes nothing and has one thread; a child may end itself at a moment that was asked
for: as a power cut does, or as Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from dhess.running import Progress

SEEN = {"os.rename", "os.mkdir", "os.remove", "shutil.rmtree", "sqlite3.connect"}
"""What changes names on a disk: the moments at which a death may leave something odd."""


@dataclass(frozen=True)
class Ended:
    """What came of a command line."""

    code: int
    """Its exit code; a signal that ended it is below zero."""
    said: str
    """On stderr."""


class Forks:
    """Runs command lines of ``dhess``, one after the other."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.forks"], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def run(self, *words: str, windows: int = -1, renames: int = -1, by: int = 0) -> Ended:
        """Run ``dhess`` with some words; end it by a signal at a moment.

        That is once so many ``windows`` are done, or just before so many `SEEN` have happened.
        """
        asked = {"words": words, "windows": windows, "renames": renames, "by": by}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        return Ended(**json.loads(self._server.stdout.readline()))


def _child(asked: dict[str, Any]) -> int:
    from dhess.cli import main
    from dhess.running import watched

    def end() -> None:
        os.kill(os.getpid(), asked["by"])

    def at_window(progress: Progress) -> None:
        if progress.window == asked["windows"]:
            end()

    left = asked["renames"]

    def at_event(name: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if name in SEEN:
            left -= 1
            if left == 0:
                end()

    if left > 0:
        sys.addaudithook(at_event)
    with watched(at_window):
        return main(asked["words"])


def _serve() -> None:
    import zarr  # noqa: F401

    import dhess.job
    import dhess.report  # noqa: F401

    for line in sys.stdin:
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if not child:
                os.dup2(said.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                os._exit(_child(json.loads(line)))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said.seek(0)
            print(json.dumps({"code": code, "said": said.read().decode()}), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve()
