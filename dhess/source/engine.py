"""Open a store through xarray, and say in one sentence why it cannot be opened."""

from __future__ import annotations

import difflib
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.errors import SourceError, line
from dhess.source.elsewhere import refuse_elsewhere
from dhess.source.location import is_url
from dhess.stored.origin import public

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF5_SUFFIXES = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", ".hdf")
ZARR_METADATA = ("zarr.json", ".zmetadata", ".zgroup", ".zarray")


def open_dataset(location: str, kw: Mapping[str, Any]) -> xr.Dataset:
    """Open the store; whatever the libraries below say becomes one sentence."""
    import xarray as xr

    # As xarray will soon do by itself: a field in "days" is no time difference.
    timedelta = xr.coders.CFTimedeltaCoder(decode_via_units=False)
    options: dict[str, Any] = {"cache": False, "decode_timedelta": timedelta, **kw}
    options["engine"] = options.get("engine") or _engine(location, options.get("storage_options"))
    if options["engine"] == "h5netcdf":
        options.setdefault("phony_dims", "access")  # plain HDF5 has no dimension names
        _require_h5netcdf(location)
    with _QUIET:
        try:
            if options["engine"] == "h5netcdf":
                _try_hdf5(location, options.get("storage_options") or {})
            dataset = _opened(location, options)
        except SourceError as error:
            raise SourceError(
                f"{public(location)!r} is refused: {line(error)}; take nothing from whoever wrote "
                "that, or write it again without"
            ) from error
        except Exception as error:
            raise SourceError(_why_not(location, options, error)) from error
    return _finished(dataset, location)


def _try_hdf5(location: str, storage_options: Mapping[str, Any]) -> None:
    """Open a file once before h5netcdf does, which of a damaged one leaves a traceback behind."""
    if is_url(location):
        refuse_elsewhere(location, storage_options)
        return
    import h5py

    h5py.File(location, "r").close()


