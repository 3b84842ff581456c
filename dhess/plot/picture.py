"""What a picture shows, as plain arrays: thinned while lazy, computed in one go, with its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess import fields
from dhess.plot.options import Manner, manner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

PIXELS = 1000
"""Longest side, in points, of what is computed and drawn of a field."""
DOTS = 54
"""Blocks along the longer side in each of which the point closest to zero is marked."""
BOX = 0.8
"""Height over width of a map whose axes cannot be compared."""
STRETCH = 5.0
"""Two axes of one unit are drawn to scale unless one is this many times as long as the other."""
SIGNS = {"degrees_north": "°N", "degrees_east": "°E", "1": "–"}
"""How units are written at an axis where that is not how CF spells them."""

Vectors = tuple["NDArray[Any]", "NDArray[Any]"]


@dataclass(frozen=True)
class Picture:
    """A 2-D field as it is drawn: rows along y, positions of its points, labels and scale."""

    values: NDArray[np.float64]
    x: NDArray[Any]
    y: NDArray[Any]
    labels: tuple[str, str, str]
    """Of the x axis, the y axis and the colours."""
    aspect: float | None
    """Length of one y unit over that of one x unit on paper; none: whatever fills a box."""
    dims: tuple[str, str] = ("y", "x")
    manner: Manner = field(default_factory=Manner)
    """How slopes are taken."""

    @property
    def spans(self) -> tuple[float, float]:
        """Return the extent along x and along y, in the units of the coordinates."""
        return span(self.x), span(self.y)

    @property
    def shape_on_paper(self) -> tuple[float, float]:
        """Return the width and height of the drawn box, the longer one being 1."""
        x, y = self.spans
        tall = self.aspect * y / x if self.aspect and x and y else BOX
        tall = min(max(tall, 1 / STRETCH), STRETCH)
        return (1 / tall, 1.0) if tall > 1 else (1.0, tall)

    @property
    def stretch(self) -> float:
        """Return the length of one y unit over that of one x unit on paper."""
        x, y = self.spans
        wide, tall = self.shape_on_paper
        return tall / wide * x / y

    def blocks(self, along: int) -> tuple[int, int]:
        """Return rows and columns of points per block, for about `along` square-looking blocks."""
        wide, tall = self.shape_on_paper
        rows, columns = self.values.shape
        return math.ceil(rows / (along * tall)), math.ceil(columns / (along * wide))

    @cached_property
    def gradient(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Slopes to the right and upwards on paper; none on a very short axis.

        On a plane they are those of the drawn surface, so that an arrow is perpendicular to the
        contour lines. On the sphere they are the physical ones to the east and to the north.
        """
        import xarray as xr

        if min(self.values.shape) < 3 or 0 in self.spans:
            return None
        coords = dict(zip(self.dims, (numbers(self.y), numbers(self.x)), strict=True))
        plane = xr.DataArray(self.values, coords, self.dims)
        slopes = fields.gradient(plane, period=self.manner.period, nan=self.manner.nan)
        up, right = slopes.values
        cos = self.manner.cos
        if cos is None:
            return right * self.stretch, up
        if self.manner.latitude == self.dims[0]:
            return right / cos[:, np.newaxis], up
        return right, up / cos


def pictures(
    cuts: Sequence[xr.DataArray], options: Mapping[str, Any] | None = None
) -> list[Picture]:
    """Compute several 2-D fields in one go, each thinned to at most `PIXELS` points per side.

    The options of a search tell how slopes are taken.
    """
    import dask

    thinned = dask.compute(*[thin(cut, "mean") for cut in cuts])
    return [
        Picture(
            values=np.asarray(small.values, dtype=np.float64),
            x=_centres(cut, str(cut.dims[1])),
            y=_centres(cut, str(cut.dims[0])),
            labels=(label(cut, cut.dims[1]), label(cut, cut.dims[0]), label(cut)),
            aspect=_aspect(cut),
            dims=(str(cut.dims[0]), str(cut.dims[1])),
            manner=_thinned(manner(cut, options or {}), cut),
        )
        for small, cut in zip(thinned, cuts, strict=True)
    ]


