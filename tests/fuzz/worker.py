"""A process that runs cases, told by number on stdin, and tells how each ended."""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

MEMORY = 1_000_000_000
"""Bytes that a case may take beyond what was there before."""
MOST = 6_000_000_000
"""Bytes that the process can have, so that a finding takes nothing from others."""


def run(kind: str, seed: int, number: int, folder: Path) -> str | None:
    """Run a case; return what is wrong with how it ended."""
    from tests.fuzz.kinds import KINDS, REFUSALS

    try:
        KINDS[kind](random.Random(f"{kind} {seed} {number}"), folder)
    except REFUSALS as error:
        told = str(error)
        return None if told.strip() and "\n" not in told else f"no sentence: {told!r}"
    except RecursionError as error:
        return f"RecursionError: {str(error)[:200]}"
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is told)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:300]} ({last.filename}:{last.lineno})"
    return None


def peak() -> int:
    """Return the most bytes that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    faulthandler.enable()
    warnings.simplefilter("ignore")
    kind, seed = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    talk = sys.stdout
    sys.stdout = sys.stderr  # what a case prints is no answer
    with tempfile.TemporaryDirectory(prefix="dhess-fuzz-") as folder:
        run(kind, seed, -1, Path(folder))  # kernels are compiled, and templates written
        print("ready", file=talk, flush=True)
        for line in sys.stdin:
            before = peak()
            wrong = run(kind, seed, int(line), Path(folder))
            if wrong is None and peak() - before > MEMORY:
                wrong = f"took {(peak() - before) / 1e9:.1f} GB"
            print(json.dumps(wrong), file=talk, flush=True)


if __name__ == "__main__":
    main()
