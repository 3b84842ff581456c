"""What is opened equals what was stored, cut along stored chunks; what cannot be says why."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from dhess.errors import SourceError
from dhess.source import auto_chunks, is_url, split_source
from dhess.source import open as dhess_open
from dhess.source.chunks import BLOCK_BYTES, SHARD_BYTES, blocks

HEIGHTS = np.arange(12 * 20, dtype="f4").reshape(12, 20) ** 2


def terrain() -> xr.Dataset:
    """One field on named coordinates, with bounds, text and a grid mapping beside it."""
    return xr.Dataset(
        {
            "height": (("y", "x"), HEIGHTS, {"units": "m", "grid_mapping": "crs"}),
            "x_bounds": (("x", "side"), np.zeros((20, 2))),
            "label": ("y", [f"row {i}" for i in range(12)]),
            "crs": ((), 0),
        },
        coords={"x": ("x", np.linspace(0.0, 1.9, 20), {"bounds": "x_bounds"}), "y": np.arange(12)},
    )


def store(dataset: xr.Dataset, path: str | Path, **kw: Any) -> str:
    """Write with xarray, which warns of what format 3 has not settled yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if str(path).endswith(".zarr"):
            dataset.to_zarr(path, **kw)
        else:
            dataset.to_netcdf(path, engine="h5netcdf", **kw)
    return str(path)


def chunked(dataset: xr.Dataset, **encoding: Any) -> dict[str, Any]:
    return {"encoding": {name: encoding for name in ("height",) if name in dataset}}


# ---------------------------------------------------------------------------------- what it opens


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr(tmp_path: Path, zarr_format: int, consolidated: bool) -> None:
    data = terrain()
    path = store(data, tmp_path / "t.zarr", zarr_format=zarr_format, consolidated=consolidated)
    array = dhess_open(path)
    assert array.name == "height"
    assert array.attrs["units"] == "m"
    assert array.encoding["source"] == path
    assert dask.is_dask_collection(array.data)
    np.testing.assert_array_equal(array, HEIGHTS)
    np.testing.assert_array_equal(array.x, data.x)


def test_netcdf(tmp_path: Path) -> None:
    path = store(terrain(), tmp_path / "t.nc")
    with dhess_open(path) as array:
        assert dask.is_dask_collection(array.data)
        assert array.encoding["source"] == path
        np.testing.assert_array_equal(array, HEIGHTS)


def test_hdf5_without_dimension_names(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["height"] = HEIGHTS
    with dhess_open(tmp_path / "plain.h5") as array:
        assert array.shape == (12, 20)
        np.testing.assert_array_equal(array, HEIGHTS)


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_groups(tmp_path: Path, suffix: str) -> None:
    path = store(terrain(), tmp_path / f"t.{suffix}", group="alps/2000")
    with dhess_open(path, group="alps/2000") as array:
        np.testing.assert_array_equal(array, HEIGHTS)


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_url(memory_files: Any, tmp_path: Path, suffix: str) -> None:
    path = store(terrain(), tmp_path / f"t.{suffix}")
    memory_files.put(path, f"/t.{suffix}", recursive=True)
    with dhess_open(f"memory://t.{suffix}::height") as array:
        assert array.encoding["source"] == f"memory://t.{suffix}"
        np.testing.assert_array_equal(array, HEIGHTS)


def test_url_without_a_telling_name(memory_files: Any, tmp_path: Path) -> None:
    memory_files.put(store(terrain(), tmp_path / "t.nc"), "/file")
    memory_files.put(store(terrain(), tmp_path / "t.zarr"), "/folder", recursive=True)
    for name in ("file", "folder"):
        with dhess_open(f"memory://{name}") as array:
            np.testing.assert_array_equal(array, HEIGHTS)


def test_chained_url(memory_files: Any, tmp_path: Path) -> None:
    memory_files.put(store(terrain(), tmp_path / "t.zarr"), "/t.zarr", recursive=True)
    array = dhess_open("simplecache::memory://t.zarr::height")
    np.testing.assert_array_equal(array, HEIGHTS)


def test_ways_to_write_a_local_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for way in (Path(path), "t.zarr", "t.zarr/", "./t.zarr::height", "~/t.zarr", f"file://{path}"):
        array = dhess_open(way)
        assert array.encoding["source"] == path
        np.testing.assert_array_equal(array, HEIGHTS)


def test_a_path_with_colons_and_the_variable_beside_it(tmp_path: Path) -> None:
    path = Path(store(terrain(), tmp_path / "t.zarr")).rename(tmp_path / "a::b.zarr")
    np.testing.assert_array_equal(dhess_open(path, "height"), HEIGHTS)


def test_decoding(tmp_path: Path) -> None:
    """Scale and offset, fill values as NaN, times; but a field in days is no time difference."""
    times = np.array(["2000-01-01", "2000-01-03"], dtype="M8[ns]")
    data = xr.Dataset(
        {"age": ("time", [1.5, np.nan], {"units": "days"})}, coords={"time": ("time", times)}
    )
    packed = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -9}
    path = store(data, tmp_path / "t.zarr", encoding={"age": packed})
    assert zarr.open_array(f"{path}/age", mode="r")[0] == 1  # (1.5 - 1) / 0.5
    array = dhess_open(path)
    np.testing.assert_array_equal(array, [1.5, np.nan])
    np.testing.assert_array_equal(array.time, times)


