"""Every contestant gives the same answer, and every benchmark runs; nothing here is timed."""

from __future__ import annotations

import contextlib
import math
from http.client import HTTPConnection
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from tests.benchmarks import fused
from tests.benchmarks.case import Case
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.machine import description
from tests.benchmarks.out_of_core import OUT_OF_CORE
from tests.benchmarks.out_of_core.big import made
from tests.benchmarks.out_of_core.served import served
from tests.benchmarks.out_of_core.stores import Store
from tests.benchmarks.report import Cost, Ratio, Report, at_least, at_most
from tests.benchmarks.scale import Scale
from tests.benchmarks.suite import IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.out_of_core.served import Served

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


SMALL = Scale(edge=18, repeat=1)


@pytest.mark.parametrize("name", IN_MEMORY)
def test_every_benchmark_runs(name: str) -> None:
    rows = list(IN_MEMORY[name](SMALL))
    report = Report("tiny", description())
    report.add(rows)
    check_lines(report, rows)


@pytest.mark.parametrize("name", OUT_OF_CORE)
def test_every_benchmark_out_of_core_runs(name: str) -> None:
    rows = list(OUT_OF_CORE[name](SMALL))
    report = Report("tiny", description(), out_of_core=rows)
    check_lines(report, rows)


def check_lines(report: Report, rows: Sequence[Ratio | Cost]) -> None:
    """Every row has a figure and stands in the report."""
    lines = report.markdown().splitlines()
    for row in rows:
        figure = row.figure if isinstance(row, Ratio) else row.ns_per_point
        assert math.isfinite(figure)
        assert f"| {' | '.join(row.cells())} |" in lines


def test_a_missed_limit_shows() -> None:
    report = Report("made up", {})
    slow, fast = Ratio("slow", "", 3.0, at_most(2)), Ratio("fast", "", 30.0, at_least(25))
    report.add([slow, fast, Cost("1-D", 10, 1.0, 1.0, 1.0)])
    report.out_of_core.append(slow)
    assert report.missed == [slow, slow]


@pytest.mark.parametrize(
    "store",
    [
        Store("whole", (20, 24, 22), (5, 6, 11), full=False),
        Store("shards", (20, 24, 22), (5, 4, 11), shards=(10, 8, 11), full=False),
        Store("batch", (3, 20, 21), (1, 7, 7), batch=1, full=False),
        Store("double", (9, 9, 9, 9), (4, 4, 4, 4), dtype="float64", full=False),
    ],
    ids=lambda store: store.name,
)
def test_the_pieces_of_a_store_are_one_field_with_a_known_answer(store: Store) -> None:
    field = np.full(store.shape, np.nan, store.dtype)
    for box in store.pieces():
        field[box] = store.values(box)
    store.search(xr.DataArray(field, dims=store.dims))


def test_big_store_is_a_few_files_under_many_names_and_reads_as_it_should() -> None:
    store = made(SMALL)
    try:
        files = [path for path in store.path.glob("f/c/**/*") if path.is_file()]
        assert len(files) == math.prod(
            n // c for n, c in zip(store.shape, store.chunks, strict=True)
        )
        assert len({path.stat().st_ino for path in files}) < len(files) / 2
        field = store.plain().load()
        store.search(field)
        assert set(np.unique(field[:9, :9, 9:18])) == {-1, 1}  # the second chunk
    finally:
        store.remove()


@pytest.mark.parametrize(
    ("asked", "status", "answered"),
    [
        (None, 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, b""),
    ],
)
def test_the_server_counts_what_it_sends_of_chunks(
    tmp_path: Path, asked: str | None, status: int, answered: bytes
) -> None:
    (tmp_path / "a.zarr/f/c").mkdir(parents=True)
    (tmp_path / "a.zarr/f/c/0").write_bytes(b"0123456789")
    (tmp_path / "a.zarr/zarr.json").write_text("{}")
    headers = {} if asked is None else {"Range": asked}
    with served(tmp_path) as server:
        assert fetch(server, "/a.zarr/f/c/0", headers) == (status, answered)
        assert fetch(server, "/a.zarr/zarr.json") == (200, b"{}")
        assert fetch(server, "/a.zarr/f/c/1") == (404, b"")
        assert fetch(server, "/../outside") == (404, b"")
        assert server.chunk_bytes == len(answered)


def fetch(
    server: Served, path: str, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, bytes]:
    with contextlib.closing(HTTPConnection("127.0.0.1", server.server_port)) as connection:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
