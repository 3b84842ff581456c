"""The grid that an array stands on: one `Axis` per differentiated dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dhess.errors import GridError, GridWarning, InputError, suggest, warn_caller
from dhess.grid.axis import Axis, read_axis
from dhess.grid.sphere import Parallels, find_roles, on_sphere, parallels
from dhess.options import LARGEST_STEP, LEAST_STEP

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import xarray as xr

    from dhess.options import Settings

__all__ = ["Axis", "Grid", "Parallels", "check_data"]


@dataclass(frozen=True, eq=False)
class Grid:
    """The axes to differentiate along, in the order of the result's rows."""

    axes: tuple[Axis, ...]
    dims: tuple[Hashable, ...]
    shape: tuple[int, ...]
    parallels: Parallels | None = None
    """The circles of latitude, on the sphere."""

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Names of the differentiated dimensions."""
        return tuple(axis.name for axis in self.axes)

    @property
    def poles(self) -> int:
        """Number of latitudes at a pole, where directions have no meaning."""
        return 0 if self.parallels is None else int(np.isnan(self.parallels.cos).sum())

    def warn(self) -> None:
        """Warn of what is probably not meant.

        Warns
        -----
        GridWarning
            If a coordinate looks like an even one that was rounded.
        """
        for axis in self.axes:
            if axis.decimals is not None:
                warn_caller(
                    f"coordinate {axis.name!r} looks like an even one that was rounded to "
                    f"{axis.decimals} decimals, and steps that differ by rounding make second "
                    f"derivatives noisy; if it is even, say so, as by .assign_coords({axis.name}="
                    f"np.linspace(first, last, {axis.size}))",
                    GridWarning,
                )

    @classmethod
    def of(cls, da: xr.DataArray, settings: Settings) -> Grid:
        """Read the grid of a labelled array.

        Raises
        ------
        InputError
            If the data is not real numbers, or a dimension is unknown.
        GridError
            If a coordinate cannot carry a derivative, or contradicts an option.

        Examples
        --------
        >>> import xarray as xr
        >>> from dhess.options import settings
        >>> da = xr.DataArray(np.zeros((3, 4)), {"x": [0.0, 0.5, 1.0, 1.5]}, ("y", "x"))
        >>> [axis.step for axis in Grid.of(da, settings()).axes]
        [1.0, 0.5]
        """
        check_data(da)
        names = settings.dims if settings.dims is not None else da.dims
        scale = {} if isinstance(settings.scale, str) else settings.scale
        _check_names(da, (*names, *settings.spacing, *settings.period, *scale))
        axes = tuple(read_axis(da, name, settings) for name in names)
        by_option = {"spacing": settings.spacing, "period": settings.period, "scale": scale}
        for option, given in by_option.items():
            _check_among(option, given, names)
        if settings.geometry == "sphere":
            return _spherical(da, axes, settings)
        return cls(tuple(_scaled(axis, settings) for axis in axes), da.dims, da.shape)


def _spherical(da: xr.DataArray, axes: tuple[Axis, ...], settings: Settings) -> Grid:
    roles = find_roles(da, settings)
    scaled = roles if isinstance(settings.scale, str) else [n for n in roles if n in settings.scale]
    if scaled:
        raise GridError(
            f"scale={settings.scale!r} is for axes that stay as they are, and geometry='sphere' "
            f"makes metres of {' and '.join(map(repr, roles))}; scale the others to metres"
        )
    turned = tuple(
        on_sphere(da, axis, roles[axis.name], settings.radius)
        if axis.name in roles
        else _scaled(axis, settings)
        for axis in axes
    )
    latitude = next(name for name, role in roles.items() if role == "latitude")
    return Grid(turned, da.dims, da.shape, parallels(da, latitude, settings.radius))


def _scaled(axis: Axis, settings: Settings) -> Axis:
    if isinstance(settings.scale, str):
        return axis.times(1.0 / axis.span)
    factor = settings.scale.get(axis.name)
    if factor is None:
        return axis
    scaled = axis.times(1.0 / factor)
    steps = np.abs(scaled.steps())
    if not (steps.size == 0 or LEAST_STEP <= steps.min() <= steps.max() <= LARGEST_STEP):
        raise GridError(
            f"scale of {axis.name!r} is {factor:g}, which makes its steps {steps.min():g} to "
            f"{steps.max():g}; they must be between {LEAST_STEP:g} and {LARGEST_STEP:g}"
        )
    return scaled


def _label(da: xr.DataArray) -> str:
    return f"variable {da.name!r}" if da.name is not None else "the array"


def _check_names(da: xr.DataArray, names: Iterable[Hashable]) -> None:
    for name in names:
        if name in da.dims:
            continue
        if name in da.coords and da.coords[name].ndim > 1:
            raise GridError(
                f"{name!r} is a two-dimensional (curvilinear) coordinate over "
                f"{list(da.coords[name].dims)!r}, which dhess cannot differentiate along; "
                "interpolate to one-dimensional axes"
            )
        known = suggest(str(name), map(str, da.dims))
        raise InputError(f"no dimension {name!r} in {_label(da)}; {known}")


def _check_among(option: str, given: Iterable[Hashable], names: tuple[Hashable, ...]) -> None:
    for name in given:
        if name not in names:
            raise GridError(
                f"{option} is given for {name!r}, which dims={list(names)!r} leaves out; "
                f"name it in dims or leave its {option} out"
            )


def check_data(da: xr.DataArray) -> None:
    """Refuse an array that has no real numbers, no dimension, no points, or no known size."""
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
