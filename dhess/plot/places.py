"""What a search, regions or critical points say, as marks on a picture and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dhess.answer import KINDS, counted_kind
from dhess.plot.picture import DRAWN_AS_THEY_ARE, label, positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from dhess.plot.picture import Vectors

NUMBERED: Final = 12
"""Points that are numbered by rank; more of them and the numbers hide the map."""
MARKED: Final = 1000
"""Regions whose lowest points are marked, the largest ones first; marks of more critical points
are smaller."""
LEAST_AREA: Final = 0.1
"""Of a mark among many, so that they leave something to see between them."""
TOLD: Final = 5
"""Places that an alt text lists."""


@dataclass(frozen=True)
class Marks:
    """Some places of one kind."""

    where: Vectors
    text: str
    """What they are, for the legend."""
    kind: str = ""
    """Of critical points, which have a mark each; empty for the others."""
    ranks: Sequence[int] = ()
    """Numbers to write beside them."""
    area: float = 1.0
    """Beside that of one mark among few."""


def row_of(result: xr.Dataset) -> str:
    """Return the dimension whose rows are the places: "rank" or "region"."""
    return str(result["index"].dims[0])


def is_regions(result: xr.Dataset) -> bool:
    """Tell whether the rows are regions."""
    return row_of(result) == "region"


def is_critical(result: xr.Dataset) -> bool:
    """Tell whether the rows are critical points."""
    return "morse_index" in result


def best_of(result: xr.Dataset) -> xr.Dataset:
    """Return the first row: the smallest value, or the largest region."""
    return result.isel({row_of(result): 0})


def differentiated(result: xr.Dataset) -> list[str]:
    """Return the differentiated dimensions, in the order of the data."""
    if "row" in result.coords:
        return [str(dim) for dim in result["row"].values]
    known = str(result.attrs.get("dims", "")).split(",")
    dims = [str(dim) for dim in result["dim"].values]
    return [dim for dim in dims if dim in known] or dims


def same_step(result: xr.Dataset, dims: Sequence[str]) -> xr.Dataset:
    """Keep the rows that lie in the same time step, or other batch index, as the first one."""
    row = row_of(result)
    others = ~result["dim"].isin(dims)
    index = result["index"].where(others, 0)
    return result.isel({row: (index == index.isel({row: 0})).all("dim").values})


def through(da: xr.DataArray, result: xr.Dataset, *dims: str) -> xr.DataArray:
    """Return the cut of a field along some dimensions, through the place of the first row."""
    return da.isel(held(da, result, dims)).transpose(*dims)


def held(da: xr.DataArray, result: xr.Dataset, dims: Sequence[str]) -> dict[str, int]:
    """Return the index of the first row along all other dimensions."""
    index = best_of(result)["index"]
    return {str(dim): int(index.sel(dim=dim)) for dim in da.dims if dim not in dims}


def places(da: xr.DataArray, result: xr.Dataset) -> Vectors:
    """Return where the rows are drawn on a plane, x first."""
    y, x = (_along(da, result, str(dim)) for dim in da.dims)
    return x, y


def marks(da: xr.DataArray, result: xr.Dataset) -> list[Marks]:
    """Return what is marked on a plane."""
    return _sorts(result, lambda rows: places(da, rows))


def line_marks(da: xr.DataArray, result: xr.Dataset) -> list[Marks]:
    """Return what is marked on a line."""
    dim = str(da.dims[0])
    return _sorts(result, lambda rows: (_along(da, rows, dim), rows["field"].values))


def _sorts(result: xr.Dataset, where: Callable[[xr.Dataset], Vectors]) -> list[Marks]:
    """Return the rows as marks: one sort of them, or of critical points one for each kind."""
    row = row_of(result)
    if not result.sizes[row]:
        return []
    if is_regions(result):
        return [
            Marks(where(result.isel(region=slice(MARKED))), _lowest(result), "", _ranks(result))
        ]
    if not is_critical(result):
        return [Marks(where(result), found(result), "", _ranks(result))]
    sorts = []
    for kind in KINDS:
        rows = result.isel({row: result["kind"].values == kind})
        if rows.sizes[row]:
            many = rows.sizes[row]
            area = min(1.0, max(MARKED / result.sizes[row], LEAST_AREA))
            sorts.append(Marks(where(rows), counted_kind(many, kind), kind, area=area))
    return sorts


def kind_of(result: xr.Dataset) -> str:
    """Return the kind of a first row that is a critical point; empty for others."""
    return str(best_of(result)["kind"].item()) if is_critical(result) else ""


def aim(result: xr.Dataset) -> str:
    """Say what the first row is.

    Examples
    --------
    >>> import xarray as xr, dhess
    >>> aim(dhess.find_minimum(xr.DataArray([3.0, 1.0, 2.0, 5.0, 4.0], dims="x")))
    'flattest point'
    """
    if is_regions(result):
        return "lowest point of the largest region"
    return "lowest critical point" if is_critical(result) else "flattest point"


def found(result: xr.Dataset) -> str:
    """Say what was searched for.

    Examples
    --------
    >>> import xarray as xr, dhess
    >>> da = xr.DataArray([3.0, 1.0, 2.0, 5.0, 4.0], dims="x")
    >>> found(dhess.find_minimum(da, "slope", k=2))
    '2 smallest values of slope'
    """
    count = result.sizes[row_of(result)]
    name = result.attrs.get("measure", "measure")
    return f"smallest {name}" if count == 1 else f"{count:,} smallest values of {name}"


def caption(result: xr.Dataset) -> str:
    """Return the answer as one line: how much there is, the measure's value and where it is."""
    if not result.sizes[row_of(result)]:
        return nothing(result)
    if is_critical(result):
        kinds = result["kind"].values
        counts = {kind: int(np.sum(kinds == kind)) for kind in KINDS}
        return ", ".join(counted_kind(count, kind) for kind, count in counts.items() if count)
    best = best_of(result)
    place = place_of(best)
    if is_regions(result):
        count = result.sizes["region"]
        many = "1 region" if count == 1 else f"{count:,} regions, the largest"
        points = "1 point" if best["size"] == 1 else f"{int(best['size']):,} points"
        return f"{many} of {points}, lowest at {place}"
    return f"{result.attrs.get('measure', 'measure')} = {float(best['value']):.4g} at {place}"


