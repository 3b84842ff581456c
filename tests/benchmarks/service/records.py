"""How many windows a ledger records in a second, each on the disk before it counts."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dhess.ledger import Ledger, Window
from dhess.ledger.recorder import Recorder
from tests.benchmarks.report import Ratio, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

RESULT = '{"nans":0,"missing":0,"blocks":4,"columns":{"place":[1],"value":[0.5]}}'
WRITERS = 2


def records(scale: Scale) -> Iterator[Ratio]:
    """Windows that come one by one from two jobs at once, as fast as they are taken."""
    number = 5000 if scale.full else 500
    rate = statistics.median(_rate(number) for _ in range(scale.rounds))
    what = f"windows per second that a ledger records, {WRITERS} jobs at once"
    yield Ratio(what, f"{rate:,.0f} /s", rate, at_least(500))
    alone = statistics.median(_one_by_one(number // 10) for _ in range(scale.rounds))
    yield Ratio("… if each waits for the one before", f"{alone:,.0f} /s", alone)


def _rate(number: int) -> float:
    with tempfile.TemporaryDirectory(prefix="dhess-ledger-") as folder:
        path = Path(folder, "ledger.sqlite")
        with Ledger(path) as one, Ledger(path) as other:
            ledgers = one, other
            for i, ledger in enumerate(ledgers):
                ledger.add(str(i), "{}", "f")
            begin = time.perf_counter()
            first, second = (
                Recorder(ledger, str(i), lambda _: None) for i, ledger in enumerate(ledgers)
            )
            with first, second:
                for n in range(number // WRITERS):
                    for recorder in (first, second):
                        recorder.add(Window(n, RESULT, "0" * 32, begin, begin))
            taken = time.perf_counter() - begin
            assert sum(one.count(str(i)) for i in range(WRITERS)) == number // WRITERS * WRITERS
    return number / taken


def _one_by_one(number: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="dhess-ledger-") as folder,
        Ledger(Path(folder, "ledger.sqlite")) as ledger,
    ):
        ledger.add("a", "{}", "f")
        begin = time.perf_counter()
        for n in range(number):
            ledger.record("a", [Window(n, RESULT, "0" * 32, begin, begin)])
        return number / (time.perf_counter() - begin)
