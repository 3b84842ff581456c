"""What a search or a field will cost, before it runs: blocks, tasks, bytes, memory, time."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Unpack

import dask
import xarray as xr  # noqa: TC002  (documentation examples read the annotations)

from dhess.budget import PAUSED, USABLE, Blocks, field_memory, smaller_blocks, starved
from dhess.errors import InputError
from dhess.fields import fitting
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import quantity_named, quantity_of
from dhess.grid import Grid
from dhess.halo import in_blocks
from dhess.measures import check_measure, find_measure
from dhess.options import Options, is_count, is_number, settings
from dhess.running import Workers
from dhess.running import workers as workers_there
from dhess.search import checked_count
from dhess.shapes import CHUNK_BYTES, auto_chunks, by, mega, read_factor
from dhess.stencil import EVERYTHING, Stencil
from dhess.stored import Stored, stored_of
from dhess.sweep import Query, Sweep, interior
from dhess.units import plain
from dhess.windows import BRANCHES, Searched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da
    import numpy as np

    from dhess.fields.quantity import Quantity

LARGE = 512 * 10**6
"""A stored chunk above this makes every reader large."""


@dataclass(frozen=True)
class Plan:
    """What a search or a field will cost; bytes are decoded ones, memory is a worker's peak."""

    source: str
    work: str
    """``"find"`` or ``"field"``."""
    measure: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    block: dict[str, int]
    """Points of the largest block, per dimension."""
    blocks: int
    windows: int
    tasks: int
    nbytes: int
    """Of the data."""
    bytes_read: int
    read_ratio: float
    """Bytes read ÷ bytes of the data."""
    bytes_written: int
    peak_memory: int
    """Bytes that a worker takes at most."""
    memory: dict[str, int]
    """Its parts."""
    workers: int
    threads: int
    memory_limit: int | None
    fits: bool
    """Whether workers would still get tasks at that peak; true where there is no limit."""
    chunks: dict[str, int] | None
    """Blocks that would fit, where these do not."""
    seconds: float | None
    """How long it takes at that rate."""
    rate: float | None
    """Bytes that one thread reads and computes in a second."""
    advice: tuple[str, ...]
    """What would make it cheaper, a sentence each."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON knows.

        Examples
        --------
        >>> import numpy as np, xarray as xr, dhess
        >>> data = xr.DataArray(np.zeros((40, 30)), dims=("y", "x")).chunk({"y": 10})
        >>> cost = dhess.plan(data, workers=2, memory_limit="4GB").as_dict()
        >>> cost["blocks"], cost["block"], cost["read_ratio"], cost["fits"]
        (4, {'y': 10, 'x': 30}, 1.0, True)
        """
        plain = asdict(self)
        plain.update(dims=list(self.dims), shape=list(self.shape), advice=list(self.advice))
        return plain


