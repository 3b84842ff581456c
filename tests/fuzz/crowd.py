"""Cases in processes of their own, which are killed when a case takes too long."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

LONGEST = 20.0
"""Seconds that a case may take; a machine that others use too is given time."""
FIRST = 300.0
"""Seconds in which a process has to be ready."""
PLACE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finding:
    """A case that ended as none may."""

    kind: str
    number: int
    told: str


class _Worker:
    """One process; another takes its place when it dies."""

    def __init__(self, kind: str, seed: int) -> None:
        self.command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(seed)]
        self.process: subprocess.Popen[str] | None = None

    def case(self, number: int) -> str | None:
        """Run a case, and say what is wrong with how it ended."""
        if self.process is None:
            self.process = self._started()
        talk, answers = self.process.stdin, self.process.stdout
        assert talk is not None
        assert answers is not None
        talk.write(f"{number}\n")
        talk.flush()
        line = _read(answers, LONGEST)
        if line:
            found: str | None = json.loads(line)
            return found
        self.end()
        return "took too long" if line is None else "the process died"

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command, cwd=PLACE, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        assert _read(process.stdout, FIRST) == "ready\n"
        return process

    def end(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def _read(stream: IO[str], seconds: float) -> str | None:
    """Return a line, nothing at the end, and None if it does not come in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(seconds) else None


def fuzzed(kind: str, seed: int, numbers: range, at_once: int) -> list[Finding]:
    """Run cases in so many processes at once; return the findings in order."""
    left: SimpleQueue[int] = SimpleQueue()
    for number in numbers:
        left.put(number)
    found: list[Finding] = []

    def work() -> None:
        worker = _Worker(kind, seed)
        try:
            while True:
                number = left.get_nowait()
                told = worker.case(number)
                if told is not None:
                    found.append(Finding(kind, number, told))
        except Empty:
            pass
        finally:
            worker.end()

    threads = [threading.Thread(target=work) for _ in range(min(at_once, len(numbers)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found, key=lambda each: each.number)