def test_nothing_is_read_or_computed(tmp_path: Path, lazy_only: None) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    for chunk in Path(path, "height").glob("c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(b"not a chunk")
    array = dhess_open(path, chunks=5)
    assert array.chunks == ((5, 5, 2), (5, 5, 5, 5))


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_travels_to_another_process(
    tmp_path: Path, suffix: str, fresh_process_environment: dict[str, str]
) -> None:
    array = dhess_open(store(terrain(), tmp_path / f"t.{suffix}"), chunks=6)
    (tmp_path / "array.pickle").write_bytes(pickle.dumps(array.data))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).sum().compute())"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "array.pickle"],
        env=fresh_process_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == HEIGHTS.sum()
    array.close()


def test_a_store_written_anew_has_new_keys(tmp_path: Path) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    first = dhess_open(path)
    store(terrain(), path, mode="w")
    assert dhess_open(path).data.name != first.data.name


# ------------------------------------------------------------------------------- which variable


def test_a_coordinate_is_data_when_it_is_named(tmp_path: Path) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    array = dhess_open(path, "x")
    assert dask.is_dask_collection(array.data)
    np.testing.assert_array_equal(array, np.linspace(0.0, 1.9, 20))


def test_several_variables(tmp_path: Path) -> None:
    data = terrain()
    path = store(data.assign(depth=-data.height), tmp_path / "t.zarr")
    with pytest.raises(SourceError, match=r"several variables \(depth, height\); name one, as"):
        dhess_open(path)
    np.testing.assert_array_equal(dhess_open(f"{path}::depth"), -HEIGHTS)


def test_no_numeric_variable(tmp_path: Path) -> None:
    path = store(terrain().drop_vars(["height", "x_bounds"]), tmp_path / "t.zarr")
    with pytest.raises(SourceError, match=r"no numeric data variable .* label \("):
        dhess_open(path)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("heigth", "has no variable 'heigth'; did you mean 'height'"),
        ("zzz", "has no variable 'zzz'; known: height"),
        ("text", r"holds text \(.*numeric variables: height"),
        ("wave", r"holds complex numbers \(complex128\)"),
        ("when", r"holds dates \(datetime64"),
        ("lag", r"holds time differences \(timedelta64"),
        ("crs", "is a single number"),
        ("nothing", r"is empty \(y: 12, none: 0\)"),
    ],
)
def test_variables_that_cannot_be_differentiated(
    tmp_path: Path, variable: str, message: str
) -> None:
    data = terrain().drop_vars(["label", "x_bounds"])
    data["text"] = ("y", [f"row {i}" for i in range(12)])
    data["wave"] = ("y", np.ones(12, complex))
    data["when"] = ("y", np.full(12, "2000-01-01", dtype="M8[ns]"))
    data["lag"] = ("y", np.full(12, 5, dtype="m8[ns]"))
    data["nothing"] = (("y", "none"), np.ones((12, 0), complex))
    path = store(data.assign(nothing=data.nothing.real), tmp_path / "t.zarr")
    with pytest.raises(SourceError, match=message):
        dhess_open(path, variable)


