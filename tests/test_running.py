"""Parts of a search as they are done: progress, errors, and what is known on Ctrl-C."""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.running import Progress, Workers, active_client, run, watched, workers

from . import oracles
from .test_search import client, indices
from .test_windows import identical, random, sizes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["client"]

SCHEDULERS: dict[str, Any] = {
    "synchronous": {"scheduler": "synchronous"},
    "one thread": {"scheduler": "threads", "num_workers": 1},
    "threads": {"scheduler": "threads", "num_workers": 4},
    "another one": {"scheduler": lambda graph, keys, **kw: dask.get(graph, keys)},
}
everywhere = pytest.mark.parametrize("where", [*SCHEDULERS, "cluster"])


@pytest.fixture
def scheduler(where: str, request: pytest.FixtureRequest) -> Any:
    """Compute there."""
    if where == "cluster":
        yield request.getfixturevalue("client")
        return
    with dask.config.set(SCHEDULERS[where]):
        yield None


def square(x: int) -> int:
    return x * x


def fail(x: int) -> int:
    raise LookupError(f"no {x}")


# --------------------------------------------------------------------------------------- each part


@pytest.mark.usefixtures("scheduler")
@everywhere
def test_each_result_is_handed_over_once(where: str) -> None:
    found: list[int] = []
    run([dask.delayed(square)(i) for i in range(20)], lambda _, x: found.append(x), name="squares")
    assert sorted(found) == [i * i for i in range(20)]


@pytest.mark.usefixtures("scheduler")
@everywhere
def test_the_same_part_twice(where: str) -> None:
    part = dask.delayed(square, pure=True)(3)
    found: list[int] = []
    run([part, part], lambda _, x: found.append(x), name="squares")
    assert set(found) == {9}


def slowly(i: int) -> int:
    time.sleep(0.02)
    return i


@pytest.mark.usefixtures("client")
def test_lower_layers_go_first() -> None:
    """But for the few that were at work before they were handed over."""
    found: list[int] = []
    parts = [dask.delayed(slowly)(i) for i in range(60)]
    layers = [1] * 30 + [0] * 30
    run(parts, lambda i, _: found.append(i), name="", layers=layers)
    assert sorted(found) == list(range(60))
    assert sum(found.index(i) for i in range(30, 60)) < sum(found.index(i) for i in range(30)) / 2


@pytest.mark.parametrize("where", ["synchronous", "one thread"])
def test_a_result_comes_before_all_are_done(scheduler: Any, where: str) -> None:
    """So that progress is told, and that the best so far is known."""
    begun: list[int] = []

    def begin(i: int) -> int:
        begun.append(i)
        return i

    seen: list[int] = []
    run([dask.delayed(begin)(i) for i in range(5)], lambda *_: seen.append(len(begun)), name="")
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("scheduler")
@everywhere
def test_what_a_task_raises_comes_out(where: str) -> None:
    parts = [dask.delayed(square)(1), dask.delayed(fail)(7), dask.delayed(square)(2)]
    with pytest.raises(LookupError, match="no 7"):
        run(parts, lambda *_: None, name="squares")


@pytest.mark.usefixtures("scheduler")
@everywhere
def test_what_a_search_raises_comes_out(where: str) -> None:
    def divide(block: Any, block_info: Any = None) -> Any:
        if block_info[0]["chunk-location"] == (1, 1):
            raise ZeroDivisionError("by hand")
        return block

    array = random((20, 20)).chunk(5)
    own = array.copy(data=array.data.map_blocks(divide, dtype=float, meta=np.empty((0, 0))))
    with pytest.raises(ZeroDivisionError, match="by hand"):
        dhess.find_minimum(own)


def test_nothing_stays_on_a_cluster(client: Any) -> None:
    dhess.find_minimum(random((20, 20)).chunk(5))
    with pytest.raises(LookupError):
        run([dask.delayed(fail)(i) for i in range(3)], lambda *_: None, name="")
    assert not client.futures


def test_the_search_is_a_span_on_the_dashboard(client: Any) -> None:
    dhess.find_minimum(random((20, 20)).chunk(5), "slope")
    spans = client.cluster.scheduler.extensions["spans"].spans
    names = {span.name for span in spans.values()}
    assert ("dhess", "find-slope") in names


# ---------------------------------------------------------------------------------------- progress


@pytest.mark.usefixtures("scheduler")
@everywhere
@pytest.mark.parametrize("most", [4, 10_000])
def test_progress_is_monotone_and_ends_at_the_totals(where: str, most: int) -> None:
    array = random((25, 24)).chunk(4)
    told: list[Progress] = []
    with sizes(most), watched(told.append):
        found = dhess.find_minimum(array)
    blocks, windows = 6 * 6, 9 if most == 4 else 1
    assert {(p.of_blocks, p.of_nbytes, p.of_windows) for p in told} == {
        (blocks, array.nbytes, windows)
    }
    for before, after in itertools.pairwise(told):
        assert before.blocks <= after.blocks
        assert before.nbytes <= after.nbytes
        assert before.window <= after.window <= before.window + 1
        if before.value is not None:
            assert after.value is not None
            assert after.value <= before.value
    assert len(told) >= blocks / 4
    assert (told[0].window, told[-1].window) == (1, windows)
    last = told[-1]
    assert (last.blocks, last.nbytes) == (blocks, array.nbytes)
    assert last.value == found["value"].item()
    assert last.index == indices(found)[0]
    field = dhess.measure(array.compute(), "hessian_norm").values
    for each in told:
        assert each.value == (None if each.value is None else field[each.index])


