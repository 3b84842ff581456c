"""Ranges of what is stored, without a graph; whatever cannot be read is named by its chunk."""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cloudpickle  # type: ignore[import-untyped]
import dask.array
import h5py
import numpy as np
import pytest
import xarray as xr
from zarr.storage import FsspecStore, MemoryStore

import dhess
from dhess.errors import ReadError
from dhess.source.noting import NotingStore
from dhess.stored import Stored, stored_of
from tests.test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEIGHTS = np.arange(12 * 20, dtype="f8").reshape(12, 20) ** 2
WHOLE = ((0, 12), (0, 20))
LAYOUTS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2, "chunks": (5, 6)},
    "v3": {"zarr_format": 3, "chunks": (5, 6)},
    "sharded": {"zarr_format": 3, "chunks": (5, 6), "shards": (10, 12)},
    "chunked.nc": {"chunksizes": (5, 6), "zlib": True},
    "contiguous.nc": {},
}
FOLDERS = ["v2", "v3", "sharded"]


def dataset(**more: Any) -> xr.Dataset:
    coords = {"y": np.arange(12), "x": np.linspace(0.0, 1.9, 20)}
    return xr.Dataset({"T": (("y", "x"), HEIGHTS)} | more, coords)


def write(folder: Path, layout: str, data: xr.Dataset | None = None, **kw: Any) -> Path:
    encoding = dict(LAYOUTS[layout])
    version = {"zarr_format": encoding.pop("zarr_format")} if "zarr_format" in encoding else {}
    data = dataset() if data is None else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what format 3 has not settled yet
        if version:
            path = folder / f"{layout}.zarr"
            data.to_zarr(path, encoding={"T": encoding}, **version, **kw)
        else:
            path = folder / layout
            data.to_netcdf(path, engine="h5netcdf", encoding={"T": encoding}, **kw)
    return path


def opened(path: Path | str, **kw: Any) -> Stored:
    stored = stored_of(dhess.open(path, **kw).data)
    assert stored is not None
    return stored


def chunk_file(path: Path, place: tuple[int, int]) -> Path:
    old = path / "T" / ".".join(map(str, place))
    return old if old.exists() else path.joinpath("T", "c", *map(str, place))


def refused(stored: Stored, ranges: Any, *fragments: str) -> ReadError:
    with pytest.raises(ReadError) as caught:
        stored.read(ranges)
    one_sentence(caught.value, *fragments)
    assert caught.value.exit_code == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return caught.value


# --------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ranges(tmp_path: Path, layout: str) -> None:
    stored = opened(write(tmp_path, layout))
    assert (stored.shape, stored.dtype, stored.ndim) == ((12, 20), np.dtype("f8"), 2)
    for ranges in (WHOLE, ((1, 11), (3, 4)), ((11, 12), (0, 20))):
        data, missing = stored.read(ranges)
        (a, b), (c, d) = ranges
        np.testing.assert_array_equal(data, HEIGHTS[a:b, c:d])
        assert type(data) is np.ndarray
        assert missing == 0
    assert stored.missing() == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_travels(tmp_path: Path, layout: str) -> None:
    stored = opened(write(tmp_path, layout))
    for pickler in (pickle, cloudpickle):
        sent = pickler.dumps(stored)
        assert len(sent) < 4000
        np.testing.assert_array_equal(pickle.loads(sent).read(WHOLE)[0], HEIGHTS)


@pytest.mark.parametrize(
    "index",
    [
        (slice(2, 9), slice(None, None, 3)),
        (slice(None, None, -1), [7, 2, 2]),
        (-1, slice(5, 5)),
        (3, -4),
        (slice(8, 2, -2),),
        4,
        ([],),
    ],
)
def test_what_dask_may_ask_for(tmp_path: Path, index: Any) -> None:
    stored = opened(write(tmp_path, "v3"))
    np.testing.assert_array_equal(stored[index], HEIGHTS[index])


def test_a_graph_reads_the_same_way(tmp_path: Path) -> None:
    array = dhess.open(write(tmp_path, "v3"), chunks=(4, 7))
    np.testing.assert_array_equal(array, HEIGHTS)
    np.testing.assert_array_equal(array[::-2, [5, 1]], HEIGHTS[::-2, [5, 1]])
    np.testing.assert_array_equal(array.isel(y=3) + 1, HEIGHTS[3] + 1)


