"""A store for a field: its blocks, its metadata before any chunk, and the word that it is whole."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from dhess.errors import OutputError
from dhess.shapes import stored_chunk
from dhess.source import auto_chunks, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from dask.delayed import Delayed


class TakenError(OutputError):
    """Another writer's store stands where nothing stood when the work began."""

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"output {shown!r} was made by somebody else meanwhile and stays as it is; "
            "choose another name"
        )


def prepared(da: xr.DataArray, chunks: int | Mapping[Any, Any] | None) -> xr.Dataset:
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
            block = tuple(sizes[0] for sizes in variable.chunks)
            whole = chunks is not None
            size = variable.dtype.itemsize
            variable.encoding["chunks"] = block if whole else stored_chunk(block, size)
    return dataset


def lay_out(
    dataset: xr.Dataset, store: Any, shown: str, mode: Literal["w-", "a"] = "w-"
) -> Delayed:
    """Write metadata and what is in memory; return what writes the rest."""
    with warnings.catch_warnings():
        # names in coordinates are "unstable" in format 3
        warnings.simplefilter("ignore")
        try:
            writes: Delayed = dataset.assign_attrs(dhess_complete=False).to_zarr(
                store,
                mode=mode,
                zarr_format=3,
                consolidated=False,
                compute=False,
                write_empty_chunks=True,
            )
        except FileExistsError as error:
            raise TakenError(shown) from error
        except (TypeError, ValueError, NotImplementedError) as error:
            raise OutputError(
                f"Zarr cannot store the field {next(iter(dataset.data_vars))!r}: {line(error)}; "
                "check its name, attrs and coordinates"
            ) from error
    return writes


def complete(store: Any) -> None:
    """Write the word that all is there."""
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so is consolidated metadata
        zarr.open_group(store, mode="r+", use_consolidated=False).attrs["dhess_complete"] = True
        zarr.consolidate_metadata(store)
