"""critical_points: fields whose level places are known on paper, and what topology says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import dhess

from .strategies import chunkings, lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAMES = "uvwxyz"


def on(axes: list[Floats], function: Any, **options: Any) -> xr.DataArray:
    """A function of coordinates, on a grid."""
    names = list(NAMES[-len(axes) :])
    grid = np.meshgrid(*axes, indexing="ij")
    return xr.DataArray(function(*grid), dict(zip(names, axes, strict=True)), names, **options)


def places(found: xr.Dataset) -> Floats:
    """Shape (points, dims)."""
    return np.stack([found[str(name)].values for name in found["dim"].values], axis=1)


def matched(found: xr.Dataset, known: Floats) -> float:
    """The largest error of a place; each known one is found once and nothing else is."""
    got = places(found)
    assert got.shape == known.shape
    away = np.abs(got[:, None] - known[None]).max(axis=2)
    nearest = away.argmin(axis=1)
    assert sorted(nearest) == list(range(len(known)))
    return float(away.min(axis=1).max())


# ------------------------------------------------------------------------------ topology


def waves(seed: int, shape: tuple[int, ...], most: int = 3) -> xr.DataArray:
    """A random smooth field on a torus: all waves of up to so many crests, all sides together."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(2 * np.pi * np.arange(size) / size for size in shape), indexing="ij")
    field = np.zeros(shape)
    for crests in itertools.product(range(-most, most + 1), repeat=len(shape)):
        if 0 < sum(map(abs, crests)) <= most:
            phase = sum(k * x for k, x in zip(crests, grid, strict=True))
            field += rng.standard_normal() * np.cos(phase + rng.uniform(0, 2 * np.pi))
    return xr.DataArray(field, dims=list(NAMES[-len(shape) :]))


def torus(array: xr.DataArray) -> dict[Any, float]:
    return {name: float(size) for name, size in array.sizes.items()}


def by_index(found: xr.Dataset) -> list[int]:
    """Points of each Morse index; none is degenerate."""
    n = found.sizes["row"]
    morse = found["morse_index"].values
    assert (morse >= 0).all()
    kinds = np.where(morse == 0, "minimum", np.where(morse == n, "maximum", "saddle"))
    assert found["kind"].values.tolist() == kinds.tolist()
    return [int((morse == k).sum()) for k in range(n + 1)]


def alternating(counts: list[int]) -> int:
    return sum((-1) ** k * count for k, count in enumerate(counts))


@pytest.mark.parametrize("shape", [(24, 31), (12, 13, 14)])
@pytest.mark.parametrize("seed", range(20))
def test_maxima_saddles_and_minima_add_up_on_a_torus(seed: int, shape: tuple[int, ...]) -> None:
    """Σ (−1)^k c_k is the Euler number, 0; and Morse: of each kind as many as there are holes."""
    array = waves(seed, shape)
    rng = np.random.default_rng(seed)
    chunks = {name: int(rng.integers(1, size + 1)) for name, size in array.sizes.items()}
    found = dhess.critical_points(array.chunk(chunks), period=torus(array))
    counts = by_index(found)
    assert alternating(counts) == 0
    holes = [1, 2, 1] if len(shape) == 2 else [1, 3, 3, 1]
    assert all(count >= least for count, least in zip(counts, holes, strict=True))
    assert sum(counts) > 2 ** len(shape)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(40,), (30, 25), (9, 10, 11), (5, 4, 6, 5)])
def test_noise_adds_up_too(shape: tuple[int, ...], dtype: str) -> None:
    """Nothing here is smooth on the grid: the theorem is about the spline, which always is."""
    values = np.random.default_rng(7).standard_normal(shape).astype(dtype)
    array = xr.DataArray(values, dims=list(NAMES[-len(shape) :]))
    counts = by_index(dhess.critical_points(array, period=torus(array)))
    assert alternating(counts) == 0
    assert sum(counts) > array.size / 8


@given(data=st.data(), seed=st.integers(0, 2**16))
@settings(max_examples=20)
def test_the_same_points_under_any_chunking(data: st.DataObject, seed: int) -> None:
    shape = data.draw(st.sampled_from([(11, 14), (7, 8, 6)]))
    array = waves(seed, shape)
    chunks = dict(zip(array.dims, data.draw(chunkings(shape)), strict=True))
    period = torus(array)
    want = dhess.critical_points(array, period=period)
    assert alternating(by_index(want)) == 0
    xr.testing.assert_identical(dhess.critical_points(array.chunk(chunks), period=period), want)