def test_urls(memory_files: Any, tmp_path: Path) -> None:
    for layout in ("v2", "v3", "sharded", "chunked.nc"):
        path = write(tmp_path, layout)
        memory_files.put(str(path), f"/{path.name}", recursive=path.is_dir())
        stored = opened(f"memory://{path.name}::T")
        again = pickle.loads(pickle.dumps(stored))
        np.testing.assert_array_equal(again.read(((1, 11), (3, 20)))[0], HEIGHTS[1:11, 3:20])
        assert stored.label == f"'memory://{path.name}::T'"


# ------------------------------------------------------------------------- what is only read


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_plain_xarray_is_known(tmp_path: Path, layout: str, inline: bool) -> None:
    path = write(tmp_path, layout)
    engine = "zarr" if path.suffix == ".zarr" else "h5netcdf"
    with xr.open_dataset(path, engine=engine, chunks={}, inline_array=inline) as data:
        stored = stored_of(data["T"].data)
        assert stored is not None
        expected = {"sharded": (10, 12), "contiguous.nc": None}.get(layout, (5, 6))
        assert stored.chunks == expected
        assert stored.free
        assert stored.label == f"'{path}::T'"
        np.testing.assert_array_equal(stored.read(((1, 11), (3, 20)))[0], HEIGHTS[1:11, 3:20])
        chosen = stored_of(xr.open_dataset(path, engine=engine, chunks={"y": 5, "x": 12})["T"].data)
        assert chosen is not None
        assert not chosen.free


def test_plain_xarray_of_a_group(tmp_path: Path) -> None:
    path = write(tmp_path, "v3", group="alps")
    stored = stored_of(xr.open_zarr(path, group="alps")["T"].data)
    assert stored is not None
    assert stored.label == f"'{path}/alps::T'"


def test_plain_xarray_of_a_url(memory_files: Any, tmp_path: Path) -> None:
    memory_files.put(str(write(tmp_path, "v3")), "/t.zarr", recursive=True)
    stored = stored_of(xr.open_zarr("memory://t.zarr")["T"].data)
    assert stored is not None
    assert "t.zarr::T'" in stored.label
    np.testing.assert_array_equal(stored.read(WHOLE)[0], HEIGHTS)


def test_a_part_that_is_cut_before_dask_is_read_as_it_is(tmp_path: Path) -> None:
    """Its chunks are not those of the store any more, so none are claimed but the blocks."""
    data = xr.open_dataset(write(tmp_path, "v3"), engine="zarr")["T"]
    stored = stored_of(data[::-1, 1:].chunk(4).data)
    assert stored is not None
    assert stored.origin is None
    assert (stored.chunks, stored.free) == ((4, 4), False)
    np.testing.assert_array_equal(stored.read(((2, 5), (0, 19)))[0], HEIGHTS[::-1, 1:][2:5])


def test_what_dhess_opened_keeps_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    assert opened(path).free
    assert not opened(path, chunks=5).free
    assert opened(path).chunks == (5, 6)


def changed(array: xr.DataArray) -> Iterator[Any]:
    yield array + 1
    yield array.T
    yield array[:5]
    yield array.astype("f4")
    yield array.chunk(3)
    yield xr.concat([array, array], "z")
    yield array.persist()
    yield array.compute().chunk(5)
    yield array.map_blocks(lambda block: block)


def test_anything_else_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    for array in (dhess.open(path), xr.open_zarr(path)["T"]):
        for other in changed(array):
            assert stored_of(other.data) is None
    assert stored_of(dask.array.from_array(HEIGHTS, chunks=5)) is None
    assert stored_of(dask.array.from_array(HEIGHTS, chunks=-1)) is None
    assert stored_of(dask.array.ones((3, 4))) is None
    assert stored_of(None) is None
    loaded = xr.open_dataset(path, engine="zarr").load().chunk(5)["T"].data
    assert stored_of(loaded) is None


