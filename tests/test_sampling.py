"""Callables on a grid and at a point: lazily, in blocks, and with one sentence for each mistake."""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import rosen, rosen_hess

import dhess
from dhess.errors import InputError

from .strategies import chunkings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Y, X = np.linspace(-1, 1, 7), np.linspace(0, 3, 10)
COORDS = {"y": Y, "x": X}


def bowl(y: Any, x: Any) -> Any:
    return y**2 + 2 * x - x * y


EXPECTED = Y[:, None] ** 2 + 2 * X - X * Y[:, None]


@given(chunkings((7, 10)))
def test_the_same_in_any_chunks(chunks: tuple[tuple[int, ...], ...]) -> None:
    f = dhess.sample(bowl, COORDS, chunks=chunks)
    assert f.chunks == chunks
    np.testing.assert_array_equal(f.values, EXPECTED)
    assert f.dims == ("y", "x")
    assert f.name == "bowl"
    assert f.dtype == np.float64
    np.testing.assert_array_equal(f.x, X)


def test_a_function_without_a_name_gives_none() -> None:
    x = np.linspace(0, 1, 5)
    assert dhess.sample(lambda x: x, {"x": x}).name is None
    assert dhess.sample(partial(np.add, 1.0), {"x": x}).name is None


@pytest.mark.usefixtures("lazy_only")
def test_nothing_is_called_before_it_is_computed() -> None:
    def never(y: Any, x: Any) -> Any:
        raise AssertionError("called")

    f = dhess.sample(never, {"y": np.arange(10.0**5), "x": np.arange(10.0**5)})
    assert f.shape == (10**5, 10**5)
    assert max(max(sizes) for sizes in f.chunks or ()) < 10**4
    assert dhess.measure(f, "slope").chunks is not None


def test_one_call_for_each_block_with_arrays_that_broadcast() -> None:
    shapes = []

    def noted(y: NDArray[Any], x: NDArray[Any]) -> Any:
        shapes.append((y.shape, x.shape))
        return bowl(y, x)

    with dask.config.set(scheduler="synchronous"):
        dhess.sample(noted, COORDS, chunks={"y": 4, "x": 5}).compute()
    assert sorted(shapes) == [((3, 1), (1, 5))] * 2 + [((4, 1), (1, 5))] * 2


class Bowl:
    def __call__(self, *places: Any) -> Any:
        return bowl(*places)


@pytest.mark.parametrize(
    "func",
    [
        bowl,
        lambda x, y: bowl(y, x),  # by name: the order of its own parameters does not matter
        lambda a, b: bowl(a, b),
        lambda *places: bowl(*places),
        lambda y, x, more=1: more * bowl(y, x),
        functools.partial(lambda k, y, x: k * bowl(y, x), 1),
        Bowl(),
    ],
)
def test_by_name_or_by_position(func: Callable[..., Any]) -> None:
    np.testing.assert_array_equal(dhess.sample(func, COORDS), EXPECTED)


def test_functions_written_in_c_go_by_position() -> None:
    np.testing.assert_array_equal(dhess.sample(np.hypot, COORDS), np.hypot(Y[:, None], X))


@pytest.mark.parametrize(
    ("func", "value"),
    [(lambda y, x: 3, 3.0), (lambda y, x: x > 5, 0.0), (lambda y, x: np.float32(x) * 0, 0.0)],
)
def test_what_broadcasts_is_spread(func: Callable[..., Any], value: float) -> None:
    f = dhess.sample(func, COORDS, chunks=3).compute()
    assert f.dtype == np.float64
    np.testing.assert_array_equal(f, np.full((7, 10), value))


def test_coordinates_keep_attributes_and_types() -> None:
    t = np.datetime64("2026-01-01") + np.arange(4) * np.timedelta64(1, "D")
    x = xr.DataArray(np.arange(3, dtype=np.float32), dims="x", attrs={"units": "m"})
    f = dhess.sample(
        lambda t, x: x + (t - t[0]) / np.timedelta64(1, "D"), {"t": t, "x": x}, chunks=4
    )
    np.testing.assert_array_equal(f, np.arange(4)[:, None] + np.arange(3))
    assert f.x.attrs == {"units": "m"}
    assert (f.x.dtype, f.t.dtype.kind) == (np.float32, "M")


