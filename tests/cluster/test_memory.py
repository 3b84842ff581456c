"""What workers really take, against what a plan says they will: the kernel's own figure of each.

Drawn once, so that every run measures the same. The stores cost next to nothing to make: one chunk
of noise that compresses badly is stored, and all others are links to its file.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

import dhess
from dhess.sink import write_field
from tests.benchmarks.alone import resident
from tests.benchmarks.out_of_core.memory import of_workers
from tests.benchmarks.out_of_core.smooth import Lattice
from tests.benchmarks.out_of_core.wholes import expect_maxima

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from distributed import Client

CASES = 30
SMALL, LARGE = "750MB", "4GB"
NAMES = "tzyx"


@dataclass(frozen=True)
class Drawn:
    """What is measured."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    blocks: tuple[int, ...] | None
    dtype: str
    options: dict[str, Any]
    work: str
    measure: str
    limit: str
    threads: int
    k: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        blocks = "auto" if self.blocks is None else "x".join(map(str, self.blocks))
        adapt = "-adapt" if "nan" in self.options else ""
        shape, chunk = ("x".join(map(str, each)) for each in (self.shape, self.chunk))
        return (
            f"{self.work}-{self.measure}{adapt}-{self.options['order']}-{self.dtype}"
            f"-{shape}-chunk{chunk}-{blocks}-{self.threads}thr-{self.limit}"
        )


def drawn(seed: int) -> Drawn:
    """Draw a store and what is done with it.

    What is larger, data or field, has 100 to 400 MB, and its blocks 4 to 64 MB; stored chunks have
    a fraction of a block.
    """
    rng = np.random.default_rng(seed)
    ndim = int(rng.integers(2, 5))
    dtype = str(rng.choice(["float32", "float64", "int16"]))
    work = str(rng.choice(["find", "field"]))
    measure = str(rng.choice(["hessian_norm", "slope", *(["gradient"] * (work == "field"))]))
    itemsize = np.dtype(dtype).itemsize
    if work == "field":
        out = 4 if dtype == "float32" else 8
        itemsize = max(itemsize, out * (ndim if measure == "gradient" else 1))
    chunk_bytes, block_bytes = sorted(np.exp(rng.uniform(np.log(1e6), np.log(64e6), 2)))
    chunk = cube(chunk_bytes / itemsize, ndim, rng)
    block = joined(chunk, max(block_bytes, 4e6) / itemsize, rng)
    shape = joined(block, np.exp(rng.uniform(np.log(1e8), np.log(4e8))) / itemsize, rng)
    if rng.random() < 0.5:  # the last blocks are shorter
        cuts = [int(rng.integers(0, c // 2)) for c in chunk]
        shape = tuple(n - cut if n > c else n for n, c, cut in zip(shape, chunk, cuts, strict=True))
    adapts = dtype != "int16" and rng.random() < 0.4
    return Drawn(
        shape,
        chunk,
        block if rng.random() < 0.7 else None,
        dtype,
        {"order": int(rng.choice([2, 4])), **({"nan": "adapt"} if adapts else {})},
        work,
        measure,
        str(rng.choice([SMALL, LARGE])),
        2 if rng.random() < 0.2 else 1,
        int(rng.choice([1, 100])),
    )


def cube(points: float, ndim: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Draw a shape of about so many points, its sides up to twice as long as each other."""
    sides = np.exp(rng.uniform(0, np.log(2), ndim))
    sides *= (points / sides.prod()) ** (1 / ndim)
    return tuple(max(6, round(side)) for side in sides)


def joined(part: tuple[int, ...], points: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Join parts along axes that are drawn, up to so many points."""
    counts = np.ones(len(part), int)
    while math.prod(part) * counts.prod() * 1.5 < points:
        counts[rng.integers(len(part))] += 1
    return tuple(int(n * c) for n, c in zip(part, counts, strict=True))


def store(case: Drawn, path: Path) -> xr.DataArray:
    """Make the store and open it."""
    dims = NAMES[-len(case.shape) :]
    group = zarr.create_group(path)
    array = group.create_array(
        "f", shape=case.shape, chunks=case.chunk, dtype=case.dtype, dimension_names=list(dims)
    )
    noise = np.random.default_rng(0).integers(-100, 100, case.chunk).astype(case.dtype)
    if "nan" in case.options:
        noise[np.random.default_rng(1).random(case.chunk) < 1e-4] = np.nan
    first = (0,) * len(case.shape)
    array.set_block_selection(first, noise[tuple(slice(n) for n in case.shape)])
    key = path / "f" / array.metadata.encode_chunk_key(first)
    counts = (-(-n // c) for n, c in zip(case.shape, case.chunk, strict=True))
    for place in np.ndindex(*counts):
        other = path / "f" / array.metadata.encode_chunk_key(place)
        other.parent.mkdir(parents=True, exist_ok=True)
        if other != key:
            os.link(key, other)
    return dhess.open(path, chunks="auto" if case.blocks is None else case.blocks)


def measured(client: Client) -> int:
    """Return the most that any worker ever had of memory, in bytes."""

    def peak() -> int:
        from pathlib import Path

        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])

    return int(max(client.run(peak).values()))


def done(case: Drawn, data: xr.DataArray, folder: Path) -> None:
    """Do what is measured."""
    if case.work == "find":
        dhess.find_minimum(data, case.measure, k=case.k, **case.options)
    elif case.measure == "gradient":
        write_field(dhess.gradient(data, **case.options), folder / "out.zarr")
    else:
        write_field(dhess.measure(data, case.measure, **case.options), folder / "out.zarr")


@pytest.mark.parametrize("seed", range(CASES))
def test_the_peak_stays_below_the_projection(seed: int, tmp_path: Path) -> None:
    """Each on a fresh worker, for one that has worked keeps what it took."""
    case = drawn(seed)
    data = store(case, tmp_path / "f.zarr")
    asked: dict[str, Any] = {"k": case.k, "field": case.work == "field", **case.options}
    here: dict[str, Any] = {"threads": case.threads, "memory_limit": case.limit}
    if not dhess.plan(data, case.measure, workers=1, **here, **asked).fits:
        here["memory_limit"] = LARGE  # the smaller one would be refused
    with dhess.local_cluster(
        1, threads_per_worker=case.threads, memory_limit=here["memory_limit"]
    ) as client:
        plan = dhess.plan(data, case.measure, **asked)
        done(case, data, tmp_path)
        assert measured(client) <= plan.peak_memory, str(case)


OF_CLIENT, OF_WORKER = 1500, 300
"""Bytes for each region at most: what is told of one, several times over, and once or twice."""


def test_many_regions_break_no_memory() -> None:
    """As dense as a million of them in 512³; of the client too, where all come together."""
    small, large = (Lattice(f"crowd-{n}", (n,) * 3, (64,) * 3, full=False) for n in (128, 256))
    with dhess.local_cluster(1, memory_limit=SMALL) as client:
        small.make()
        expect_maxima(small)  # what a process does once
        large.make()
        client_floor = resident("VmRSS", forget=True)
        (floor,) = of_workers(client, forget=True).values()
        assert expect_maxima(large).sizes["region"] == large.maxima == 125_000
        assert resident("VmHWM") - client_floor <= OF_CLIENT * large.maxima
        (peak,) = of_workers(client).values()
        assert peak.peak - floor.now <= 4 * large.block_bytes + OF_WORKER * large.maxima
    small.remove()
    large.remove()
