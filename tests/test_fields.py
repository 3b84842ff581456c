"""Lazy fields: labels kept, nothing computed, the same bits however the data are cut."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, cases, chunkings, holes

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS: dict[str, Callable[..., Any]] = {
    "gradient": dhess.gradient,
    "hessian": dhess.hessian,
    "laplacian": dhess.laplacian,
    "eigenvalues": dhess.eigenvalues,
}
FIELDS |= {
    name: lambda da, _name=name, **options: dhess.measure(da, _name, **options)
    for name in oracles.MEASURES
    if name != "laplacian"
}
LEADING = {"gradient": ("row",), "hessian": ("row", "col"), "eigenvalues": ("eigen",)}


def same_bits(got: xr.DataArray, want: xr.DataArray) -> None:
    assert got.dtype == want.dtype
    assert got.dims == want.dims
    np.testing.assert_array_equal(np.isnan(got.values), np.isnan(want.values))
    plain = "u8" if want.dtype == np.float64 else "u4"
    kept = ~np.isnan(want.values)
    np.testing.assert_array_equal(got.values[kept].view(plain), want.values[kept].view(plain))


def random(shape: tuple[int, ...], dims: str, seed: int = 0) -> xr.DataArray:
    data = np.random.default_rng(seed).standard_normal(shape)
    return xr.DataArray(data, dims=list(dims), name="f")


def labelled() -> xr.DataArray:
    """Index, text, auxiliary, scalar and two-dimensional coordinates; attributes; a name."""
    data = random((3, 6, 7), "tyx")
    return data.assign_coords(
        t=["one", "two", "three"],
        y=("y", np.arange(6.0) * 2, {"units": "m"}),
        x=("x", 10 - np.arange(7.0), {"units": "m"}),
        lat=(("y", "x"), np.random.default_rng(1).random((6, 7))),
        depth=("x", np.arange(7) ** 2),
        run=42,
    ).assign_attrs(long_name="height", note="kept")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("chunks", [None, {"t": 1, "y": 2, "x": 3}])
def test_labels_are_kept(name: str, chunks: dict[str, int] | None) -> None:
    data = labelled() if chunks is None else labelled().chunk(chunks)
    got = FIELDS[name](data, dims=["y", "x"])
    assert got.dims == (*LEADING.get(name, ()), "t", "y", "x")
    assert got.name == "f"
    assert got.attrs["note"] == "kept"
    for coord in data.coords:
        xr.testing.assert_identical(
            got.coords[coord].drop_vars(LEADING.get(name, ()), errors="ignore"), data.coords[coord]
        )
    for lead in LEADING.get(name, ()):
        if lead != "eigen":
            assert got[lead].values.tolist() == ["y", "x"]
    assert set(got.coords) - set(data.coords) <= {"row", "col", "eigen"}


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_true_of_the_data_only_goes(name: str) -> None:
    """Ranges, flags and packing (CF conventions) are in the data's numbers, not in a slope's."""
    gone = {
        "standard_name": "air_temperature",
        "cell_methods": "time: mean",
        "valid_range": [200.0, 330.0],
        "valid_min": 200.0,
        "valid_max": 330.0,
        "actual_range": [250.0, 310.0],
        "flag_values": [1, 2],
        "flag_meanings": "land sea",
        "flag_masks": [1, 2],
        "missing_value": -999.0,
        "_FillValue": -999.0,
        "scale_factor": 0.01,
        "add_offset": 273.15,
    }
    plain = labelled()
    got = FIELDS[name](plain.assign_attrs(gone), dims=["y", "x"])
    assert got.attrs == FIELDS[name](plain, dims=["y", "x"]).attrs
    assert got.attrs["note"] == "kept"


@pytest.mark.parametrize("name", FIELDS)
def test_input_is_not_changed(name: str) -> None:
    data = labelled()
    before = data.copy(deep=True)
    got = FIELDS[name](data, dims=["y", "x"])
    got.attrs["note"] = "changed"
    xr.testing.assert_identical(data, before)
    assert not np.shares_memory(got.values, data.values)


@pytest.mark.parametrize("name", FIELDS)
def test_numpy_in_numpy_out(name: str) -> None:
    assert isinstance(FIELDS[name](random((6, 7), "yx")).data, np.ndarray)


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("chunks", [{}, {"y": 1, "x": 1}, {"y": 4}, {"x": (2, 1, 4)}])
def test_dask_in_dask_out_and_nothing_computed(name: str, chunks: dict[str, Any]) -> None:
    area = (("y", "x"), dask.array.ones((6, 7), chunks=3))
    lines = {"y": np.arange(6.0), "x": np.arange(7.0) ** 2}
    got = FIELDS[name](random((6, 7), "yx").assign_coords({**lines, "area": area}).chunk(chunks))
    assert dask.is_dask_collection(got["area"].data)
    assert dask.is_dask_collection(got.data)
    assert got.dtype == np.float64
    dataset = FIELDS[name](random((6, 7), "yx").chunk(chunks).to_dataset(name="f"))
    assert dask.is_dask_collection(dataset["f"].data)


@given(data=st.data(), scheme=st.sampled_from(["direct", "iterated"]))
@settings(max_examples=60)
def test_same_bits_for_any_chunking(data: st.DataObject, scheme: str) -> None:
    least = 4 if scheme == "direct" else 2
    case = data.draw(cases(max_n=4, min_size=least, max_points=700, max_size=12))
    array = case.array()
    array = array.where(~data.draw(holes(case.shape)))
    if data.draw(st.booleans()):
        array = array.astype(np.float32)
    names = [name for name in FIELDS if name != "slope_angle" or array.ndim == 2]
    name = data.draw(st.sampled_from(names))
    chunks = data.draw(chunkings(case.shape))
    whole = FIELDS[name](array, scheme=scheme)
    blocks = FIELDS[name](array.chunk(dict(zip(array.dims, chunks, strict=True))), scheme=scheme)
    same_bits(blocks.compute(scheduler="synchronous"), whole)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("even", [True, False])
def test_same_bits_for_blocks_of_one_point(name: str, even: bool) -> None:
    array = random((6, 7), "yx")
    if not even:
        array = array.assign_coords(y=np.arange(6.0) ** 2, x=-np.exp(np.arange(7.0) / 4))
    got = FIELDS[name](array.chunk({"y": 1, "x": 1}))
    same_bits(got.compute(scheduler="threads"), FIELDS[name](array))


def test_same_bits_for_blocks_of_one_point_in_three_dimensions() -> None:
    array = random((5, 4, 6), "zyx")
    got = dhess.hessian(array.chunk(1)).compute(scheduler="threads")
    same_bits(got, dhess.hessian(array))


@pytest.mark.parametrize("name", ["gradient", "hessian", "eigenvalues", "hessian_norm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("even", [True, False])
def test_same_bits_for_any_number_of_threads(name: str, dtype: type, even: bool) -> None:
    array = random((1300, 1000), "yx").astype(dtype)  # too many points for one thread's share
    if not even:
        array = array.assign_coords(y=np.arange(1300) ** 1.25, x=np.arange(1000) ** 1.5)
    with dask.config.set(num_workers=1):
        want = FIELDS[name](array)
    with dask.config.set(num_workers=3):
        same_bits(FIELDS[name](array), want)
        same_bits(FIELDS[name](array.chunk({"y": 701, "x": 300})).compute(), want)


def test_num_workers_is_how_many_threads_work(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    class Watched(concurrent.futures.ThreadPoolExecutor):
        def __init__(self, max_workers: int | None = None, **kwargs: Any) -> None:
            started.append(max_workers or -1)
            super().__init__(max_workers, **kwargs)

    monkeypatch.setattr("dhess.tiles.ThreadPoolExecutor", Watched)
    array = random((1300, 1000), "yx")
    for workers, want in ((1, []), (3, [3])):
        started.clear()
        with dask.config.set(num_workers=workers):
            dhess.measure(array, "slope")
        assert started == want


def test_order_of_dims_is_the_order_of_rows() -> None:
    array = random((6, 7), "yx")
    turned, straight = dhess.hessian(array, dims=["x", "y"]), dhess.hessian(array)
    assert turned.row.values.tolist() == turned.col.values.tolist() == ["x", "y"]
    assert turned.dims == ("row", "col", "y", "x")
    for row in "yx":
        for col in "yx":
            got, want = turned.sel(row=row, col=col), straight.sel(row=row, col=col)
            np.testing.assert_allclose(got.values, want.values, rtol=0, atol=1e-13)


@given(data=st.data(), case=cases(max_n=4, max_points=700))
@settings(max_examples=40)
def test_nan_reaches_exactly_the_points_whose_stencil_touches_it(
    data: st.DataObject, case: Case
) -> None:
    array = case.array().where(~data.draw(holes(case.shape)))
    oracle = oracles.Oracle(array.values, case.axes)
    gradient, hessian = oracle.gradient(), oracle.hessian()
    np.testing.assert_array_equal(np.isnan(dhess.gradient(array).values), np.isnan(gradient))
    np.testing.assert_array_equal(np.isnan(dhess.hessian(array).values), np.isnan(hessian))
    for name, formula in oracles.MEASURES.items():
        if name != "slope_angle" or array.ndim == 2:
            want = np.isnan(formula(gradient, hessian))
            np.testing.assert_array_equal(np.isnan(dhess.measure(array, name).values), want)


@given(data=st.data(), case=cases(max_n=3, min_size=3, max_points=400, even=True))
def test_nan_spreads_as_in_numpy_gradient_when_iterated(data: st.DataObject, case: Case) -> None:
    # even axes only: on uneven ones steps like 1, 2, 1 make a weight of the product zero on paper
    array = case.array().where(~data.draw(holes(case.shape)))
    want = oracles.iterated_hessian(array.values, case.plain_axes)
    got = dhess.hessian(array, scheme="iterated").values
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))


def nan_at(values: Any, index: int) -> tuple[list[int], list[int]]:
    """Which points of f′ and f″ one NaN takes away."""
    data = np.zeros(len(values))
    data[index] = np.nan
    array = xr.DataArray(data, coords={"x": np.asarray(values, dtype=float)}, dims="x")
    first, second = dhess.gradient(array).values[0], dhess.hessian(array).values[0, 0]
    return np.flatnonzero(np.isnan(first)).tolist(), np.flatnonzero(np.isnan(second)).tolist()


def test_nan_by_hand() -> None:
    # even: f′ inside takes its two neighbours and not the point itself; the ends take three nodes,
    # f″ at the ends takes four
    assert nan_at(range(9), 4) == ([3, 5], [3, 4, 5])
    assert nan_at(range(9), 2) == ([0, 1, 3], [0, 1, 2, 3])
    assert nan_at(range(9), 3) == ([2, 4], [0, 2, 3, 4])
    assert nan_at(range(9), 8) == ([7, 8], [7, 8])
    # uneven: f′ takes the point itself too, f″ five nodes
    uneven = [0, 1, 3, 4.5, 7, 8, 11, 13.5, 15, 19, 20, 24]
    assert nan_at(uneven, 5) == ([4, 5, 6], [3, 4, 5, 6, 7])
    assert nan_at(uneven, 4) == ([3, 4, 5], [0, 1, 2, 3, 4, 5, 6])
    # … unless the steps to both sides are equal, where its weight is 0
    assert nan_at([0, 1, 2, 4, 8, 16, 20], 1)[0] == [0, 2]


def test_nan_in_a_mixed_derivative_takes_the_four_corners() -> None:
    data = xr.DataArray(np.zeros((9, 9)), dims=["y", "x"])
    data[4, 4] = np.nan
    mixed = np.isnan(dhess.hessian(data).sel(row="y", col="x").values)
    assert sorted(zip(*np.nonzero(mixed), strict=True)) == [(3, 3), (3, 5), (5, 3), (5, 5)]
    norm = np.isnan(dhess.measure(data, "hessian_norm").values)
    assert norm[3:6, 3:6].all()
    assert norm.sum() == 9
    assert np.isnan(dhess.laplacian(data).values).sum() == 5


def test_nan_at_a_batch_index_stays_there() -> None:
    data = random((4, 6, 7), "tyx")
    data[2, 3, 3] = np.nan
    got = dhess.hessian(data, dims=["y", "x"]).values
    assert not np.isnan(got[:, :, [0, 1, 3]]).any()
    assert np.isnan(got[:, :, 2]).any()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_stays_where_its_stencil_is(value: float) -> None:
    clean = random((9, 9), "yx")
    dirty = clean.copy(deep=True)
    dirty[4, 4] = value
    for name in ("gradient", "hessian", "laplacian"):
        got, want = FIELDS[name](dirty).values, FIELDS[name](clean).values
        touched = np.isnan(FIELDS[name](dirty.where(np.isfinite(dirty))).values)
        np.testing.assert_array_equal(got[~touched], want[~touched])
        assert not np.isfinite(got[touched]).any()


@given(case=cases(max_n=3, max_points=400), scheme=st.sampled_from(["direct", "iterated"]))
def test_float32_is_the_float64_answer_rounded(case: Case, scheme: str) -> None:
    array = case.array().astype(np.float32)
    for name in ("gradient", "hessian", "laplacian", "eigenvalues", "hessian_norm"):
        got = FIELDS[name](array, scheme=scheme)
        want = FIELDS[name](array.astype(np.float64), scheme=scheme).astype(np.float32)
        same_bits(got, want)
        wide = FIELDS[name](array, scheme=scheme, dtype="float64")
        same_bits(wide, FIELDS[name](array.astype(np.float64), scheme=scheme))


@pytest.mark.parametrize("name", ["gradient", "hessian", "laplacian"])
def test_differences_of_float32_are_taken_in_float64(name: str) -> None:
    """0.4 − 2·0.2 + 0.1 needs more digits than float32 has."""
    array = xr.DataArray(np.array([0.1, 0.2, 0.4, 0.9, 0.3, 0.7], dtype=np.float32), dims="x")
    same_bits(FIELDS[name](array, dtype="float64"), FIELDS[name](array.astype(np.float64)))


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("f4"), "float64"])
@pytest.mark.parametrize("chunks", [None, 3])
def test_dtype_option(dtype: Any, chunks: int | None) -> None:
    array = random((6, 7), "yx")
    array = array if chunks is None else array.chunk(chunks)
    got = dhess.hessian(array, dtype=dtype)
    assert got.dtype == np.dtype(dtype)
    same_bits(got.compute(), dhess.hessian(array).astype(dtype).compute())


INTEGERS = np.random.default_rng(0).integers(0, 200, (6, 7, 8))
FORMS: dict[str, Callable[[], oracles.Array]] = {
    "int64": lambda: INTEGERS.astype("i8"),
    "uint8": lambda: INTEGERS.astype("u1"),
    "int16": lambda: INTEGERS.astype("i2"),
    "bool": lambda: INTEGERS > 100,
    "float16": lambda: (INTEGERS / 8).astype("f2"),
    "big-endian float64": lambda: (INTEGERS / 7).astype(">f8"),
    "big-endian float32": lambda: (INTEGERS / 7).astype(">f4"),
    "big-endian int16": lambda: INTEGERS.astype(">i2"),
    "Fortran": lambda: np.asfortranarray(INTEGERS / 7),
    "negative strides": lambda: (INTEGERS / 7)[::-1, :, ::-1],
    "every other": lambda: (np.repeat(np.repeat(INTEGERS, 2, 0), 2, 2) / 7)[::2, :, ::2],
    "transposed": lambda: (INTEGERS / 7).transpose(2, 0, 1),
    "broadcast": lambda: np.broadcast_to(INTEGERS[:1] / 7, (6, 7, 8)),
    "read-only": lambda: read_only(INTEGERS / 7),
}


def read_only(data: oracles.Array) -> oracles.Array:
    data.setflags(write=False)
    return data


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunks", [None, 3])
def test_every_memory_form_equals_contiguous_float64(form: str, chunks: int | None) -> None:
    data = FORMS[form]()
    array = xr.DataArray(data, dims=list("zyx"))
    plain = xr.DataArray(np.ascontiguousarray(data.astype(np.float64)), dims=list("zyx"))
    array = array if chunks is None else array.chunk(chunks)
    for name in ("gradient", "hessian", "hessian_norm", "eigenvalues"):
        got = FIELDS[name](array).compute()
        assert got.dtype.kind == "f"
        assert got.dtype.isnative
        if form.endswith("float32"):
            assert got.dtype == np.float32
        elif form != "float16":
            assert got.dtype == np.float64
        np.testing.assert_array_equal(got.values, FIELDS[name](plain).values.astype(got.dtype))


@pytest.mark.parametrize("order", ["tyx", "ytx", "yxt", "xty"])
@pytest.mark.parametrize("chunks", [None, {"t": 2, "y": 3, "x": 2}])
def test_batch_dimension_in_any_position(order: str, chunks: dict[str, int] | None) -> None:
    data = random((3, 6, 7), "tyx").assign_coords(y=np.arange(6.0) ** 2)
    moved = data.transpose(*order)
    moved = moved if chunks is None else moved.chunk(chunks)
    got = dhess.hessian(moved, dims=["y", "x"]).compute()
    assert got.dims == ("row", "col", *order)
    norm = dhess.measure(moved, "hessian_norm", dims=["y", "x"]).compute()
    for t in range(3):
        want = dhess.hessian(data[t])
        alone = got.isel(t=t).transpose("row", "col", "y", "x").sel(row=["y", "x"], col=["y", "x"])
        np.testing.assert_allclose(alone.values, want.values, rtol=0, atol=1e-13)
        single = norm.isel(t=t).transpose("y", "x").values
        np.testing.assert_allclose(
            single, dhess.measure(data[t], "hessian_norm").values, rtol=1e-14
        )


def test_two_batch_dimensions_around_one() -> None:
    data = random((2, 7, 3), "txm")
    got = dhess.gradient(data, dims=["x"])
    for t in range(2):
        for m in range(3):
            want = dhess.gradient(data[t, :, m]).values[0]
            np.testing.assert_array_equal(got.values[0, t, :, m], want)


@pytest.mark.parametrize("name", FIELDS)
def test_dataset_in_dataset_out(name: str) -> None:
    dataset = xr.Dataset(
        {
            "a": random((6, 7), "yx", 1),
            "b": random((6, 7), "yx", 2).astype(np.float32),
            "label": (("y", "x"), np.full((6, 7), "text")),
            "line": ("x", np.arange(7.0)),
        },
        coords={"x": np.arange(7.0) / 2},
        attrs={"title": "kept"},
    )
    got = FIELDS[name](dataset, dims=["y", "x"])
    assert isinstance(got, xr.Dataset)
    assert set(got.data_vars) == {"a", "b"}
    assert got.attrs["title"] == "kept"
    for variable in ("a", "b"):
        xr.testing.assert_identical(got[variable], FIELDS[name](dataset[variable]))


def test_dataset_without_a_fitting_variable() -> None:
    dataset = xr.Dataset({"line": ("x", np.arange(7.0))})
    with pytest.raises(dhess.InputError) as caught:
        dhess.hessian(dataset, dims=["y", "x"])
    assert "line" in str(caught.value) or "y" in str(caught.value)


@pytest.mark.parametrize("name", LEADING)
def test_dimension_that_the_result_needs_for_itself(name: str) -> None:
    """Rasters often have dimensions called row and col."""
    taken = LEADING[name][0]
    data = random((6, 7), "yx").rename(y=taken)
    with pytest.raises(dhess.InputError) as caught:
        FIELDS[name](data)
    assert repr(taken) in str(caught.value)
    assert "rename" in str(caught.value)
    assert dhess.measure(data, "slope").dims == (taken, "x")


def test_dataset_of_different_dimensions_wants_dims() -> None:
    rng = np.random.default_rng(8)
    data = xr.Dataset({"a": (("y", "x"), rng.random((6, 7))), "b": ("x", rng.random(7))})
    with pytest.raises(dhess.InputError, match=r"a \(y, x\); b \(x\); name the dimensions"):
        dhess.gradient(data)
    along_x = dhess.gradient(data, dims=["x"])
    for name in data.data_vars:
        xr.testing.assert_identical(along_x[name], dhess.gradient(data[name], dims=["x"]))
    apart = dhess.laplacian(data)
    for name in data.data_vars:
        xr.testing.assert_identical(apart[name], dhess.laplacian(data[name]))