def test_the_wave_length_where_extrema_lie_between_two_points() -> None:
    """cos with its crests halfway: zeros on the faces of cells, each found once."""
    size = 16
    x = (np.arange(size) + 0.5) * 2 * np.pi / size
    array = on([x, x], lambda y, x: np.cos(y) + np.cos(x))
    found = dhess.critical_points(array, period={"y": 2 * np.pi, "z": 2 * np.pi})
    known = np.array([[a, b] for a in (0, np.pi) for b in (0, np.pi)]) % (2 * np.pi)
    got = np.round(places(found), 9) % np.round(2 * np.pi, 9)
    assert sorted(map(tuple, got.tolist())) == sorted(map(tuple, np.round(known, 9).tolist()))
    assert by_index(found) == [1, 2, 1]


# ------------------------------------------------------------------------------ known places


def slope(errors: list[float], sizes: list[int]) -> float:
    return float(np.polyfit(np.log(sizes), -np.log(errors), 1)[0])


@pytest.mark.parametrize("order", [2, 4, 6])
def test_places_of_sine_times_cosine_converge(order: int) -> None:
    """sin(y − 0.1) cos(x + 0.3): saddles at its zeros, extrema where both are ±1."""
    half = np.pi / 2
    known = [
        ((0.1 + i * half) % (2 * np.pi), (-0.3 + j * half) % (2 * np.pi))
        for i in range(4)
        for j in range(4)
        if (i + j) % 2 == 1
    ]
    errors, sizes = [], [16, 24, 32]
    for size in sizes:
        x = 2 * np.pi * np.arange(size) / size
        array = on([x, x], lambda y, x: np.sin(y - 0.1) * np.cos(x + 0.3))
        found = dhess.critical_points(array, order=order, period={"y": 2 * np.pi, "z": 2 * np.pi})
        assert found["refined"].values.all()
        assert by_index(found) == [2, 4, 2]
        errors.append(matched(found, np.array(known)))
    assert slope(errors, sizes) >= order
    assert errors[-1] < {2: 1e-4, 4: 1e-5, 6: 1e-6}[order]


HILLS = [(1.0, (-0.8, 0.1), 0.5), (0.7, (0.6, 0.4), 0.4), (-0.9, (0.3, -0.8), 0.45)]


def hills(y: Any, x: Any) -> Any:
    return sum(a * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * s * s)) for a, (v, u), s in HILLS)


def hill_slope(place: Floats) -> Floats:
    """The gradient of `hills`, by hand."""
    total = np.zeros(2)
    for a, centre, s in HILLS:
        away = place - np.array(centre)
        total -= a * away / s**2 * np.exp(-(away @ away) / (2 * s * s))
    return total


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("order", [2, 4, 6])
def test_places_of_a_sum_of_gaussians_converge(order: int, uneven: bool) -> None:
    starts = np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, 25)] * 2), axis=-1).reshape(-1, 2)
    solved = [optimize.root(hill_slope, start, tol=1e-14) for start in starts]
    good = [s.x for s in solved if s.success and np.abs(s.x).max() < 1.4]
    known = np.array(list({tuple(np.round(root, 6)): root for root in good}.values()))
    assert len(known) == 4  # two maxima, the saddle between them, a minimum
    errors, sizes = [], [40, 56, 80]
    for size in sizes:
        x = np.linspace(-1.4, 1.4, size)
        x = x + 0.1 * np.sin(2 * x) if uneven else x
        found = dhess.critical_points(on([x, x], hills), order=order)
        assert found["refined"].values.all()
        errors.append(matched(found, known))
    assert slope(errors, sizes) >= order
    assert errors[-1] < {2: 1e-4, 4: 1e-5, 6: 1e-6}[order]
    np.testing.assert_array_equal(np.sort(found["field"].values), found["field"].values)
    np.testing.assert_allclose(found["field"], [hills(*place) for place in places(found)], 1e-6)
    assert np.abs(found["gradient"].values).max() < 1e-9