def thin(da: xr.DataArray, how: str) -> xr.DataArray:
    """Return the mean or min over blocks such that no side keeps more than `PIXELS` points.

    Lazy where `da` is, without its coordinates.  NaN points are left out of a block's mean or
    minimum, and the last block of a side may be a short one, so that every point counts.
    """
    bare = da.drop_vars(list(da.coords)).astype(np.float64)
    steps = {dim: _step(size) for dim, size in da.sizes.items()}
    if max(steps.values(), default=1) == 1:
        return bare
    thinned: xr.DataArray = getattr(bare.coarsen(steps, boundary="pad"), how)()
    return thinned


def positions(da: xr.DataArray, dim: str) -> NDArray[Any]:
    """Return where the points along a dimension are drawn: at the coordinate, or at the index."""
    values: NDArray[Any] = da[dim].values
    return values if values.dtype.kind in "iufM" else np.arange(values.size)


def numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return positions as float64; a date counts from the first one, in its own unit."""
    return (values - values[0] if values.dtype.kind == "M" else values).astype(np.float64)


def span(values: NDArray[Any]) -> float:
    """Return the distance between the smallest and the largest position."""
    return float(np.ptp(numbers(values)))


def label(da: xr.DataArray, dim: Any = None) -> str:
    """Return the name and unit of a field, or of one of its coordinates.

    Examples
    --------
    >>> import xarray as xr
    >>> x = ("x", [0.0, 1.0], {"long_name": "easting", "units": "m"})
    >>> da = xr.DataArray([1, 2], dims="x", coords={"x": x}, name="height")
    >>> label(da), label(da, "x"), label(da.drop_vars("x"), "x")
    ('height', 'easting [m]', 'x [index]')
    """
    if dim is not None and dim not in da.coords:
        return f"{dim} [index]"
    named = da if dim is None else da[dim]
    name = named.attrs.get("long_name") or ("field" if named.name is None else named.name)
    units = named.attrs.get("units")
    return f"{name} [{SIGNS.get(units, units)}]" if units else str(name)


def closest(picture: Picture, measure: NDArray[np.float64], threshold: float) -> Vectors:
    """Return where `measure` is smallest in each block of the picture, where below `threshold`.

    One mark per block keeps a wide flat area as readable as a thin line, and marks both.
    """
    rows, columns = picture.blocks(DOTS)
    high, wide = math.ceil(measure.shape[0] / rows), math.ceil(measure.shape[1] / columns)
    padded = np.full((high * rows, wide * columns), np.inf)
    padded[: measure.shape[0], : measure.shape[1]] = np.nan_to_num(measure, nan=np.inf)
    blocks = padded.reshape(high, rows, wide, columns).swapaxes(1, 2).reshape(high, wide, -1)
    row, column = np.nonzero(blocks.min(axis=-1) < threshold)
    down, right = np.divmod(blocks.argmin(axis=-1)[row, column], columns)
    return picture.x[column * columns + right], picture.y[row * rows + down]


def _step(size: int) -> int:
    return max(1, -(-size // PIXELS))


def _centres(da: xr.DataArray, dim: str) -> NDArray[Any]:
    """Return the position of the middle point of each block that `thin` makes."""
    return positions(da, dim)[_middles(da.sizes[dim])]


def _middles(size: int) -> NDArray[np.int64]:
    step = _step(size)
    starts = np.arange(0, size, step)
    middles: NDArray[np.int64] = (starts + np.minimum(starts + step, size) - 1) // 2
    return middles


def _thinned(full: Manner, da: xr.DataArray) -> Manner:
    if full.cos is None or full.latitude is None:
        return full
    return replace(full, cos=full.cos[_middles(da.sizes[full.latitude])])


def _aspect(da: xr.DataArray) -> float | None:
    """Return 1 for two axes of one unit, 1/cos φ for degrees on the globe, else none."""
    y, x = (da[dim] for dim in da.dims)
    units = [str(axis.attrs.get("units", "")) for axis in (y, x)]
    if _is_degrees(y, "lat") and _is_degrees(x, "lon"):
        middle = math.radians(float(np.mean(y.values)))
        return 1 / max(math.cos(middle), 0.1)
    extents = sorted(span(positions(da, str(dim))) for dim in da.dims)
    to_scale = units[0] == units[1] != "" and 0 < extents[1] <= STRETCH * extents[0]
    return 1.0 if to_scale else None


def _is_degrees(axis: xr.DataArray, name: str) -> bool:
    hemisphere = {"lat": "degrees_north", "lon": "degrees_east"}[name]
    return axis.attrs.get("units") == hemisphere or (
        str(axis.name).lower().startswith(name) and axis.name in axis.coords
    )
