"""What a picture shows, as plain arrays: thinned while lazy, computed in one go, with its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess import fields
from dhess.plot.options import Manner, manner
from dhess.plot.thinning import computed, middles, thin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

DOTS = 54
"""Blocks along the longer side in each of which the point closest to zero is marked."""
BOX = 0.8
"""Height over width of a map whose axes cannot be compared."""
STRETCH = 5.0
"""Two axes of one unit are drawn to scale unless one is this many times as long as the other."""
SIGNS = {"degrees_north": "°N", "degrees_east": "°E", "1": "–"}
"""How units are written at an axis where that is not how CF spells them."""

DRAWN_AS_THEY_ARE = "iufM"
"""Kinds of coordinates that are positions: numbers and dates. Of others the index is one."""

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
    return pictures_with(cuts, (), options)[0]


def pictures_with(
    cuts: Sequence[xr.DataArray],
    others: Sequence[xr.DataArray],
    options: Mapping[str, Any] | None = None,
) -> tuple[list[Picture], list[NDArray[np.float64]]]:
    """Compute pictures, and other fields that are thinned already, in one go."""
    values = computed([*(thin(cut, "mean") for cut in cuts), *others])
    ways = [manner(cut, options or {}) for cut in cuts]
    made = [
        Picture(
            values=small,
            x=_centres(cut, str(cut.dims[1])),
            y=_centres(cut, str(cut.dims[0])),
            labels=(label(cut, cut.dims[1]), label(cut, cut.dims[0]), label(cut)),
            aspect=_aspect(cut, way),
            dims=(str(cut.dims[0]), str(cut.dims[1])),
            manner=_thinned(way, cut),
        )
        for small, cut, way in zip(values, cuts, ways, strict=False)
    ]
    return made, values[len(cuts) :]


def positions(da: xr.DataArray, dim: str) -> NDArray[Any]:
    """Return where the points along a dimension are drawn: at the coordinate, or at the index."""
    values: NDArray[Any] = da[dim].values
    return values if values.dtype.kind in DRAWN_AS_THEY_ARE else np.arange(values.size)


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
    if dim is not None and named.dtype.kind not in DRAWN_AS_THEY_ARE:
        units = "index"
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


def _centres(da: xr.DataArray, dim: str) -> NDArray[Any]:
    """Return the position of the middle point of each cell that `thin` makes."""
    return positions(da, dim)[middles(da.sizes[dim])]


def _thinned(full: Manner, da: xr.DataArray) -> Manner:
    if full.cos is None or full.latitude is None:
        return full
    return replace(full, cos=full.cos[middles(da.sizes[full.latitude])])


def _aspect(da: xr.DataArray, way: Manner) -> float | None:
    """Return 1 for two axes of one unit, 1/cos φ for degrees on the globe, else none."""
    y, x = (da[dim] for dim in da.dims)
    units = [str(axis.attrs.get("units", "")) for axis in (y, x)]
    for latitude, longitude in ((y, x), (x, y)):
        shrink = _parallel(latitude, longitude, way)
        if shrink is not None:
            shrink = max(shrink, 0.1)
            return 1 / shrink if latitude is y else shrink
    extents = sorted(span(positions(da, str(dim))) for dim in da.dims)
    to_scale = units[0] == units[1] != "" and 0 < extents[1] <= STRETCH * extents[0]
    return 1.0 if to_scale else None


def _parallel(latitude: xr.DataArray, longitude: xr.DataArray, way: Manner) -> float | None:
    """Return the cosine of the middle latitude; none if these are no such axes."""
    if way.cos is not None and way.latitude == latitude.name:
        return float(way.cos[way.cos.size // 2])
    if _is_degrees(latitude, "lat") and _is_degrees(longitude, "lon"):
        return math.cos(math.radians(float(np.mean(latitude.values))))
    return None


def _is_degrees(axis: xr.DataArray, name: str) -> bool:
    units = axis.attrs.get("units")
    if units == {"lat": "degrees_north", "lon": "degrees_east"}[name]:
        return True
    named = str(axis.name).lower().startswith(name) and axis.name in axis.coords
    return named and (units is None or str(units).startswith("deg"))
