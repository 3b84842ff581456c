"""period=: an axis that starts over has no ends, only a seam like any other place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, Line, cases, chunkings, holes, lines
from .test_fields import FIELDS, same_bits
from .test_options import CALLS, one_sentence
from .test_search import agrees

if TYPE_CHECKING:
    from .oracles import Float

ORDERS = (2, 4, 6, 8)


@st.composite
def periodic_cases(draw: st.DrawFn, order: int, max_points: int = 2500) -> Case:
    """A grid with at least one periodic axis; each is as short as the order allows, or longer."""
    case = draw(
        cases(
            max_n=3,
            min_size=order + 3,
            max_size=order + 9,
            max_points=max_points,
            periodic=None,
        )
    )
    assume(case.period)
    return case


def field_of(name: str, array: xr.DataArray, **options: Any) -> xr.DataArray:
    field: xr.DataArray = FIELDS[name](array, **options)
    return field


def fields_for(array: xr.DataArray) -> list[str]:
    return [name for name in FIELDS if name != "slope_angle" or array.ndim == 2]


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=40)
def test_equals_dense_operators_that_wrap(data: st.DataObject, order: int) -> None:
    case = data.draw(periodic_cases(order))
    values = case.random()
    values[data.draw(holes(case.shape))] = np.nan
    oracle = oracles.Oracle(values, case.axes, order)
    options: dict[str, Any] = {"order": order, "period": case.period}
    gradient = dhess.gradient(case.array(values), **options).values
    hessian = dhess.hessian(case.array(values), **options).values
    for k in range(len(case.lines)):
        for l in (None, *range(k, len(case.lines))):
            got = gradient[k] if l is None else hessian[k, l]
            want, unit = oracle.component(k, l), oracle.rounding(k, l)
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
            kept = ~np.isnan(want)
            assert (np.abs(got - want)[kept] <= 1e-12 * unit[kept]).all()


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=25)
def test_iterated_is_the_first_derivative_twice(data: st.DataObject, order: int) -> None:
    """At order 2 on wrapped axes only: open ones end as in numpy.gradient there."""
    case = data.draw(periodic_cases(order))
    values = case.random()
    oracle = oracles.Oracle(values, case.axes, order)
    got = dhess.hessian(case.array(), order=order, scheme="iterated", period=case.period).values
    for k, line in enumerate(case.lines):
        if order == 2 and line.period is None:
            continue
        matrix, axis = oracle.operator(k, 1)
        want = oracles.apply(matrix, oracles.apply(matrix, values, axis), axis)
        unit = np.abs(values)
        for _ in range(2):
            unit = oracles.apply(np.abs(matrix), unit, axis)
        assert (np.abs(got[k, k] - want) <= 1e-12 * unit).all()


def impulses(line: Line, derivative: int, order: int) -> Float:
    """The operator's dense matrix: its answer to a one at every node in turn."""
    assert line.period is not None
    data = xr.DataArray(np.eye(len(line.values)), {"x": line.values}, ("node", "x"))
    call = dhess.gradient if derivative == 1 else dhess.hessian
    got = call(data, dims=["x"], order=order, period={"x": line.period})
    matrix: Float = got.values.reshape(len(line.values), -1).T
    return matrix


@pytest.mark.parametrize(
    ("values", "period", "derivative", "row", "want"),
    [
        # even, step 1/2: the central formulas, at the seam too
        ([0, 0.5, 1, 1.5, 2], 2.5, 1, 0, [0, 1, 0, 0, -1]),
        ([0, 0.5, 1, 1.5, 2], 2.5, 2, 4, [4, 0, 0, 4, -8]),
        ([2, 1.5, 1, 0.5, 0], 2.5, 1, 4, [-1, 0, 0, 1, 0]),
        # a gap of 3 over the seam: f′ at 0 from −3, 0, 1 is −f(−3)/12 − 2 f(0)/3 + 3 f(1)/4
        ([0, 1, 2], 5, 1, 0, [-2 / 3, 3 / 4, -1 / 12]),
        ([2, 1, 0], 5, 1, 2, [-1 / 12, 3 / 4, -2 / 3]),
    ],
)
def test_weights_worked_by_hand(
    values: list[float], period: float, derivative: int, row: int, want: list[float]
) -> None:
    got = impulses(Line(np.asarray(values, float), even=False, period=period), derivative, 2)[row]
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


@given(
    data=st.data(), order=st.sampled_from(ORDERS), scheme=st.sampled_from(["direct", "iterated"])
)
@settings(max_examples=60)
def test_same_bits_for_any_chunking(data: st.DataObject, order: int, scheme: str) -> None:
    case = data.draw(periodic_cases(order, max_points=1200))
    array = case.array().where(~data.draw(holes(case.shape)))
    if data.draw(st.booleans()):
        array = array.astype(np.float32)
    options: dict[str, Any] = {"order": order, "scheme": scheme, "period": case.period}
    name = data.draw(st.sampled_from(fields_for(array)))
    chunks = data.draw(chunkings(case.shape))
    whole = field_of(name, array, **options)
    blocks = field_of(name, array.chunk(dict(zip(array.dims, chunks, strict=True))), **options)
    same_bits(blocks.compute(scheduler="synchronous"), whole)


