"""Many files are one array in the order of their coordinates; two that disagree are named."""

from __future__ import annotations

import gc
import os
import pickle
import random
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.errors import ReadError, SourceError
from dhess.source.chunks import merged
from dhess.source.paths import locations_of
from dhess.stored import Stored, stored_of
from tests.test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = np.datetime64("2000-01-01", "ns") + np.arange(30) * np.timedelta64(1, "D")
FIELD = np.arange(30 * 4 * 6, dtype="f4").reshape(30, 4, 6) ** 2
SUFFIXES = [".nc", ".zarr"]


def whole() -> xr.DataArray:
    coords = {
        "time": ("time", DAYS),
        "y": ("y", np.arange(4.0), {"units": "m"}),
        "x": ("x", np.arange(6.0), {"units": "m"}),
        "day": ("time", np.arange(1, 31)),
        "zone": ("y", [5, 5, 6, 6]),
        "height": 2.0,
        "lat": (("y", "x"), np.ones((4, 6))),
    }
    return xr.DataArray(FIELD, coords, ("time", "y", "x"), "T", {"units": "K"})


def write(part: xr.DataArray, path: Path, **encoding: Any) -> Path:
    data = part.to_dataset(name="T")
    times = encoding.pop("times", None)
    if "time" in part.coords and times:
        data["time"].encoding["units"] = times
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".nc":
            data.to_netcdf(path, engine="h5netcdf", encoding={"T": encoding})
        else:
            data.to_zarr(path, encoding={"T": encoding}, consolidated=False)
    return path


def cut(folder: Path, suffix: str, ends: tuple[int, ...] = (10, 20, 30), **kw: Any) -> list[Path]:
    """Write parts along time, named against their order."""
    starts = (0, *ends[:-1])
    return [
        write(whole()[a:b], folder / f"run_{9 - n}{suffix}", **kw)
        for n, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]


def stored(array: xr.DataArray) -> Stored:
    found = stored_of(array.data)
    assert found is not None
    return found


# ------------------------------------------------------------------------------------ what it opens


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pattern(tmp_path: Path, suffix: str) -> None:
    cut(tmp_path, suffix)
    with dhess.open(f"{tmp_path}/run_*{suffix}::T") as array:
        xr.testing.assert_identical(array.compute(), whole())
        assert array.encoding["source"] == f"{tmp_path}/run_*{suffix}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_list_in_any_order(tmp_path: Path, suffix: str) -> None:
    paths = cut(tmp_path, suffix, (1, 2, 5, 11, 17, 30))
    random.Random(3).shuffle(paths)
    for ways in (paths, tuple(map(str, paths)), iter(paths), [f"{path}::T" for path in paths]):
        with dhess.open(ways) as array:
            xr.testing.assert_identical(array.compute(), whole())
    assert array.encoding["source"] == f"{paths[0]} … {paths[-1]} (6 files)"