# ------------------------------------------------------------------------------- what it refuses


def refused(path: Any, **kw: Any) -> str:
    """Return the one sentence, and make sure that it is one and knows its cause."""
    with pytest.raises(SourceError) as caught:
        dhess_open(path, **kw)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert caught.value.exit_code == 2
    return sentence


def test_no_such_file(tmp_path: Path) -> None:
    store(terrain(), tmp_path / "t.zarr")
    assert "no such file or store" in refused(tmp_path / "u.nc")
    assert "did you mean 't.zarr'" in refused(tmp_path / "t.zar")
    assert "there is no folder" in refused(tmp_path / "none" / "t.zarr")
    assert "cannot be read: Not a directory" in refused(
        Path(store(terrain(), tmp_path / "t.nc")) / "t.zarr"
    )


def test_files_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("height,12\n")
    np.save(tmp_path / "array.npy", HEIGHTS)
    (tmp_path / "empty.nc").touch()
    (tmp_path / "classic.nc").write_bytes(b"CDF\x01" + bytes(28))
    (tmp_path / "folder.zarr").mkdir()
    assert r"it starts with b'height,1'" in refused(tmp_path / "text.nc")
    assert r"it starts with b'\x93NUMPY" in refused(tmp_path / "array.npy")
    assert r"it starts with b''" in refused(tmp_path / "empty.nc")
    assert "nccopy" in refused(tmp_path / "classic.nc")
    assert "folder without Zarr metadata" in refused(tmp_path / "folder.zarr")


def test_damaged_stores(tmp_path: Path) -> None:
    path = Path(store(terrain(), tmp_path / "whole.nc"))
    (tmp_path / "cut.nc").write_bytes(path.read_bytes()[:3000])
    assert "truncated file" in refused(tmp_path / "cut.nc")
    zarr_path = Path(store(terrain(), tmp_path / "t.zarr"))
    (zarr_path / "zarr.json").write_text("{")
    assert "cannot be opened as a Zarr store" in refused(zarr_path)


def test_a_single_array_is_not_a_group(tmp_path: Path) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    assert "'GROUP::ARRAY'" in refused(f"{path}/height")
    zarr.create_array(tmp_path / "old.zarr", shape=(3,), dtype="f4", zarr_format=2)
    assert "single Zarr array" in refused(tmp_path / "old.zarr")


def test_a_store_that_its_writer_did_not_finish(tmp_path: Path) -> None:
    path = store(terrain().assign_attrs(dhess_complete=False), tmp_path / "t.zarr")
    assert "was not written to its end" in refused(path)


def test_no_such_group(tmp_path: Path) -> None:
    for suffix in ("zarr", "nc"):
        path = store(terrain(), tmp_path / f"t.{suffix}")
        assert "(group 'alps')" in refused(path, group="alps")


def test_urls(memory_files: Any) -> None:
    assert "no Zarr store at 'memory://t.zarr'" in refused("memory://t.zarr")
    assert "no NetCDF4/HDF5 file at 'memory://t.nc'" in refused("memory://t.nc")
    assert "Protocol not known: nosuch" in refused("nosuch://t.zarr")


def test_a_password_is_not_repeated() -> None:
    sentence = refused("nosuch://user:secret@host/t.zarr")
    assert "secret" not in sentence
    assert "nosuch://host/t.zarr" in sentence


@pytest.mark.parametrize("path", ["", " ", 3, None, b"t.zarr"])
def test_no_path_at_all(path: Any) -> None:
    assert "a source is a path or a URL" in refused(path)


def test_options_that_xarray_does_not_know(tmp_path: Path) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    assert "'unheard'" in refused(path, unheard=1)


