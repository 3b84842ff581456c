"""`python -m tests.fuzz`: cases drawn from a seed; exits 1 if there is a finding.

A finding is an exception that is no `DhessError`, a traceback, a process that dies, a case of more
than 20 s or 1 GB, and a wrong answer. ``--kind K --case N`` runs one case again, in this process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .crowd import Finding, fuzzed
from .worker import run

# Of all cases; those that cost little get many.
SHARES = {"spec": 0.4, "coordinates": 0.25, "zarr": 0.15, "netcdf": 0.1, "words": 0.1}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="processes")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was found there")
    parser.add_argument("--kind", choices=SHARES, help="this kind only")
    parser.add_argument("--case", type=int, metavar="N", help="this case only, in this process")
    chosen = parser.parse_args(arguments)
    if chosen.case is not None:
        if chosen.kind is None:
            parser.error("--case needs --kind")
        with tempfile.TemporaryDirectory(prefix="dhess-fuzz-") as folder:
            told = run(chosen.kind, chosen.seed, chosen.case, Path(folder))
        print(told or "nothing is wrong")
        return int(told is not None)
    shares = {chosen.kind: 1.0} if chosen.kind else SHARES
    lines, found = [], []
    for kind, share in shares.items():
        number, began = max(1, round(chosen.cases * share)), time.monotonic()
        mine = fuzzed(kind, chosen.seed, range(number), chosen.at_once)
        seconds = time.monotonic() - began
        found += mine
        lines.append(f"| {kind} | {number:,} | {seconds:.0f} | {len(mine)} |")
        print(f"{kind}: {number:,} cases in {seconds:.0f} s, {len(mine)} findings", flush=True)
        for each in mine[:20]:
            print(f"  --kind {kind} --seed {chosen.seed} --case {each.number}: {each.told}")
    if chosen.report is not None:
        chosen.report.write_text(_report(chosen, lines, found), encoding="utf-8")
    return int(bool(found))


def _report(chosen: argparse.Namespace, lines: list[str], found: list[Finding]) -> str:
    told = [f"- `--kind {f.kind} --seed {chosen.seed} --case {f.number}`: {f.told}" for f in found]
    return "\n".join([
        "# Fuzz", "",
        f"`python -m tests.fuzz --cases {chosen.cases} --seed {chosen.seed}"
        + (f" --kind {chosen.kind}" if chosen.kind else "") + "`", "",
        "| Kind | Cases | Seconds | Findings |", "|---|---|---|---|", *lines, "",
        *(told or ["No finding."]), "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
