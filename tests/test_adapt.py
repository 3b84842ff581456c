"""nan="adapt": every run of valid points is its own domain, and nothing crosses a gap."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, cases, chunkings, holes
from .test_fields import FIELDS, LEADING, same_bits
from .test_options import CALLS, one_sentence
from .test_search import agrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .oracles import Array, Float

ORDERS = (2, 4, 6, 8)
POINTS = {2: 500, 4: 450, 6: 400, 8: 400}


def options_of(case: Case, order: int) -> dict[str, Any]:
    return {"nan": "adapt", "order": order, "period": case.period}


@st.composite
def masked_cases(
    draw: st.DrawFn, order: int, max_n: int = 3, periodic: bool | None = None
) -> tuple[Case, xr.DataArray]:
    """Grids with random masks: few holes, half the points, or walls; some axes periodic."""
    case = draw(
        cases(
            max_n=max_n if order < 6 else min(max_n, 2),
            min_size=order + 3,
            max_size=order + 12,
            max_points=POINTS[order],
            periodic=periodic,
        )
    )
    rng = np.random.default_rng(case.seed)
    share = draw(st.sampled_from([0.0, 0.02, 0.1, 0.3]))
    mask = (rng.random(case.shape) < share) | draw(holes(case.shape))
    return case, case.array().where(~mask)


def named(array: xr.DataArray) -> list[str]:
    return [name for name in FIELDS if name != "slope_angle" or array.ndim == 2]


def field_of(name: str, array: xr.DataArray, **options: Any) -> xr.DataArray:
    field: xr.DataArray = FIELDS[name](array, **options)
    return field


def compare(got: Float, want: Float, unit: Float) -> None:
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    kept = ~np.isnan(want)
    assert (np.abs(got - want)[kept] <= 1e-12 * unit[kept]).all()


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=60)
def test_equals_the_definition_point_by_point(data: st.DataObject, order: int) -> None:
    case, array = data.draw(masked_cases(order))
    oracle = oracles.Adapted(array.values, case.axes, order)
    gradient = dhess.gradient(array, **options_of(case, order)).values
    hessian = dhess.hessian(array, **options_of(case, order)).values
    for k in range(array.ndim):
        compare(gradient[k], *oracle.component(k))
        for l in range(k, array.ndim):
            compare(hessian[k, l], *oracle.component(k, l))


def along(values: list[float], order: int = 2, **options: Any) -> tuple[list[float], list[float]]:
    """f′ and f″ of a line with gaps."""
    line = xr.DataArray(np.array(values), dims="x")
    first = dhess.gradient(line, nan="adapt", order=order, **options).values[0]
    return first.tolist(), dhess.hessian(line, nan="adapt", order=order, **options).values[
        0, 0
    ].tolist()


NAN = float("nan")


def test_runs_worked_by_hand() -> None:
    # runs of one, two, three and four points; cubes of the index within the last one
    line = [5, NAN, 1, 4, NAN, 0, 1, 4, NAN, 0, 1, 8, 27]
    first, second = along(line)
    # one point: nothing; two: their difference; three: the parabola i²; four: f″ = 6 i exact,
    # f′ = 3 i² − 2 at the left end from 0, 1, 8 (three nodes are exact to degree 2: −3/2·0 + 2·1
    # − 8/2), central (8 − 0)/2 and (27 − 1)/2 inside, 3/2·27 − 2·8 + 1/2 at the right end
    np.testing.assert_array_equal(first, [NAN, NAN, 3, 3, NAN, 0, 2, 4, NAN, -2, 4, 13, 25])
    np.testing.assert_array_equal(second, [NAN, NAN, NAN, NAN, NAN, 2, 2, 2, NAN, 0, 6, 12, 18])


def test_a_run_goes_on_over_the_seam() -> None:
    # valid: 5, 6, 0, 1 in this order around; values of i² counted from 5
    line = [4, 9, NAN, 7, NAN, 0, 1]
    first, second = along(line, period={"x": 7})
    np.testing.assert_allclose(first, [4, 6, NAN, NAN, NAN, 0, 2], atol=1e-14)
    np.testing.assert_allclose(second, [2, 2, NAN, NAN, NAN, 2, 2], atol=1e-14)
    first, second = along(line)
    np.testing.assert_array_equal(first, [5, 5, NAN, NAN, NAN, 1, 1])
    assert np.isnan(second).all()


def test_mixed_derivative_in_corners_by_hand() -> None:
    """f = xy is 1 wherever any rectangle fits, whichever corner is missing."""
    y, x = np.meshgrid(np.arange(6.0), np.arange(7.0), indexing="ij")
    full = xr.DataArray(y * x, dims=["y", "x"])
    for corner in [(2, 2), (0, 0), (5, 3), (3, 6)]:
        data = full.copy(deep=True)
        data[corner] = np.nan
        mixed = dhess.hessian(data, nan="adapt").sel(row="y", col="x").values
        assert np.isnan(mixed).sum() == 1
        np.testing.assert_allclose(mixed[~np.isnan(mixed)], 1, atol=1e-13)


def test_a_single_row_has_no_mixed_derivative() -> None:
    data = xr.DataArray(np.full((5, 6), np.nan), dims=["y", "x"])
    data[2] = np.arange(6.0) ** 2
    got = dhess.hessian(data, nan="adapt")
    np.testing.assert_allclose(got.sel(row="x", col="x").values[2], 2)
    assert np.isnan(got.sel(row="y").values).all()
    assert np.isnan(dhess.measure(data, "hessian_norm", nan="adapt").values).all()


def monomial(case: Case, powers: list[int], *along: int) -> Float:
    """The product of all x_d to the power of d, differentiated along some axes, on paper."""
    factors = []
    for d, (x, power) in enumerate(zip(case.points, powers, strict=True)):
        times = along.count(d)
        factors.append(math.perm(power, times) * x ** max(power - times, 0))
    product: Float = np.asarray(functools.reduce(np.multiply, np.ix_(*factors)))
    return product


def has_room(
    oracle: oracles.Adapted, index: tuple[int, ...], powers: list[int], k: int, l: int | None
) -> bool:
    """Whether every window of a derivative has more points than the degree along its axis."""
    if l is None or l == k:
        line = oracle.line(k, index).tolist()
        nodes = oracle.window(k, 1 if l is None else 2, index[k], line)
        return nodes is not None and len(nodes) > powers[k]
    found = oracle.rectangles(k, l, index)
    return bool(found) and all(len(a) > powers[k] and len(b) > powers[l] for a, b in found)


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=40)
def test_exact_on_polynomials_wherever_there_are_enough_points(
    data: st.DataObject, order: int
) -> None:
    """Any degree up to the order along every axis, through every gap; without gaps, everywhere."""
    case, array = data.draw(masked_cases(order, periodic=False))
    powers = [data.draw(st.integers(0, order)) for _ in case.shape]
    field = array.copy(data=np.where(np.isnan(array.values), np.nan, monomial(case, powers)))
    oracle = oracles.Adapted(field.values, case.axes, order)
    gradient = dhess.gradient(field, **options_of(case, order)).values
    hessian = dhess.hessian(field, **options_of(case, order)).values
    n = field.ndim
    for k, l in itertools.chain(
        zip(range(n), itertools.repeat(None)),
        itertools.combinations_with_replacement(range(n), 2),
    ):
        got = gradient[k] if l is None else hessian[k, l]
        want = monomial(case, powers, *((k,) if l is None else (k, l)))
        rounding = oracle.component(k, l)[1]
        valid = [tuple(map(int, index)) for index in np.argwhere(oracle.valid)]
        exact = [index for index in valid if has_room(oracle, index, powers, k, l)]
        assert all(abs(got[at] - want[at]) <= 1e-12 * rounding[at] for at in exact)
        assert len(exact) == field.size or not oracle.valid.all()


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=60)
def test_same_bits_for_any_chunking(data: st.DataObject, order: int) -> None:
    case, array = data.draw(masked_cases(order))
    if data.draw(st.booleans()):
        array = array.astype(np.float32)
    name = data.draw(st.sampled_from(named(array)))
    chunks = dict(zip(array.dims, data.draw(chunkings(case.shape)), strict=True))
    whole = field_of(name, array, **options_of(case, order))
    blocks = field_of(name, array.chunk(chunks), **options_of(case, order))
    same_bits(blocks.compute(scheduler="synchronous"), whole)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("wraps", [{}, {"x": 14.0}])
def test_same_bits_for_blocks_of_one_point(order: int, wraps: dict[str, float]) -> None:
    rng = np.random.default_rng(4)
    array = xr.DataArray(rng.standard_normal((12, 13)), dims=["y", "x"])
    array = array.where(rng.random(array.shape) > 0.15)
    for name in FIELDS:
        options: dict[str, Any] = {"nan": "adapt", "order": order, "period": wraps}
        got = field_of(name, array.chunk({"y": 1, "x": 1}), **options)
        same_bits(got.compute(scheduler="threads"), field_of(name, array, **options))


@pytest.mark.parametrize("name", ["hessian", "hessian_norm", "eigenvalues"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(name: str, dtype: type) -> None:
    rng = np.random.default_rng(5)
    array = xr.DataArray(rng.standard_normal((1300, 1000)).astype(dtype), dims=["y", "x"])
    array = array.where(rng.random(array.shape) > 0.01)
    with dask.config.set(num_workers=1):
        want = field_of(name, array, nan="adapt")
    with dask.config.set(num_workers=3):
        same_bits(field_of(name, array, nan="adapt"), want)
        blocks = field_of(name, array.chunk({"y": 701, "x": 300}), nan="adapt")
        same_bits(blocks.compute(), want)


@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_without_gaps_it_is_propagate_to_the_bit(data: st.DataObject, order: int) -> None:
    case = data.draw(
        cases(max_n=3, min_size=order + 3, max_size=order + 6, max_points=2000, periodic=None)
    )
    array = case.array()
    for name in named(array):
        want = field_of(name, array, order=order, period=case.period)
        same_bits(field_of(name, array, **options_of(case, order)), want)


@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_symmetric_to_the_bit(data: st.DataObject, order: int) -> None:
    case, array = data.draw(masked_cases(order))
    hessian = dhess.hessian(array, **options_of(case, order)).values
    np.testing.assert_array_equal(hessian, hessian.swapaxes(0, 1))


def reach(case: Case, order: int) -> list[int]:
    """How far the docstring says that a run is looked at, per axis."""
    return [order + 1 if line.even else order + 2 for line in case.lines]


@given(data=st.data(), order=st.sampled_from([2, 2, 4]))
@settings(max_examples=40)
def test_nothing_outside_the_documented_reach_counts(data: st.DataObject, order: int) -> None:
    """Other values there, or other gaps: the same bits."""
    case = data.draw(cases(max_n=2, min_size=order + 3, max_size=24, max_points=500, periodic=None))
    rng = np.random.default_rng(case.seed)
    values = case.random()
    values[rng.random(case.shape) < 0.15] = np.nan
    index = tuple(data.draw(st.integers(0, size - 1)) for size in case.shape)
    near = np.ones(case.shape, dtype=bool)
    for d, (line, far) in enumerate(zip(case.lines, reach(case, order), strict=True)):
        away = np.abs(np.arange(len(line.values)) - index[d])
        if line.period is not None:
            away = np.minimum(away, len(line.values) - away)
        near &= np.expand_dims(away <= far, [e for e in range(near.ndim) if e != d])
    other = np.where(near, values, 1e3 * rng.standard_normal(case.shape))
    other[~near & (rng.random(case.shape) < 0.3)] = np.nan
    for call in (dhess.gradient, dhess.hessian):
        got = call(case.array(other), **options_of(case, order)).values[(..., *index)]
        want = call(case.array(values), **options_of(case, order)).values[(..., *index)]
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("land", [1e30, -1e300, 0.0, np.inf])
def test_no_value_under_the_mask_enters(order: int, land: float) -> None:
    """Whatever stood on land before it was masked, and wherever it still stands beside a gap."""
    rng = np.random.default_rng(6)
    field = xr.DataArray(rng.standard_normal((20, 30)), dims=["y", "x"])
    mask = xr.DataArray(rng.random((20, 30)) > 0.2, dims=["y", "x"])
    options: dict[str, Any] = {"nan": "adapt", "order": order, "period": {"x": 30.0}}
    for name in FIELDS:
        want = field_of(name, field.where(mask), **options)
        same_bits(field_of(name, field.where(mask, land).where(mask), **options), want)
    # one row of NaN is a wall for every stencil, however long
    walled = field.copy(deep=True)
    walled[8] = np.nan
    beyond = walled.copy(deep=True)
    beyond[9:] = land
    for name in ("gradient", "hessian"):
        got = field_of(name, beyond, **options).values[..., :8, :]
        np.testing.assert_array_equal(got, field_of(name, walled, **options).values[..., :8, :])


@pytest.mark.parametrize("order", ORDERS)
def test_only_the_weights_of_the_definition_touch_a_point(order: int) -> None:
    """One valid point moved: what changes is what the oracle's weights say, and nothing else."""
    rng = np.random.default_rng(order)
    values = rng.standard_normal((order + 6, order + 8))
    values[rng.random(values.shape) < 0.12] = np.nan
    array = xr.DataArray(values, dims=["y", "x"])
    axes = [(d, np.arange(float(s)), True) for d, s in enumerate(values.shape)]
    oracle = oracles.Adapted(values, axes, order)
    before = dhess.hessian(array, nan="adapt", order=order).values
    for _ in range(3):
        place = tuple(rng.choice(np.argwhere(~np.isnan(values))))
        moved = array.copy(deep=True)
        moved[place] += 1.0
        changed = dhess.hessian(moved, nan="adapt", order=order).values != before
        for k, l in [(0, 0), (0, 1), (1, 1)]:
            for index in map(tuple, np.argwhere(changed[k, l] & ~np.isnan(before[k, l]))):
                assert place in oracle.weights(index, k, l)


