"""Several variables and many time steps in one call: one graph, and no chunk is read twice.

The reads are counted at the store itself: every request for the bytes of a chunk of data.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
import zarr.storage

import dhess

from .test_fields import same_bits
from .test_search import indices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("temperature", "pressure", "salinity")
SHAPE = (6, 20, 24)
CHUNKS = (1, 10, 8)
BLOCKS = 6 * 2 * 3
PLANE: dict[str, Any] = {"dims": ["y", "x"]}


def dataset() -> xr.Dataset:
    rng = np.random.default_rng(3)
    coords = {
        "time": np.datetime64("2026-01-31", "ns") + np.arange(6) * np.timedelta64(1, "D"),
        "y": np.linspace(0, 5, 20),
        "x": np.cumsum(1 + np.arange(24) % 3 / 4),
    }
    dims = ("time", "y", "x")
    return xr.Dataset(
        {name: (dims, rng.standard_normal(SHAPE)) for name in NAMES}, coords, {"title": "made up"}
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three variables on disk."""
    encoding = {name: {"chunks": CHUNKS} for name in NAMES}
    target = tmp_path / "three.zarr"
    dataset().to_zarr(target, zarr_format=3, encoding=encoding, consolidated=False)
    return target


@pytest.fixture
def reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often zarr has asked the disk for each chunk of the variables since they were written."""
    counts: Counter[str] = Counter()
    get = zarr.storage.LocalStore.get

    async def counting(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        if "/c/" in key and key.split("/")[0] in NAMES:
            counts[key] += 1
        return await get(store, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", counting)
    return counts


@pytest.fixture
def opened(path: Path, reads: Counter[str]) -> Iterator[xr.Dataset]:
    """The three variables, lazily; nothing of them is read yet."""
    with xr.open_zarr(path, chunks={}, consolidated=False) as dataset:
        yield dataset


def once(reads: Counter[str], *names: str) -> None:
    """Each chunk of these variables has been read once, and nothing else."""
    assert set(reads.values()) == {1}
    assert {key.split("/")[0] for key in reads} == set(names)
    assert len(reads) == BLOCKS * len(names)


WAYS: list[dict[str, Any]] = [
    {"scheduler": "synchronous"},
    {"scheduler": "threads", "num_workers": 4},
    {"scheduler": "threads", "num_workers": 4, "optimize_graph": False},
]
way = pytest.mark.parametrize("how", WAYS, ids=["one thread", "threads", "graph as it is"])


def test_the_store_counts(opened: xr.Dataset, reads: Counter[str]) -> None:
    assert not reads
    first = opened["pressure"][0, :10, :8]
    first.compute()
    assert reads == {"pressure/c/0/0/0": 1}
    first.compute()
    assert reads == {"pressure/c/0/0/0": 2}


@way
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": 8},
        {"nan": "adapt"},
        {"nan": "adapt", "order": 4, "period": {"x": 40.0}},
        {"period": {"y": 5.5}, "scheme": "iterated"},
        {"dims": ["time", "y", "x"], "datetime_unit": "D"},
    ],
    ids=str,
)
def test_fields_of_a_dataset(
    opened: xr.Dataset, reads: Counter[str], how: dict[str, Any], options: dict[str, Any]
) -> None:
    options = {**PLANE, **options}
    lazy = dhess.measure(opened, "hessian_norm", **options)
    assert isinstance(lazy, xr.Dataset)
    assert not reads
    (got,) = dask.compute(lazy, **how)
    once(reads, *NAMES)
    want = dhess.measure(dataset(), "hessian_norm", **options)
    for name in NAMES:
        same_bits(got[name], want[name])


@way
@pytest.mark.parametrize("name", ["gradient", "hessian", "eigenvalues", "laplacian"])
def test_tensors_of_a_dataset(
    opened: xr.Dataset, reads: Counter[str], how: dict[str, Any], name: str
) -> None:
    (got,) = dask.compute(getattr(dhess, name)(opened, **PLANE), **how)
    once(reads, *NAMES)
    want = getattr(dhess, name)(dataset(), **PLANE)
    for variable in NAMES:
        same_bits(got[variable], want[variable])


@way
@pytest.mark.parametrize("chunks", [None, (1, 20, 24), (6, 20, 24)])
def test_several_measures_of_one_array(
    path: Path, reads: Counter[str], how: dict[str, Any], chunks: Any
) -> None:
    """Slope reads one neighbour of each point, the Hessian of an uneven axis two."""
    names = ("slope", "laplacian", "hessian_norm", "eigenvalue_max")
    data = dhess.open(path, "pressure", chunks=chunks)
    lazy = [dhess.measure(data, name, **PLANE) for name in names]
    lazy += [dhess.hessian(data, order=6, **PLANE), dhess.smooth(data, {"y": 0.5})]
    got = dask.compute(*lazy, **how)
    once(reads, "pressure")
    for field, name in zip(got, names, strict=False):
        same_bits(field, dhess.measure(dataset()["pressure"], name, **PLANE))


@way
@pytest.mark.parametrize("compute", [True, False])
def test_a_search_over_time_steps(
    opened: xr.Dataset, reads: Counter[str], how: dict[str, Any], compute: bool
) -> None:
    data = opened["salinity"]
    with dask.config.set({name: how[name] for name in how if name != "optimize_graph"}):
        found = dhess.find_minimum(data, k=5, compute=compute, **PLANE)
        if not compute:
            assert not reads
            (found,) = dask.compute(found, **how)
    once(reads, "salinity")
    want = dhess.find_minimum(dataset()["salinity"], k=5, **PLANE)
    assert indices(found) == indices(want)
    np.testing.assert_array_equal(found["value"], want["value"])
    np.testing.assert_array_equal(found["time"], want["time"])


@way
def test_searches_of_several_variables(
    opened: xr.Dataset, reads: Counter[str], how: dict[str, Any]
) -> None:
    lazy = [dhess.find_minimum(opened[name], compute=False, k=3, **PLANE) for name in NAMES]
    assert not reads
    found = dask.compute(*lazy, **how)
    once(reads, *NAMES)
    for name, best in zip(NAMES, found, strict=True):
        want = dhess.find_minimum(dataset()[name], k=3, **PLANE)
        assert indices(best) == indices(want)


@way
def test_searches_and_fields_of_one_array(
    opened: xr.Dataset, reads: Counter[str], how: dict[str, Any]
) -> None:
    data = opened["temperature"]
    lazy = [
        dhess.find_minimum(data, "slope", compute=False, **PLANE),
        dhess.find_minimum(data, "hessian_norm", compute=False, order=4, **PLANE),
        dhess.measure(data, "laplacian", **PLANE).max(),
    ]
    dask.compute(*lazy, **how)
    once(reads, "temperature")


@way
@pytest.mark.parametrize("chunks", [None, "auto", (2, 20, 8)])
def test_opened_one_by_one(
    path: Path, reads: Counter[str], how: dict[str, Any], chunks: Any
) -> None:
    """`dhess.open` gives blocks of whole stored chunks; one graph takes all three variables."""
    lazy = [
        dhess.find_minimum(dhess.open(path, name, chunks=chunks), compute=False, **PLANE)
        for name in NAMES
    ]
    assert not reads
    found = dask.compute(*lazy, **how)
    once(reads, *NAMES)
    for best, name in zip(found, NAMES, strict=True):
        want = dhess.find_minimum(dataset()[name], **PLANE)
        assert indices(best) == indices(want)
        assert best.attrs["source"].endswith(f"three.zarr::{name}")
