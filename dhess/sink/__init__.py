"""Write a lazy field to a new Zarr store, so that nothing half-written looks whole.

check → metadata → whole chunks, one task each → "complete" → the name that was asked for. Until the
last step a local store stands in a hidden folder beside its place; a remote one says in its
attributes that it is not complete, and `dhess.open` refuses it.
"""

from __future__ import annotations

import errno
import secrets
import shutil
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.errors import OutputError, SourceError
from dhess.source import ZARR_METADATA, auto_chunks, is_url, line, location_of, public

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["check_output", "write_field"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def write_field(
    da: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    chunks: int | Mapping[Any, Any] | None = None,
) -> None:
    """Compute a field and write it to a new Zarr store (format 3).

    Every task writes whole chunks: a stored chunk is a Dask block. Blocks of uneven sizes are
    rechunked first to the largest along their axis. Values (NaN payloads included), dims,
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
        Replace what stands there, if it is a file or a Zarr store. A local one is replaced only
        when the new one is complete (so it may be the source); behind a URL it is removed first.
    chunks
        Stored chunks other than the Dask blocks, as for `xarray.DataArray.chunk`.

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
    check_output(path, overwrite=overwrite)
    dataset = _prepared(da, chunks)
    location = location_of(path)
    try:
        if is_url(location):
            _write_remote(dataset, location, overwrite=overwrite)
        else:
            _write_local(dataset, Path(location))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(
            f"output {public(location)!r} cannot be written: {error.strerror}; "
            "free some space or choose another place"
        ) from error


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse an output that could not be written, before any work is done.

    Parameters
    ----------
    path
        A file or store to be made: a local path or an fsspec URL.
    overwrite
        Whether a file or a Zarr store may stand there. A folder that is anything else is never
        overwritten.

    Raises
    ------
    OutputError
        It exists; its folder does not, or cannot be written.

    Examples
    --------
    >>> check_output("no_such_folder/out.zarr")
    Traceback (most recent call last):
    ...
    dhess.errors.OutputError: output 'no_such_folder/out.zarr': there is no folder ...
    """
    try:
        location = location_of(path)
    except SourceError as error:
        raise OutputError(f"an output is a path or a URL, not {path!r}") from error
    if is_url(location):
        _check_remote(location, overwrite=overwrite)
        return
    target = Path(location)
    try:
        _check_local(target, str(path), overwrite=overwrite)
        with tempfile.TemporaryFile(dir=target.parent):
            pass  # asking for permissions says nothing of a full or read-only disk, nor to root
    except OSError as error:
        raise OutputError(
            f"output {str(path)!r}: the folder {str(target.parent)!r} cannot be written "
            f"({error.strerror}); choose another one"
        ) from error


def _check_local(target: Path, shown: str, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise OutputError(
            f"output {shown!r}: there is no folder {str(target.parent)!r}; make it first"
        )
    exists = target.is_symlink() or target.exists()
    if exists and not overwrite:
        raise OutputError(
            f"output {shown!r} exists; remove it, choose another name or overwrite it (--overwrite)"
        )
    if exists and target.is_dir() and not any((target / name).exists() for name in ZARR_METADATA):
        raise OutputError(
            f"output {shown!r} is a folder that is no Zarr store, which is not overwritten; "
            "choose another name"
        )


def _check_remote(url: str, *, overwrite: bool) -> None:
    from fsspec.core import url_to_fs

    try:
        files, root = url_to_fs(url)
        exists = files.exists(root)
    except Exception as error:
        raise OutputError(
            f"output {public(url)!r} cannot be reached: {line(error)}; check the URL"
        ) from error
    if exists and not overwrite:
        raise OutputError(
            f"output {public(url)!r} exists; remove it, choose another name or overwrite it "
            "(--overwrite)"
        )


def _prepared(da: xr.DataArray, chunks: int | Mapping[Any, Any] | None) -> xr.Dataset:
    """Return the field in regular blocks, with no encoding but what keeps its bits."""
    try:
        if chunks is not None:
            da = da.chunk(chunks)
        elif da.chunks is None:
            blocks = auto_chunks(da.shape, None, da.dtype.itemsize)
            da = da.chunk(dict(zip(da.dims, blocks, strict=True)))
    except (ValueError, TypeError, ZeroDivisionError, NotImplementedError) as error:
        raise OutputError(
            f"chunks={chunks!r} do not fit a field of shape {da.shape}: {line(error)}; "
            "give positive sizes by dimension"
        ) from error
    uneven = {
        dim: max(sizes)
        for dim, sizes in zip(da.dims, da.chunks or (), strict=True)
        if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]
    }
    name = "field" if da.name is None or da.name in da.coords else da.name
    dataset = da.chunk(uneven).to_dataset(name=name).drop_encoding()
    for variable in dataset.variables.values():
        if variable.dtype.kind == "f":
            # No fill value to decode: it would cost a pass and forget which NaN it was. Zarr's own
            # one, for a chunk that got lost, should be NaN and not 0.
            variable.encoding = {"_FillValue": None, "fill_value": float("nan")}
        if variable.chunks:
            variable.encoding["chunks"] = tuple(sizes[0] for sizes in variable.chunks)
    return dataset


def _write_local(dataset: xr.Dataset, target: Path) -> None:
    from dhess.sink.store import ConfinedStore

    partial = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        _write(dataset, ConfinedStore(partial), mode="w-")
        _publish(partial, target)
    except BaseException:
        _discard(partial)
        raise


def _write_remote(dataset: xr.Dataset, url: str, *, overwrite: bool) -> None:
    from fsspec.core import url_to_fs

    try:
        _write(dataset, url, mode="w" if overwrite else "w-")
    except BaseException:
        with suppress(Exception):
            files, root = url_to_fs(url)
            files.rm(root, recursive=True)
        raise


def _write(dataset: xr.Dataset, store: Any, mode: Any) -> None:
    """Write metadata, then chunks, then the word that all is there."""
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # names in coordinates and consolidation are "unstable" in v3
        try:
            writes = dataset.assign_attrs(dhess_complete=False).to_zarr(
                store,
                mode=mode,
                zarr_format=3,
                consolidated=False,
                compute=False,
                write_empty_chunks=True,
            )
        except (TypeError, ValueError, NotImplementedError) as error:
            raise OutputError(
                f"Zarr cannot store the field {next(iter(dataset.data_vars))!r}: {line(error)}; "
                "check its name, attrs and coordinates"
            ) from error
    writes.compute()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.open_group(store, mode="r+", use_consolidated=False).attrs["dhess_complete"] = True
        zarr.consolidate_metadata(store)


def _publish(partial: Path, target: Path) -> None:
    """Give the complete store its name, in place of what stands there."""
    if not (target.is_symlink() or target.exists()):
        partial.rename(target)
        return
    aside = target.with_name(f".{target.name}.replaced-{secrets.token_hex(4)}")
    target.rename(aside)
    try:
        partial.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    if aside.is_symlink() or not aside.is_dir():
        aside.unlink()
    else:
        shutil.rmtree(aside)


def _discard(partial: Path) -> None:
    """Remove the folder, though tasks in other threads or processes may still write into it.

    Renamed first, it is gone for them at once: a `ConfinedStore` does not make it again.
    """
    doomed = partial.with_name(f"{partial.name}-discarded")
    with suppress(FileNotFoundError):
        partial.rename(doomed)
        shutil.rmtree(doomed)
