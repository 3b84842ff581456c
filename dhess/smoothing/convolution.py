"""Separable convolution of arrays: in blocks with ghost cells, or in memory on all cores.

A value is a sum over the points under the kernel, in one fixed order, pass after pass along the
axes. The block or slab that the point is done in has no part in it, and neither have the other
points, so the result is the same to the bit however the array is cut.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from dhess.pieces import merged
from dhess.tiles import TILE, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dhess.grid.coordinate import Floats
    from dhess.tables import Array

    Where = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Kernel:
    """Weights along one dimension of the array."""

    position: int
    """Which axis of the array it is."""
    weights: Floats
    """Shape (2 radius + 1,), symmetric, of sum 1."""
    wraps: bool
    """Whether the far side lies past the ends; if not, the mirror image does."""

    @property
    def radius(self) -> int:
        """Points on each side of the middle."""
        return len(self.weights) // 2


@dataclass(frozen=True, eq=False)
class Smoothing:
    """What to do to an array."""

    kernels: tuple[Kernel, ...]
    """In the order of the passes."""
    adapt: bool
    """Whether to average the points that are not NaN, or to let NaN spread."""
    dtype: np.dtype[Any]
    """Of the result."""

    def along(self, position: int) -> Kernel | None:
        """Return the kernel of a dimension; None: a batch dimension."""
        return next((kernel for kernel in self.kernels if kernel.position == position), None)


def of_blocks(values: da.Array, smoothing: Smoothing) -> da.Array:
    """Smooth every block of a Dask array, with its ghost cells, in one task."""
    kernels = [smoothing.along(d) for d in range(values.ndim)]
    radius = [0 if kernel is None else kernel.radius for kernel in kernels]
    wraps = [kernel is not None and kernel.wraps for kernel in kernels]
    chunks = tuple(merged(sizes, r, r) for sizes, r in zip(values.chunks, radius, strict=True))
    depth = [r if len(sizes) > 1 else 0 for r, sizes in zip(radius, chunks, strict=True)]
    values = values.rechunk(chunks)
    if any(depth):
        ends = {d: "periodic" if wrapped else "none" for d, wrapped in enumerate(wraps)}
        values = da.overlap.overlap(values, dict(enumerate(depth)), ends, allow_rechunk=False)
    ghosts = [
        [
            (r if wrapped or i > 0 else 0, r if wrapped or i < len(sizes) - 1 else 0)
            for i, _ in enumerate(sizes)
        ]
        for r, wrapped, sizes in zip(depth, wraps, chunks, strict=True)
    ]
    return values.map_blocks(
        _on_block,
        smoothing=smoothing,
        ghosts=ghosts,
        chunks=chunks,
        meta=np.empty((0,) * values.ndim, smoothing.dtype),
        token="smooth",  # noqa: S106  (Dask's word for the name of a layer)
    )


def _on_block(
    data: Array,
    *,
    smoothing: Smoothing,
    ghosts: list[list[tuple[int, int]]],
    block_id: tuple[int, ...],
) -> Array:
    """Smooth one block and drop its ghost cells, so many before and behind per dimension."""
    cells = [row[i] for row, i in zip(ghosts, block_id, strict=True)]
    keep = tuple(slice(before or None, -behind or None) for before, behind in cells)
    return _smoothed(data, smoothing, keep, workers=1)


def of_memory(values: Array, smoothing: Smoothing) -> Array:
    """Smooth an array in memory on all cores."""
    workers = threads()
    if max(values.shape) == values.size > TILE and workers > 1:  # one line: cut along itself
        line = of_blocks(da.from_array(values, TILE, name=False), smoothing)
        done: Array = line.compute(scheduler="threads", num_workers=workers)
        return done
    return _smoothed(values, smoothing, (slice(None),) * values.ndim, workers)


def _smoothed(data: Array, smoothing: Smoothing, keep: Where, workers: int) -> Array:
    """Smooth an array and cut the part ``keep`` out of the result."""
    kernels = smoothing.kernels
    if smoothing.adapt and data.dtype.kind == "f" and _has_holes(data, workers):
        out = _convolved(_filled, data, kernels, keep, workers)
        shares = _convolved(_valid, data, kernels, keep, workers)
        # The weights add up to 1 but for rounding. Divided by just that sum, the share of a point
        # with no NaN around is 1 exactly, and its value the same as without nan="adapt".
        one = np.ones((1,) * data.ndim)
        shares /= _convolved(_native, one, kernels, (slice(None),) * data.ndim, 1)
        holes = np.isnan(data[keep])
        np.divide(out, shares, out=out, where=~holes)
        out[holes] = np.nan
    else:
        out = _convolved(_native, data, kernels, keep, workers)
    with np.errstate(over="ignore"):  # beyond float32: infinite
        return out.astype(smoothing.dtype, copy=out.base is not None)


def _convolved(
    read: Callable[[Array], Array],
    data: Array,
    kernels: tuple[Kernel, ...],
    keep: Where,
    workers: int,
) -> Floats:
    """Return Σ_j w_j read(data)_{i+j} along every axis of the kernels, in float64.

    The first pass reads the data slab by slab, the others work in place; a pass done, the ghost
    cells along its axis have served and are cut off.
    """
    out: Floats = np.empty(data.shape)
    source = data
    for kernel in kernels:
        slabs = zip(
            _slabs(source, kernel.position, workers),
            _slabs(out, kernel.position, workers),
            strict=True,
        )
        work = partial(_pass, read, kernel)
        _each(work, list(slabs), workers)
        read = _native
        cut = keep[kernel.position]
        if cut != slice(None):
            out = out[(slice(None),) * kernel.position + (cut,)]
        source = out
    return out


def _pass(read: Callable[[Array], Array], kernel: Kernel, slab: tuple[Array, Array]) -> None:
    """Convolve the first array along one axis into the second, which may be the same."""
    from scipy.ndimage import correlate1d  # not needed to import dhess

    source, out = slab
    mode = "wrap" if kernel.wraps else "reflect"
    correlate1d(read(source), kernel.weights, kernel.position, out, mode)


def _slabs(data: Array, along: int, workers: int) -> list[Array]:
    """Cut an array into views of about a tile each, across its longest dimension but one."""
    others = [d for d in range(data.ndim) if d != along]
    if not others:
        return [data]
    across = max(others, key=lambda d: data.shape[d])
    return np.array_split(data, min(data.shape[across], max(workers, data.size // TILE)), across)


def _each(work: Callable[[Any], Any], parts: Sequence[Any], workers: int) -> list[Any]:
    if workers == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, parts))


def _has_holes(data: Array, workers: int) -> bool:
    return any(_each(lambda part: bool(np.isnan(part).any()), _slabs(data, -1, workers), workers))


def _native(part: Array) -> Array:
    """Return data in a dtype that SciPy reads: neither float16 nor long double is."""
    return part.astype(np.float64) if part.dtype.char in "eg" else part


def _filled(part: Array) -> Array:
    return _native(np.where(np.isnan(part), 0, part))


def _valid(part: Array) -> Array:
    return ~np.isnan(part)
