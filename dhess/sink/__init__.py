"""Write a lazy field to a new Zarr store, so that nothing half-written looks whole.

check → metadata → whole chunks, one task each → "complete" → the name that was asked for. Until the
last step a local store stands in a hidden folder beside its place; a remote one says in its
attributes that it is not complete, and `dhess.open` refuses it.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.errors import OutputError
from dhess.running import run
from dhess.sink.blocks import layers, open_array, optimized, write_block, writing
from dhess.sink.check import check_apart, check_local, check_output, check_single_file
from dhess.sink.layout import TakenError, complete, lay_out, prepared
from dhess.sink.whole import sync_folder, whole_file
from dhess.source import is_url, line, location_of, public

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr

__all__ = [
    "check_apart",
    "check_output",
    "check_single_file",
    "publish",
    "whole_file",
    "write_field",
]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def write_field(
    da: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    chunks: int | Mapping[Any, Any] | None = None,
) -> None:
    """Compute a field and write it to a new Zarr store (format 3).

    Every task writes whole chunks: a Dask block is one stored chunk, or several of up to 16 MB, so
    that what reads them need not be large. Blocks of uneven sizes are rechunked first to the
    largest along their axis. Values (NaN payloads included), dims,
    coordinates and attrs come back bit by bit from `dhess.open`; encodings of the source, such as
    scale and offset, are not carried over.

    The active Dask client computes if there is one; its workers must see the same files.

    Parameters
    ----------
    da
        The field, Dask- or NumPy-backed. Without a name of its own it is stored as ``"field"``.
    path
        Where to write: a local path in a folder that exists, or an fsspec URL.
    overwrite
        Replace what stands there, if it is a Zarr store. It is replaced only when the new one is
        complete, so it may be the source. Behind a URL the new one is written beside it and then
        copied to its place; should that fail, the error says where the whole field is.
    chunks
        Stored chunks, as for `xarray.DataArray.chunk`; each is then a Dask block.

    Raises
    ------
    OutputError
        The output exists, its folder does not or cannot be written, the disk is full, or Zarr
        cannot store the attrs or coordinates.
    Exception
        What a task raised. Then, as on Ctrl-C, neither the output nor a temporary folder stays.

    Examples
    --------
    >>> import dhess, numpy as np, xarray as xr
    >>> square = xr.DataArray(np.arange(4.0) ** 2, dims="x", name="square")
    >>> write_field(square, "memory://square.zarr", overwrite=True)
    >>> dhess.open("memory://square.zarr").values
    array([0., 1., 4., 9.])
    """
    check_output(path, overwrite=overwrite, kind="store")
    dataset = prepared(da, chunks)
    location = location_of(path)
    try:
        if is_url(location):
            _write_remote(dataset, location, overwrite=overwrite)
        else:
            _write_local(dataset, Path(location), overwrite=overwrite)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(
            f"output {public(location)!r} cannot be written: {error.strerror}; "
            "free some space or choose another place"
        ) from error


def _write_local(dataset: xr.Dataset, target: Path, *, overwrite: bool) -> None:
    from dhess.sink.store import ConfinedStore

    partial = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        _write(dataset, ConfinedStore(partial), str(target))
        complete(ConfinedStore(partial))
        publish(partial, target, overwrite=overwrite)
    except BaseException:
        _discard(partial)
        raise


def _write_remote(dataset: xr.Dataset, url: str, *, overwrite: bool) -> None:
    from fsspec.core import url_to_fs

    files, root = url_to_fs(url)
    replaced = overwrite and files.exists(root)
    place = _beside(url, f".partial-{secrets.token_hex(4)}") if replaced else url
    try:
        _write(dataset, place, public(url))
        if replaced:
            check_output(url, overwrite=True)  # it may have become something else meanwhile
        else:
            complete(place)
    except TakenError:
        raise
    except BaseException:
        _remove(place)
        raise
    if replaced:
        _replace_remote(place, url)


def _beside(url: str, suffix: str) -> str:
    """Return the URL with a suffix to its path, which ends before the "::" of a chain.

    Examples
    --------
    >>> _beside("s3://bucket/a.zarr/", ".new")
    's3://bucket/a.zarr.new'
    >>> _beside("simplecache::s3://bucket/a.zarr", ".new")
    'simplecache::s3://bucket/a.zarr.new'
    >>> _beside("dir://a.zarr::memory://b", ".new")
    'dir://a.zarr.new::memory://b'
    """
    head, slashes, rest = url.partition("://")
    path, mark, chain = rest.partition("::")
    return f"{head}{slashes}{path.rstrip('/')}{suffix}{mark}{chain}"


def _remove(url: str) -> None:
    """Remove a remote store, as far as that works."""
    from fsspec.core import url_to_fs

    with suppress(Exception):
        files, root = url_to_fs(url)
        files.invalidate_cache()  # Zarr writes through a file system of its own
        files.rm(root, recursive=True)


def _replace_remote(partial: str, url: str) -> None:
    """Put a store in place of another; it says that it is complete once all of it is there."""
    from fsspec.core import url_to_fs

    files, root = url_to_fs(url)
    try:
        files.invalidate_cache()
        files.rm(root, recursive=True)
        files.copy(url_to_fs(partial)[1], root, recursive=True)
        complete(url)
    except BaseException as error:
        _remove(url)
        with suppress(Exception):
            complete(partial)
        if not isinstance(error, Exception):
            raise
        raise OutputError(
            f"output {public(url)!r} could not be replaced: {line(error)}; the whole field is at "
            f"{public(partial)!r}, move it from there"
        ) from error
    _remove(partial)


def _write(dataset: xr.Dataset, store: Any, shown: str) -> None:
    """Write metadata, then chunks."""
    rest = lay_out(dataset, store, shown)
    ((name, field),) = dataset.data_vars.items()
    if field.dtype.kind not in "fiu" or not field.ndim:  # xarray encodes it, or has written it
        run([rest], _nothing, name="write")
        return
    order = layers(field.data.numblocks)
    target = open_array(store, str(name))
    parts = writing(optimized(field.data), order, write_block, target, str(name))
    run(parts, _nothing, name="write", layers=list(order.values()))
    labels = dataset.drop_vars([name])
    if any(variable.chunks for variable in labels.variables.values()):
        late = labels.to_zarr(store, mode="r+", consolidated=False, compute=False)
        run([late], _nothing, name="write")


def _nothing(_: int, __: Any) -> None:
    """Take what comes of writing."""


def publish(partial: Path, target: Path, *, overwrite: bool) -> None:
    """Give the complete store its name, in place of the store that stands there."""
    check_local(target, str(target), overwrite=overwrite, kind="store")  # hours may have passed
    if not target.exists():
        partial.rename(target)
        sync_folder(target.parent)
        return
    aside = target.with_name(f".{target.name}.replaced-{secrets.token_hex(4)}")
    target.rename(aside)
    try:
        partial.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(aside)


def _discard(partial: Path) -> None:
    """Remove the folder, though tasks in other threads or processes may still write into it.

    Renamed first, it is gone for them at once: a `ConfinedStore` does not make it again. What fails
    here is not said, for it would hide why the folder has to go.
    """
    doomed = partial.with_name(f"{partial.name}-discarded")
    with suppress(OSError):
        partial.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
