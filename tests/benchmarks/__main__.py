"""`python -m tests.benchmarks`: prints the README's tables; exits 1 if a limit does not hold."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .machine import description
from .report import Report
from .suite import BENCHMARKS, Scale
from .timing import pin_to_one_core


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    pin_to_one_core()
    scale = Scale(edge=96, repeat=3) if chosen.quick else Scale()
    if chosen.repeat:
        scale = Scale(edge=scale.edge, repeat=chosen.repeat)
    report = Report(_command(chosen), description())
    for name in chosen.only or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        report.add(BENCHMARKS[name](scale))
    print(report.markdown())
    if chosen.json:
        chosen.json.write_text(json.dumps(report.plain(), indent=2, ensure_ascii=False) + "\n")
    for ratio in report.missed:
        print(f"limit missed: {ratio.what}: {ratio.figure:.3g}, {ratio.limit}", file=sys.stderr)
    # A small field fits the cache: its ratios show that a benchmark runs, not that a limit holds.
    return int(bool(report.missed) and not chosen.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="96³ and three pairs, no verdict")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BENCHMARKS),
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; may be repeated",
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
    sys.exit(main())
