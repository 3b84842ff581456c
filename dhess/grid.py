"""The grid that an array stands on: one `Axis` per differentiated dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import GridError, InputError, suggest
from dhess.options import LARGEST_STEP, LEAST_STEP

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from dhess.options import Settings

    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Axis:
    """A differentiated dimension: x_i = start + offsets[i], or start + i * step if it is even."""

    name: Hashable
    position: int
    """Which axis of the array it is."""
    size: int
    start: float
    step: float | None
    """Signed step of an even axis; None if the axis is uneven."""
    offsets: Floats | None = None
    """x_i - x_0 of an uneven axis, shape (size,); None if the axis is even."""
    unit: str | None = None

    @property
    def uniform(self) -> bool:
        """Whether the steps are equal up to the rounding of the coordinate's own dtype."""
        return self.step is not None

    def steps(self) -> Floats:
        """Return the differences between neighbours, shape (size - 1,), or (1,) if even."""
        if self.step is not None:
            return np.array([self.step])
        assert self.offsets is not None
        return np.diff(self.offsets)


@dataclass(frozen=True, eq=False)
class Grid:
    """The axes to differentiate along, in the order of the result's rows."""

    axes: tuple[Axis, ...]
    dims: tuple[Hashable, ...]
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Names of the differentiated dimensions."""
        return tuple(axis.name for axis in self.axes)

    @classmethod
    def of(cls, da: xr.DataArray, settings: Settings) -> Grid:
        """Read the grid of a labelled array.

        Raises
        ------
        InputError
            If the data is not real numbers, or a dimension is unknown.
        GridError
            If a coordinate cannot carry a derivative.

        Examples
        --------
        >>> import xarray as xr
        >>> from dhess.options import settings
        >>> da = xr.DataArray(np.zeros((3, 4)), {"x": [0.0, 0.5, 1.0, 1.5]}, ("y", "x"))
        >>> [axis.step for axis in Grid.of(da, settings()).axes]
        [1.0, 0.5]
        """
        _check_data(da)
        names = settings.dims if settings.dims is not None else da.dims
        for name in (*names, *settings.spacing):
            if name not in da.dims:
                if name in da.coords and da.coords[name].ndim > 1:
                    raise GridError(
                        f"{name!r} is a two-dimensional (curvilinear) coordinate over "
                        f"{list(da.coords[name].dims)!r}, which dhess cannot differentiate along; "
                        "interpolate to one-dimensional axes"
                    )
                known = suggest(str(name), map(str, da.dims))
                raise InputError(f"no dimension {name!r} in {_label(da)}; {known}")
        axes = tuple(_axis(da, name, settings) for name in names)
        for name in settings.spacing:
            if name not in names:
                raise GridError(
                    f"spacing is given for {name!r}, which dims={list(names)!r} leaves out; "
                    "name it in dims or leave its spacing out"
                )
        return cls(axes, da.dims, da.shape)


def _label(da: xr.DataArray) -> str:
    return f"variable {da.name!r}" if da.name is not None else "the array"


def _check_data(da: xr.DataArray) -> None:
    if da.dtype.kind not in "biuf":
        what = {"c": "complex", "M": "datetime", "m": "timedelta", "O": "object"}
        kind = what.get(da.dtype.kind, "text")
        raise InputError(
            f"{_label(da)} has {kind} data (dtype {da.dtype}); dhess differentiates real numbers"
            + ("; take .real, .imag or abs() of it" if kind == "complex" else "")
        )
    if da.ndim == 0:
        raise InputError(
            f"{_label(da)} is a scalar; a derivative needs an array with at least one dimension"
        )
    unknown = [str(d) for d, size in da.sizes.items() if size != size]
    if unknown:
        raise InputError(
            f"{_label(da)} has Dask chunks of unknown size along {', '.join(unknown)}; "
            "compute them with .data.compute_chunk_sizes()"
        )
    if da.size == 0:
        sizes = ", ".join(f"{d}={s}" for d, s in da.sizes.items())
        raise InputError(f"{_label(da)} is empty ({sizes}); every dimension needs points")


def _axis(da: xr.DataArray, name: Hashable, settings: Settings) -> Axis:
    position, size = da.dims.index(name), da.sizes[name]
    if name not in da.coords:
        if name not in settings.spacing:
            _refuse_curvilinear(da, name)
        return Axis(name, position, size, 0.0, settings.spacing.get(name, 1.0))
    coordinate = da.coords[name]
    if name in settings.spacing:
        raise GridError(
            f"spacing={settings.spacing[name]!r} is given for {name!r}, which has a coordinate; "
            f"leave the spacing out, or drop the coordinate with .drop_vars({name!r})"
        )
    unit = coordinate.attrs.get("units")
    offsets, step = _offsets(name, np.asarray(coordinate.values))
    start = float(coordinate.values[0])
    unit = None if unit is None else str(unit)
    return Axis(name, position, size, start, step, None if step is not None else offsets, unit)


def _refuse_curvilinear(da: xr.DataArray, name: Hashable) -> None:
    curved = [
        str(key)
        for key, c in da.coords.items()
        if c.ndim >= 2 and name in c.dims and c.dtype.kind == "f"
    ]
    if curved:
        raise GridError(
            f"dimension {name!r} has only two-dimensional (curvilinear) coordinates "
            f"({', '.join(curved)}), which dhess cannot differentiate along; interpolate to "
            f"one-dimensional axes, give the distance of its points as spacing={{{name!r}: …}}, or "
            "drop the coordinates with .drop_vars(…) if they are something else"
        )


def _offsets(name: Hashable, x: np.ndarray[Any, Any]) -> tuple[Floats, float | None]:
    """Return x - x[0] as float64, and the step if it is the same everywhere."""
    _check_coordinate(name, x)
    exact = x.astype(np.longdouble)
    offsets = (exact - exact[0]).astype(np.float64)
    if x.size < 2:
        return offsets, 1.0
    delta = np.diff(offsets)
    wrong = np.flatnonzero(delta == 0)
    if wrong.size:
        i = int(wrong[0])
        raise GridError(
            f"coordinate {name!r} has duplicate values at index {i} and {i + 1}: "
            f"{x[i]} and {x[i + 1]}; drop one of them, as in .drop_duplicates({name!r})"
        )
    wrong = np.flatnonzero(np.sign(delta) != np.sign(delta[0]))
    if wrong.size:
        i = int(wrong[0])
        raise GridError(
            f"coordinate {name!r} is not sorted: index {i} and {i + 1} hold "
            f"{x[i]} and {x[i + 1]}; sort it with .sortby({name!r})"
        )
    for i in (int(np.abs(delta).argmin()), int(np.abs(delta).argmax())):
        if not LEAST_STEP <= abs(delta[i]) <= LARGEST_STEP:
            raise GridError(
                f"coordinate {name!r} steps from {x[i]} to {x[i + 1]} at index {i}; a step must "
                f"be between {LEAST_STEP:g} and {LARGEST_STEP:g}: choose another unit"
            )
    return offsets, _even_step(x, offsets)


def _even_step(x: np.ndarray[Any, Any], offsets: Floats) -> float | None:
    """Return the step if no point leaves the straight line by more than its dtype rounds."""
    step = float(offsets[-1]) / (x.size - 1)
    deviation = float(np.abs(offsets - step * np.arange(x.size)).max())
    rounding = 4 * float(np.spacing(np.abs(offsets[-1])))
    if x.dtype.kind == "f":
        # Two units in the last place: half of one from storing each of two values, the rest from
        # the arithmetic of whoever made the coordinate (linspace, arange, scale and offset).
        rounding += 2 * float(np.spacing(np.abs(x).max()))
    # A dtype too coarse for its own steps tells nothing about their evenness.
    return step if deviation <= min(rounding, abs(step) / 8) else None


def _check_coordinate(name: Hashable, x: np.ndarray[Any, Any]) -> None:
    if x.dtype.kind in "Mm" or (x.dtype.kind == "O" and hasattr(x.flat[0], "timetuple")):
        raise GridError(
            f"coordinate {name!r} is of times (first value {x.flat[0]}), which dhess cannot "
            f"differentiate along yet; leave it out of dims, or assign numbers as its coordinate"
        )
    if x.dtype.kind not in "iuf":
        raise GridError(
            f"coordinate {name!r} is not of real numbers (dtype {x.dtype}, first value "
            f"{x.flat[0]!r}); assign numbers, or drop it with .drop_vars({name!r}) for spacing 1"
        )
    wrong = np.flatnonzero(~np.isfinite(x))
    if wrong.size:
        i = int(wrong[0])
        other = f"; its neighbour is {x[i - 1] if i else x[1]}" if x.size > 1 else ""
        raise GridError(
            f"coordinate {name!r} is {x[i]} at index {i}{other}; every point needs a finite value"
        )