def plan(
    data: xr.DataArray | xr.Dataset,
    measure: str = "hessian_norm",
    *,
    k: int = 1,
    field: bool = False,
    workers: int | None = None,
    threads: int | None = None,
    memory_limit: str | float | None = None,
    rate: float | str | None = None,
    **options: Unpack[Options],
) -> Plan:
    """Tell what a search or a field will cost, without running it.

    Parameters
    ----------
    data
        DataArray, or a Dataset with one candidate variable, as for `dhess.find_minimum`.
    measure
        What is searched for or written: a measure; for a field also ``"gradient"``, ``"hessian"``
        or ``"eigenvalues"``.
    k
        Points to find.
    field
        Whether the measure is written as a field, instead of searched.
    workers, threads, memory_limit
        Processes, threads of each, and bytes of each (also as text, ``"4GB"``). By default those of
        the active cluster, or else those that `dhess.local_cluster` would start.
    rate
        Bytes that one thread reads and computes in a second, for the time; ``"measure"`` searches
        a block of the data and takes the time (for a field, reads one).
    **options
        The common options, see `dhess.gradient`.

    Returns
    -------
    Plan

    Raises
    ------
    GridError, InputError
        As for `dhess.find_minimum`. A plan that does not fit is no error here: `Plan.fits` tells.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> cube = xr.DataArray(np.zeros((64, 64, 64)), dims=("z", "y", "x")).chunk(32)
    >>> cost = dhess.plan(cube, "slope", workers=1, memory_limit="2GB")
    >>> cost.blocks, cost.tasks
    (8, 27)
    """
    team = _team(workers, threads, memory_limit)
    chosen = settings(**options)
    array, _ = plain(the_variable(data, chosen))
    grid = Grid.of(array, chosen)
    quantity = quantity_named(measure) if field else quantity_of(find_measure(measure))
    if quantity.measure is not None:
        check_measure(quantity.measure, len(grid.axes))
    values = array.variable.data if is_lazy(array) else array.chunk().variable.data
    dtype = chosen.result_dtype(array.dtype)
    if field:
        stencil = Stencil.of(grid, chosen, quantity.need)
        cost = _of_field(values, stencil, quantity, dtype, team)
    else:
        stencil = Stencil.of(grid, chosen, EVERYTHING)
        everywhere = tuple((0, size) for size in values.shape)
        query = Query(find_measure(measure), checked_count(k, array.size), dtype, everywhere)
        cost = _of_search(Searched.of(values, stencil, query, team), team)
    dims = tuple(map(str, array.dims))
    peak = sum(cost.memory.values())
    enough = not starved(cost.memory, team)
    chunks = None if enough else cost.smaller
    speed = _rate(rate, cost)
    return Plan(
        source=str(array.encoding.get("source", "")),
        work="field" if field else "find",
        measure=measure,
        dims=dims,
        shape=values.shape,
        dtype=str(values.dtype),
        block=dict(zip(dims, cost.blocks.points, strict=True)),
        blocks=cost.blocks.number,
        windows=cost.windows,
        tasks=cost.tasks,
        nbytes=int(values.nbytes),
        bytes_read=round(cost.read * values.nbytes),
        read_ratio=round(cost.read, 6),
        bytes_written=cost.written,
        peak_memory=peak,
        memory=cost.memory,
        workers=team.count,
        threads=team.threads,
        memory_limit=team.memory,
        fits=enough,
        chunks=None if chunks is None else dict(zip(dims, chunks, strict=True)),
        seconds=None if speed is None else cost.read * values.nbytes / speed / team.slots,
        rate=speed,
        advice=tuple(_advice(cost, team, peak)),
    )


@dataclass(frozen=True, eq=False)
class Cost:
    """What `Plan` tells of a search and of a field alike."""

    blocks: Blocks
    stored: Stored | None
    windows: int
    tasks: int
    read: float
    written: int
    memory: dict[str, int]
    smaller: tuple[int, ...] | None
    """Blocks that take less memory."""
    sample: Callable[[], int]
    """Does one block, and returns its bytes."""
    twice: bool = False
    """Whether blocks are read for their rims first."""


