"""Every pair of options in one call: lazy, the same bits in any blocks, and the search agrees.

There are some ten million combinations of the options below. A covering array has each pair of
values that may go together in at least one row, and a row is a test.
"""

from __future__ import annotations

import itertools
import random
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.measures import MEASURES

from . import oracles
from .strategies import chunkings
from .test_fields import same_bits
from .test_search import indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .oracles import Array, Float

PLANE = tuple(name for name, measure in MEASURES.items() if measure.ndim == 2)
SLOPES = ("slope", "slope_angle")

FACTORS: dict[str, tuple[Any, ...]] = {
    "measure": tuple(MEASURES),
    "order": (2, 4, 6, 8),
    "scheme": ("direct", "iterated"),
    "nan": ("propagate", "adapt"),
    "gaps": (False, True),
    "geometry": ("cartesian", "sphere"),
    "period": ("none", "one", "all"),
    "axes": ("even", "uneven", "descending", "mixed", "datetime"),
    "stored": ("float64", "float32", "int16", ">f8", ">f4"),
    "dtype": (None, "float32", "float64"),
    "scale": (None, "factors", "span"),
    "ndim": (1, 2, 3, 4),
    "batch": (None, 0, -1),
    "turned": (False, True),
    "exclude_edges": (False, True),
    "k": (1, 3, 40),
}
NEVER: tuple[dict[str, tuple[Any, ...]], ...] = (
    # what has no meaning, or is refused with a sentence that tests/test_options.py looks at
    {"scheme": ("iterated",), "nan": ("adapt",)},
    {"measure": PLANE, "ndim": (1, 3, 4)},
    {"geometry": ("sphere",), "ndim": (1,)},
    {"geometry": ("sphere",), "scale": ("span",)},
    {"geometry": ("sphere",), "scale": ("factors",), "ndim": (2,)},
    {"geometry": ("sphere",), "axes": ("datetime",), "ndim": (2,)},
    {"stored": ("int16",), "gaps": (True,)},
)

Row = dict[str, Any]
Pair = frozenset[tuple[str, Any]]


def allowed(row: Row) -> bool:
    return not any(
        all(name in row and row[name] in values for name, values in rule.items()) for rule in NEVER
    )


def pairs(row: Row) -> set[Pair]:
    return {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}


def completed(row: Row, missing: set[Pair], rng: random.Random) -> Row | None:
    """A whole row with the given values, the others taken so as to meet many missing pairs."""
    left = [name for name in FACTORS if name not in row]
    if not left:
        return row
    name = rng.choice(left)

    def gain(value: Any) -> int:
        return sum(frozenset({(name, value), item}) in missing for item in row.items())

    for value in sorted(rng.sample(FACTORS[name], len(FACTORS[name])), key=gain, reverse=True):
        wider = {**row, name: value}
        found = completed(wider, missing, rng) if allowed(wider) else None
        if found is not None:
            return found
    return None


@cache
def covering() -> tuple[tuple[Row, ...], frozenset[Pair]]:
    """Rows that hold every pair of values, and the pairs that no row may hold."""
    rng = random.Random(4)
    every = [
        frozenset({(a, u), (b, v)})
        for a, b in itertools.combinations(FACTORS, 2)
        for u in FACTORS[a]
        for v in FACTORS[b]
    ]
    missing, never, rows = set(every), set(), []
    for pair in every:
        if pair in missing:
            tries = (
                [completed(dict(pair), missing, rng) for _ in range(8)]
                if allowed(dict(pair))
                else []
            )
            whole = [row for row in tries if row is not None]
            if whole:
                rows.append(max(whole, key=lambda row: len(pairs(row) & missing)))
                missing -= pairs(rows[-1])
            else:
                missing.discard(pair)
                never.add(pair)
    return tuple(rows), frozenset(never)


def named(row: Row) -> str:
    return "-".join(str(row[name]) for name in FACTORS)


