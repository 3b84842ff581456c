"""The stores that are searched: noise with one flat bowl, as in memory, written piece by piece.

The noise is a normal deviate per point with all bits of its mantissa, drawn anew for every stored
chunk from the chunk's own place, so that a store is the same wherever it is made. zstd keeps 92 %
of float32 and 94 % of float64 ones, and decodes them at about 1.3 GB/s. The low bits of measured
and simulated fields are noise as well; where their high bits save something (noise around 300
shrinks to 71 %), decoding is slower, and a search is cheaper beside it.

The bowl of depth ``DEPTH * sum(d**4)`` lies where stored chunks meet, in most stores blocks too. At
its centre every f_kk of the three-point stencil is 2 DEPTH and every f_kl is 0; nowhere else is the
norm below 1e-3.
"""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr

import dhess
from tests.benchmarks.case import DEPTH, REACH
from tests.benchmarks.contestants import DIRECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.scale import Scale

Box = tuple[slice, ...]
"""Global indices of one piece."""


@dataclass(frozen=True)
class Store:
    """One stored field, the variable ``f``, whose flattest point is known."""

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    dtype: str = "float32"
    batch: int = 0
    "Leading dimensions that are searched but not differentiated."
    zlib: int | None = None
    "Level of a NetCDF file; 0 stores it as it is. None: a Zarr store."
    full: bool = True
    "Whether its blocks are those that dhess chooses; a small store would be one block."

    @property
    def dims(self) -> tuple[str, ...]:
        return ("t", "z", "y", "x")[-len(self.shape) :]

    @property
    def differentiated(self) -> tuple[str, ...]:
        return self.dims[self.batch :]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def blocks(self) -> dict[str, int]:
        """Two stored chunks along each axis, or a shard."""
        pairs = zip(self.dims, self.shards or (2 * chunk for chunk in self.chunks), strict=True)
        return {dim: min(size, self.sizes[dim]) for dim, size in pairs}

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def block_bytes(self) -> int:
        """Of one block of `opened`."""
        return int(math.prod(self.opened().data.chunksize)) * np.dtype(self.dtype).itemsize

    @property
    def centre(self) -> tuple[int, ...]:
        pairs = zip(self.blocks.values(), self.shape, strict=True)
        return tuple(min(block, size // 2) for block, size in pairs)

    @property
    def least(self) -> float:
        """Return the norm of the Hessian at the centre."""
        return DIRECT * math.sqrt(len(self.differentiated))

    @property
    def path(self) -> Path:
        return folder() / (self.name + (".zarr" if self.zlib is None else ".nc"))

    def opened(self, at: str | Path | None = None) -> xr.DataArray:
        """Open it as a user of dhess does."""
        chunks = "auto" if self.full else self.blocks
        return dhess.open(f"{at or self.path}::f", chunks=chunks)

    def plain(self, chunks: dict[str, int] | None = None) -> xr.DataArray:
        """Open it as a user of xarray does, in stored chunks by default."""
        field: xr.DataArray = xr.open_zarr(self.path, chunks=chunks or {})["f"]
        return field

    def search(self, field: xr.DataArray) -> None:
        """Search, and refuse a wrong answer."""
        found = dhess.find_minimum(field, dims=self.differentiated).isel(rank=0)
        index = tuple(int(i) for i in found["index"])
        value = float(found["value"])
        if index != self.centre or not math.isclose(value, self.least, rel_tol=1e-4):
            raise AssertionError(
                f"{self.name}: ended at {index} with {value:.4g}, the flattest point is "
                f"{self.centre} with {self.least:.4g}"
            )

    def make(self) -> Path:
        """Write it, unless it stands there; one piece is in memory at a time."""
        if not self.path.exists():
            if self.zlib is None:
                array = self.empty()
                for box in self.pieces():
                    array[box] = self.values(box)
            else:
                self._make_netcdf(self.zlib)
        return self.path

    def empty(self) -> Any:
        """Write its metadata, and return the Zarr array to fill."""
        return empty(
            self.path, self.dims, shape=self.shape, chunks=self.chunks, shards=self.shards,
            dtype=self.dtype,
        )  # fmt: skip

    def _make_netcdf(self, level: int) -> None:
        import h5netcdf

        packed = {"compression": "gzip", "compression_opts": level, "shuffle": True}
        with h5netcdf.File(self.path, "w") as file:
            file.dimensions = self.sizes
            variable = file.create_variable(
                "f", self.dims, self.dtype, chunks=self.chunks, **(packed if level else {})
            )
            for box in self.pieces():
                variable[box] = self.values(box)

    def pieces(self) -> Iterator[Box]:
        """Yield the shards, or the stored chunks."""
        pairs = zip(self.shape, self.shards or self.chunks, strict=True)
        starts = [range(0, size, piece) for size, piece in pairs]
        for corner in product(*starts):
            yield self.box(corner)

    def box(self, corner: tuple[int, ...]) -> Box:
        """Return the piece that begins at these indices."""
        triples = zip(corner, self.shards or self.chunks, self.shape, strict=True)
        return tuple(slice(a, min(a + piece, size)) for a, piece, size in triples)

    def values(self, box: Box) -> NDArray[np.floating]:
        x = np.empty([part.stop - part.start for part in box], self.dtype)
        rng = np.random.default_rng([part.start for part in box])
        rng.standard_normal(out=x, dtype=self.dtype)  # type: ignore[call-overload]
        if (bowl := self.overlap(box)) is not None:
            pairs = zip(bowl, self.centre, strict=True)
            distances = [np.arange(part.start, part.stop) - c for part, c in pairs]
            shares = np.ix_(*(np.float64(DEPTH) * d**4 for d in distances))
            pairs_of_slices = zip(bowl, box, strict=True)
            x[tuple(slice(b.start - a.start, b.stop - a.start) for b, a in pairs_of_slices)] = sum(
                shares
            )
        return x

    def overlap(self, box: Box) -> Box | None:
        """Return the part of the bowl that lies in the piece, if any does."""
        parts = []
        for k, (part, c) in enumerate(zip(box, self.centre, strict=True)):
            reach = 0 if k < self.batch else min(REACH, c - 1)
            start, stop = max(part.start, c - reach), min(part.stop, c + reach + 1)
            if start >= stop:
                return None
            parts.append(slice(start, stop))
        return tuple(parts)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all stored chunks, compressed."""
        return sum(path.stat().st_size for path in self.path.glob("f/c/**/*") if path.is_file())

    def remove(self) -> None:
        remove(self.path)


def empty(path: Path, dims: tuple[str, ...], **array: Any) -> Any:
    """Write the metadata of a store, and return its one Zarr array ``f``."""
    made = zarr.create_group(path).create_array("f", dimension_names=dims, **array)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # format 3 has no word yet on consolidated metadata
        zarr.consolidate_metadata(path)  # a plain HTTP server lists no folder
    return made


@cache
def folder() -> Path:
    """Return the folder of this run, which is removed when the process ends."""
    path = Path(tempfile.mkdtemp(prefix="dhess-benchmarks-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def remove(path: Path) -> None:
    """Remove a store or a file, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main_store(scale: Scale) -> Store:
    """Return the store that most limits are about: 768³ float32 in chunks of 128³; it is made once.

    Its blocks are of 256³ points. A small one has eight of them and not 27.
    """
    e = scale.edge
    size = (3 if scale.full else 2) * e
    store = Store(f"main-{e}", (size,) * 3, (e // 2,) * 3, full=scale.full)
    store.make()
    return store


def tiny_store() -> Store:
    """Return a store of many small blocks, for what a process does once whatever the size."""
    store = Store("tiny", (48,) * 3, (8,) * 3, full=False)
    store.make()
    return store


def kinds_of_stores(scale: Scale) -> dict[str, Store]:
    """Return stores of about 1 GB that differ from the main one, by how a table names them."""
    e, full = scale.edge, scale.full
    half = (e // 2,) * 3
    box, few = ((4 if full else 2) * e, 2 * e, 2 * e), max(e // 32, 4)
    return {
        "4-D, time a batch": Store(
            "batch", (max(e * 3 // 32, 3), e, e, e // 2), (1, *half), batch=1, full=full
        ),
        "4-D, time differentiated": Store(
            "timed", (3 * max(e // 8, 4), *half), (few, *(e // 4,) * 3), full=full
        ),
        "float64": Store("double", (2 * e,) * 3, half, dtype="float64", full=full),
        "sharded": Store("sharded", box, (e // 4,) * 3, shards=(e // 4 * 4,) * 3, full=full),
        "NetCDF, chunked": Store("chunked", box, half, zlib=0, full=full),
        "NetCDF, chunked, zlib": Store("zlib", (2 * e,) * 3, half, zlib=4, full=full),
    }
