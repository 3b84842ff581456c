"""find_minimum: the same point as numpy.nanargmin of the measure, with all that is known there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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
from .test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = list(oracles.MEASURES)


def random(shape: tuple[int, ...], dims: str, seed: int = 0) -> xr.DataArray:
    data = np.random.default_rng(seed).standard_normal(shape)
    return xr.DataArray(data, dims=list(dims), name="f")


def indices(found: xr.Dataset) -> list[tuple[int, ...]]:
    return [tuple(row) for row in found["index"].values.tolist()]


def agrees(found: xr.Dataset, data: xr.DataArray, name: str, k: int, **options: Any) -> None:
    """Every number of the answer against the fields, looked up at the places NumPy names."""
    field = dhess.measure(data, name, **options)
    want = oracles.k_smallest(field.values, k)
    assert indices(found) == want
    gradient, hessian = dhess.gradient(data, **options), dhess.hessian(data, **options)
    values = dhess.eigenvalues(data, **options)
    for rank, index in enumerate(want):
        at = (..., *index)
        here = found.isel(rank=rank)
        assert here["value"].item() == field.values[index].item()
        np.testing.assert_array_equal(here["field"], data.values[index])
        np.testing.assert_array_equal(here["gradient"], gradient.values[at])
        np.testing.assert_array_equal(here["hessian"], hessian.values[at])
        np.testing.assert_array_equal(here["eigenvalues"], values.values[at])
        for dim, i in zip(data.dims, index, strict=True):
            label = data[dim].values[i] if dim in data.coords else i
            assert here[dim].item() == label


@given(data=st.data(), case=cases(max_n=4, max_points=600, max_size=12), k=st.integers(1, 6))
@settings(max_examples=40)
def test_search_is_nanargmin_of_the_measure(data: st.DataObject, case: Case, k: int) -> None:
    values = case.random()
    if data.draw(st.booleans()):
        values = np.round(values)  # few different numbers: ties everywhere
    values[data.draw(holes(case.shape))] = np.nan
    array = case.array(values)
    if data.draw(st.booleans()):
        array = array.astype(np.float32)
    names = [name for name in NAMES if name != "slope_angle" or array.ndim == 2]
    name = data.draw(st.sampled_from(names))
    options: dict[str, Any] = {"scheme": data.draw(st.sampled_from(["direct", "iterated"]))}
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


@pytest.mark.parametrize("chunks", [None, 1, 3, (2, 5)])
def test_ties_go_to_the_lowest_index_in_c_order(chunks: Any) -> None:
    flat = xr.DataArray(np.zeros((7, 7)), dims=["y", "x"])
    flat = flat if chunks is None else flat.chunk(dict.fromkeys("yx", chunks))
    found = dhess.find_minimum(flat, k=9)
    assert indices(found) == [(0, i) for i in range(7)] + [(1, 0), (1, 1)]
    np.testing.assert_array_equal(found["value"], 0.0)


def test_negative_zero_ties_with_zero() -> None:
    data = xr.DataArray([0.0, -0.0, 0.0, -0.0, 0.0, -0.0], dims="x")
    assert indices(dhess.find_minimum(data, "laplacian", k=6)) == [(i,) for i in range(6)]


def test_float32_ties_are_those_of_the_rounded_field() -> None:
    # second differences 1 + 2⁻³⁰ at 1 and exactly 1 later: one number in float32
    values = np.full(12, 3.0)
    values[:3] = [2.0**-30, 0.0, 1.0]
    values[8:11] = [3.0, 3.0, 4.0]
    data = xr.DataArray(values.astype(np.float32), dims="x").astype(np.float32)
    for array in (data, data.chunk({"x": 5})):
        for name in ("hessian_norm", "laplacian", "slope"):
            want = oracles.k_smallest(dhess.measure(data, name).values, 12)
            assert indices(dhess.find_minimum(array, name, k=12)) == want
            wide = oracles.k_smallest(dhess.measure(data, name, dtype="float64").values, 12)
            assert indices(dhess.find_minimum(array, name, k=12, dtype="float64")) == wide


@pytest.mark.parametrize("name", ["slope", "hessian_norm"])
@pytest.mark.parametrize("chunks", [None, {"b": 1}, {"b": 2, "x": 2}])
def test_ties_of_the_root_are_ties(name: str, chunks: dict[str, int] | None) -> None:
    """√(1 + ε) and √1 are one number in float64, so the first of them wins, not the square 1."""
    y, x = np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="ij")
    small = 2.0**-26  # its square is ε
    if name == "hessian_norm":
        y, x = y * y / 2, x * x / 2
    data = xr.DataArray(
        np.stack([x + 2 * small * y, x + small * y, x, x + small * y]), dims=["b", "y", "x"]
    )
    field = dhess.measure(data, name, dims=["y", "x"]).values
    assert (field[1:] == 1).all()
    assert (field[0] > 1).all()
    array = data if chunks is None else data.chunk(chunks)
    found = dhess.find_minimum(array, name, k=80, dims=["y", "x"])
    assert indices(found) == oracles.k_smallest(field, 80)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["random", "rounded", "constant"])
def test_any_number_of_threads(workers: int, dtype: type, kind: str) -> None:
    array = random((1300, 1000), "yx").astype(dtype)  # too many points for one thread's share
    array = {"random": array, "rounded": array.round(), "constant": 0 * array}[kind]
    want = dhess.find_minimum(array, k=5)
    field = dhess.measure(array, "hessian_norm").values
    assert indices(want)[0] == tuple(np.unravel_index(np.nanargmin(field), field.shape))
    with dask.config.set(num_workers=workers):
        xr.testing.assert_identical(dhess.find_minimum(array, k=5), want)
        blocks = array.chunk({"y": 701, "x": 300})
        xr.testing.assert_identical(dhess.find_minimum(blocks, k=5), want)


def test_the_whole_answer() -> None:
    """(x − 1)² + 2 (y − 2)² + x⁴-free: flattest by slope at x = 1, y = 2, worked by hand."""
    y, x = np.arange(6) * 0.5 + 1, (np.arange(7) - 1).astype(np.float32)
    data = xr.DataArray(
        (x[None, :] - 1.0) ** 2 + 2 * (y[:, None] - 2.0) ** 2 + 5,
        coords={"y": y, "x": x},
        dims=["y", "x"],
        name="f",
        attrs={"units": "m"},
    )
    data.encoding["source"] = "store.zarr"
    found = dhess.find_minimum(data, "slope")
    assert dict(found.sizes) == {"rank": 1, "dim": 2, "row": 2, "col": 2, "eigen": 2}
    assert found["rank"].values.tolist() == [0]
    assert found["dim"].values.tolist() == ["y", "x"]
    assert found["row"].values.tolist() == found["col"].values.tolist() == ["y", "x"]
    assert found["index"].dtype == np.int64
    assert indices(found) == [(2, 2)]
    assert found["y"].dims == found["x"].dims == ("rank",)
    assert found["x"].dtype == np.float32
    assert (found["y"].item(), found["x"].item()) == (2.0, 1.0)
    assert found["value"].item() == 0.0
    assert found["field"].item() == 5.0
    np.testing.assert_allclose(found["gradient"].values, [[0, 0]], atol=1e-14)
    np.testing.assert_allclose(found["hessian"].values, [[[4, 0], [0, 2]]], atol=1e-12)
    np.testing.assert_allclose(found["eigenvalues"].values, [[2, 4]], atol=1e-12)
    assert found["kind"].values.tolist() == ["minimum"]
    assert found.attrs["measure"] == "slope"
    assert found.attrs["points"] == 42
    assert found.attrs["nan_points"] == 0
    assert found.attrs["source"] == "store.zarr::f"
    assert found.attrs["dhess_version"]
    for option in ("scheme", "order", "nan", "geometry"):
        assert option in found.attrs
    assert all(isinstance(v, str | int | float) for v in found.attrs.values())
    assert "smoothed" not in found.attrs
    assert {name: v.attrs for name, v in found.data_vars.items() if v.attrs} == {
        "field": {"units": "m"}
    }


@pytest.mark.parametrize("compute", [True, False])
@pytest.mark.parametrize("chunks", [None, 3])
def test_the_answer_tells_units_and_smoothing(chunks: int | None, compute: bool) -> None:
    coords = {
        "time": ("time", np.arange(6.0), {"units": "h"}),
        "x": ("x", np.arange(7.0), {"units": "m"}),
    }
    data = random((6, 7), "tx").rename(t="time").assign_coords(coords).assign_attrs(units="K")
    data = dhess.smooth(data if chunks is None else data.chunk(chunks), {"x": 1.0})
    with pytest.warns(dhess.errors.UnitsWarning):
        found = dhess.find_minimum(data, "slope", compute=compute)
    assert found.attrs["smoothed"] == "x=1.0 m"
    attrs = {name: variable.attrs for name, variable in found.data_vars.items()}
    assert attrs["gradient"] == {"component_units": "time: K h-1; x: K m-1"}
    assert attrs["hessian"] == {
        "component_units": "time,time: K h-2; time,x: K h-1 m-1; x,x: K m-2"
    }
    assert attrs["value"] == attrs["eigenvalues"] == {}
    assert attrs["field"] == {"units": "K"}
    alike = dhess.find_minimum(data.assign_coords(time=data.x.values[:6]), dims="x")
    assert (alike.gradient.attrs, alike.hessian.attrs, alike.value.attrs) == (
        {"units": "K m-1"}, {"units": "K m-2"}, {"units": "K m-2"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("yy", "xx", "kind"),
    [(1, 3, "minimum"), (-1, -3, "maximum"), (1, -3, "saddle"), (0, 2, "degenerate")],
)
def test_kind(yy: float, xx: float, kind: str) -> None:
    y, x = np.meshgrid(np.arange(5.0) - 2, np.arange(5.0) - 2, indexing="ij")
    data = xr.DataArray(yy * y**2 + xx * x**2, dims=["y", "x"])
    found = dhess.find_minimum(data, "slope", exclude_edges=True)
    assert found["kind"].values.tolist() == [kind]


def test_batch_dimensions_are_searched_and_named() -> None:
    data = random((3, 6, 7), "tyx").assign_coords(t=["a", "b", "c"], x=np.arange(7.0) / 2)
    found = dhess.find_minimum(data, k=4, dims=["y", "x"])
    agrees(found, data, "hessian_norm", 4, dims=["y", "x"])
    assert found["dim"].values.tolist() == ["t", "y", "x"]
    assert found["row"].values.tolist() == ["y", "x"]
    assert found.attrs["points"] == 3 * 6 * 7


@pytest.mark.parametrize("order", ["tyx", "ytx", "yxt"])
@pytest.mark.parametrize("chunks", [None, 2])
def test_batch_dimension_in_any_position(order: str, chunks: int | None) -> None:
    data = random((3, 6, 7), "tyx").transpose(*order)
    array = data if chunks is None else data.chunk(chunks)
    agrees(
        dhess.find_minimum(array, k=3, dims=["y", "x"]), data, "hessian_norm", 3, dims=["y", "x"]
    )


@pytest.mark.parametrize(
    ("name", "even", "options", "rim"),
    [
        ("hessian_norm", True, {}, 1),
        ("hessian_norm", False, {}, 2),
        ("hessian_norm", True, {"scheme": "iterated"}, 2),
        ("slope", False, {}, 1),  # three nodes, whatever the Hessian would take
        ("slope", True, {"scheme": "iterated"}, 1),
    ],
)
@pytest.mark.parametrize("chunks", [None, 3])
def test_exclude_edges_leaves_out_one_sided_stencils(
    name: str,
    even: bool,
    options: dict[str, Any],
    rim: int,
    chunks: int | None,
) -> None:
    # flat in a rim of the array only, so that the edges would win
    y, x = np.meshgrid(np.arange(11.0), np.arange(12.0), indexing="ij")
    data = xr.DataArray(np.sin(y * x) + y**2, dims=["y", "x"])
    if not even:
        data = data.assign_coords(y=np.exp(np.arange(11) / 9), x=np.exp(np.arange(12) / 9))
    field = dhess.measure(data, name, **options).values.copy()
    inside = np.zeros(field.shape, dtype=bool)
    inside[rim:-rim, rim:-rim] = True
    want = oracles.k_smallest(np.where(inside, field, np.nan), field.size)
    array = data if chunks is None else data.chunk(chunks)
    found = dhess.find_minimum(array, name, k=field.size, exclude_edges=True, **options)
    assert indices(found) == want
    assert found.attrs["points"] == inside.sum()


def test_exclude_edges_spares_the_batch_dimension() -> None:
    data = random((2, 6, 7), "tyx")
    found = dhess.find_minimum(data, k=500, dims=["y", "x"], exclude_edges=True)
    assert len(indices(found)) == 2 * 4 * 5
    assert {index[0] for index in indices(found)} == {0, 1}


@pytest.mark.parametrize("chunks", [None, 2])
def test_fewer_valid_points_than_k(chunks: int | None) -> None:
    data = random((6, 7), "yx")
    data[:, 3:] = np.nan
    array = data if chunks is None else data.chunk(chunks)
    valid = int((~np.isnan(dhess.measure(data, "slope").values)).sum())
    assert 0 < valid < 42
    found = dhess.find_minimum(array, "slope", k=100)
    assert found.sizes["rank"] == valid
    assert found.attrs["points"] == 42
    assert found.attrs["nan_points"] == 42 - valid


@pytest.mark.parametrize("chunks", [None, 2])
def test_no_valid_point(chunks: int | None) -> None:
    data = xr.DataArray(np.full((6, 7), np.nan), dims=["y", "x"], name="f")
    array = data if chunks is None else data.chunk(chunks)
    with pytest.raises(dhess.NoValidPoint) as caught:
        dhess.find_minimum(array)
    one_sentence(caught.value, "42")


def test_no_point_without_a_one_sided_stencil() -> None:
    with pytest.raises(dhess.GridError) as caught:
        dhess.find_minimum(random((4, 9), "yx"), exclude_edges=True, scheme="iterated")
    one_sentence(caught.value, "y", "4", "exclude_edges")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("chunks", [None, 3])
def test_infinite_data(value: float, chunks: int | None) -> None:
    data = random((9, 8), "yx")
    data[4, 4] = value
    array = data if chunks is None else data.chunk(chunks)
    for name in ("hessian_norm", "laplacian", "hessian_det", "eigenvalue_min"):
        want = oracles.k_smallest(dhess.measure(data, name).values, 80)
        assert indices(dhess.find_minimum(array, name, k=80)) == want


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_computed_unless_asked(name: str) -> None:
    found = dhess.find_minimum(random((6, 7), "yx").chunk(3), name, compute=False)
    assert isinstance(found, xr.Dataset)
    assert any(dask.is_dask_collection(found[v].data) for v in found.data_vars)


def test_the_lazy_answer_is_the_answer() -> None:
    data = random((6, 7), "yx").assign_coords(x=np.arange(7.0) / 4)
    lazy = dhess.find_minimum(data.chunk(3), k=3, compute=False)
    want = dhess.find_minimum(data, k=3)
    got = lazy.compute()
    # attributes cannot wait, so the count of NaN becomes a variable
    assert set(got.variables) - set(want.variables) <= {"nan_points"}
    for name in want.variables:
        np.testing.assert_array_equal(got[name].values, want[name].values)


def test_dataset_of_one_variable() -> None:
    data = random((6, 7), "yx")
    xr.testing.assert_identical(
        dhess.find_minimum(data.to_dataset(name="f")), dhess.find_minimum(data)
    )


def test_dataset_of_several_variables_lists_them() -> None:
    dataset = xr.Dataset({"height": random((6, 7), "yx"), "depth": random((6, 7), "yx")})
    with pytest.raises(dhess.InputError) as caught:
        dhess.find_minimum(dataset)
    one_sentence(caught.value, "height", "depth")


def test_one_dimension_and_four() -> None:
    line = xr.DataArray(np.sin(np.arange(50) / 5), coords={"t": np.arange(50) / 5}, dims="t")
    agrees(dhess.find_minimum(line, k=5), line, "hessian_norm", 5)
    four = random((6, 5, 7, 4), "wzyx")
    agrees(dhess.find_minimum(four, k=5), four, "hessian_norm", 5)
    agrees(dhess.find_minimum(four.chunk(3), k=5), four, "hessian_norm", 5)


@pytest.fixture
def client() -> Iterator[Any]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as made,
    ):
        yield made


def test_an_active_client_does_the_work(client: Any) -> None:
    from distributed import get_task_stream

    data = random((12, 14), "yx")
    want = dhess.find_minimum(data, k=3)
    with get_task_stream(client) as stream:
        found = dhess.find_minimum(data.chunk(5), k=3)
    assert stream.data, "the cluster saw no task"
    xr.testing.assert_identical(found, want)


def test_the_data_are_read_once() -> None:
    """Every block of the input is made one time."""
    made: list[Any] = []

    def block(part: oracles.Array, block_info: Any = None) -> oracles.Array:
        made.append(block_info[0]["chunk-location"])
        return part

    data = random((12, 14), "yx").chunk({"y": 4, "x": 5})
    watched = data.copy(data=data.data.map_blocks(block, dtype=float, meta=np.empty((0, 0))))
    with dask.config.set(scheduler="synchronous"):
        dhess.find_minimum(watched, k=3)
    assert sorted(made) == sorted(set(made))
    assert len(made) == 9


def test_threads_of_the_caller_do_not_disturb_each_other() -> None:
    arrays = [random((20, 21), "yx", seed).round(1) for seed in range(8)]
    want = [dhess.find_minimum(array, k=3) for array in arrays]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: dhess.find_minimum(array, k=3), arrays))
    for got, one in zip(found, want, strict=True):
        xr.testing.assert_identical(got, one)


@pytest.mark.parametrize("taken", ["rank", "row", "dim", "eigen", "value", "index", "kind"])
@pytest.mark.parametrize("compute", [True, False])
def test_dimension_that_the_answer_needs_for_itself(taken: str, compute: bool) -> None:
    data = random((6, 7), "yx").rename(y=taken)
    with pytest.raises(dhess.InputError) as caught:
        dhess.find_minimum(data, compute=compute)
    one_sentence(caught.value, repr(taken), "rename")


def test_blocks_without_a_point_that_counts() -> None:
    rng = np.random.default_rng(5)
    uneven = {"y": np.cumsum(rng.random(8) + 0.2), "x": np.cumsum(rng.random(9) + 0.2)}
    whole = xr.DataArray(rng.random((8, 9)), uneven, ("y", "x"))
    options = {"k": 5, "exclude_edges": True, "scheme": "iterated"}
    in_memory = dhess.find_minimum(whole, **options)  # type: ignore[arg-type]
    in_blocks = dhess.find_minimum(whole.chunk(2), **options)  # type: ignore[arg-type]
    xr.testing.assert_identical(in_memory, in_blocks)


def test_empty_chunks_of_a_batch_dimension() -> None:
    values = np.random.default_rng(6).random((4, 6))
    chunked = dask.array.from_array(values, chunks=((2, 0, 2), (6,)))
    whole = xr.DataArray(values, dims=("t", "x"))
    lazy = xr.DataArray(chunked, dims=("t", "x"))
    fields = [dhess.measure(da, "hessian_norm", dims=["x"]).values for da in (whole, lazy)]
    np.testing.assert_array_equal(*fields)
    best = [dhess.find_minimum(da, dims=["x"], k=3) for da in (whole, lazy)]
    xr.testing.assert_identical(*best)