def test_watchers_inside_each_other() -> None:
    one: list[Progress] = []
    two: list[Progress] = []
    array = random((12, 12)).chunk(6)
    with watched(one.append):
        dhess.find_minimum(array)
        alone = len(one)
        with watched(two.append):
            dhess.find_minimum(array)
    dhess.find_minimum(array)
    assert len(one) == 2 * alone
    assert len(two) == alone > 0


def test_no_progress_where_nothing_is_found() -> None:
    told: list[Progress] = []
    array = xr.DataArray(np.full((12, 12), np.nan), dims=["y", "x"]).chunk(6)
    with watched(told.append), pytest.raises(dhess.NoValidPoint):
        dhess.find_minimum(array)
    assert {(p.value, p.index) for p in told} == {(None, ())}
    assert told[-1].blocks == 4


def test_windows_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dhess"), sizes(4):
        dhess.find_minimum(random((24, 24)).chunk(4))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert sum(line.startswith("window ") for line in lines) == 9
    assert any(line.startswith("window 9 of 9") for line in lines)


# ------------------------------------------------------------------------------------------ Ctrl-C


def stopping(after: int) -> Callable[[Progress], None]:
    """Press Ctrl-C when so many blocks are done."""

    def watch(progress: Progress) -> None:
        if progress.blocks >= after:
            raise KeyboardInterrupt

    return watch


@pytest.mark.usefixtures("scheduler")
@everywhere
@pytest.mark.parametrize("most", [6, 10_000])
@pytest.mark.parametrize("after", [1, 12, 27])
def test_ctrl_c_hands_over_the_best_so_far(where: str, most: int, after: int) -> None:
    array = random((12, 12, 12))
    field = dhess.measure(array, "hessian_norm").values
    with (
        sizes(most),
        watched(stopping(after)),
        pytest.raises(dhess.errors.Interrupted) as caught,
    ):
        dhess.find_minimum(array.chunk(4), k=array.size)
    partial = caught.value.partial
    said = partial.attrs["partial"]
    assert str(caught.value) == said
    done, text = int(said.split()[0]), said.split(maxsplit=1)[1]
    assert text == "of 27 blocks searched"
    assert after <= done <= 27
    places = indices(partial)
    # a block alone has 3³ points at a corner of the cube, and all its seams at most 5³
    assert 27 * done <= len(places) <= min(125 * done, array.size)
    assert len(set(places)) == len(places)
    values = [field[place] for place in places]
    assert partial["value"].values.tolist() == values == sorted(values)
    np.testing.assert_array_equal(partial["field"], [array.values[place] for place in places])
    if done == 27:
        whole = dhess.find_minimum(array, k=array.size)
        del partial.attrs["partial"]
        identical(partial, whole)


def test_ctrl_c_is_one_for_whoever_only_knows_that() -> None:
    with watched(stopping(2)), pytest.raises(KeyboardInterrupt):
        dhess.find_minimum(random((20, 20)).chunk(5))


@pytest.mark.usefixtures("scheduler")
@everywhere
def test_ctrl_c_before_anything_is_found(where: str) -> None:
    array = xr.DataArray(np.full((20, 20), np.nan), dims=["y", "x"]).chunk(5)
    for after in (0, 4):
        with watched(stopping(after)), pytest.raises(KeyboardInterrupt) as caught:
            dhess.find_minimum(array)
        assert type(caught.value) is KeyboardInterrupt


def test_what_is_partial_is_the_best_of_what_was_searched() -> None:
    """One thread goes through the windows in order, so it is known which blocks are done."""
    array = random((24, 24))
    field = dhess.measure(array, "slope").values
    with (
        dask.config.set(scheduler="synchronous"),
        sizes(4),
        watched(stopping(4)),
        pytest.raises(dhess.errors.Interrupted) as caught,
    ):
        dhess.find_minimum(array.chunk(6), "slope", k=3)
    # of 4 × 4 blocks of 6 × 6, a window has 2 × 2; a seam at its end is left to the next one
    assert caught.value.partial.attrs["partial"] == "4 of 16 blocks searched"
    assert indices(caught.value.partial) == oracles.k_smallest(field[:11, :11], 3)


# ----------------------------------------------------------------------------------------- workers


def test_nobody_without_a_cluster() -> None:
    assert active_client() is None
    assert workers() is None


def test_workers_of_a_cluster(client: Any) -> None:
    found: Any = active_client()
    assert found is client
    there = workers()
    assert there is not None
    assert (there.count, there.threads, there.slots) == (1, 2, 2)
    limit = client.cluster.workers[0].memory_manager.memory_limit
    assert there.memory == limit
    with dask.config.set(scheduler="threads"):  # as Dask itself would
        assert active_client() is None
        assert workers() is None
    plan = dhess.plan(random((24, 20)))
    assert (plan.workers, plan.threads, plan.memory_limit) == (1, 2, limit)


def test_slots() -> None:
    assert Workers(3, 4, None).slots == 12
