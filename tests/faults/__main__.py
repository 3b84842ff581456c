"""`python -m tests.faults`: seeded faults of all kinds; exits 1 if one comes out wrong.

With ``--report FILE`` what came of each is written there. With ``--accepted N`` a gateway is killed
N times as soon as it has taken a job in.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from .accepted import accepted
from .kinds import KINDS
from .run import Bench, make_store
from .suite import kinds_of, play, played, report, write_row


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same faults again")
    parser.add_argument("--kind", choices=list(KINDS), help="faults of this kind only")
    parser.add_argument("--report", type=Path, metavar="FILE", help="where to write what came out")
    parser.add_argument("--accepted", type=int, default=0, metavar="N")
    for inner in ("one", "folder", "row", "bench"):  # how the command calls itself
        parser.add_argument(f"--{inner}", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        bench = Bench(Path(chosen.bench))
        row = played(chosen.one, chosen.seed, Path(chosen.folder), bench)
        write_row(row, Path(chosen.row))
        return 0
    if chosen.accepted:
        return _accepted(chosen.accepted)
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="dhess-faults-") as folder:
        bench = Bench(Path(folder))
        for i, kind in enumerate(kinds_of(chosen.runs, chosen.kind)):
            row = play(kind, 1000 * seed + i, bench)
            rows.append(row)
            told = "" if row.verdict == "same" else f": {row.told}"
            print(
                f"{i + 1:3d} {row.kind} {row.seed}, {row.moment}, {row.what}; {row.redone} windows "
                f"redone, {row.verdict}, {row.seconds:.1f} s{told}",
                flush=True,
            )
            if chosen.report:  # after each, for whoever ends this before all are done
                command = f"python -m tests.faults {' '.join(arguments)}"
                chosen.report.write_text(report(rows, seed, command))
    wrong = sum(row.verdict in ("WRONG", "HANG") for row in rows)
    print(f"{chosen.runs - wrong} of {chosen.runs} scenarios came out as they must")
    return int(wrong > 0)


def _accepted(number: int) -> int:
    with tempfile.TemporaryDirectory(prefix="dhess-faults-") as folder:
        ids = accepted(Path(folder), make_store(Path(folder)), number)
    print(f"{len(set(ids))} of {number} jobs were there after the kill, and came out right")
    return int(len(set(ids)) != number)


if __name__ == "__main__":
    sys.exit(main())