@given(data=st.data(), n=st.integers(1, 3))
@settings(max_examples=60)
def test_quadratics_are_exact(data: st.DataObject, n: int) -> None:
    """c + (x − a)'A(x − a)/2 with a anywhere on the grid, its ends included; A of any signature."""
    grid = data.draw(st.lists(lines(min_size=5, max_size=9), min_size=n, max_size=n))
    axes = [line.values for line in grid]
    share = [data.draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)) for _ in axes]
    a = np.array([x[0] + part * (x[-1] - x[0]) for x, part in zip(axes, share, strict=True)])
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    turn = np.linalg.qr(np.eye(n) + 0.3 * rng.standard_normal((n, n)))[0]
    values = rng.uniform(1, 2, n) * rng.choice([-1.0, 1.0], n)
    A = turn @ np.diag(values) @ turn.T

    def field(*x: Any) -> Any:
        away = [each - centre for each, centre in zip(x, a, strict=True)]
        pairs = itertools.product(range(n), repeat=2)
        return 3.0 + sum(A[k, l] * away[k] * away[l] for k, l in pairs) / 2

    array = on(axes, field)
    even = all(line.even for line in grid)
    found = dhess.critical_points(array)
    if not even and not found.sizes["rank"]:
        # The spline's zero may lie off the grid by its error, where a lies at its very end.
        assert any(min(part, 1 - part) < 0.2 for part in share)
        return
    assert found.sizes["rank"] == 1
    span = max(np.ptp(x) for x in axes)
    np.testing.assert_allclose(places(found)[0], a, atol=1e-9 * span)
    np.testing.assert_allclose(found["hessian"].values[0], A, atol=1e-9)
    np.testing.assert_allclose(found["eigenvalues"].values[0], np.sort(values), atol=1e-9)
    np.testing.assert_allclose(found["field"].values, 3.0, atol=1e-9 * span**2)
    assert found["morse_index"].item() == (values < 0).sum()
    assert found["refined"].item()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_monotone_field_has_none(n: int, uneven: bool) -> None:
    x = np.linspace(-1, 1, 9)
    x = np.sign(x) * x**4 * 10 + x if uneven else x  # steps that differ by a factor of ten
    array = on([x] * n, lambda *x: sum(np.exp(0.1 * (k + 1) * y) for k, y in enumerate(x)))
    for lazy in (array, array.chunk(4), -array):
        found = dhess.critical_points(lazy)
        assert found.sizes["rank"] == 0
        assert found["hessian"].shape == (0, n, n)
        assert found[str(array.dims[0])].shape == (0,)


@pytest.mark.parametrize("centre", [0.0, 0.2, 1.0, 7.0, 7.9, 8.0])
def test_half_cells_at_the_ends_count(centre: float) -> None:
    x = np.arange(9.0)
    found = dhess.critical_points(on([x], lambda z: (z - centre) ** 2))
    np.testing.assert_allclose(found["z"], [centre], atol=1e-12)
    assert found["index"].values.tolist() == [[round(centre)]]


@pytest.mark.parametrize("centre", [-0.1, 8.1])
def test_what_lies_beyond_the_ends_does_not(centre: float) -> None:
    x = np.arange(9.0)
    assert dhess.critical_points(on([x], lambda z: (z - centre) ** 2)).sizes["rank"] == 0


def test_a_monkey_saddle_counts_twice() -> None:
    """x³ − 3xy² has index −2, as two saddles have; no polynomial of its data tells them apart."""
    x = np.arange(9.0) - 4
    found = dhess.critical_points(on([x, x], lambda y, x: x**3 - 3 * x * y**2))
    assert found["kind"].values.tolist() == ["saddle", "saddle"]
    assert np.abs(places(found)).max() < 0.5
    assert not found["refined"].values.any()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_tread_of_a_stair_is_one_degenerate_point(n: int) -> None:
    """Level halfway between two points and rising before and after: index 0, neither of two."""
    stair = np.array([-4.0, -3, -2, -1, -1, 0, 1, 2, 3])
    x = np.arange(9.0)
    array = on([x] * n, lambda *x: stair[x[0].astype(int)] + sum((y - 4.25) ** 2 for y in x[1:]))
    found = dhess.critical_points(array)
    assert found["kind"].values.tolist() == ["degenerate"]
    assert found["morse_index"].values.tolist() == [-1]
    np.testing.assert_allclose(places(found), [[3.5] + [4.25] * (n - 1)], atol=1e-9)
    assert not found["refined"].item()
    assert found["cells"].item() == 1


def test_where_the_polynomial_is_flat_the_spline_answers() -> None:
    """x⁴ + y⁴ has no Hessian at its minimum; the spline's is that of its blunter bottom."""
    x = np.linspace(-1, 1, 41)
    found = dhess.critical_points(on([x, x], lambda y, x: x**4 + y**4))
    assert found["kind"].values.tolist() == ["minimum"]
    np.testing.assert_allclose(places(found), 0, atol=1e-9)
