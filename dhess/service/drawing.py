"""A child of the gateway: makes a picture of a result, or a NetCDF file of a field."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from dhess import plot
from dhess.errors import DhessError, line
from dhess.job import JobSpec
from dhess.report.layout import amount
from dhess.service.errors import NotReady, ServiceError, TooLarge
from dhess.service.places import Places
from dhess.service.speaking import Gateway, limit_memory
from dhess.sink import whole_file
from dhess.source import open as open_source
from dhess.source.prepared import shaped

if TYPE_CHECKING:
    from collections.abc import Hashable


def draw_answer(spec: JobSpec, folder: Path, file: Path) -> None:
    """Draw what a search found, as ``dhess find --plot`` does."""
    data = shaped(
        open_source(spec.source, spec.variable, chunks=spec.chunks),
        spec.options, spec.selection, spec.smooth,
    )  # fmt: skip
    if "smoothed" in data.attrs:
        name = data.attrs.get("long_name") or data.name
        data = data.assign_attrs(long_name=f"{name}, smoothed")
    with xr.open_dataset(folder / "result.nc", engine="h5netcdf") as result:
        plot.answer(data, result.load(), path=file)


def draw_field(spec: JobSpec, file: Path) -> None:
    """Draw a plane of a field: its last two dimensions, in the middle of all others."""
    field = open_source(str(spec.output))
    dims = [dim for dim in field.dims if dim not in ("row", "col", "eigen")]
    if len(dims) < 2:
        raise NotReady("a field of one dimension has no picture; read its NetCDF file")
    middle: dict[Hashable, int] = {
        dim: field.sizes[dim] // 2 if dim in dims else 0 for dim in field.dims
    }
    for dim in dims[-2:]:
        del middle[dim]
    plot.map(field.isel(middle), path=file)


def write_field(spec: JobSpec, file: Path, most: int) -> None:
    """Write a field as NetCDF, if it is not too large."""
    field = open_source(str(spec.output))
    if field.nbytes > most:
        raise TooLarge(
            f"the field takes {amount(field.nbytes)}, and this service hands out {amount(most)}; "
            "read it where the job wrote it"
        )
    with whole_file(file) as partial:
        field.to_netcdf(partial, engine="h5netcdf")


def make(asked: dict[str, Any]) -> None:
    """Make what is asked for."""
    spec, file = JobSpec.model_validate(asked["spec"]), Path(asked["file"])
    places = Places(asked["roots"], asked["output_roots"], Path(asked["data"]))
    if find_spec("h5netcdf") is None:
        raise NotReady(
            "pictures and NetCDF files need h5netcdf where the gateway runs: "
            "pip install 'dhess[netcdf]'"
        )
    if spec.task != "field":
        places.check_source(spec.source, spec.variable)
        draw_answer(spec, file.parent, file)
        return
    places.check_output(str(spec.output))
    if file.suffix == ".png":
        draw_field(spec, file)
    else:
        write_field(spec, file, asked["most"])


def main() -> None:
    """Make one file."""
    gateway = Gateway()
    asked = gateway.read()
    if asked is None:
        return
    gateway.die_with_it()
    limit_memory()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make(asked)
    except (ServiceError, DhessError) as error:
        gateway.tell(error=str(error), kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001  (told in a sentence)
        told = f"{Path(asked['file']).name} cannot be made: {type(error).__name__}: {line(error)}"
        gateway.tell(error=told, kind="NotReady")
    else:
        gateway.tell(made=True)


if __name__ == "__main__":
    main()