class _Quiet:
    """No warnings while any thread is inside: each by itself would put back another's filters."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(None, None, None)


_QUIET = _Quiet()


def _opened(location: str, options: dict[str, Any]) -> xr.Dataset:
    """Open with consolidated metadata or else without: one after the other needs no guess."""
    import xarray as xr

    if options["engine"] != "zarr":
        return xr.open_dataset(location, **options)
    options = dict(options)
    store = _zarr_store(location, options.pop("storage_options", None))
    if "consolidated" not in options:
        try:
            return xr.open_dataset(store, **options, consolidated=True)
        except SourceError:  # of metadata that are refused, whichever they are
            raise
        except (ValueError, KeyError, OSError):
            options = {**options, "consolidated": False}
    return xr.open_dataset(store, **options)


def _zarr_store(location: str, storage_options: Mapping[str, Any] | None) -> Any:
    """Return a store: of a local path as text, Zarr would take a "::" in it for a chained URL."""
    from zarr.storage import FsspecStore

    from dhess.source.guarding import LocalFolder
    from dhess.source.noting import NotingStore

    if is_url(location):
        options = dict(storage_options or {})
        return NotingStore(FsspecStore.from_url(location, options, read_only=True))
    if storage_options:
        raise TypeError(f"storage_options are for URLs, and {location!r} is a local path")
    return LocalFolder(location)


def _finished(dataset: xr.Dataset, location: str) -> xr.Dataset:
    """Refuse a store whose writer has not said that it is complete."""
    if dataset.attrs.get("dhess_complete", True):
        return dataset
    dataset.close()
    remedy = "write it again"
    if "dhess_job" in dataset.attrs:
        remedy = "run its job again (dhess run JOB.toml), which goes on from where it ended"
    raise SourceError(
        f"{public(location)!r} was not written to its end (dhess_complete is false); {remedy}"
    )


def _engine(location: str, storage_options: Mapping[str, Any] | None) -> str:
    """Return the xarray engine: ``"zarr"`` or ``"h5netcdf"``."""
    if is_url(location):
        return _remote_engine(location, storage_options or {})
    return _local_engine(Path(location))


def _local_engine(path: Path) -> str:
    try:
        if path.is_dir():
            if any((path / name).exists() for name in ZARR_METADATA):
                return "zarr"
            raise SourceError(
                f"{str(path)!r} is a folder without Zarr metadata ({', '.join(ZARR_METADATA)}); "
                "give the Zarr store itself"
            )
        with path.open("rb") as file:
            head = file.read(len(_HDF5_SIGNATURE))
    except FileNotFoundError as error:
        raise SourceError(f"no such file or store: {str(path)!r}{_neighbour(path)}") from error
    except OSError as error:
        raise SourceError(
            f"{str(path)!r} cannot be read: {error.strerror}; check the path and its permissions"
        ) from error
    if head == _HDF5_SIGNATURE:
        return "h5netcdf"
    if head.startswith(b"CDF"):
        raise SourceError(
            f"{str(path)!r} is a classic NetCDF-3 file, which cannot be read in chunks by several "
            "processes; convert it: nccopy -k nc4 OLD.nc NEW.nc"
        )
    raise SourceError(
        f"{str(path)!r} is neither a Zarr store nor a NetCDF4/HDF5 file (it starts with {head!r}); "
        "give one of these"
    )


def _neighbour(path: Path) -> str:
    """Return the clause that names the file that was perhaps meant."""
    try:
        siblings = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"; there is no folder {str(path.parent)!r} that can be read"
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; check the path"


def _remote_engine(url: str, storage_options: Mapping[str, Any]) -> str:
    """Tell by the name, and only where that says nothing by the first bytes."""
    from fsspec.core import url_to_fs

    try:
        files, root = url_to_fs(url, **storage_options)
    except Exception as error:
        why = f"{line(error)}; {_remedy(url)}"
        raise SourceError(f"{public(url)!r} cannot be opened: {why}") from error
    if root.endswith(_HDF5_SUFFIXES):
        return "h5netcdf"
    if root.rstrip("/").endswith(".zarr"):
        return "zarr"
    try:
        with files.open(root, "rb") as file:
            head = file.read(len(_HDF5_SIGNATURE))
    except Exception:  # noqa: BLE001  (a store is no file; each file system says so in its own way)
        return "zarr"
    return "h5netcdf" if head == _HDF5_SIGNATURE else "zarr"


def _remedy(url: str) -> str:
    if "s3://" in url:
        return "S3 needs s3fs: pip install 'dhess[s3]'"
    return "check the protocol, and that its fsspec package is installed"


def _require_h5netcdf(location: str) -> None:
    try:
        import h5netcdf  # noqa: F401
        import h5py  # noqa: F401  (h5netcdf does not install it)
    except ImportError as error:
        raise SourceError(
            f"{public(location)!r} is a NetCDF4/HDF5 file, which needs h5netcdf and h5py: "
            "pip install 'dhess[netcdf]'"
        ) from error


def _why_not(location: str, options: Mapping[str, Any], error: Exception) -> str:
    """Return the sentence for a store that xarray could not open."""
    source = public(location)
    engine = options["engine"]
    group = f" (group {options['group']!r})" if options.get("group") else ""
    if engine == "zarr" and _single_array(location, options.get("storage_options")):
        return (
            f"{source!r} is a single Zarr array, not a group with named dimensions; open the group "
            "that it is in and name it, as 'GROUP::ARRAY'"
        )
    kind = {"zarr": "Zarr store", "h5netcdf": "NetCDF4/HDF5 file"}.get(engine, f"{engine} source")
    if is_url(location) and isinstance(error, FileNotFoundError):
        return f"no {kind} at {source!r}{group}; check the URL"
    return (
        f"{source!r}{group} cannot be opened as a {kind}: {line(error)}; "
        "check the options, and that it is complete"
    )


def _single_array(location: str, storage_options: dict[str, Any] | None) -> bool:
    import zarr

    try:
        with _QUIET:
            zarr.open_array(_zarr_store(location, storage_options), mode="r")
    except Exception:  # noqa: BLE001  (only a question; the first failure is the one reported)
        return False
    return True