def test_an_array_of_another_library(tmp_path: Path) -> None:
    """Whoever hands Dask an array of their own may have reasons for it to be read by Dask."""
    with h5py.File(write(tmp_path, "chunked.nc")) as file:
        assert stored_of(dask.array.from_array(file["T"], chunks=(5, 6))) is None


# ------------------------------------------------------------------------------- missing chunks


def remove(path: Path, places: list[tuple[int, int]]) -> None:
    for place in places:
        chunk_file(path, place).unlink()


@pytest.mark.parametrize("layout", FOLDERS)
def test_missing_chunks_are_fill_values_and_counted(
    tmp_path: Path, memory_files: Any, layout: str
) -> None:
    path = write(tmp_path, layout)
    sides = (10, 12) if layout == "sharded" else (5, 6)
    remove(path, [(0, 1), (1, 0)])
    memory_files.put(str(path), "/t.zarr", recursive=True)
    expected = HEIGHTS.copy()
    expected[: sides[0], sides[1] : 2 * sides[1]] = np.nan
    expected[sides[0] : 2 * sides[0], : sides[1]] = np.nan
    for place in (path, "memory://t.zarr"):
        stored = pickle.loads(pickle.dumps(opened(place)))
        data, missing = stored.read(WHOLE)
        np.testing.assert_array_equal(data, expected)
        assert missing == 2
        assert stored.read(((0, sides[0]), (0, 20)))[1] == 1
        assert stored.read(((0, 1), (0, sides[1])))[1] == 0
        assert stored.read(((sides[0] - 1, sides[0] + 1), (0, 20)))[1] == 2
        assert stored.missing() == 2


def test_counting_asks_nothing_more(
    tmp_path: Path, memory_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "v3")
    remove(path, [(0, 1)])
    memory_files.put(str(path), "/t.zarr", recursive=True)
    stored = opened("memory://t.zarr")
    asked = []
    get = FsspecStore.get

    async def counted(self: Any, key: str, *args: Any, **kw: Any) -> Any:
        asked.append(key)
        return await get(self, key, *args, **kw)

    monkeypatch.setattr(FsspecStore, "get", counted)
    assert stored.read(((0, 6), (0, 12)))[1] == 1
    assert sorted(asked) == ["T/c/0/0", "T/c/0/1", "T/c/1/0", "T/c/1/1"]


def test_counts_of_threads_stay_apart(tmp_path: Path, memory_files: Any) -> None:
    path = write(tmp_path, "v3")
    remove(path, [(0, 1), (2, 3)])
    memory_files.put(str(path), "/t.zarr", recursive=True)
    stored = opened("memory://t.zarr")
    counts = {((0, 5), (0, 20)): 1, ((5, 10), (0, 20)): 0, WHOLE: 2, ((9, 12), (17, 20)): 1}
    regions = [region for _ in range(40) for region in counts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda region: stored.read(region)[1], regions))
    assert found == [counts[region] for region in regions]


def test_a_store_keeps_no_notes() -> None:
    """Two watch the same key: it is known until the last one leaves."""
    store = NotingStore(MemoryStore())
    get = store.get("a", None)  # type: ignore[arg-type]
    with store.watch(["a", "b"]) as first:
        with store.watch(["a"]) as second:
            with pytest.raises(StopIteration):
                get.send(None)
            assert (first(), second()) == (1, 1)
        assert first() == 1
    with store.watch(["a"]) as third:
        assert third() == 0


def test_a_store_without_counts(tmp_path: Path, memory_files: Any) -> None:
    """Nobody noted what plain xarray's store did not have; a listing tells it."""
    path = write(tmp_path, "v3")
    remove(path, [(0, 1)])
    memory_files.put(str(path), "/t.zarr", recursive=True)
    stored = stored_of(xr.open_zarr("memory://t.zarr")["T"].data)
    assert stored is not None
    assert stored.read(WHOLE)[1] == 0
    assert stored.missing() == 1


# ------------------------------------------------------------------------------- damaged chunks


