"""What a search and a field cost beside reading and copying, and beside the peers."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr

import dhess
from dhess.sink import write_field
from tests.benchmarks.contestants import TWICE
from tests.benchmarks.report import Ratio, at_least, at_most
from tests.benchmarks.timing import in_rounds

from . import clusters, stores
from .clusters import in_turns, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.report import Limit
    from tests.benchmarks.scale import Scale

    from .stores import Store

OURS = "`dhess.find_minimum`"


def out_of_core(scale: Scale) -> Iterator[Ratio]:
    """Every call opens the store anew, since a user's does."""
    store = stores.main_store(scale)
    with clusters.tuned() as ours, clusters.default() as theirs:
        calls = {
            "search": timed(ours, lambda: store.search(store.opened())),
            "search, xarray": timed(ours, lambda: store.search(store.plain(store.blocks))),
            "search, xarray, chunks": timed(ours, lambda: store.search(store.plain())),
            "min": timed(ours, lambda: least(store.opened())),
            "min, xarray": timed(ours, lambda: least(store.plain(store.blocks))),
            "min, default": timed(theirs, lambda: least(store.plain(store.blocks))),
            "min, default, chunks": timed(theirs, lambda: least(store.plain())),
        }
        rounds = in_turns(calls, scale, scale.rounds)
    search = f"{OURS} of `dhess.open`, `dhess.local_cluster`"
    rows: list[tuple[str, str, str, Limit | None]] = [
        (f"{search} ÷ `.min()` of `xr.open_zarr` in the same blocks, default `LocalCluster`",
         "search", "min, default", at_most(1)),
        (f"{search} ÷ `.min()` of `xr.open_zarr` in stored chunks, default `LocalCluster`",
         "search", "min, default, chunks", at_most(1)),
        (f"{search} ÷ `.min()` of `dhess.open` there", "search", "min", at_most(1.4)),
        (f"{search} ÷ `.min()` of `xr.open_zarr` there", "search", "min, xarray", None),
        (f"{OURS} of `xr.open_zarr` in the same blocks ÷ of `dhess.open`",
         "search, xarray", "search", at_most(1.1)),
        (f"{OURS} of `xr.open_zarr` in stored chunks ÷ of `dhess.open`",
         "search, xarray, chunks", "search", None),
    ]  # fmt: skip
    for what, over, under, limit in rows:
        taken = rounds.pairs(over, under)
        yield Ratio(what, taken.quotient, taken.ratio, limit)


def least(field: xr.DataArray) -> float:
    return float(field.min())


def kinds(scale: Scale) -> Iterator[Ratio]:
    """Each store is made, searched and removed."""
    with clusters.tuned() as client:
        for kind, store in stores.kinds_of_stores(scale).items():
            if store.zlib is not None and (gone := missing("h5netcdf", "h5py")):
                print(f"left out: {kind}, since {gone} is not installed", file=sys.stderr)
                continue
            store.make()
            search = timed(client, partial(_search, store))
            read = timed(client, partial(_least, store))
            calls = {"search": search, "read": read}
            taken = in_turns(calls, scale, scale.rounds).pairs("search", "read")
            what = f"{OURS} ÷ `.min()` in the same cluster: {kind}, {_size(store)}"
            yield Ratio(what, taken.quotient, taken.ratio, at_most(1.5))
            store.remove()


def _search(store: Store) -> None:
    store.search(store.opened())


def _least(store: Store) -> float:
    return least(store.opened())


def missing(*modules: str) -> str | None:
    """Return the first module that is not installed here."""
    return next((name for name in modules if importlib.util.find_spec(name) is None), None)


def _size(store: Store) -> str:
    return f"{' × '.join(map(str, store.shape))} {store.dtype}"


def peers(scale: Scale) -> Iterator[Ratio]:
    """Gradients of gradients and the least Frobenius norm, in the same blocks and cluster."""
    store = stores.main_store(scale)
    with clusters.tuned() as client:
        ours = timed(client, partial(_search, store))
        ours()
        for name, call, limit in (
            ("`da.gradient` twice", _with_dask, at_least(15)),
            ("xarray `differentiate` twice", _with_xarray, at_least(25)),
        ):
            calls = {"ours": ours, "theirs": timed(client, partial(call, store))}
            taken = in_rounds(calls, 1).pairs("theirs", "ours")
            yield Ratio(f"{name} ÷ {OURS}", taken.quotient, taken.ratio, limit)


