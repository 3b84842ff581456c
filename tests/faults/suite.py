"""Runs drawn scenarios, each in a process of its own with a limit, and tells what came of them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .kinds import KINDS
from .scenario import Hang, Unable

if TYPE_CHECKING:
    from .run import Bench
    from .scenario import Scenario

LIMIT = 900.0
"""Seconds after which a scenario is killed, and counts as a hang."""


@dataclass(frozen=True)
class Row:
    """What is told of a scenario."""

    kind: str
    seed: int
    moment: str
    what: str
    redone: int
    verdict: str
    """``same``, ``WRONG``, ``HANG`` or ``unable``."""
    told: str
    """What was said to the user, or what went wrong."""
    seconds: float = 0.0


def drawn(kind: str, seed: int) -> Scenario:
    """Return the scenario of a seed."""
    return KINDS[kind].drawn(random.Random(f"{kind} {seed}"))


def kinds_of(number: int, only: str | None = None) -> list[str]:
    """Return the kinds of so many scenarios: each in its turn."""
    names = [only] if only else list(KINDS)
    return [names[i % len(names)] for i in range(number)]


def played(kind: str, seed: int, folder: Path, bench: Bench) -> Row:
    """Have a scenario happen here."""
    scenario = drawn(kind, seed)
    head = kind, seed, scenario.moment, scenario.what
    try:
        outcome = scenario.play(folder, bench)
    except Unable as error:
        return Row(*head, 0, "unable", str(error))
    except Hang as error:
        return Row(*head, 0, "HANG", str(error))
    except Exception as error:  # noqa: BLE001  (the others are to be played too)
        return Row(*head, 0, "WRONG", f"{type(error).__name__}: {error}")
    return Row(*head, outcome.redone, "same", outcome.sentence)


def play(kind: str, seed: int, bench: Bench, limit: float = LIMIT) -> Row:
    """Have a scenario happen in a process of its own; kill it after so many seconds."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"dhess-{kind}-", ignore_cleanup_errors=True) as name:
        row = Path(name, "row.json")
        inside = Path(name, "inside")
        inside.mkdir()
        one = ["--one", kind, "--seed", str(seed), "--folder", str(inside), "--row", str(row)]
        command = [sys.executable, "-m", "tests.faults", *one, "--bench", str(bench.folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        left = _end_all_in(inside)
        seconds = time.monotonic() - begin
        if not row.exists():
            scenario, verdict = drawn(kind, seed), "HANG" if seconds >= limit else "WRONG"
            head = kind, seed, scenario.moment, scenario.what
            return Row(*head, 0, verdict, f"no answer, code {process.returncode}", seconds)
        plain = json.loads(row.read_text())
        if left and plain["verdict"] == "same":
            plain |= {"verdict": "WRONG", "told": f"{left} processes are left"}
        return Row(**plain | {"seconds": seconds})


def _end_all_in(folder: Path) -> int:
    """Kill what works in a folder still; return how many there were."""
    found = 0
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink().is_relative_to(folder):
                os.kill(int(link.parts[2]), signal.SIGKILL)
                found += 1
    return found


def report(rows: list[Row], seed: int, command: str) -> str:
    """Return the report as Markdown."""
    lines = [
        "# Faults",
        "",
        f"Written by `{command}` (seed {seed}). {_summary(rows)}",
        "",
        "| kind | runs | must come out | as it must | wrong | hangs | not possible here |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for name, kind in KINDS.items():
        own = [row.verdict for row in rows if row.kind == name]
        if own:
            counts = " | ".join(str(own.count(v)) for v in ("same", "WRONG", "HANG", "unable"))
            lines.append(f"| {name} | {len(own)} | {kind.must} | {counts} |")
    lines += [
        "",
        "Windows redone: recorded before the fault, and done again after it.",
        "",
        "| kind | seed | moment | what died or was done | windows redone | same bits | s | said |",
        "|---|---:|---|---|---:|---|---:|---|",
    ]
    for row in rows:
        said = row.told.replace("|", "\\|").replace("\n", " ").replace(tempfile.gettempdir(), "…")
        same = "yes" if row.verdict == "same" else row.verdict
        lines.append(
            f"| {row.kind} | {row.seed} | {row.moment} | {row.what} | {row.redone} | {same} "
            f"| {row.seconds:.1f} | {said} |"
        )
    return "\n".join(lines) + "\n"


def _summary(rows: list[Row]) -> str:
    count = {v: sum(row.verdict == v for row in rows) for v in ("same", "WRONG", "HANG", "unable")}
    return (
        f"{len(rows)} scenarios: {count['same']} came out as they must, {count['WRONG']} wrong "
        f"answers or lost jobs, {count['HANG']} hangs, {count['unable']} not possible here."
    )


def write_row(row: Row, file: Path) -> None:
    """Write what came of a scenario for the process that waits for it."""
    file.write_text(json.dumps(asdict(row)))