@pytest.mark.parametrize("damage", [b"not a chunk", b"", b"\x28\xb5\x2f\xfd cut"])
@pytest.mark.parametrize("layout", FOLDERS)
def test_damaged_chunks(tmp_path: Path, layout: str, damage: bytes) -> None:
    path = write(tmp_path, layout)
    chunk_file(path, (0, 1)).write_bytes(damage)
    name = {"v2": "chunk 0.1 of", "v3": "chunk c/0/1 of", "sharded": "shard c/0/1 of"}[layout]
    plain = stored_of(xr.open_zarr(path)["T"].data)
    assert plain is not None
    for stored in (opened(path), plain):
        error = refused(stored, WHOLE, name, f"{path}::T", "cannot be read", "write it anew")
        assert damage == b"" or error.__cause__ is not None
        np.testing.assert_array_equal(stored.read(((0, 5), (0, 6)))[0], HEIGHTS[:5, :6])


def test_a_truncated_chunk_without_compression(tmp_path: Path) -> None:
    path = tmp_path / "t.zarr"
    raw = {"T": {"chunks": (5, 6), "compressors": ()}}
    dataset().to_zarr(path, encoding=raw, zarr_format=3, consolidated=False)
    chunk = chunk_file(path, (2, 0))
    chunk.write_bytes(chunk.read_bytes()[:-8])
    refused(opened(path), WHOLE, "chunk c/2/0 of", "cannot reshape", "remove it to have fill")


@pytest.mark.parametrize("damage", [b"not a chunk", b""])
@pytest.mark.parametrize("layout", FOLDERS)
def test_a_damaged_chunk_of_a_url(
    tmp_path: Path, memory_files: Any, layout: str, damage: bytes
) -> None:
    memory_files.put(str(write(tmp_path, layout)), "/t.zarr", recursive=True)
    key = "0.1" if layout == "v2" else "c/0/1"
    memory_files.pipe(f"/t.zarr/T/{key}", damage)
    refused(opened("memory://t.zarr"), WHOLE, f" {key} of 'memory://t.zarr::T'", "try again")


