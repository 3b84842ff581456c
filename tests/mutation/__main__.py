"""`python -m tests.mutation`: one thing at a time is made wrong, and the tests have to see it.

Draws mutants of a part of dhess, runs the tests of that part on each in a clone, and writes the
survivors with the reasons of `explained.toml`. Exits 1 if less than 90 of 100 are caught.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .mutants import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
WANTED: Final = 0.9


@dataclass(frozen=True)
class Part:
    """What is made wrong, and the tests that have to see it, the quickest first."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    seconds: float
    """A mutant whose tests take longer is caught: it does not end."""


PARTS: Final = {
    "stencil": Part(
        ("dhess/stencil/schemes.py", "dhess/stencil/operator.py", "dhess/stencil/__init__.py"),
        ("tests/test_stencil.py", "tests/test_kernels.py", "tests/test_convergence.py"),
        300,
    ),
    "search": Part(
        ("dhess/search.py", "dhess/passes.py", "dhess/windows.py"),
        ("tests/test_search.py", "tests/test_windows.py", "tests/test_many.py"),
        300,
    ),
    "ledger": Part(
        (
            "dhess/ledger/__init__.py", "dhess/ledger/schema.py", "dhess/ledger/tokens.py",
            "dhess/ledger/lock.py", "dhess/ledger/recorder.py",
        ),
        ("tests/test_ledger.py", "tests/test_jobs.py", "tests/test_runner.py"),
        300,
    ),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sample", type=int, metavar="N", help="draw so many (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--at-once", type=int, default=2, metavar="N")
    parser.add_argument("--report", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    part = PARTS[chosen.part]
    every = mutants(ROOT, list(part.modules))
    drawn = every
    if chosen.sample is not None and chosen.sample < len(every):
        drawn = random.Random(chosen.seed).sample(every, chosen.sample)
    with tempfile.TemporaryDirectory(prefix="dhess-mutants-") as folder:
        caught = _try_all(part, drawn, Path(folder), chosen.at_once)
    survivors = [mutant for mutant, seen in zip(drawn, caught, strict=True) if not seen]
    text = _report(chosen.part, len(every), drawn, survivors)
    print(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")
    return int(1 - len(survivors) / len(drawn) < WANTED)


def _try_all(part: Part, drawn: list[Mutant], folder: Path, at_once: int) -> list[bool]:
    """Return for each mutant whether the tests saw it."""
    clones: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for i in range(at_once):
        clone = folder / f"clone-{i}"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        if not _passes(part, clone):
            raise SystemExit("the tests fail without any mutant")
        clones.put(clone)

    def seen(numbered: tuple[int, Mutant]) -> bool:
        number, mutant = numbered
        clone = clones.get()
        path = clone / mutant.module
        whole = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.code, encoding="utf-8")
            caught = not _passes(part, clone)
        finally:
            path.write_text(whole, encoding="utf-8")
            clones.put(clone)
        told = "caught" if caught else f"SURVIVED {mutant}"
        print(f"{number + 1} of {len(drawn)}: {told}", flush=True)
        return caught

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(seen, enumerate(drawn)))


def _passes(part: Part, clone: Path) -> bool:
    """Run the tests in a session of its own, which ends with all that they started."""
    environment = {**os.environ, "PYTHONPATH": str(clone), "CI": "true"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *part.tests],
        cwd=clone, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return process.wait(part.seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _report(name: str, of: int, drawn: list[Mutant], survivors: list[Mutant]) -> str:
    explained = tomllib.loads((HERE / "explained.toml").read_text(encoding="utf-8"))
    caught = len(drawn) - len(survivors)
    rows = [
        f"| `{m.module}:{m.line}` | `{_cell(m.old)}` | `{_cell(m.new)}` | {_reason(explained, m)} |"
        for m in sorted(survivors, key=lambda m: (m.module, m.line))
    ]
    share = f"{caught} of {len(drawn)} mutants are caught ({caught / len(drawn):.1%})"
    return "\n".join([
        f"## {name}", "", f"{share}, of {of} that there are.", "",
        "| place | was | became | why it lives |", "| --- | --- | --- | --- |", *rows, "",
    ])  # fmt: skip


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _reason(explained: dict[str, dict[str, str]], mutant: Mutant) -> str:
    """The reason that was written down for the line it changes."""
    return explained.get(mutant.module, {}).get(mutant.old, "not explained")


if __name__ == "__main__":
    sys.exit(main())