def _with_dask(store: Store) -> None:
    x = store.opened().data
    slopes = da.gradient(x)
    total = sum(f * f for slope in slopes for f in da.gradient(slope))
    _expect_twice(store, float(da.sqrt(total).min().compute()))


def _with_xarray(store: Store) -> None:
    field = store.opened()
    field = field.assign_coords(
        {dim: np.arange(size, dtype=np.float64) for dim, size in store.sizes.items()}
    )
    slopes = [field.differentiate(dim) for dim in store.dims]
    total = sum(slope.differentiate(dim) ** 2 for slope in slopes for dim in store.dims)
    _expect_twice(store, float(np.sqrt(total).min()))


def _expect_twice(store: Store, found: float) -> None:
    expected = TWICE * math.sqrt(len(store.dims))
    if not math.isclose(found, expected, rel_tol=1e-3):
        raise AssertionError(f"a peer found a norm of {found:.4g}, the least is {expected:.4g}")


def writing(scale: Scale) -> Iterator[Ratio]:
    """The norm as a field beside a copy of the store, in the same output chunks and codec.

    What was written before is on the disk before the clock starts.
    """
    store = stores.main_store(scale)
    path = stores.folder() / "written.zarr"

    def afresh(write: Callable[[], None]) -> Callable[[], float]:
        run = timed(client, write)

        def call() -> float:
            stores.remove(path)
            os.sync()
            return run()

        return call

    with clusters.tuned() as client:
        write_norm(store, path)
        expect_norm(store, path)
        encoding = _encoding(path)
        calls = {
            "field": afresh(lambda: write_norm(store, path)),
            "copy": afresh(lambda: _copy(store.plain(store.blocks), path, encoding)),
            "copy, dhess": afresh(lambda: _copy(store.opened(), path, encoding)),
        }
        rounds = in_turns(calls, scale, scale.few)
    stores.remove(path)
    for source, under, limit in (
        ("`xr.open_zarr`", "copy", at_most(1.25)),
        ("`dhess.open`", "copy, dhess", None),
    ):
        taken = rounds.pairs("field", under)
        what = f'`write_field(dhess.measure(f, "hessian_norm"))` ÷ `to_zarr` of {source}'
        yield Ratio(what, taken.quotient, taken.ratio, limit)


def write_norm(store: Store, path: Path, at: str | None = None) -> None:
    write_field(dhess.measure(store.opened(at), "hessian_norm"), path)


def expect_norm(store: Store, path: Path) -> None:
    """Refuse a field that is not flat where the store is."""
    found = float(dhess.open(path)[store.centre].compute())
    if not math.isclose(found, store.least, rel_tol=1e-4):
        raise AssertionError(f"the field has {found:.4g} at the centre, not {store.least:.4g}")


def _encoding(path: Path) -> dict[str, Any]:
    """Return how the only variable of a store is cut and compressed."""
    (variable,) = xr.open_zarr(path, consolidated=False).data_vars.values()
    kept = ("chunks", "shards", "compressors")
    return {key: variable.encoding[key] for key in kept if variable.encoding.get(key)}


def _copy(field: xr.DataArray, path: Path, encoding: dict[str, Any]) -> None:
    dataset = field.to_dataset(name="f").drop_encoding()
    dataset.to_zarr(path, mode="w", consolidated=False, encoding={"f": encoding})


def speed_up(scale: Scale) -> Iterator[Ratio]:
    """What the second worker brings: to ours no less than it brings to reading."""
    store = stores.main_store(scale)
    with clusters.tuned(1) as one, clusters.tuned(2) as two:
        calls = {
            "search, 1": timed(one, partial(_search, store)),
            "search, 2": timed(two, partial(_search, store)),
            "min, 1": timed(one, partial(_least, store)),
            "min, 2": timed(two, partial(_least, store)),
        }
        rounds = in_turns(calls, scale, scale.rounds)
    read, search = rounds.pairs("min, 1", "min, 2"), rounds.pairs("search, 1", "search, 2")
    limit = at_least(1.7) if read.ratio >= 1.7 else None
    yield Ratio("`.min()` with one worker ÷ with two", read.quotient, read.ratio)
    yield Ratio(f"{OURS} with one worker ÷ with two", search.quotient, search.ratio, limit)