@given(data=st.data(), order=st.sampled_from(ORDERS), k=st.integers(1, 4))
@settings(max_examples=30)
def test_search_is_argmin_of_the_measure(data: st.DataObject, order: int, k: int) -> None:
    case, array = data.draw(masked_cases(order))
    if data.draw(st.booleans()):
        array = array.round()
    name = data.draw(st.sampled_from([n for n in named(array) if n in oracles.MEASURES]))
    options = options_of(case, order)
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


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("name", FIELDS)
def test_nothing_computed(name: str) -> None:
    array = xr.DataArray(dask.array.ones((8, 9), chunks=3), dims=["y", "x"])
    got = field_of(name, array, nan="adapt", order=4, period={"x": 9.0})
    assert dask.is_dask_collection(got.data)
    assert got.dims == (*LEADING.get(name, ()), "y", "x")


def test_batch_dimension_has_its_own_gaps() -> None:
    rng = np.random.default_rng(7)
    array = xr.DataArray(rng.standard_normal((3, 9, 10)), dims=["t", "y", "x"])
    array = array.where(rng.random(array.shape) > 0.2)
    for data in (array, array.chunk({"t": 1, "y": 4, "x": 3})):
        got = dhess.hessian(data, dims=["y", "x"], nan="adapt").compute()
        for t in range(3):
            same_bits(got.isel(t=t), dhess.hessian(array[t], nan="adapt"))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("chunks", [None, 3])
