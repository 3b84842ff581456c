"""Refuse an output that could not be written, before any work is done."""

from __future__ import annotations

import os
import stat
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dhess.errors import OutputError, SourceError
from dhess.source import ZARR_METADATA, is_url, line, location_of, public

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["file", "store"]
"""What may be replaced: one regular file, or a Zarr store."""

_SPECIAL = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_output(
    path: str | os.PathLike[str], *, overwrite: bool = False, kind: Kind | None = None
) -> None:
    """Refuse an output that could not be written, before any work is done.

    Parameters
    ----------
    path
        A file or store to be made: a local path or an fsspec URL.
    overwrite
        Whether a regular file or a Zarr store may stand there. Anything else (another folder, a
        link, a pipe, a device) is never overwritten.
    kind
        What is to be made, where only the same may be replaced.

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
        check_local(target, str(path), overwrite=overwrite, kind=kind)
        with tempfile.TemporaryFile(dir=target.parent):
            pass  # asking for permissions says nothing of a full or read-only disk, nor to root
    except OSError as error:
        raise OutputError(
            f"output {str(path)!r}: the folder {str(target.parent)!r} cannot be written "
            f"({error.strerror}); choose another one"
        ) from error


def check_apart(path: str | os.PathLike[str], sources: Iterable[str]) -> None:
    """Refuse an output that is its own source, becomes a part of it, or would swallow it.

    Parameters
    ----------
    path
        A file or store to be made.
    sources
        Paths, patterns or URLs that are read, without the names of variables.

    Raises
    ------
    OutputError
        It is one of them.

    Examples
    --------
    >>> check_apart("dem.zarr/slope.zarr", ["dem.zarr"])
    Traceback (most recent call last):
    ...
    dhess.errors.OutputError: output 'dem.zarr/slope.zarr' and source 'dem.zarr' are in each ...
    """
    own = _real(path)
    for source in sources:
        other = _real(source)
        if (
            f"{own}/".startswith(f"{other}/")
            or f"{other}/".startswith(f"{own}/")
            or _matches(own, other)
        ):
            raise OutputError(
                f"output {public(str(path))!r} and source {public(source)!r} are in each other's "
                "way; choose another output"
            )


def _matches(path: str, pattern: str) -> bool:
    """Tell whether a path is one of a pattern's: ``*`` stays within a folder, ``**`` does not."""
    if "**" in pattern:
        return fnmatchcase(path, pattern)
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _real(path: str | os.PathLike[str]) -> str:
    """Return a URL, or a local path without links."""
    location = location_of(path)
    return (location if is_url(location) else os.path.realpath(location)).rstrip("/")


def check_single_file(path: str | os.PathLike[str]) -> None:
    """Refuse what can never be one local file of ours, overwriting or not.

    Raises
    ------
    OutputError
        A URL, or what stands there is no regular file.

    Examples
    --------
    >>> check_single_file("s3://bucket/report.json")
    Traceback (most recent call last):
    ...
    dhess.errors.OutputError: output 's3://bucket/report.json' is a URL, ...
    """
    if is_url(str(path)):
        raise OutputError(
            f"output {public(str(path))!r} is a URL, and single files are written to local paths "
            "only; give a path"
        )
    target = Path(location_of(path))
    try:
        other = _other_than("file", target)
    except OSError:
        return  # no such folder, or a closed one: check_output says so
    if other:
        raise _never(str(path), other)


def check_local(target: Path, shown: str, *, overwrite: bool, kind: Kind | None) -> None:
    """Refuse a local path without a folder, or where something stands that has to stay."""
    if not target.parent.is_dir():
        raise OutputError(
            f"output {shown!r}: there is no folder {str(target.parent)!r}; make it first"
        )
    if not (target.is_symlink() or target.exists()):
        return
    if not overwrite:
        raise OutputError(
            f"output {shown!r} exists; remove it, choose another name or overwrite it (--overwrite)"
        )
    other = _other_than(kind, target)
    if other:
        raise _never(shown, other)


def _other_than(kind: Kind | None, target: Path) -> str:
    """Return what stands there in words, if it is neither nothing nor of the kind."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return ""
    if stat.S_ISREG(mode):
        return "a file and no Zarr store" if kind == "store" else ""
    if stat.S_ISDIR(mode):
        if kind == "file":
            return "a folder"
        known = any((target / name).is_file() for name in ZARR_METADATA)
        return "" if known else "a folder that is no Zarr store"
    return next((name for test, name in _SPECIAL if test(mode)), "a special file")


def _never(shown: str, other: str) -> OutputError:
    return OutputError(
        f"output {shown!r} is {other}, which is not overwritten; choose another name"
    )


def _check_remote(url: str, *, overwrite: bool) -> None:
    from fsspec.core import url_to_fs

    try:
        files, root = url_to_fs(url)
        files.invalidate_cache()  # Zarr writes through a file system of its own
        exists = files.exists(root)
        known = exists and any(files.exists(f"{root.rstrip('/')}/{name}") for name in ZARR_METADATA)
    except Exception as error:
        raise OutputError(
            f"output {public(url)!r} cannot be reached: {line(error)}; check the URL"
        ) from error
    if exists and not overwrite:
        raise OutputError(
            f"output {public(url)!r} exists; remove it, choose another name or overwrite it "
            "(--overwrite)"
        )
    if exists and not known:
        raise _never(public(url), "no Zarr store")