def place_of(one: xr.Dataset) -> str:
    """Write where a single row is."""
    return ", ".join(f"{dim} = {text(one, str(dim))}" for dim in one["dim"].values)


def told(da: xr.DataArray, result: xr.Dataset) -> str:
    """Describe the rows to somebody who cannot see the marks."""
    row = row_of(result)
    count = result.sizes[row]
    if not count:
        return f"{nothing(result).capitalize()}."
    what = _lowest(result) if is_regions(result) else ""
    if not is_regions(result) and not is_critical(result):
        what = found(result)
    lines = []
    for i in range(min(count, TOLD)):
        one = result.isel({row: i})
        where = ", ".join(f"{dim} = {text(one, str(dim))}" for dim in da.dims)
        kind = "" if what else f"{one['kind'].item()} at "
        lines.append(kind + where)
    rest = f"; and {count - TOLD:,} more" if count > TOLD else ""
    head = f"Marked in red, {what}: " if what else "Marked in red: "
    return head + "; ".join(lines) + rest + "."


def text(one: xr.Dataset, dim: str) -> str:
    """Write a coordinate of a single row."""
    return coordinate(one[dim].values)


def coordinate(value: Any) -> str:
    """Write a number, a date, a duration or a name.

    Examples
    --------
    >>> coordinate(np.float64(0.25)), coordinate(np.timedelta64(30, "h")), coordinate("a")
    ('0.25', '1 day, 6:00:00', 'a')
    """
    value = np.asarray(value)
    if value.dtype.kind == "m":
        return str(value.astype("m8[us]").item())
    return f"{float(value):.6g}" if value.dtype.kind in "iuf" else str(value)


def span_of(da: xr.DataArray) -> str:
    """Say from where to where the axes of a field reach.

    Examples
    --------
    >>> import xarray as xr
    >>> span_of(xr.DataArray([1.0, 2.0, 4.0], {"x": [0.0, 0.5, 1.0]}, ("x",)))
    'x from 0 to 1'
    """
    return " and ".join(_reaches(da))


def _reaches(da: xr.DataArray) -> Iterator[str]:
    for dim in da.dims:
        ends = positions(da, str(dim))[[0, -1]] if da.sizes[dim] else ["nothing", "nothing"]
        first, last = map(coordinate, ends)
        yield f"{label(da, dim)} from {first} to {last}"


def _along(da: xr.DataArray, result: xr.Dataset, dim: str) -> NDArray[Any]:
    """Return positions of the rows: their coordinates, or the index where those are labels."""
    own: NDArray[Any] = result[dim].values
    if own.dtype.kind in DRAWN_AS_THEY_ARE:
        return own
    drawn: NDArray[Any] = positions(da, dim)[result["index"].sel(dim=dim).values]
    return drawn


def _ranks(result: xr.Dataset) -> list[int]:
    row = row_of(result)
    count = result.sizes[row]
    if not 1 < count <= NUMBERED:
        return []
    return [int(rank) for rank in result[row].values]  # 0, 1, 2… where there is no coordinate


def _lowest(result: xr.Dataset) -> str:
    count = result.sizes["region"]
    if count > MARKED:
        return f"lowest points of the {MARKED:,} largest of {count:,} regions"
    return "lowest point of the region" if count == 1 else f"lowest points of {count:,} regions"


def nothing(result: xr.Dataset) -> str:
    """Say that there are no rows."""
    return f"no {'region' if is_regions(result) else 'critical point'} was found"