def test_every_pair_that_may_be_is_in_a_row() -> None:
    rows, never = covering()
    print(f"\n{len(rows)} rows for {len(set().union(*map(pairs, rows)))} pairs", end=" ")
    assert all(map(allowed, rows))
    by_rule = {
        frozenset({(a, u), (b, v)})
        for rule in NEVER
        if len(rule) == 2
        for (a, us), (b, vs) in [tuple(rule.items())]
        for u in us
        for v in vs
    }
    assert never == by_rule
    seen = set().union(*map(pairs, rows))
    for a, b in itertools.combinations(FACTORS, 2):
        for u, v in itertools.product(FACTORS[a], FACTORS[b]):
            pair = frozenset({(a, u), (b, v)})
            assert (pair in seen) != (pair in by_rule)


class Line(NamedTuple):
    """One axis: its name and coordinate, whether uneven, and how long it is once around."""

    name: str
    values: Array
    uneven: bool
    around: float


def layers(row: Row, *, uneven: bool) -> int:
    """How many points at an end have a one-sided stencil.

    A first derivative has p + 1 nodes, a second one p + 1 on an even axis and p + 3 on an uneven
    one; an iterated one reaches twice as far as a first.
    """
    if row["measure"] in SLOPES:
        return int(row["order"]) // 2
    if row["scheme"] == "iterated":
        return int(row["order"])
    return int(row["order"]) // 2 + uneven


def lines(row: Row, rng: np.random.Generator) -> Iterator[Line]:
    """The axes of a row, with a few points more than its stencils and exclude_edges need."""
    wrapped = wraps(row)
    for k, name in enumerate(names(row)):
        kind = ("uneven", "descending")[k % 2] if row["axes"] == "mixed" else str(row["axes"])
        # a gap in one dimension takes the whole reach of an iterated stencil out on both sides
        least = 2 * row["order"] + 4 if row["ndim"] == 1 else row["order"] + 4
        if row["exclude_edges"] and name not in wrapped:
            least = max(least, 2 * layers(row, uneven=kind == "uneven") + 2)
        yield line(name, kind, least + int(rng.integers(0, 2)), rng)


def names(row: Row) -> list[str]:
    time = "t" if row["axes"] == "datetime" else "u"
    first = ["lat", "lon", time] if row["geometry"] == "sphere" else [time, "x", "v"]
    return [*first, "w"][: row["ndim"]]


def wraps(row: Row) -> list[str]:
    """Which axes are periodic: all but the latitude, or the first of those."""
    around = [name for name in names(row) if name != "lat"]
    return {"none": [], "one": around[:1], "all": around}[row["period"]]


def line(name: str, kind: str, size: int, rng: np.random.Generator) -> Line:
    if name == "t":
        hours = np.arange(size) * np.timedelta64(1, "h")
        return Line(name, np.datetime64("2026-01-31", "ns") + hours, False, float(size))
    steps = np.ones(size, np.float64)
    if kind == "uneven":
        steps += rng.integers(0, 32, size) / 32
        steps[1] = steps[0] + 1 / 64
    length = {"lat": 112.0, "lon": 180.0}.get(name, size / 4)
    places = np.append(0.0, np.cumsum(steps)) * (length / steps.sum())
    start = {"lat": -90.0, "lon": 20.0}.get(name, -1.0)
    values, around = start + places[:-1], float(places[-1])
    if kind == "descending":
        values = values[::-1]
    if name == "lon" and kind == "even":
        values, around = np.arange(size) * (360.0 / size), 360.0
    return Line(name, values.copy(), kind == "uneven", around)


class Case(NamedTuple):
    """The data of a row, its options, and the points that exclude_edges leaves."""

    array: xr.DataArray
    options: dict[str, Any]
    kept: Array


def case_of(row: Row) -> Case:
    rng = np.random.default_rng(list(FACTORS["measure"]).index(row["measure"]) + 64 * row["order"])
    drawn = list(lines(row, rng))
    shape = [line.values.size for line in drawn]
    dims = [line.name for line in drawn]
    coords: dict[str, Any] = {line.name: line.values for line in drawn}
    if row["batch"] is not None:
        at = 0 if row["batch"] == 0 else len(dims)
        shape.insert(at, 2)
        dims.insert(at, "batch")
    data = rng.standard_normal(shape) * 9
    if row["gaps"]:
        data[(1,) * data.ndim] = np.nan
        if row["nan"] == "adapt":
            data[rng.random(shape) < 0.3 / row["order"] ** 2] = np.nan
    array = xr.DataArray(data.astype(row["stored"]), coords, dims, "f")
    if row["turned"]:
        array = array.transpose(*dims[::-1])
    options = {name: row[name] for name in ("order", "scheme", "nan", "geometry", "dtype")}
    options |= {
        "dims": [line.name for line in drawn],
        "datetime_unit": "h",
        "period": {line.name: line.around for line in drawn if line.name in wraps(row)},
        "scale": scales(row, drawn),
    }
    return Case(array, options, kept(row, drawn, array))


