"""What regions and critical points cost beside a search of the same store: time and memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

import dhess
from tests.benchmarks.alone import resident
from tests.benchmarks.report import Ratio, at_most

from . import clusters, races, stores
from .big import LIMIT
from .clusters import in_turns, timed
from .memory import above_floor, of_workers, under_limit
from .smooth import Lattice, Waves, lattice_store, waves_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

    from tests.benchmarks.report import Limit
    from tests.benchmarks.scale import Scale

SHARE = 0.01
"Of the points, those that are in regions."


def regions(scale: Scale) -> Iterator[Ratio]:
    """The threshold is that of the quantile, so that both must find the same."""
    store = waves_store(scale)
    with clusters.tuned() as client:
        with client.as_current():
            asked = dhess.flat_regions(store.opened(), quantile=SHARE)
        threshold = float(asked.attrs["threshold"])
        calls = {
            "search": timed(client, lambda: _search(store)),
            "threshold": timed(client, lambda: _flat(store, asked, threshold=threshold)),
            "quantile": timed(client, lambda: _flat(store, asked, quantile=SHARE)),
        }
        rounds = in_turns(calls, scale, scale.rounds)
    told = f"{asked.attrs['regions']:,} regions, {SHARE:.0%} of the points"
    named: list[tuple[str, Limit | None]] = [("threshold", at_most(2)), ("quantile", None)]
    for name, limit in named:
        taken = rounds.pairs(name, "search")
        what = f"`dhess.flat_regions({name}=…)` ÷ {races.OURS}: {told}"
        yield Ratio(what, taken.quotient, taken.ratio, limit)
    tiny = stores.tiny_store()
    yield _memory(
        "regions",
        lambda: dhess.flat_regions(tiny.opened(), threshold=1.0),
        lambda: _flat(store, asked, threshold=threshold),
        store.block_bytes,
        at_most(4),
    )


def _search(store: Waves | Lattice) -> None:
    dhess.find_minimum(store.opened())


def _flat(store: Waves, asked: xr.Dataset, **given: float) -> None:
    """Refuse regions that are not those that were asked for."""
    found = dhess.flat_regions(store.opened(), **given)  # type: ignore[arg-type]
    many = int(np.ceil(SHARE * found.attrs["points"]))
    if not many <= found.attrs["points_below"] <= 1.001 * many + 1:
        raise AssertionError(f"{found.attrs['points_below']} points are below, not {many}")
    if not np.array_equal(found["size"], asked["size"]):
        raise AssertionError("regions of a threshold are not those of its quantile")


def critical(scale: Scale) -> Iterator[Ratio]:
    """Cells that may hold a point cost hundreds of times what others do: it depends on how many."""
    smooth, rough = waves_store(scale), waves_store(scale, rough=True)
    cases: list[tuple[Waves, Limit | None]] = [(smooth, at_most(2)), (rough, None)]
    with clusters.tuned() as client:
        for store, limit in cases:
            with client.as_current():
                count = _expect_level(store)
            calls = {
                "search": timed(client, partial(_search, store)),
                "critical": timed(client, partial(_level, store)),
            }
            taken = in_turns(calls, scale, scale.rounds).pairs("critical", "search")
            what = f"`dhess.critical_points` ÷ {races.OURS}: {count:,} points"
            yield Ratio(what, taken.quotient, taken.ratio, limit)
    tiny = stores.tiny_store()
    yield _memory(
        "critical points",
        lambda: dhess.critical_points(tiny.opened()),
        lambda: _level(rough),
        rough.block_bytes,
        None,
    )


def _level(store: Waves) -> xr.Dataset:
    found: xr.Dataset = dhess.critical_points(store.opened())
    return found


def _expect_level(store: Waves) -> int:
    """Refuse places where the formula is not level (of the usual slope: 1); return how many."""
    found = _level(store)
    places = np.stack([found[dim].values for dim in store.dims], axis=1)
    slopes = store.slopes(places[found["refined"].values]) * store.reach
    if not (found["refined"].mean() > 0.9 and np.median(slopes) < 0.01):
        raise AssertionError(f"slopes of {np.median(slopes):.2g} at points that are critical")
    return int(found.sizes["rank"])


def many_regions(scale: Scale) -> Iterator[Ratio]:
    """A million regions: of workers and of the client, where all of them come together."""
    store = lattice_store(scale)
    tiny = stores.tiny_store()
    with clusters.tuned() as client:
        calls = {
            "search": timed(client, lambda: _search(store)),
            "many": timed(client, lambda: expect_maxima(store)),
        }
        taken = in_turns(calls, scale, scale.few).pairs("many", "search")
    what = f"`dhess.flat_regions` ÷ {races.OURS}: {store.maxima:,} regions in {store.shape[0]}³"
    yield Ratio(what, taken.quotient, taken.ratio)
    with clusters.tuned(memory_limit=LIMIT) as client:
        dhess.flat_regions(tiny.opened(), threshold=1.0)
        before = resident("VmRSS", forget=True)
        expect_maxima(store)
        grown = resident("VmHWM") - before
        told = f"{store.maxima:,} regions"
        yield under_limit(told, client, LIMIT)
    yield Ratio(
        f"peak memory of the client above its floor ÷ 1 kB for each region: {told}",
        f"{grown / 1e6:.0f} MB ÷ {store.maxima / 1e3:.0f} MB", grown / store.maxima / 1e3,
    )  # fmt: skip


def expect_maxima(store: Lattice) -> xr.Dataset:
    """Find the regions around the maxima of a lattice, and refuse another number of them."""
    found: xr.Dataset = dhess.flat_regions(store.opened(), "laplacian", threshold=store.threshold)
    if found.sizes["region"] != store.maxima:
        raise AssertionError(f"{found.sizes['region']} regions, and {store.maxima} maxima")
    return found


def _memory(
    what: str,
    small: Callable[[], object],
    large: Callable[[], object],
    block: int,
    limit: Limit | None,
) -> Ratio:
    with clusters.tuned() as client:
        small()
        floors = of_workers(client, forget=True)
        large()
        peaks = of_workers(client)
    return above_floor(what, floors, peaks, block, limit)
