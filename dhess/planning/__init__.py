"""What a search or a field will cost, before it runs: blocks, tasks, bytes, memory, time."""

from __future__ import annotations

import math
import reprlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Unpack

import dask
import xarray as xr  # noqa: TC002  (documentation examples read the annotations)

from dhess.budget import starved
from dhess.errors import InputError, suggest
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import quantity_named, quantity_of
from dhess.grid import Grid
from dhess.measures import check_measure, find_measure
from dhess.options import COUNTS, Options, Settings, is_count, is_number, settings
from dhess.planning.costs import Cost, advice, of_field, of_search
from dhess.regions import Question
from dhess.running import Workers
from dhess.running import workers as workers_there
from dhess.search import checked_count
from dhess.stencil import EVERYTHING, Stencil
from dhess.sweep import Query
from dhess.units import plain
from dhess.windows import Searched

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS: Final = ("find", "field", "regions", "critical")


@dataclass(frozen=True)
class Plan:
    """What a search or a field will cost; bytes are decoded ones, memory is a worker's peak."""

    source: str
    work: str
    """``"find"``, ``"field"``, ``"regions"`` or ``"critical"``."""
    measure: str
    """Empty for critical points."""
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
    task: str = "find",
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
        or ``"eigenvalues"``. Critical points have none.
    task
        ``"find"``: `dhess.find_minimum`. ``"field"``: the measure is written as a field.
        ``"regions"``: `dhess.flat_regions` below a threshold. ``"critical"``:
        `dhess.critical_points`.
    k
        Points to find.
    field
        The same as ``task="field"``.
    workers, threads, memory_limit
        Processes, threads of each, and bytes of each (also as text, ``"4GB"``). By default those of
        the active cluster, or else those that `dhess.local_cluster` would start.
    rate
        Bytes that one thread reads and computes in a second, for the time; ``"measure"`` searches
        a block of the data and takes the time (for a field, reads one; for regions, looks for the
        smallest value).
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
    task = _task(task, field=field)
    chosen = settings(**options)
    array, cost = _costs(the_variable(data, chosen), task, measure, k, chosen, team)
    dims = tuple(map(str, array.dims))
    peak = sum(cost.memory.values())
    enough = not starved(cost.memory, team)
    chunks = None if enough else cost.smaller
    speed = _rate(rate, cost)
    return Plan(
        source=str(array.encoding.get("source", "")),
        work=task,
        measure="" if task == "critical" else measure,
        dims=dims,
        shape=array.shape,
        dtype=str(array.dtype),
        block=dict(zip(dims, cost.blocks.points, strict=True)),
        blocks=cost.blocks.number,
        windows=cost.windows,
        tasks=cost.tasks,
        nbytes=int(array.nbytes),
        bytes_read=round(cost.read * array.nbytes),
        read_ratio=round(cost.read, 6),
        bytes_written=cost.written,
        peak_memory=peak,
        memory=cost.memory,
        workers=team.count,
        threads=team.threads,
        memory_limit=team.memory,
        fits=enough,
        chunks=None if chunks is None else dict(zip(dims, chunks, strict=True)),
        seconds=None if speed is None else cost.read * array.nbytes / speed / team.slots,
        rate=speed,
        advice=(*advice(cost, team, peak), *_more(task)),
    )


def _team(count: int | None, threads: int | None, memory_limit: str | float | None) -> Workers:
    """Return the workers that are there, or would be started, but for what is asked for."""
    for name, number in (("workers", count), ("threads", threads)):
        if number is not None and not is_count(number):
            raise InputError(f"{name}={reprlib.repr(number)} is none; {COUNTS}")
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


def _task(task: str, *, field: bool) -> str:
    """Check what is planned."""
    if task not in TASKS:
        raise InputError(f"task={task!r} is unknown; {suggest(str(task), TASKS)}")
    if field and task not in ("find", "field"):
        raise InputError(f"field=True and task={task!r} exclude each other; leave one of them out")
    return "field" if field else task


def _costs(
    data: xr.DataArray, task: str, measure: str, k: int, chosen: Settings, team: Workers
) -> tuple[xr.DataArray, Cost]:
    """Return the array that is worked on, and what that costs."""
    array, _ = plain(data)
    array = array if is_lazy(array) else array.chunk()
    values = array.variable.data
    if task == "critical":
        from dhess.critical import TOLERANCE, Asked  # needs scipy

        asked = Asked.of(array, TOLERANCE, chosen)
        return array, of_search(Searched.of(values, asked.stencil, asked.quest, team), team)
    if task == "regions":
        question = Question.of(array, measure, chosen, full=False)
        searched = Searched.of(values, question.stencil, question.query, team)
        more = question.labelled(searched, 0.0).taken_off
        return array, of_search(searched, team, each=3, more=more)
    grid = Grid.of(array, chosen)
    quantity = quantity_named(measure) if task == "field" else quantity_of(find_measure(measure))
    if quantity.measure is not None:
        check_measure(quantity.measure, len(grid.axes))
    dtype = chosen.result_dtype(array.dtype)
    if task == "field":
        stencil = Stencil.of(grid, chosen, quantity.need)
        return array, of_field(values, stencil, quantity, dtype, team)
    everywhere = tuple((0, size) for size in values.shape)
    query = Query(find_measure(measure), checked_count(k, array.size), dtype, everywhere)
    searched = Searched.of(values, Stencil.of(grid, chosen, EVERYTHING), query, team)
    return array, of_search(searched, team)


def _more(task: str) -> Iterator[str]:
    if task == "regions":
        yield (
            "a quantile in place of a threshold is found first, in two to four more passes over "
            "the data"
        )
