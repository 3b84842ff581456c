"""Only what is like the output is replaced, only when the new one is whole, and nobody else's."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pytest
import xarray as xr

from dhess.errors import OutputError
from dhess.sink import check_output, whole_file, write_field
from dhess.source import open as dhess_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = np.arange(12.0).reshape(3, 4)
URL = "memory://folder/out.zarr"


def field(data: Any = NUMBERS) -> xr.DataArray:
    return xr.DataArray(data, dims=("y", "x"), name="f")


def once_computed(act: Callable[[], object]) -> xr.DataArray:
    """A field of ones, of which computing a block does something else as well."""

    def block(values: Any) -> Any:
        act()
        return values

    ones = dask.array.ones((3, 4), chunks=-1)
    return field(ones.map_blocks(block, meta=np.empty((0, 0))))


def fail() -> None:
    raise ZeroDivisionError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# ------------------------------------------------------------------------- what is never replaced


def _link(path: Path) -> None:
    write_field(field(), path.with_name("target.zarr"))
    path.symlink_to("target.zarr")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))  # such paths are short


SPECIAL = [(os.mkfifo, "a named pipe"), (_link, "a symbolic link"), (_socket, "a socket")]


@pytest.mark.parametrize(("make", "words"), SPECIAL, ids=["pipe", "link", "socket"])
def test_special_files_stay(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    make(path)
    before = names(tmp_path), path.lstat()
    message = f"is {words}, which is not overwritten; choose another name"
    with pytest.raises(OutputError, match=message):
        write_field(field(), path, overwrite=True)
    with pytest.raises(OutputError, match=message):
        check_output(path, overwrite=True)
    with pytest.raises(OutputError, match=message), whole_file(path):
        pass
    assert (names(tmp_path), path.lstat()) == before


def test_devices_stay() -> None:
    ends = os.openpty()  # a device of our own: no test may endanger the machine's
    with pytest.raises(OutputError, match="is a device"):
        check_output(os.ttyname(ends[1]), overwrite=True)
    for end in ends:
        os.close(end)


def test_a_store_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="is a file and no Zarr store, which is not overwritten"):
        write_field(field(), tmp_path / "thesis.tex", overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_foreign_data_behind_a_url_stays(memory_files: Any) -> None:
    memory_files.pipe("/folder/out.zarr/thesis.tex", b"years of work")
    for url in (URL, "memory://folder", f"{URL}/thesis.tex"):
        with pytest.raises(OutputError, match="is no Zarr store, which is not overwritten"):
            write_field(field(), url, overwrite=True)
    assert memory_files.find("/") == ["/folder/out.zarr/thesis.tex"]


# ------------------------------------------------------------------- what is replaced, and when


def test_a_remote_store_may_be_overwritten_by_what_is_made_of_it(memory_files: Any) -> None:
    write_field(field(), URL)
    write_field(dhess_open(URL) + 1, URL, overwrite=True)
    np.testing.assert_array_equal(dhess_open(URL), NUMBERS + 1)
    assert [Path(path).name for path in memory_files.ls("/folder", detail=False)] == ["out.zarr"]


def test_a_failed_overwrite_leaves_the_old_remote_store(memory_files: Any) -> None:
    write_field(field(), URL)
    with pytest.raises(ZeroDivisionError):
        write_field(once_computed(fail), URL, overwrite=True)
    np.testing.assert_array_equal(dhess_open(URL), NUMBERS)
    assert [Path(path).name for path in memory_files.ls("/folder", detail=False)] == ["out.zarr"]


def test_a_remote_store_that_cannot_be_replaced_is_not_lost(memory_files: Any) -> None:
    """A file that takes the folder's place between removing and copying."""
    from fsspec.implementations.memory import MemoryFileSystem

    class Full(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
        protocol = "full"
        store: dict[str, Any] = memory_files.store
        pseudo_dirs: list[str] = memory_files.pseudo_dirs

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            stripped: str = MemoryFileSystem._strip_protocol(path.replace("full://", "memory://"))
            return stripped

        def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
            if path1.endswith("zarr.json"):
                raise OSError(28, "No space left on device")
            super().cp_file(path1, path2, **kwargs)

    import fsspec

    fsspec.register_implementation("full", Full, clobber=True)
    write_field(field(), "full://folder/out.zarr")
    with pytest.raises(OutputError, match=r"could not be replaced: .*No space left") as caught:
        write_field(field(NUMBERS + 1), "full://folder/out.zarr", overwrite=True)
    (beside,) = (Path(path).name for path in memory_files.ls("/folder", detail=False))
    assert f"'full://folder/{beside}'" in str(caught.value)
    np.testing.assert_array_equal(dhess_open(f"memory://folder/{beside}"), NUMBERS + 1)


# ---------------------------------------------------------------------- what others made meanwhile


class Meanwhile(Mapping[str, int]):
    """Sizes of chunks; asked for, somebody else writes a store where ours should go."""

    def __init__(self) -> None:
        self.asked = False

    def __iter__(self) -> Iterator[str]:
        if not self.asked:
            self.asked = True
            write_field(field(), URL)
        return iter(["y"])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: str) -> int:
        return {"y": 3}[key]


@pytest.mark.usefixtures("memory_files")
def test_another_writers_remote_store_stays() -> None:
    with pytest.raises(OutputError, match="was made by somebody else meanwhile"):
        write_field(field(NUMBERS + 1), URL, chunks=Meanwhile())
    np.testing.assert_array_equal(dhess_open(URL), NUMBERS)


def test_another_writers_local_store_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.zarr"
    with pytest.raises(OutputError, match="exists; remove it"):
        write_field(once_computed(lambda: write_field(field(), path)), path)
    np.testing.assert_array_equal(dhess_open(path), NUMBERS)
    assert names(tmp_path) == ["out.zarr"]


def test_what_cannot_be_cleaned_up_hides_no_error(tmp_path: Path) -> None:
    """The name that the doomed folder would get is taken by a folder that is not empty."""

    def block_the_way() -> None:
        (partial,) = tmp_path.glob(".out.zarr.partial-*")
        Path(f"{partial}-discarded", "taken").mkdir(parents=True)
        fail()

    with pytest.raises(ZeroDivisionError):
        write_field(once_computed(block_the_way), tmp_path / "out.zarr")


# ------------------------------------------------------------------------------------ single files


def test_a_single_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as partial:  # noqa: PT012
        partial.write_text("ne")
        fail()
    assert (names(tmp_path), path.read_text()) == (["a.txt"], "old")
    with whole_file(path) as partial:
        partial.write_text("new")
    assert (names(tmp_path), path.read_text()) == (["a.txt"], "new")


def test_a_single_file_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write '.*a\.txt': No such file or directory"),
        whole_file(tmp_path / "none" / "a.txt") as partial,
    ):
        partial.write_text("new")