@pytest.mark.parametrize("order", [2, 8])
@pytest.mark.parametrize("wraps", ["x", "y", "yx"])
@pytest.mark.parametrize("even", [True, False])
def test_same_bits_for_blocks_of_one_point(order: int, wraps: str, even: bool) -> None:
    data = np.random.default_rng(0).standard_normal((12, 13))
    array = xr.DataArray(data, dims=["y", "x"])
    if not even:
        array = array.assign_coords(y=np.arange(12.0) ** 1.25, x=-np.exp(np.arange(13.0) / 8))
    options: dict[str, Any] = {"order": order, "period": dict.fromkeys(wraps, 30.0)}
    for name in FIELDS:
        got = field_of(name, array.chunk({"y": 1, "x": 1}), **options)
        same_bits(got.compute(scheduler="threads"), field_of(name, array, **options))


def turned(array: xr.DataArray, shift: dict[str, int]) -> xr.DataArray:
    """The same coordinates, the numbers further on."""
    return array.copy(
        data=np.roll(array.values, list(shift.values()), [*map(array.dims.index, shift)])
    )


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=40)
def test_rolling_the_data_rolls_the_answer(data: st.DataObject, order: int) -> None:
    """On even axes to the bit: the seam is a place like any other."""
    n = data.draw(st.integers(1, 3))
    sizes = [data.draw(st.integers(order + 1, order + 6)) for _ in range(n)]
    dims = list("zyx"[-n:])
    wraps = data.draw(st.sets(st.sampled_from(dims), min_size=1))
    sizes = [s if d in wraps else max(s, order + 2) for s, d in zip(sizes, dims, strict=True)]
    values = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(sizes)
    array = xr.DataArray(
        values, {d: 0.5 * np.arange(s) for d, s in zip(dims, sizes, strict=True)}, dims
    )
    shift = {d: data.draw(st.integers(-20, 20)) for d in sorted(wraps)}
    options: dict[str, Any] = {"order": order, "period": {d: 0.5 * array.sizes[d] for d in wraps}}
    for name in fields_for(array):
        want = field_of(name, array, **options)
        got = field_of(name, turned(array, shift), **options)
        same_bits(got, turned(want, shift))


@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_where_the_seam_is_does_not_matter(data: st.DataObject, order: int) -> None:
    """Uneven axes: rolling coordinate and data together changes rounding only."""
    line = data.draw(lines(order + 3, order + 9, even=False, periodic=True))
    assert line.period is not None
    size, sign = len(line.values), 1 if line.values[-1] > line.values[0] else -1
    shift = data.draw(st.integers(0, size - 1))
    values = np.random.default_rng(0).standard_normal(size)
    places = np.concatenate([line.values[shift:], line.values[:shift] + sign * line.period])
    oracle = oracles.Oracle(values, [oracles.Along(0, line.values, False, line.period)], order)
    options: dict[str, Any] = {"order": order, "period": {"x": line.period}}
    one = xr.DataArray(values, {"x": line.values}, "x")
    other = xr.DataArray(np.roll(values, -shift), {"x": places}, "x")
    for call, unit in (
        (dhess.gradient, oracle.rounding(0)),
        (dhess.hessian, oracle.rounding(0, 0)),
    ):
        want, got = call(one, **options).values.ravel(), call(other, **options).values.ravel()
        assert (np.abs(np.roll(got, shift) - want) <= 1e-12 * unit).all()


@given(data=st.data())
def test_a_constant_is_flat_at_the_seam(data: st.DataObject) -> None:
    order = data.draw(st.sampled_from(ORDERS))
    case = data.draw(periodic_cases(order))
    array = case.array(np.full(case.shape, 0.1))
    options: dict[str, Any] = {"order": order, "period": case.period}
    np.testing.assert_array_equal(dhess.gradient(array, **options).values, 0)
    np.testing.assert_array_equal(dhess.hessian(array, **options).values, 0)


