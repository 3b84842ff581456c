"""One pass over a block: fields written to their place, or the smallest values kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.block import Block, readable, strides_of
from dhess.gaps import Gaps, find_gaps, has_gaps, measure_near, rows_near
from dhess.jobs import Job, jobs
from dhess.kernels import boxes
from dhess.kernels.eigen import symmetric_eigenvalues
from dhess.kernels.measures import compares, pair_row
from dhess.kernels.spans import Work
from dhess.tiles import tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.tables import Array, Range, Table

PART = 1 << 20
"""Points that are looked through for gaps at once."""


def write_components(
    table: Table, block: Block, what: int, out: Array, held: tuple[Range, ...]
) -> None:
    """Write the gradient, Hessian or eigenvalues of a block to their place in out.

    ``held`` are the ranges of points that out holds, behind its dimensions of components.
    """
    shape = tuple(b - a for a, b in held)
    flat = out.reshape(-1)
    between = int(np.prod(shape))
    for part, gaps in _parts(table, block):
        for job in jobs(table, part):
            base, strides = _target(job, held, shape)
            work = Work.of(job.box)
            boxes.components_box(
                what, job.box, job.metric, work, job.flat, flat, base, strides, between
            )
        if gaps is not None:
            within: tuple[Any, ...] = (slice(None), *_within(part, held))
            _mend_components(table, gaps, what, out.reshape(-1, *shape)[within])


def components_at(table: Table, block: Block, what: int, points: Array) -> Array:
    """Return the gradient or Hessian at single points, shape (points, components).

    ``points`` are global indices, shape (points, dims). Interior points of even axes have one job,
    which only begins elsewhere for each.
    """
    n = len(table.stencil.axes)
    out = np.empty((len(points), n * n if what == boxes.HESSIAN else n))
    shared = _interior(table, block, points)
    job: Job | None = None
    for i, point in enumerate(points):
        place = tuple((int(j), int(j) + 1) for j in point)
        if not shared[i]:
            write_components(table, replace(block, ranges=place), what, out[i], place)
            continue
        if job is None:
            (job,) = jobs(table, replace(block, ranges=place))
            work, begin = Work.of(job.box), point
            base, strides = _target(job, place, (1,) * len(place))
        box = job.box._replace(base=job.box.base + int((point - begin) @ job.box.strides))
        boxes.components_box(what, box, None, work, job.flat, out[i], base, strides, 1)
    return out


def _interior(table: Table, block: Block, points: Array) -> Array:
    """Tell which points have the same weights all around, on data that is read in place."""
    stencil = table.stencil
    if not (stencil.uniform and readable(block.data)) or stencil.adapts or stencil.latitude:
        return np.zeros(len(points), bool)
    inside = np.ones(len(points), bool)
    for axis in stencil.axes:
        low, high = axis.regular
        along = points[:, axis.axis.position]
        inside &= (low <= along) & (along < high)
    return inside


def _mend_components(table: Table, gaps: Gaps, what: int, out: Array) -> None:
    n = len(table.stencil.axes)
    out[:, gaps.missing] = np.nan
    for index, rows in rows_near(table, gaps, noise=False):
        everything: tuple[Any, ...] = (slice(None), *index)
        with np.errstate(over="ignore"):
            out[everything] = _components(what, rows, n)


def _components(what: int, rows: Array, n: int) -> Array:
    """Pick the components from the rows of derivatives, one row each."""
    matrix = [pair_row(min(k, l), max(k, l), n) for k in range(n) for l in range(n)]
    if what == boxes.EIGENVALUES:
        values = np.empty((rows.shape[1], n))
        symmetric_eigenvalues(np.ascontiguousarray(rows[matrix].T).reshape(-1, n, n), values)
        return values.T
    return rows[matrix if what == boxes.HESSIAN else list(range(n))]


def write_measure(
    table: Table, block: Block, code: int, out: Array, held: tuple[Range, ...]
) -> None:
    """Write a measure on a block to its place in out, which holds the points of ``held``."""
    for part, gaps in _parts(table, block):
        _write_part(table, part, gaps, code, out, held)


def _write_part(
    table: Table, part: Block, gaps: Gaps | None, code: int, out: Array, held: tuple[Range, ...]
) -> None:
    flat = out.reshape(-1)
    for job in jobs(table, part):
        base, strides = _target(job, held, out.shape)
        work = Work.of(job.box)
        boxes.measure_box(code, job.box, job.metric, work, job.flat, flat, base, strides)
    if gaps is not None:
        _mend_measure(table, gaps, code, out[_within(part, held)])


def _mend_measure(table: Table, gaps: Gaps, code: int, out: Array) -> None:
    out[gaps.missing] = np.nan
    for index, rows in rows_near(table, gaps, noise=compares(code)):
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as kernels have it
            out[index] = measure_near(code, rows, len(table.stencil.axes))


def _within(part: Block, held: tuple[Range, ...]) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(part.ranges, held, strict=True))


def _parts(table: Table, block: Block) -> Iterator[tuple[Block, Gaps | None]]:
    """Cut a block into parts of bounded size, each with its gaps, if the stencil adapts to any."""
    if any(last <= first for first, last in block.ranges):
        return
    if not (table.stencil.adapts and has_gaps(table, block)):
        yield block, None
        return
    shape = tuple(b - a for a, b in block.ranges)
    first = table.stencil.along(0)
    thick = 1 if first is None else 4 * first.halo
    for tile in tiles(shape, max(PART, thick * int(np.prod(shape[1:])))):
        ranges = tuple((a + o, b + o) for (a, b), (o, _) in zip(tile, block.ranges, strict=True))
        part = replace(block, ranges=ranges)
        yield part, find_gaps(table, part)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The points of smallest value found so far, ranked by value and then by place."""

    columns: dict[str, Array]
    """What is known of them, one row each: ``value``, ``place`` (position in C order), more."""
    nans: int
    """NaN values among those seen."""
    missing: int = 0
    """Stored chunks that were not there when the points were read."""
    blocks: int = 0
    """Blocks that were searched whole."""

    @classmethod
    def merge(cls, parts: Sequence[Candidates], k: int) -> Candidates:
        """Return the k best of several; the order of the parts does not matter."""
        full = [part for part in parts if len(part.columns["place"])] or parts[:1]
        columns = {
            name: np.concatenate([part.columns[name] for part in full]) for name in full[0].columns
        }
        best = np.lexsort((columns["place"], columns["value"]))[:k]
        sums = (sum(getattr(p, name) for p in parts) for name in ("nans", "missing", "blocks"))
        return cls({k: v[best] for k, v in columns.items()}, *sums)

    @property
    def bare(self) -> Candidates:
        """The same points, of which nothing else is known."""
        return replace(self, columns={name: self.columns[name] for name in ("value", "place")})

    def among(self, places: Array) -> Candidates:
        """Return those that lie at some places."""
        kept = np.isin(self.columns["place"], places)
        return replace(self, columns={name: values[kept] for name, values in self.columns.items()})


