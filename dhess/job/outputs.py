"""The result of a search, written whole: JSON as ``dhess find --json`` has it, or NetCDF."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import dask

from dhess.errors import InputError
from dhess.report import CriticalReport, FindReport, RegionsReport
from dhess.sink import check_output, check_single_file, whole_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr


def check_result(path: str, *, overwrite: bool, written: str) -> None:
    """Refuse, before any work, an output that could not be written at its end.

    What stands there may be replaced if its checksum is in ``written``: an earlier attempt's.
    """
    check_single_file(path)
    check_output(path, overwrite=overwrite or checksum(path) in written.split(), kind="file")
    if Path(path).suffix == ".nc":
        try:
            import h5netcdf  # noqa: F401
        except ImportError as error:
            raise InputError(
                f"output {path!r} is a NetCDF file, which needs h5netcdf: pip install "
                "'dhess[netcdf]', or name a .json file"
            ) from error


def checksum(path: str) -> str | None:
    """Return the checksum of a file; none where there is none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def report_of(result: xr.Dataset) -> FindReport | RegionsReport | CriticalReport:
    """Return what a search found as a report."""
    if "region" in result.dims:
        return RegionsReport.from_dataset(result)
    kind = CriticalReport if "morse_index" in result else FindReport
    return kind.from_dataset(result)


def write_result(result: xr.Dataset, path: str, note: Callable[[str], None]) -> None:
    """Write what a search found to a file that appears whole, in place of another.

    ``note`` is given its checksum just before it appears, and that of what it replaces: whoever is
    killed in between finds the old one.
    """
    with whole_file(path) as file:
        if Path(path).suffix == ".json":
            text = report_of(result).model_dump_json(indent=2)
            file.write_text(text + "\n", encoding="utf-8")
        else:
            # By way of memory: on a full disk HDF5 ends in errors that say nothing of it, or worse.
            whole = io.BytesIO()
            with dask.config.set(scheduler="synchronous"):  # or xarray locks it on the cluster
                result.to_netcdf(whole, engine="h5netcdf")
            file.write_bytes(whole.getbuffer())
        note(" ".join(filter(None, (checksum(path), checksum(str(file))))))