def test_nothing_is_read(tmp_path: Path, lazy_only: None) -> None:
    cut(tmp_path, ".zarr")
    for chunk in tmp_path.glob("run_*/T/c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(b"not a chunk")
    assert dhess.open(f"{tmp_path}/run_*").shape == (30, 4, 6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_times_counted_from_different_days(tmp_path: Path, suffix: str) -> None:
    write(whole()[:15], tmp_path / f"a{suffix}", times="days since 1999-01-01")
    write(whole()[15:], tmp_path / f"b{suffix}", times="hours since 2000-01-01")
    array = dhess.open(f"{tmp_path}/?{suffix}")
    np.testing.assert_array_equal(array.time, DAYS)
    np.testing.assert_array_equal(array, FIELD)


def test_another_calendar(tmp_path: Path) -> None:
    times = xr.date_range("2001-01-01", periods=30, calendar="noleap", use_cftime=True)
    array = whole().assign_coords(time=times)
    write(array[:12], tmp_path / "b.nc")
    write(array[12:], tmp_path / "a.nc")
    with dhess.open(f"{tmp_path}/*.nc") as opened:
        assert list(opened.time.values) == list(times)
        np.testing.assert_array_equal(opened, FIELD)


def test_falling_coordinates(tmp_path: Path) -> None:
    """Latitudes often run from north to south."""
    falling = whole()[:, ::-1]
    write(falling[:, :1], tmp_path / "a.nc")
    write(falling[:, 1:], tmp_path / "b.nc")
    with dhess.open([tmp_path / "b.nc", tmp_path / "a.nc"]) as array:
        np.testing.assert_array_equal(array.y, [3, 2, 1, 0])
        np.testing.assert_array_equal(array, FIELD[:, ::-1])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tiles(tmp_path: Path, suffix: str) -> None:
    """Files that fill a grid of two dimensions; what lies along both is left out."""
    for name, rows, columns in [("d", 0, 0), ("c", 0, 1), ("b", 1, 0), ("a", 1, 1)]:
        tile = whole()[:, 2 * rows : 2 * rows + 2, [slice(0, 5), slice(5, 6)][columns]]
        write(tile, tmp_path / f"{name}{suffix}")
    with dhess.open(f"{tmp_path}/*{suffix}") as array:
        xr.testing.assert_identical(array.compute(), whole().drop_vars("lat"))
        part = stored(array).read(((3, 29), (1, 3), (4, 6)))[0]
        np.testing.assert_array_equal(part, FIELD[3:29, 1:3, 4:6])


def test_one_file_that_fits_is_that_file(tmp_path: Path) -> None:
    path = write(whole(), tmp_path / "run_1.nc")
    for way in (f"{tmp_path}/run_*", [path]):
        with dhess.open(way) as array:
            assert array.encoding["source"] == str(path)
            np.testing.assert_array_equal(array, FIELD)


def test_a_file_that_is_named_like_a_pattern(tmp_path: Path) -> None:
    write(whole()[:15], tmp_path / "run_1.zarr")
    write(whole()[15:], tmp_path / "run_*.zarr")
    write(whole()[:5], tmp_path / "[ab].nc")
    assert dhess.open(f"{tmp_path}/run_*.zarr").sizes["time"] == 15
    assert dhess.open(f"{tmp_path}/[ab].nc::T").sizes["time"] == 5
    assert dhess.open(f"{tmp_path}/run_[1*].zarr").sizes["time"] == 30


def test_patterns_of_the_working_folder_and_of_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(tmp_path, ".zarr")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for way in ("run_*", "./run_?.zarr::T", "~/run_[0-9].zarr", f"file://{tmp_path}/*", Path("r*")):
        assert dhess.open(way).shape == (30, 4, 6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_patterns_of_urls(memory_files: Any, tmp_path: Path, suffix: str) -> None:
    for path in cut(tmp_path, suffix):
        memory_files.put(str(path), f"/in/{path.name}", recursive=path.is_dir())
    with dhess.open(f"memory://in/run_*{suffix}::T") as array:
        np.testing.assert_array_equal(array, FIELD)
        assert array.encoding["source"] == f"memory://in/run_*{suffix}"
        again = pickle.loads(pickle.dumps(stored(array)))
        np.testing.assert_array_equal(again.read(((5, 25), (0, 4), (0, 6)))[0], FIELD[5:25])


def test_patterns_of_chained_urls(memory_files: Any, tmp_path: Path) -> None:
    for path in cut(tmp_path, ".zarr"):
        memory_files.put(str(path), f"/in/{path.name}", recursive=True)
    np.testing.assert_array_equal(dhess.open("simplecache::memory://in/run_*::T"), FIELD)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in tmp_path.glob("run_*/**/*"):
            archive.write(file, file.relative_to(tmp_path))
    np.testing.assert_array_equal(dhess.open(f"zip://run_*.zarr::{tmp_path}/all.zip"), FIELD)


def test_a_file_that_does_not_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As xarray opens NetCDF through a cache of fsspec: a handle that is open here only."""

    def refuse(_stored: object) -> None:
        raise TypeError("cannot pickle '_io.BufferedReader' object")

    cut(tmp_path, ".nc")
    monkeypatch.setattr("dhess.source.many.pickle.dumps", refuse)
    refused(f"{tmp_path}/*", "cannot be opened again where it is read", "copy such files")


def test_what_a_web_address_asks_for_is_no_pattern() -> None:
    address = "https://host/data.nc?token=a*"
    assert locations_of(address, None, None)[0] == [address]


# ----------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_reads_it_travels(tmp_path: Path, suffix: str) -> None:
    cut(tmp_path, suffix, (7, 13, 30))
    with dhess.open(f"{tmp_path}/run_*{suffix}::T") as array:
        joined = pickle.loads(pickle.dumps(stored(array)))
    assert joined.label == f"'{tmp_path}/run_*{suffix}::T'"
    assert (joined.shape, joined.dtype) == ((30, 4, 6), np.dtype("f4"))
    rest = ((1, 4), (0, 6))
    for a, b in ((0, 30), (6, 7), (6, 8), (7, 13), (12, 14), (29, 30), (5, 5)):
        data, missing = joined.read(((a, b), *rest))
        np.testing.assert_array_equal(data, FIELD[a:b, 1:4])
        assert missing == 0
    assert joined.missing() == 0


@pytest.mark.parametrize(
    "index",
    [
        (slice(2, 25), slice(None, None, 3)),
        (slice(None, None, -7), slice(None), [5, 2, 2]),
        (-1, slice(2, 2)),
        (12, -4, 0),
        ([],),
    ],
)
def test_what_dask_may_ask_for(tmp_path: Path, index: Any) -> None:
    cut(tmp_path, ".zarr", (7, 13, 30))
    np.testing.assert_array_equal(stored(dhess.open(f"{tmp_path}/*"))[index], FIELD[index])


def test_a_search_finds_what_it_finds_in_memory(tmp_path: Path) -> None:
    cut(tmp_path, ".zarr", (7, 13, 30))
    lazy = dhess.find_minimum(dhess.open(f"{tmp_path}/*", chunks=5), "slope", scale="span")
    xr.testing.assert_equal(lazy, dhess.find_minimum(whole(), "slope", scale="span"))


def test_threads(tmp_path: Path) -> None:
    cut(tmp_path, ".nc", (7, 13, 30))
    with dhess.open(f"{tmp_path}/*") as array:
        joined = stored(array)
        with ThreadPoolExecutor(8) as pool:
            rows = pool.map(lambda n: joined.read(((n, n + 4), (0, 4), (0, 6)))[0], range(26))
            for n, row in enumerate(rows):
                np.testing.assert_array_equal(row, FIELD[n : n + 4])


def test_few_files_are_open(tmp_path: Path) -> None:
    for n in range(90):
        write(whole()[:1].assign_coords(time=[DAYS[0] + n]), tmp_path / f"{n}.nc")

    def handles() -> int:
        return sum(tmp_path in link.resolve().parents for link in Path("/proc/self/fd").iterdir())

    with dhess.open(f"{tmp_path}/*.nc") as array:
        assert handles() <= 1
        assert array.shape == (90, 4, 6)
        array.sum().compute(scheduler="synchronous")
        assert handles() <= 70
    gc.collect()
    assert handles() == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_chunks_and_faults_are_those_of_the_file(tmp_path: Path, suffix: str) -> None:
    size = {"chunksizes" if suffix == ".nc" else "chunks": (5, 4, 6)}
    paths = cut(tmp_path, suffix, **size)
    with dhess.open(f"{tmp_path}/*{suffix}") as array:
        joined = stored(array)
    if suffix == ".zarr":
        (paths[1] / "T/c/1/0/0").unlink()
        expected = FIELD.copy()
        expected[15:20] = np.nan
        data, missing = joined.read(((0, 30), (0, 4), (0, 6)))
        np.testing.assert_array_equal(data, expected)
        assert (missing, joined.missing()) == (1, 1)
        (paths[0] / "T/c/1/0/0").write_bytes(b"")
        damage = "chunk c/1/0/0 of "
    else:
        os.truncate(paths[0], 3000)
        damage = "changed while it was read"
    with pytest.raises(ReadError) as caught:
        joined.read(((0, 30), (0, 4), (0, 6)))
    one_sentence(caught.value, damage, f"'{paths[0]}::T'")
    np.testing.assert_array_equal(joined.read(((20, 30), (0, 4), (0, 6)))[0], FIELD[20:])


# ------------------------------------------------------------------------------------------ blocks


def blocks(array: xr.DataArray) -> tuple[tuple[int, ...], ...]:
    assert dask.is_dask_collection(array.data)
    return array.data.chunks  # type: ignore[no-any-return]


def test_even_files_have_even_blocks(tmp_path: Path) -> None:
    cut(tmp_path, ".zarr", (10, 20, 30), chunks=(5, 4, 6))
    path = f"{tmp_path}/*"
    assert blocks(dhess.open(path)) == ((30,), (4,), (6,))
    assert stored(dhess.open(path)).free
    assert stored(dhess.open(path)).chunks == (5, 4, 6)
    assert not stored(dhess.open(path, chunks=None)).free
    assert blocks(dhess.open(path, chunks=None)) == ((5,) * 6, (4,), (6,))
    assert blocks(dhess.open(path, chunks={"y": 3})) == ((5,) * 6, (3, 1), (6,))
    assert blocks(dhess.open(path, chunks=7)) == ((7, 7, 7, 7, 2), (4,), (6,))


def test_a_shorter_last_file_is_even(tmp_path: Path) -> None:
    cut(tmp_path, ".zarr", (12, 24, 30), chunks=(12, 4, 6))
    array = dhess.open(f"{tmp_path}/*", chunks=None)
    assert blocks(array)[0] == (12, 12, 6)
    assert stored(dhess.open(f"{tmp_path}/*")).free


def test_uneven_files_are_cut_where_they_end(tmp_path: Path) -> None:
    cut(tmp_path, ".zarr", (11, 18, 30), chunks=(5, 2, 6))
    array = dhess.open(f"{tmp_path}/*", chunks=None)
    assert blocks(array) == ((5, 5, 1, 5, 2, 5, 5, 2), (2, 2), (6,))
    joined = stored(dhess.open(f"{tmp_path}/*"))
    assert not joined.free
    assert joined.chunks == (5, 2, 6)
    assert blocks(dhess.open(f"{tmp_path}/*")) == ((30,), (4,), (6,))


def test_pieces_are_joined_up_to_a_size() -> None:
    assert merged((5, 5, 1, 5, 2, 5, 5, 2), 10) == (10, 8, 10, 2)
    assert merged((5, 5), 3) == (5, 5)
    assert merged((5, 5), 100) == (10,)


def test_files_of_a_year_each(tmp_path: Path) -> None:
    """365, 366 and 365 days of 1.3 MB, 30 to a chunk: blocks of 64 MB end where chunks do."""
    for year, days in ((2003, 365), (2004, 366), (2005, 365)):
        times = np.datetime64(f"{year}-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
        lazy = dask.array.zeros((days, 400, 800), chunks=(30, 400, 800), dtype="f4")
        array = xr.DataArray(lazy, {"time": times}, ("time", "y", "x"), "T").to_dataset()
        array.to_zarr(tmp_path / f"{year}.zarr", compute=False, consolidated=False)
    sizes = blocks(dhess.open(f"{tmp_path}/*.zarr"))[0]
    edges = {start + n for start in (0, 365, 731) for n in range(0, 365, 30)} | {1096}
    assert set(np.cumsum(sizes)) <= edges
    assert sum(sizes) == 1096
    assert max(sizes) == 60


# ----------------------------------------------------------------------------------- what disagrees


def refused(path: Any, *fragments: str, **kw: Any) -> None:
    with pytest.raises(SourceError) as caught:
        dhess.open(path, **kw)
    one_sentence(caught.value, *fragments)
    assert caught.value.exit_code == 2


def shifted(array: xr.DataArray, name: str, by: Any) -> xr.DataArray:
    return array.assign_coords({name: array[name] + by})


DISAGREEMENTS: dict[str, tuple[Callable[[xr.DataArray], Any], list[str]]] = {
    "dims": (lambda a: a.transpose("time", "x", "y"), ["dimensions (time, y, x and time, x, y)"]),
    "fewer dims": (lambda a: a[:, 0], ["dimensions (time, y, x and time, x)"]),
    "dtype": (lambda a: a.astype("f8"), ["data type (float32 and float64)"]),
    "units": (lambda a: a.assign_attrs(units="degC"), ["units (K and degC)"]),
    "no units": (lambda a: a.assign_attrs(units=""), ["units (K and )"]),
    "coordinates": (lambda a: a.drop_vars("zone"), ["coordinates (day, height, time, x, y, zone"]),
    "length": (lambda a: a[:, :3], ["overlap along 'y' (0.0 to 2.0 and 0.0 to 3.0)"]),
    "overlap": (lambda a: shifted(a, "time", np.timedelta64(-1, "D")),
                ["overlap along 'time' (2000-01-01T00:00:00 to 2000-01-15T00:00:00 and"]),
    "values": (lambda a: shifted(a, "x", 1e-9), ["overlap along 'x'", "have the same 'x'"]),
    "beside": (lambda a: shifted(a, "zone", 1), ["values of the coordinate 'zone'"]),
    "scalar": (lambda a: shifted(a, "height", 1), ["values of the coordinate 'height'"]),
    "kind": (lambda a: a.assign_coords(time=np.arange(15.0) + 99),
             ["kind of 'time' (dates of the calendar standard and numbers)"]),
    "units of x": (lambda a: a.assign_coords(x=a.x.assign_attrs(units="km")),
                   ["units of 'x' (m and km)"]),
    "along": (lambda a: a.assign_coords(day=("y", np.arange(4))),
              ["dimensions of 'day' (time and y)"]),
    "both": (lambda a: shifted(a, "x", 100), ["no file has the 'time' of", "and the 'x' of"]),
    "one way": (lambda a: a[::-1], ["'time' rises in", "and falls in"]),
    "unsorted": (lambda a: a[[1, 0, 2]], ["'time' neither rises nor falls", "sort that file"]),
    "repeated": (lambda a: a[[0, 0, 2]], ["'time' neither rises nor falls"]),
}  # fmt: skip


@pytest.mark.parametrize("case", DISAGREEMENTS)
def test_files_that_disagree(tmp_path: Path, case: str) -> None:
    change, fragments = DISAGREEMENTS[case]
    a = write(whole()[:15].drop_vars("lat"), tmp_path / "a.zarr")
    b = write(change(whole()[15:].drop_vars("lat")), tmp_path / "b.zarr")
    named = [str(b)] if "sort that" in str(fragments) or case == "repeated" else [str(a), str(b)]
    refused(f"{tmp_path}/*.zarr", *named, *fragments)


def test_calendars_that_disagree(tmp_path: Path) -> None:
    times = xr.date_range("2001-01-01", periods=15, calendar="noleap", use_cftime=True)
    write(whole()[:15], tmp_path / "a.nc")
    write(whole()[15:].assign_coords(time=times), tmp_path / "b.nc")
    refused(
        f"{tmp_path}/*.nc", "a.nc", "b.nc", "calendar standard and dates of the calendar noleap"
    )


def test_lengths_without_coordinates(tmp_path: Path) -> None:
    bare = whole().drop_vars(["y", "zone", "lat"])
    write(bare[:15], tmp_path / "a.zarr")
    write(bare[15:, :3], tmp_path / "b.zarr")
    seen = "number of points along 'y', which has no coordinate (4 and 3)"
    refused(f"{tmp_path}/*.zarr", "a.zarr", "b.zarr", seen)


def test_no_dimension_to_join_along(tmp_path: Path) -> None:
    write(whole(), tmp_path / "a.zarr")
    write(whole(), tmp_path / "b.zarr")
    refused(f"{tmp_path}/*.zarr", "a.zarr", "b.zarr", "differ in no coordinate of time, y, x")


def test_the_same_part_twice(tmp_path: Path) -> None:
    write(whole()[:15], tmp_path / "a.zarr")
    write(whole()[15:], tmp_path / "b.zarr")
    write(whole()[15:], tmp_path / "c.zarr")
    refused(f"{tmp_path}/*.zarr", "b.zarr", "c.zarr", "have the same values of time")


def test_a_variable_that_one_file_lacks(tmp_path: Path) -> None:
    write(whole()[:15], tmp_path / "a.zarr")
    whole()[15:].to_dataset(name="S").to_zarr(tmp_path / "b.zarr", consolidated=False)
    seen = ["b.zarr' has no variable 'T', which", "a.zarr' has"]
    refused(f"{tmp_path}/*.zarr::T", *seen)
    refused(f"{tmp_path}/*.zarr", *seen)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    paths = cut(tmp_path, ".nc")
    paths[1].write_text("nothing")
    refused(f"{tmp_path}/*.nc", str(paths[1]), "neither a Zarr store nor a NetCDF4/HDF5 file")
    refused([paths[0], tmp_path / "run_5.nc"], "no such file", "run_5.nc")


def test_a_pattern_that_nothing_fits(tmp_path: Path, memory_files: Any) -> None:
    refused(f"{tmp_path}/run_*.nc::T", f"no file or store fits '{tmp_path}/run_*.nc'")
    refused("memory://run_*.nc::T", "no file or store fits 'memory://run_*.nc'")
    refused("nosuch://me:secret@host/run_*.nc", "'nosuch://host/run_*.nc' cannot be listed")


def test_lists_that_name_nothing(tmp_path: Path) -> None:
    refused([], "an empty list of files")
    refused(["a.nc::T", "b.nc::S"], "one variable of all of them, not S and T")
    refused([3], "a source is a path or a URL, not 3")


def test_chunks_that_do_not_fit(tmp_path: Path) -> None:
    cut(tmp_path, ".zarr")
    refused(f"{tmp_path}/*", "chunks along 'x' must be at least 1", chunks={"x": 0})
    refused(f"{tmp_path}/*", "do not fit", "do not add up", chunks={"x": (1, 2)})
