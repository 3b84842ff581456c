"""HDF5 files that take data from other files, which HDF5 opens wherever they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO


def data_elsewhere(file: Path | BinaryIO) -> str | None:
    """Say that an HDF5 file takes data from other files, if it does, by which of three ways.

    None for a file of another kind, and where h5py is missing: then nobody reads it.
    """
    try:
        import h5py
    except ImportError:
        return None
    if isinstance(file, Path) and not h5py.is_hdf5(file):
        return None
    with h5py.File(file, "r") as opened:

        def way(name: str, link: Any) -> str | None:
            if isinstance(link, h5py.ExternalLink):
                return "an external link"
            if not isinstance(link, h5py.HardLink):
                return None  # within the file, where it is seen too
            found = opened[name]
            if not isinstance(found, h5py.Dataset):
                return None
            if found.external:
                return "external storage"
            return "a virtual dataset" if found.is_virtual else None

        how = opened.visititems_links(way)
    return None if how is None else f"it takes data from other files ({how})"


def refuse_elsewhere(url: str, storage_options: Mapping[str, Any]) -> None:
    """Refuse a remote HDF5 file of which HDF5 would look for a part among the local files.

    Raises
    ------
    SourceError
        In one clause, about the file.
    """
    from fsspec.core import url_to_fs

    files, root = url_to_fs(url, **storage_options)
    with files.open(root, "rb") as file:
        told = data_elsewhere(file)
    if told is not None:
        raise SourceError(f"{told}, which would be looked for on this machine")