def scales(row: Row, drawn: list[Line]) -> Any:
    if row["scale"] != "factors":
        return row["scale"]
    return {line.name: 2.5 for line in drawn if line.name not in ("lat", "lon")}


def kept(row: Row, drawn: list[Line], array: xr.DataArray) -> Array:
    inside = np.ones(array.shape, dtype=bool)
    for line in drawn:
        if row["exclude_edges"] and line.name not in wraps(row):
            rim = layers(row, uneven=line.uneven)
            along = np.zeros(line.values.size, dtype=bool)
            along[rim:-rim] = True
            inside &= along.reshape([-1 if dim == line.name else 1 for dim in array.dims])
    return inside


def places(found: xr.Dataset) -> list[tuple[int, ...]]:
    """Indices of the answer; a lazy one is filled up with rows of -1."""
    return [index for index in indices(found) if min(index) >= 0]


def is_smallest(found: xr.Dataset, field: Float, row: Row, inside: Array) -> None:
    want = oracles.k_smallest(np.where(inside, field, np.nan), row["k"])
    assert places(found) == want
    values = found["value"].values[: len(want)]
    np.testing.assert_array_equal(values, [float(field[index]) for index in want])


@pytest.mark.filterwarnings("ignore::dhess.UnitsWarning")
@pytest.mark.parametrize("row", covering()[0], ids=named)
@given(data=st.data())
@settings(max_examples=4)
def test_any_combination(row: Row, data: st.DataObject) -> None:
    array, options, inside = case_of(row)
    name, asked = row["measure"], {"k": row["k"], "exclude_edges": row["exclude_edges"]}
    whole = dhess.measure(array, name, **options)
    searchable = np.where(inside, whole.values, np.nan)
    assert whole.dtype == (row["dtype"] or ("float32" if "4" in array.dtype.str[2:] else "float64"))
    assert not np.isnan(searchable).all()
    is_smallest(dhess.find_minimum(array, name, **asked, **options), whole.values, row, inside)

    chunks = dict(zip(array.dims, data.draw(chunkings(array.shape, 8)), strict=True))
    blocks = array.chunk(chunks)
    with dask.config.set(scheduler=refuse):
        lazy = dhess.measure(blocks, name, **options)
        answer = dhess.find_minimum(blocks, name, compute=False, **asked, **options)
    assert dask.is_dask_collection(lazy.data)
    field, found = dask.compute(lazy, answer, scheduler="synchronous")
    same_bits(field, whole)
    is_smallest(found, whole.values, row, inside)


@pytest.mark.parametrize("size", [6, 9])
def test_no_order_of_dimensions_changes_a_number(size: int) -> None:
    """Rows run along another axis then, and short ones are passed several at once."""
    shape = (2, size, size + 1, size + 2)
    data = np.random.default_rng(size).standard_normal(shape)
    coords = {"lat": 70 - 11.0 * np.arange(size), "lon": 30.0 * np.arange(size + 1)}
    array = xr.DataArray(data, coords, ("batch", "lat", "lon", "z"), "f")
    asked: dict[str, Any] = {"dims": ["lat", "lon", "z"], "geometry": "sphere", "radius": 1.0}
    want = dhess.gradient(array, **asked), dhess.hessian(array, **asked)
    for dims in itertools.permutations(array.dims):
        turned = array.transpose(*dims)
        got = dhess.gradient(turned, **asked), dhess.hessian(turned, **asked)
        for there, here in zip(got, want, strict=True):
            back = there.transpose(*here.dims)
            np.testing.assert_allclose(back.values, here.values, rtol=1e-12, atol=1e-10)


def refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("something was computed that should have stayed lazy")