def test_without_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root may read everything, so it lays its rights down for this test."""
    folder = tmp_path_factory.mktemp("open")
    file, group = store(terrain(), folder / "t.nc"), store(terrain(), folder / "t.zarr")
    dhess_open(file).close()
    dhess_open(group)
    for path in (file, group):
        Path(path).chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        sentences = [refused(file), refused(group)]
    finally:
        if user == 0:
            os.seteuid(0)
        Path(group).chmod(0o700)
    assert all("cannot be read: Permission denied" in sentence for sentence in sentences)


def test_without_h5netcdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(terrain(), tmp_path / "t.nc")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    assert "pip install 'dhess[netcdf]'" in refused(path)


# ---------------------------------------------------------------------------------- PATH::VARIABLE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("t.zarr", ("t.zarr", None)),
        ("t.zarr::height", ("t.zarr", "height")),
        ("C:/t.zarr::height", ("C:/t.zarr", "height")),
        ("a::b.zarr::height", ("a::b.zarr", "height")),
        ("a::b/t.zarr", ("a::b/t.zarr", None)),
        ("s3://bucket/t.zarr::height", ("s3://bucket/t.zarr", "height")),
        ("simplecache::s3://b/t.zarr", ("simplecache::s3://b/t.zarr", None)),
        ("simplecache::s3://b/t.zarr::height", ("simplecache::s3://b/t.zarr", "height")),
        ("zip://t.zarr::t.zip", ("zip://t.zarr::t.zip", None)),
        (
            "zip://t.zarr::simplecache::s3://b/t.zip",
            ("zip://t.zarr::simplecache::s3://b/t.zip", None),
        ),
        ("zip://t.zarr::t.zip::height", ("zip://t.zarr::t.zip", "height")),
    ],
)
def test_split_source(text: str, parts: tuple[str, str | None]) -> None:
    assert split_source(text) == parts


@pytest.mark.parametrize(
    ("text", "lacks"), [("t.zarr::", "variable after"), ("::h", "path before")]
)
def test_split_source_with_a_part_missing(text: str, lacks: str) -> None:
    with pytest.raises(SourceError, match=f"has no {lacks} its '::'"):
        split_source(text)


def test_is_url() -> None:
    assert is_url("https://host/t.zarr")
    assert is_url("filecache::https://host/t.nc")
    assert not is_url("/data/t.zarr")
    assert not is_url("a::b.zarr")


# -------------------------------------------------------------------------------------- chunks


def test_blocks_are_whole_stored_chunks(tmp_path: Path) -> None:
    """3000 × 2000 float64 in stored chunks of 700 × 300: a block of 64 MB holds 8e6 points."""
    data = xr.Dataset({"height": (("y", "x"), np.zeros((6000, 4000)))})
    path = store(data, tmp_path / "t.zarr", **chunked(data, chunks=(700, 300)))
    rows, columns = dhess_open(path).data.chunksize
    assert rows % 700 == 0
    assert columns % 300 == 0
    assert 64e6 <= rows * columns * 8 <= 256e6
    assert dhess_open(path, chunks=None).data.chunksize == (700, 300)
    assert dhess_open(path, chunks={"x": 100}).data.chunksize == (700, 100)
    assert dhess_open(path, chunks=(100, -1)).data.chunksize == (100, 4000)


def test_blocks_are_whole_shards(tmp_path: Path) -> None:
    data = xr.Dataset({"height": (("y", "x"), np.zeros((6000, 4000)))})
    sizes = {"chunks": (100, 100), "shards": (1000, 500)}
    path = store(data, tmp_path / "t.zarr", zarr_format=3, **chunked(data, **sizes))
    rows, columns = dhess_open(path).data.chunksize
    assert rows % 1000 == 0
    assert columns % 500 == 0
    assert dhess_open(path, chunks=None).data.chunksize == (100, 100)


def test_decoded_bytes_count(tmp_path: Path) -> None:
    """Stored as int16, decoded to float64: four times the bytes, a quarter of the points."""
    data = xr.Dataset({"height": (("y", "x"), np.zeros((8000, 6000), "f4"))})
    sizes = {"chunks": (500, 500), "dtype": "i2", "scale_factor": 0.1, "_FillValue": -9}
    path = store(data, tmp_path / "t.zarr", **chunked(data, **sizes))
    array = dhess_open(path)
    assert array.dtype == "f8"
    assert BLOCK_BYTES <= math.prod(array.data.chunksize) * 8 <= 2 * BLOCK_BYTES


def test_contiguous_netcdf_is_cut_along_its_leading_axis(tmp_path: Path) -> None:
    data = xr.Dataset({"height": (("y", "x"), np.zeros((12000, 1000)))})
    path = store(data, tmp_path / "t.nc")
    with dhess_open(path) as array:
        assert array.data.chunksize == (8000, 1000)


def test_chunked_netcdf(tmp_path: Path) -> None:
    data = xr.Dataset({"height": (("y", "x"), np.zeros((12000, 1000)))})
    path = store(data, tmp_path / "t.nc", **chunked(data, chunksizes=(700, 300)))
    with dhess_open(path) as array:
        assert array.data.chunksize[0] % 700 == 0


def test_huge_shards_are_read_by_their_chunks() -> None:
    side = math.isqrt(SHARD_BYTES // 8) + 1
    array = xr.DataArray(dask.array.zeros((4 * side, 4 * side), chunks=side), dims=("y", "x"))
    array.encoding = {"chunks": (100, 100), "shards": (side, side)}
    rows, columns = blocks(array, "auto").values()
    assert rows % 100 == 0
    assert rows * columns * 8 < SHARD_BYTES


def test_an_axis_that_is_stored_in_uneven_chunks_is_one_piece() -> None:
    array = xr.DataArray(np.zeros((6, 8)), dims=("y", "x"))
    array.encoding = {"chunks": ((1, 5), 4)}
    assert blocks(array, None) == {"y": 6, "x": 4}


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        (0, "at least 1 .*, not 0"),
        ({"x": -3}, "chunks along 'x' must be at least 1"),
        ({"xx": 5}, "chunks name 'xx'.*did you mean 'x'|known: y, x"),
        ((5,), r"chunks=\(5,\) does not fit the dimensions \('y', 'x'\)"),
        ({"x": (1, 2)}, "do not add up"),
        ({"x": 1.5}, "chunks can only contain integers"),
        (True, "chunks=True does not fit"),
        ("small", "chunks='small' does not fit"),
    ],
)
def test_chunks_that_do_not_fit(tmp_path: Path, chunks: Any, message: str) -> None:
    path = store(terrain(), tmp_path / "t.zarr")
    with pytest.raises(SourceError, match=message):
        dhess_open(path, chunks=chunks)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    ndim = draw(st.integers(1, 5))
    shape = tuple(draw(st.integers(1, 5000)) for _ in range(ndim))
    stored = tuple(draw(st.integers(1, 600)) for _ in range(ndim))
    return shape, stored, draw(st.sampled_from([1, 2, 4, 8]))


@given(layouts())
def test_auto_chunks_keeps_its_promises(layout: tuple[Any, Any, int]) -> None:
    shape, stored, itemsize = layout
    block = auto_chunks(shape, stored, itemsize)
    one = [min(size, chunk) for size, chunk in zip(shape, stored, strict=True)]
    for size, chunk, part in zip(shape, stored, block, strict=True):
        assert part == size or (part % chunk == 0 and part < size)
    held = math.prod(block) * itemsize
    if math.prod(shape) * itemsize <= BLOCK_BYTES:
        assert block == shape
    elif math.prod(one) * itemsize >= BLOCK_BYTES:
        assert block == tuple(one)
    else:
        assert BLOCK_BYTES <= held < 2 * BLOCK_BYTES


@given(layouts())
def test_a_contiguous_block_is_one_run_of_bytes(layout: tuple[Any, Any, int]) -> None:
    shape, _, itemsize = layout
    block = auto_chunks(shape, None, itemsize)
    cut = [axis for axis, part in enumerate(block) if part < shape[axis]]
    if cut:
        assert all(part == 1 for part in block[: cut[-1]])
        assert BLOCK_BYTES <= math.prod(block) * itemsize < 2 * BLOCK_BYTES


def test_blocks_are_near_cubes() -> None:
    """No side is longer than the next stored chunk beyond the shortest side that could grow."""
    assert auto_chunks((4096,) * 3, (64, 64, 64), 4) == (256, 256, 256)
    assert auto_chunks((4096,) * 3, (128, 128, 128), 8) == (128, 256, 256)
    assert auto_chunks((10**6, 50, 50), (10, 50, 50), 8) == (3200, 50, 50)
    assert auto_chunks((365, 1000, 1000), (1, 1000, 1000), 8) == (8, 1000, 1000)