def test_an_axis_of_nothing_but_nan(call: str, chunks: int | None) -> None:
    data = xr.DataArray(np.full((8, 9), np.nan), dims=["y", "x"], name="f")
    array = data if chunks is None else data.chunk(chunks)
    if call == "find_minimum":
        with pytest.raises(dhess.NoValidPoint) as caught:
            dhess.find_minimum(array, nan="adapt")
        one_sentence(caught.value, "72")
    else:
        assert np.isnan(CALLS[call](array, nan="adapt").values).all()


def test_iterated_cannot_adapt() -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.gradient(xr.DataArray(np.zeros(9), dims="x"), scheme="iterated", nan="adapt")
    one_sentence(caught.value, "iterated", "adapt", "direct")


def test_integers_have_no_gaps() -> None:
    array = xr.DataArray(np.arange(48).reshape(6, 8) ** 2, dims=["y", "x"])
    same_bits(dhess.hessian(array, nan="adapt"), dhess.hessian(array))


def coast(n: int, kind: str) -> tuple[Array, NDArray[np.bool_]]:
    """A grid on the unit square, and the sea: left of a line, or above a staircase."""
    t = np.linspace(0, 1, n + 1)
    y, x = np.meshgrid(t, t, indexing="ij")
    if kind == "straight":
        return t, x <= 0.75 + 1e-9
    # four steps at the same places on every grid: runs of at least n/4 points along both axes
    return t, np.floor(y * 4 - 1e-9) >= np.floor(x * 4 + 1e-9) - 1