def search(table: Table, block: Block, code: int, k: int, *, single: bool) -> Candidates:
    """Return the k smallest values of a measure on a block."""
    found = [Candidates({"value": np.empty(0), "place": np.empty(0, np.int64)}, 0)]
    for part, gaps in _parts(table, block):
        if gaps is None:
            found += [_of_job(table, job, code, k, single=single) for job in jobs(table, part)]
        else:
            found.append(_of_field(table, part, gaps, code, k, single=single))
    return Candidates.merge(found, k)


def _of_job(table: Table, job: Job, code: int, k: int, *, single: bool) -> Candidates:
    shape = table.stencil.grid.shape
    count = min(k, int(np.prod(job.box.shape)))
    values, places = np.empty(count), np.empty(count, np.int64)
    base, strides = _target(job, tuple((0, size) for size in shape), shape)
    ordered = bool(np.all(np.diff(strides) <= 0))
    kept, nans = boxes.search_box(
        code,
        job.box,
        job.metric,
        Work.of(job.box, count),
        job.flat,
        base,
        strides,
        single,
        ordered,
        values,
        places,
    )
    return Candidates({"value": values[:kept], "place": places[:kept]}, nans)


def _of_field(
    table: Table, part: Block, gaps: Gaps, code: int, k: int, *, single: bool
) -> Candidates:
    """Search a part that has gaps: its measure is written down first."""
    values = np.empty(tuple(b - a for a, b in part.ranges))
    _write_part(table, part, gaps, code, values, part.ranges)
    if single:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32).astype(np.float64)
    valid = ~np.isnan(values)
    seen = values[valid]
    limit = np.partition(seen, k - 1)[k - 1] if k < seen.size else np.inf
    index = np.nonzero(valid & (values <= limit))
    shape = table.stencil.grid.shape
    whole = tuple(i + a for i, (a, _) in zip(index, part.ranges, strict=True))
    places = np.ravel_multi_index(whole, shape).astype(np.int64)
    found = Candidates({"value": values[index], "place": places}, int((~valid).sum()))
    return Candidates.merge([found], k)


def _target(
    job: Job, ranges: tuple[Range, ...], shape: tuple[int, ...]
) -> tuple[int, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return where a job's points lie in a C-ordered array of the given ranges: base, strides."""
    strides = strides_of(shape)
    base = sum(
        (mine[0] - theirs[0]) * s
        for mine, theirs, s in zip(job.ranges, ranges, strides, strict=True)
    )
    return int(base), np.array([strides[d] for d in job.axes], dtype=np.int64)