@given(data=st.data(), order=st.sampled_from(ORDERS), k=st.integers(1, 5))
@settings(max_examples=40)
def test_search_is_argmin_of_the_measure(data: st.DataObject, order: int, k: int) -> None:
    case = data.draw(periodic_cases(order, max_points=800))
    values = case.random()
    if data.draw(st.booleans()):
        values = np.round(values)
    values[data.draw(holes(case.shape))] = np.nan
    array = case.array(values)
    name = data.draw(st.sampled_from([n for n in fields_for(array) if n in oracles.MEASURES]))
    options: dict[str, Any] = {"order": order, "period": case.period}
    if np.isnan(dhess.measure(array, name, **options).values).all():
        with pytest.raises(dhess.NoValidPoint):
            dhess.find_minimum(array, name, k=k, **options)
        return
    whole = dhess.find_minimum(array, name, k=k, **options)
    agrees(whole, array, name, k, **options)
    chunks = dict(zip(array.dims, data.draw(chunkings(case.shape)), strict=True))
    with dask.config.set(scheduler="synchronous"):
        blocks = dhess.find_minimum(array.chunk(chunks), name, k=k, **options)
    xr.testing.assert_identical(blocks, whole)


def test_exclude_edges_leaves_out_nothing_along_the_axis() -> None:
    array = xr.DataArray(np.random.default_rng(0).standard_normal((9, 10)), dims=["y", "x"])
    found = dhess.find_minimum(array, k=100, exclude_edges=True, period={"x": 10})
    assert found.attrs["points"] == 7 * 10
    found = dhess.find_minimum(array, k=100, exclude_edges=True, period={"x": 10, "y": 9})
    assert found.attrs["points"] == 90


def test_the_minimum_on_the_seam() -> None:
    """A bowl around the date line, flattest by slope at −180, which is 180 too."""
    lon = np.arange(-180, 180, 15.0)
    array = xr.DataArray(np.cos(np.deg2rad(lon)), {"lon": lon}, "lon")
    found = dhess.find_minimum(array, "slope", period={"lon": 360}, k=2)
    assert set(found["lon"].values) == {-180.0, 0.0}
    np.testing.assert_allclose(found["value"], 0, atol=1e-17)
    assert dict(zip(found["lon"].values, found["kind"].values, strict=True)) == {
        -180.0: "minimum",
        0.0: "maximum",
    }


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("name", FIELDS)
def test_nothing_computed(name: str) -> None:
    array = xr.DataArray(dask.array.ones((6, 7), chunks=3), dims=["y", "x"])
    got = field_of(name, array, period={"y": 6, "x": 9})
    assert dask.is_dask_collection(got.data)


def on(values: Any, name: str = "lon", **attrs: str) -> xr.DataArray:
    data = np.random.default_rng(1).standard_normal((8, len(values)))
    coords = {name: (name, np.asarray(values), attrs)}
    return xr.DataArray(data, coords, ("y", name), "f")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("values", "period", "fragments"),
    [
        (np.arange(0, 360, 30), {"lon": 300.0}, ["lon", "300", "330"]),
        (np.arange(0, 361, 30), {"lon": 360.0}, ["lon", "360", "0"]),
        (np.arange(0, 361, 30)[::-1] / 2, {"lon": 180}, ["lon", "180"]),
        (np.linspace(0, 360, 13, dtype=np.float32), {"lon": 360.0}, ["lon", "360"]),
        (np.geomspace(1, 100, 9), {"lon": 99.0}, ["lon", "99"]),
        (np.geomspace(1, 100, 9), {"lon": 98.0}, ["lon", "98", "99"]),
        (np.arange(0, 720, 30), {"lon": 360.0}, ["lon", "360", "690"]),
        (np.arange(9), {"lno": 360.0}, ["lno", "'lon'"]),
        (np.arange(9), {"z": 360.0}, ["z", "lon"]),
        (np.arange(9), {"lon": 0.0}, ["lon", "0"]),
        (np.arange(9), {"lon": -360.0}, ["lon", "-360"]),
        (np.arange(9), {"lon": float("nan")}, ["lon", "nan"]),
        (np.arange(9), 360.0, ["360", "period={"]),
    ],
)
def test_a_period_that_cannot_be(call: str, values: Any, period: Any, fragments: list[str]) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](on(values), period=period)
    one_sentence(caught.value, *fragments)


def test_a_period_of_a_batch_dimension() -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.gradient(on(np.arange(9)), dims=["y"], period={"lon": 360.0})
    one_sentence(caught.value, "lon", "y")


@pytest.mark.parametrize(("order", "even"), [(2, True), (2, False), (8, True), (8, False)])
def test_shortest_axis(order: int, even: bool) -> None:
    """A window must not meet itself: p + 1 nodes on an even axis, p + 3 for f″ on an uneven one."""
    least = order + 1 if even else order + 3
    for size in (least - 1, least):
        x = np.arange(float(size)) if even else np.arange(float(size)) ** 1.5
        array = xr.DataArray(np.zeros(size), {"x": x}, "x")
        options: dict[str, Any] = {"order": order, "period": {"x": float(x[-1] + 1)}}
        if size == least:
            np.testing.assert_array_equal(dhess.hessian(array, **options).values, 0)
        else:
            with pytest.raises(dhess.GridError) as caught:
                dhess.hessian(array, **options)
            one_sentence(caught.value, "x", str(size), str(least))