def _of_search(searched: Searched, team: Workers) -> Cost:
    blocks = searched.blocks
    windows = list(product(*searched.along))
    per_block = 2 if searched.stored is not None else 3
    merges = sum(-(-math.prod(b - a for a, b in window) // BRANCHES) for window in windows)
    values, stored = searched.values, searched.stored
    layout = searched.layout(windows[0])

    def sample() -> int:
        if stored is None:
            return int(values.blocks[(0,) * values.ndim].compute().nbytes)
        index = (0,) * values.ndim
        interior(Sweep(searched.stencil, searched.query, layout, stored), index)
        return math.prod(p.data[1] - p.data[0] for p in layout.block(index)) * blocks.itemsize

    return Cost(
        blocks, stored, len(windows), per_block * blocks.number + merges + len(windows),
        searched.read_factor(), 0, searched.memory(team),
        searched.smaller(team), sample,
    )  # fmt: skip


def _of_field(
    values: da.Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any], team: Workers
) -> Cost:
    itemsize = dtype.itemsize * len(stencil.axes) ** len(quantity.leading)
    values, again = fitting(values, stencil, itemsize, team)
    stored = stored_of(values)
    values, layout = in_blocks(values, stencil)
    blocks = Blocks.of(values.chunks, values.dtype, stored)
    project = partial(
        field_memory, stencil=stencil, out_itemsize=itemsize, workers=team, reread=again is not None
    )
    around = 2 if blocks.seams(stencil) else 1
    per_block = around + (1 if again is None else 0) + 1
    factor = 1.0
    if stored is not None and stored.chunks is not None:
        ranges = ([p.data for p in row] for row in layout.pieces)
        factor = read_factor(ranges, stored.chunks, values.shape)

    def sample() -> int:
        return int(values.blocks[(0,) * values.ndim].compute().nbytes)

    return Cost(
        blocks, stored, 1, per_block * blocks.number + 1,
        factor * (2 if again is not None else 1), math.prod(values.shape) * itemsize,
        project(blocks), smaller_blocks(project, values.chunks, values.dtype, stored, team), sample,
        twice=again is not None,
    )  # fmt: skip


def _team(count: int | None, threads: int | None, memory_limit: str | float | None) -> Workers:
    """Return the workers that are there, or would be started, but for what is asked for."""
    for name, number in (("workers", count), ("threads", threads)):
        if number is not None and not is_count(number):
            raise InputError(f"{name}={number!r} must be a whole number from 1 on")
    team = workers_there()
    if team is None:
        from distributed.system import MEMORY_LIMIT

        number = count or int(dask.system.CPU_COUNT)
        team = Workers(number, 1, MEMORY_LIMIT // number)
    memory = team.memory if memory_limit is None else _bytes(memory_limit)
    return Workers(int(count or team.count), int(threads or team.threads), memory)


def _bytes(memory_limit: str | float) -> int:
    """Read the memory of a worker: bytes, text, or a share of the machine up to 1."""
    from distributed.system import MEMORY_LIMIT

    try:
        nbytes = int(dask.utils.parse_bytes(memory_limit)) if memory_limit != "" else 0
        if isinstance(memory_limit, float) and 0 < memory_limit <= 1:
            nbytes = int(memory_limit * MEMORY_LIMIT)
    except (ValueError, TypeError, AttributeError, OverflowError):
        nbytes = 0
    if nbytes < 1 or isinstance(memory_limit, bool):
        raise InputError(
            f"memory_limit={memory_limit!r} cannot be read; give the bytes of one worker, as '4GB'"
        )
    return nbytes


def _rate(rate: float | str | None, cost: Cost) -> float | None:
    if rate == "measure":
        cost.sample()  # compiles and opens
        begin = time.perf_counter()
        nbytes = sum(cost.sample() for _ in range(2))
        return nbytes / (time.perf_counter() - begin)
    if rate is None or (is_number(rate) and 0 < rate < math.inf):  # type: ignore[operator]
        return None if rate is None else float(rate)
    raise InputError(
        f"rate={rate!r} is no rate; give the bytes that one thread reads and computes in a second, "
        "as 5e8, or rate='measure'"
    )


def _advice(cost: Cost, team: Workers, peak: int) -> Iterator[str]:
    chunks = () if cost.stored is None else cost.stored.chunks or ()
    chunk_bytes = cost.blocks.chunk_bytes
    if cost.twice:
        yield (
            "each block is read twice, for its rim and for the field, since blocks that wait for "
            "their neighbours would not fit; more memory per worker reads each once"
        )
    elif cost.read > 1.25 and cost.windows == 1:
        yield (
            f"stored chunks of {by(chunks)} points are read {cost.read:.3g} times on average, "
            f"since blocks of {by(cost.blocks.points)} do not hold whole ones; leave chunks= out, "
            "or rechunk the store to a part of the block"
        )
    if chunk_bytes > LARGE:
        yield (
            f"a stored chunk of {by(chunks)} points is {mega(chunk_bytes)}, and no block can be "
            f"smaller; rechunk the store, for example to {by(_rechunked(cost.blocks))}"
        )
    if team.memory is not None and USABLE * team.memory < peak <= PAUSED * team.memory:
        yield (
            f"workers may write to disk in between, for {mega(peak)} is more than {USABLE:.0%} of "
            f"{mega(team.memory)}; give them more, or use smaller blocks"
        )


def _rechunked(blocks: Blocks) -> tuple[int, ...]:
    return auto_chunks(blocks.points, (1,) * len(blocks.points), blocks.itemsize, CHUNK_BYTES)
