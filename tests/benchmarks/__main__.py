"""`python -m tests.benchmarks`: prints the README's tables; exits 1 if a limit does not hold."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from .machine import description
from .out_of_core import OUT_OF_CORE
from .report import Report
from .scale import Scale
from .service import SERVICE
from .suite import IN_MEMORY
from .timing import one_core

NAMES = (*IN_MEMORY, *OUT_OF_CORE, *SERVICE)


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    scale = Scale(edge=96, repeat=3) if chosen.quick else Scale()
    if chosen.repeat:
        scale = Scale(edge=scale.edge, repeat=chosen.repeat)
    report = Report(_command(chosen), description())
    for name in chosen.only or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        if name in OUT_OF_CORE:
            report.out_of_core += OUT_OF_CORE[name](scale)
        elif name in SERVICE:
            report.service += SERVICE[name](scale)
        else:
            with one_core():
                report.add(IN_MEMORY[name](scale))
    print(report.markdown())
    if chosen.json:
        chosen.json.write_text(json.dumps(report.plain(), indent=2, ensure_ascii=False) + "\n")
    for ratio in report.missed:
        print(f"limit missed: {ratio.what}: {ratio.figure:.3g}, {ratio.limit}", file=sys.stderr)
    # A small field fits the cache: its ratios show that a benchmark runs, not that a limit holds.
    return int(bool(report.missed) and not chosen.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="96³, stores of 288³, and few pairs; no verdict"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; may be repeated",
    )
    parser.add_argument("--repeat", type=int, metavar="N", help="pairs for each row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser


def _command(chosen: argparse.Namespace) -> str:
    words = ["python -m tests.benchmarks"]
    words += ["--quick"] * chosen.quick
    words += [f"--only {name}" for name in chosen.only or ()]
    words += [f"--repeat {chosen.repeat}"] * bool(chosen.repeat)
    return " ".join(words)


if __name__ == "__main__":
    # An end from outside is an end as any other: the made stores go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
