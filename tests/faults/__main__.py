"""`python -m tests.faults`: jobs whose processes are killed; exits 1 if one comes out wrong.

With ``--accepted N`` a gateway is killed N times as soon as it has taken a job in.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from .accepted import accepted
from .run import disturbed, drawn, make_store, undisturbed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same kills again")
    parser.add_argument("--accepted", type=int, default=0, metavar="N")
    chosen = parser.parse_args(arguments)
    if chosen.accepted:
        return _accepted(chosen.accepted)
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    rng, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory(prefix="dhess-faults-") as folder:
        store = make_store(Path(folder))
        expected = undisturbed(Path(folder), store)
        for i in range(chosen.runs):
            place = Path(folder, f"run-{i}")
            place.mkdir()
            plan = drawn(rng)
            try:
                told = disturbed(place, store, plan, expected[plan.task]).line()
            except AssertionError as error:
                wrong += 1
                told = f"WRONG {plan}: {error}"
            print(f"{i + 1:3d} {told}", flush=True)
    print(f"{chosen.runs - wrong} of {chosen.runs} runs ended with the undisturbed result")
    return int(wrong > 0)


def _accepted(number: int) -> int:
    with tempfile.TemporaryDirectory(prefix="dhess-faults-") as folder:
        ids = accepted(Path(folder), make_store(Path(folder)), number)
    print(f"{len(set(ids))} of {number} jobs were there after the kill, and came out right")
    return int(len(set(ids)) != number)


if __name__ == "__main__":
    sys.exit(main())