def test_it_is_a_field_like_any_other() -> None:
    f = dhess.sample(lambda y, x: (x - 1) ** 4 + y**4, COORDS, chunks=4)
    best = dhess.find_minimum(f)
    assert (float(best.y[0]), float(best.x[0])) == (0.0, 1.0)


COMPUTED: list[tuple[Callable[..., Any], list[str]]] = [
    (
        lambda y, x: 1 / 0,
        ["y=-1.0 to 0.0", "x=2.0 to 3.0", "ZeroDivisionError", "division by zero"],
    ),
    (lambda y, x: x + 1j, ["y=-1.0 to 0.0", "x=2.0 to 3.0", "complex", "real part"]),
    (lambda y, x: np.array(["a"]), ["x=2.0 to 3.0", "'a'", "no number"]),
    (lambda y, x: None, ["x=2.0 to 3.0", "None", "no number"]),
    (lambda y, x: np.zeros(17), ["x=2.0 to 3.0", "(17,)", "(4, 4)"]),
    (lambda y, x: np.zeros((2, 4, 4)), ["x=2.0 to 3.0", "(2, 4, 4)", "(4, 4)"]),
]


@pytest.mark.parametrize(("func", "words"), COMPUTED)
def test_what_fails_in_one_block_names_its_coordinates(
    func: Callable[..., Any], words: list[str]
) -> None:
    def partly(y: Any, x: Any) -> Any:
        return func(y, x) if x.min() > 1.5 and y.min() < -0.5 else bowl(y, x)

    f = dhess.sample(partly, COORDS, chunks=((4, 3), (6, 4)))
    np.testing.assert_array_equal(f[:, :6], EXPECTED[:, :6])
    with pytest.raises(InputError) as caught:
        f.compute()
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("func", "coords", "options", "words"),
    [
        (3, COORDS, {}, ["func=3", "called"]),
        (lambda y, z: y, COORDS, {}, ["(y, z)", "('y', 'x')", "only y"]),
        (lambda a: a, COORDS, {}, ["2 coordinates y, x", "(a)"]),
        (lambda a, b, c: a, COORDS, {}, ["2 coordinates y, x", "'c'"]),
        (bowl, {}, {}, ["{}", "by name"]),
        (bowl, [Y, X], {}, ["by name"]),
        (bowl, {"y": Y, "x": 3.0}, {}, ["'x'", "()"]),
        (bowl, {"y": Y, "x": []}, {}, ["'x'", "(0,)"]),
        (bowl, {"y": Y, "x": EXPECTED}, {}, ["'x'", "(7, 10)"]),
        (bowl, COORDS, {"chunks": {"z": 3}}, ["'z'", "y, x"]),
        (bowl, COORDS, {"chunks": "many"}, ["'many'", "'auto'"]),
        (bowl, COORDS, {"chunks": (3, 3, 3)}, ["(3, 3, 3)", "2 dimensions"]),
    ],
)
def test_what_cannot_be_sampled(func: Any, coords: Any, options: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        dhess.sample(func, coords, **options)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said


@given(st.integers(2, 4), st.integers(0, 10**6))
def test_the_hessian_of_rosenbrock(n: int, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-1.5, 1.5, n)
    H = dhess.hessian_at(rosen, x)
    np.testing.assert_allclose(H, rosen_hess(x), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(H, H.T)


def test_the_hessian_of_a_function_of_one_variable() -> None:
    np.testing.assert_allclose(dhess.hessian_at(lambda v: np.sin(v[0]), [0.3]), [[-np.sin(0.3)]])


@pytest.mark.parametrize(
    ("func", "x", "truth"),
    [
        (lambda v: v[0] ** 2, [1e6], 2.0),
        (lambda v: v[0] ** 2, [1e8], 2.0),
        (lambda v: v[0] ** 2, [1e150], 2.0),
        (lambda v: 1e10 + v[0] ** 2, [1.0], 2.0),
        (lambda v: 1e16 + v[0] ** 2, [1.0], 2.0),
        (lambda v: np.float32(1e6 + v[0] ** 2), [1.0], 2.0),
        (lambda v: v[0] ** 3, [1e6], 6e6),
        (lambda v: np.sin(v[0] - 1e6), [1e6 + 0.5], -np.sin(0.5)),
        (lambda v: np.cos(1e6 * v[0]), [0.0], -1e12),
        (lambda v: np.log(v[0]), [1e-9], -1e18),
        (lambda v: 1e-20 * v[0] ** 2, [1.0], 2e-20),
    ],
)
def test_values_and_places_of_any_size(func: Any, x: list[float], truth: float) -> None:
    np.testing.assert_allclose(dhess.hessian_at(func, x), truth, rtol=1e-6)


@pytest.mark.parametrize(
    "func",
    [
        lambda v: 1e8 * v.sum(),
        lambda v: v[0] / 3 + 0.1 * v[1] - 7.1,
        lambda v: 1e16 + v[0],
        lambda v: int(v[0] + 0.5),
    ],
)
def test_a_hessian_of_0_is_0(func: Any) -> None:
    np.testing.assert_array_equal(dhess.hessian_at(func, [1.0, 2e3]), 0)
    np.testing.assert_array_equal(dhess.hessian_at(lambda v: (v**12).sum(), [0.0, 0.0]), 0)


def test_what_rounding_hides_is_refused() -> None:
    """Around 1e20 floats are 16,384 apart: within a few steps v² is lost among them."""
    with pytest.raises(InputError, match="does not settle"):
        dhess.hessian_at(lambda v: 1e20 + v[0] ** 2, [1.0])


def test_the_hessian_of_what_has_none() -> None:
    """A plane: zero, however its estimate of the error compares with that."""
    np.testing.assert_allclose(dhess.hessian_at(lambda v: 2 * v[0] - v[1], [1, 2]), 0, atol=1e-8)
    np.testing.assert_array_equal(dhess.hessian_at(lambda v: 3, [1, 2]), 0)


def test_steps_stay_where_the_function_is_defined() -> None:
    """√x·y at 0.1: the first step of one half would go below zero."""
    H = dhess.hessian_at(lambda v: np.sqrt(v[0]) * v[1], [0.1, 1.0])
    slope = 0.5 / np.sqrt(0.1)
    np.testing.assert_allclose(H, [[-0.25 * 0.1**-1.5, slope], [slope, 0]], atol=1e-5)


def test_a_function_that_changes_its_argument_does_no_harm() -> None:
    def rude(v: NDArray[Any]) -> Any:
        v **= 3
        return v.sum()

    np.testing.assert_allclose(dhess.hessian_at(rude, [1.0, 2.0]), np.diag([6, 12]), atol=1e-8)


@pytest.mark.parametrize(
    ("func", "x", "options", "words"),
    [
        (lambda v: v[0] + 1j, [1, 2], {}, ["x=[1, 2]", "complex", "real"]),
        (lambda v: np.nan, [1, 2], {}, ["nan", "x=[1, 2]", "finite"]),
        (lambda v: -np.inf, [1, 2], {}, ["-inf", "x=[1, 2]"]),
        (lambda v: np.nan if v[0] != 1 else 0.0, [1, 2], {}, ["nan", "finite"]),
        (lambda v: v, [1, 2], {}, ["(2,)", "x=[1, 2]", "one number"]),
        (lambda v: [], [1, 2], {}, ["(0,)", "one number"]),
        (lambda v: "high", [1, 2], {}, ["'high'", "no number"]),
        (lambda v: None, [1, 2], {}, ["None", "no number"]),
        (lambda v: 1 / 0, [1, 2], {}, ["x=[1, 2]", "ZeroDivisionError"]),
        (lambda v: abs(v[0]) + v[1], [0, 2], {}, ["x=[0, 2]", "settle", "kink"]),
        (7, [1, 2], {}, ["func=7", "called"]),
        (rosen, [], {}, ["x=[]", "one real number"]),
        (rosen, 3.0, {}, ["x=3.0", "one real number"]),
        (rosen, [[1, 2]], {}, ["x=[[1, 2]]", "one real number"]),
        (rosen, [1, 1j], {}, ["1j", "real number"]),
        (rosen, ["a"], {}, ["['a']", "real number"]),
        (rosen, [1, np.nan], {}, ["x=[1, nan]", "finite"]),
        (rosen, [1, 2], {"step": 0}, ["step=0", "above 0"]),
    ],
)
def test_what_has_no_hessian(func: Any, x: Any, options: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        dhess.hessian_at(func, x, **options)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said
