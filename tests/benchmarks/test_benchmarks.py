"""Every contestant gives the same answer, and every benchmark runs; nothing here is timed."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from tests.benchmarks import fused
from tests.benchmarks.case import Case
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.machine import description
from tests.benchmarks.report import Cost, Ratio, Report, at_least, at_most
from tests.benchmarks.suite import BENCHMARKS, Scale

DTYPES: tuple[type[np.floating], ...] = (np.float64, np.float32)
SHAPES = [(200,), (20, 22), (18, 19, 20), (10, 11, 9, 8), (9, 9, 9, 9, 9)]
CASES = {
    f"{len(shape)}-D-{np.dtype(dtype)}-{'even' if even else 'uneven'}": Case.of(
        shape, dtype=dtype, even=even
    )
    for shape, dtype, even in product(SHAPES, DTYPES, (True, False))
}
PAIRINGS = [
    pytest.param(name, case, id=f"{name}-{label}")
    for (name, contestant), (label, case) in product(CONTESTANTS.items(), CASES.items())
    if contestant.takes(case)
]

pytestmark = pytest.mark.benchmark


def need(name: str) -> None:
    missing = CONTESTANTS[name].missing
    if missing is not None:
        pytest.skip(f"{missing} is not installed")


@pytest.mark.parametrize(("name", "case"), PAIRINGS)
def test_every_contestant_ends_at_the_bowls_centre(name: str, case: Case) -> None:
    need(name)
    found, expected = CONTESTANTS[name].search(case), CONTESTANTS[name].expected(case)
    assert found.index == expected.index
    if case.even:
        # The sampled and cut Gaussian of scikit-image has a variance of 0.999; float32 rounds.
        assert found.value == pytest.approx(expected.value, rel=1e-4)


def test_c_takes_the_spacing_of_each_axis() -> None:
    """x² + 3y² + 5z² - xy + 2xz + 4yz has one Hessian everywhere, whatever the spacing."""
    need("c")
    steps = (0.5, 1.0, 2.0)
    x, y, z = np.ix_(*(np.arange(8.0) * step for step in steps))
    norm, index = fused.find_minimum(
        x**2 + 3 * y**2 + 5 * z**2 - x * y + 2 * x * z + 4 * y * z, steps
    )
    assert norm == pytest.approx(math.sqrt(2**2 + 6**2 + 10**2 + 2 * (1 + 4 + 16)))
    assert all(1 <= i < 7 for i in index)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs(name: str) -> None:
    rows = list(BENCHMARKS[name](Scale(edge=18, repeat=1)))
    report = Report("tiny", description())
    report.add(rows)
    lines = report.markdown().splitlines()
    for row in rows:
        figure = row.figure if isinstance(row, Ratio) else row.ns_per_point
        assert math.isfinite(figure)
        assert f"| {' | '.join(row.cells())} |" in lines


def test_a_missed_limit_shows() -> None:
    report = Report("made up", {})
    slow, fast = Ratio("slow", "", 3.0, at_most(2)), Ratio("fast", "", 30.0, at_least(25))
    report.add([slow, fast, Cost("1-D", 10, 1.0, 1.0, 1.0)])
    assert report.missed == [slow]