@pytest.mark.parametrize("kind", ["straight", "staircase"])
@pytest.mark.parametrize("order", ORDERS)
def test_order_at_the_coast(kind: str, order: int) -> None:
    """Everywhere, the coast's own points too: every component converges with the order."""
    steps = {2: (96, 128, 160, 192), 4: (96, 128, 160, 192), 6: (128, 160, 192, 224)}.get(
        order, (160, 192, 224, 256)
    )
    omega = 24.0
    errors: dict[str, list[float]] = {"f′": [], "f_xx": [], "f_xy": []}
    for n in steps:
        t, sea = coast(n, kind)
        phase = omega * np.add.outer(t, t)
        f = xr.DataArray(
            np.stack([np.cos(phase), np.sin(phase)]), {"y": t, "x": t}, ("part", "y", "x")
        )
        f = f.where(xr.DataArray(sea, dims=["y", "x"]))
        options: dict[str, Any] = {"dims": ["y", "x"], "order": order, "nan": "adapt"}
        gradient = dhess.gradient(f, **options).values[1] / omega
        hessian = dhess.hessian(f, **options).values[1] / omega**2
        quarter = np.stack([-f.values[1], f.values[0]])
        for name, error in {
            "f′": gradient - quarter,
            "f_xx": hessian[1] + f.values,
            "f_xy": hessian[0] + f.values,
        }.items():
            np.testing.assert_array_equal(np.isnan(error), ~np.broadcast_to(sea, error.shape))
            errors[name].append(float(np.sqrt(np.nanmax((error**2).sum(axis=0)))))
    for name, found in errors.items():
        slope = -np.polyfit(np.log(steps), np.log(found), 1)[0]
        assert slope >= order - 0.1, name