def test_the_graph_gives_the_same_sentence(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    chunk_file(path, (1, 2)).write_bytes(b"not a chunk")
    with pytest.raises(ReadError, match=r"^chunk c/1/2 of .*t?v3.zarr::T' cannot be read"):
        dhess.open(path).mean().compute()


@pytest.mark.parametrize(
    ("offset", "name"), [((5, 12), "chunk [5:10, 12:18]"), ((10, 18), "chunk [10:12, 18:20]")]
)
def test_a_damaged_chunk_of_netcdf(tmp_path: Path, offset: tuple[int, int], name: str) -> None:
    path = write(tmp_path, "chunked.nc")
    with h5py.File(path) as file:
        info = next(
            info
            for n in range(file["T"].id.get_num_chunks())
            if (info := file["T"].id.get_chunk_info(n)).chunk_offset == offset
        )
    content = bytearray(path.read_bytes())
    content[info.byte_offset : info.byte_offset + 20] = bytes(20)
    path.write_bytes(content)
    stored = opened(path)
    refused(stored, WHOLE, f"{name} of", f"{path}::T", "filter", "copy the file anew")
    np.testing.assert_array_equal(stored.read(((0, 5), (0, 20)))[0], HEIGHTS[:5])


def test_a_chunk_without_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root may read everything, so it lays its rights down for this test."""
    path = write(tmp_path_factory.mktemp("open"), "v3")
    stored = opened(path)
    stored.read(WHOLE)
    for folder in [path, *path.parents[:2]]:
        folder.chmod(0o700)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        refused(stored, WHOLE, "chunk c/0/0 of", "Permission denied; check its permissions")
    finally:
        if user == 0:
            os.seteuid(0)


def test_a_chunk_that_cannot_be_opened(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    chunk = chunk_file(path, (1, 2))
    chunk.unlink()
    chunk.symlink_to(chunk.name)
    refused(opened(path), WHOLE, "chunk c/1/2 of", "Too many levels of symbolic links")


class Failing:
    """An array of which nothing is known but that it fails."""

    shape, dtype = (12, 20), np.dtype("f8")

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getitem__(self, index: Any) -> Any:
        raise self.error


def test_without_an_origin_the_ranges_are_named() -> None:
    stored = Stored(Failing(ValueError("no\nluck")), None, "'somewhere'")
    refused(stored, ((1, 2), (3, 9)), "[1:2, 3:9] of 'somewhere' cannot be read: no;")


def test_a_long_cause_is_cut() -> None:
    stored = Stored(Failing(ValueError("word " * 200)), None, "'somewhere'")
    assert len(str(refused(stored, WHOLE, "word …;"))) < 250


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_store_stays_what_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Stored(Failing(error), None, "'somewhere'").read(WHOLE)


# --------------------------------------------------------------------------------- changed stores


def later(path: Path, seconds: float) -> None:
    """Date a file, for the clocks of file systems tick slowly."""
    then = time.time_ns() + int(seconds * 1e9)
    os.utime(path, ns=(then, then))


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_chunk_written_since(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path, layout)
    stored = pickle.loads(pickle.dumps(opened(path)))
    later(chunk_file(path, (0, 1)), 60)
    key = "0.1" if layout == "v2" else "c/0/1"
    refused(stored, WHOLE, f" {key} of '{path}::T' changed while it was read (written 60", "again")
    stored.read(((0, 5), (0, 6)))
    opened(path, chunks=5)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("layout", FOLDERS)
def test_a_store_appended_to(tmp_path: Path, layout: str, plain: bool) -> None:
    path = write(tmp_path, layout)
    array = xr.open_zarr(path)["T"] if plain else dhess.open(path)
    stored = stored_of(array.data)
    assert stored is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset().to_zarr(path, append_dim="y")
    metadata = ".zarray" if layout == "v2" else "zarr.json"
    later(path / "T" / metadata, 60)
    refused(stored, ((0, 5), (0, 6)), f"'{path}::T' changed while it was read ({metadata} ")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_overwritten(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path, layout)
    array = dhess.open(path)
    array.close()
    longer = xr.concat([dataset(), dataset()], "y")
    write(tmp_path, layout, longer, mode="w")
    with pytest.raises(ReadError) as caught:
        array.compute()
    one_sentence(caught.value, f"{path}::T", "changed while it was read", "open it again")


@pytest.mark.parametrize("layout", ["v3", "chunked.nc"])
def test_a_store_written_again_in_the_same_size(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path, layout)
    stored = opened(path)
    later(path / "T" / "zarr.json" if path.is_dir() else path, 60)
    refused(stored, WHOLE, "changed while it was read", "was written again 60")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_removed(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path, layout)
    stored = opened(path)
    path.rename(tmp_path / "elsewhere")
    refused(stored, WHOLE, "changed while it was read", "is gone")


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write(tmp_path, "chunked.nc")
    with dhess.open(path) as array:
        stored = stored_of(array.data)
    assert stored is not None
    size = path.stat().st_size
    os.truncate(path, size - 500)
    seen = f"chunked.nc had {size} bytes when it was opened and has {size - 500} bytes"
    refused(stored, WHOLE, seen)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_just_before_is_read(tmp_path: Path, layout: str) -> None:
    for n in range(5):
        folder = tmp_path / str(n)
        folder.mkdir()
        stored = opened(write(folder, layout))
        np.testing.assert_array_equal(stored.read(WHOLE)[0], HEIGHTS)


def test_another_variable_may_be_added(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    stored = opened(path)
    xr.Dataset({"S": (("y", "x"), HEIGHTS)}).to_zarr(path, mode="a", consolidated=False)
    np.testing.assert_array_equal(stored.read(WHOLE)[0], HEIGHTS)


def test_a_file_server_whose_clock_is_ahead(tmp_path: Path) -> None:
    path = write(tmp_path, "v3")
    for file in path.rglob("*"):
        later(file, 60)
    later(path / "T" / "zarr.json", 61)
    np.testing.assert_array_equal(opened(path).read(WHOLE)[0], HEIGHTS)


def test_readers_in_threads(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        stored = opened(write(tmp_path, layout))
        start = threading.Barrier(4)

        def read(row: int, stored: Stored = stored, start: threading.Barrier = start) -> bool:
            start.wait()
            part = stored.read(((row, row + 3), (0, 20)))[0]
            return bool(np.array_equal(part, HEIGHTS[row : row + 3]))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, [0, 3, 6, 9]))
