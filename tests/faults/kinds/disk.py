"""The disk of the output, and of the ledger beside it, is full for a while."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Hang, Outcome, Scenario, Unable
from tests.faults.solo import CENSUS, PATIENCE, WINDOWS, Solo

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.faults.run import Bench


@dataclass(frozen=True)
class Disk(Scenario):
    """Which task, and after how many chunks that it read the disk is full."""

    kind: ClassVar[str] = "disk"
    must: ClassVar[str] = "it pauses and says that the disk is full; with room, the same bits"

    task: str
    after: int

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        return cls(rng.choice(["find", "field"]), rng.randrange(1, WINDOWS - 8))

    @property
    def moment(self) -> str:
        return f"after {self.after} chunks"

    @property
    def what(self) -> str:
        return f"{self.task}: the disk is full until it says so"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        with small_disk(folder / "disk") as disk, Solo(folder, self.task, place=disk) as solo:
            process = solo.stopped(CENSUS + self.after)
            before = solo.recorded()
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            solo.go_on(process)
            assert process.stderr is not None
            said = _until_said(process.stderr, "full")
            filler.unlink()
            solo.done(process)
            return Outcome(solo.redone(before), said)


def _until_said(lines: Iterable[str], word: str) -> str:
    """Read what a process says until a word comes."""
    deadline = time.monotonic() + PATIENCE
    for line in lines:
        if word in line:
            return line.strip()
        if time.monotonic() > deadline:
            break
    raise Hang(f"nothing was said of {word!r}")


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own of 4 MB, which only root can make; Unable is raised otherwise."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        raise Unable("only root on Linux can make a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
