"""Gaussian smoothing at a scale in coordinate units: a lazy step before any derivative."""

from __future__ import annotations

import datetime as dt
import reprlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from dhess.errors import GridError, InputError
from dhess.fields.labels import check_type, is_lazy, variables_of
from dhess.grid import Grid
from dhess.grid.coordinate import is_time
from dhess.options import LARGEST_STEP, LEAST_STEP, Options, Settings, is_number, settings
from dhess.smoothing.convolution import Kernel, Smoothing, of_blocks, of_memory
from dhess.units import plain, requantified

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from dhess.grid import Axis

    Field = xr.DataArray | xr.Dataset
    Scale = float | np.timedelta64

__all__ = ["smooth"]

TRUNCATE = 4.0
"""Standard deviations after which the kernel ends: 6.3e-5 of the whole Gaussian is beyond."""


def smooth(
    data: Field,
    sigma: Scale | dt.timedelta | Mapping[Any, Scale | dt.timedelta],
    **options: Unpack[Options],
) -> Any:
    """Return the data convolved with a Gaussian: f̄(x) = Σ_j w_j f(x + jh), w_j ∝ exp(−(jh)²/2σ²).

    Parameters
    ----------
    data
        DataArray, or a Dataset of which every numeric variable with the dimensions is taken.
    sigma
        Standard deviation σ in the unit of the coordinate: ``{"x": 2.0}`` smooths along x only;
        one number smooths along ``dims``, or every dimension. Along times it counts
        ``datetime_unit``, or is a `numpy.timedelta64` (`datetime.timedelta`).
    **options
        Of the common options, see `dhess.options.Options`: dims, period, spacing, nan,
        datetime_unit, dtype. Order and scheme are about derivatives and alter nothing here; scale
        and geometry="sphere" are refused, since σ is measured along the coordinates as they are.

    Returns
    -------
    DataArray with the dims, coordinates, name and attributes of the data, its unit among them, or
    Dataset of those; the attribute ``smoothed`` tells σ. Lazy if the data is. float32 from float32
    and float16, otherwise float64, unless ``dtype`` is given; the arithmetic is float64 throughout.

    Raises
    ------
    GridError
        If an axis is uneven, or shorter than σ (its span, or its period).
    InputError
        If σ is no number above 0 or is for a dimension that does not exist or that dims leaves
        out, or if an option or the data does not fit.

    Notes
    -----
    The kernel ends after int(4 σ/h + 0.5) points on each side, h being the step, and its weights
    add up to 1, as in `scipy.ndimage`. Below σ = h/8 that is no point, and nothing changes along
    this axis. Past the ends of an axis stands its mirror image, the last point doubled (SciPy's
    "reflect"), so the sum of all values is kept; an axis with a period wraps. Where the data are
    constant, so is the result, every point the same bits: in float32 that value, in float64 it up
    to the rounding of the sums (a few units in the last place per axis).

    ``nan="propagate"``: NaN where the kernel, a box of points in the smoothed dimensions, touches a
    NaN, and nowhere else. ``nan="adapt"``: the weighted mean of the valid points in that box,
    G∗(f·valid) / G∗valid (normalized convolution), NaN where the data are. Without NaN the two
    agree to the bit. Infinite values count as valid and spread as infinity or NaN.

    Of Dask arrays the result is the same to the bit for all chunks; those shorter than the kernel's
    radius are merged. Each block is one task, with ghost cells of that radius on each side.

    References
    ----------
    H. Knutsson and C.-F. Westin, Normalized and differential convolution, CVPR 1993,
    doi:10.1109/CVPR.1993.341081.

    Examples
    --------
    A wave of wavelength L keeps exp(−2 (πσ/L)²) of its amplitude:

    >>> import numpy as np, xarray as xr, dhess
    >>> lon = np.arange(0.0, 360.0, 2.0)
    >>> wave = xr.DataArray(np.cos(np.radians(4 * lon)), {"lon": lon}, "lon")
    >>> smoothed = dhess.smooth(wave, {"lon": 15.0}, period={"lon": 360.0})
    >>> round(float(smoothed[0]), 3), round(float(np.exp(-2 * (np.pi * 15 / 90) ** 2)), 3)
    (0.578, 0.578)
    >>> smoothed.attrs["smoothed"]
    'lon=15.0'
    """
    chosen = settings(**options)
    _check_options(chosen)
    wanted = _scales(sigma, chosen)
    check_type(data)
    given, pint = plain(data)
    return requantified(_plainly(given, wanted, chosen), pint)


def _plainly(data: Field, wanted: Scale | dict[Hashable, Scale], chosen: Settings) -> Field:
    if isinstance(data, xr.DataArray):
        return _smooth(data, wanted, chosen)
    dims = tuple(wanted) if isinstance(wanted, dict) else chosen.dims
    names = variables_of(data, replace(chosen, dims=dims))
    return xr.Dataset(
        {name: _smooth(data[name], wanted, chosen) for name in names}, attrs=data.attrs
    )


def _check_options(chosen: Settings) -> None:
    """Refuse what would be taken to alter σ."""
    if chosen.scale:
        raise InputError(
            f"scale={chosen.scale!r} does not go with smooth, whose sigma is in the unit of the "
            "coordinate; leave it out here and give it to the derivative"
        )
    if chosen.geometry == "sphere":
        raise InputError(
            "geometry='sphere' does not go with smooth, whose sigma is in the unit of the "
            "coordinate and no distance on a sphere; leave it out here and give it to the "
            "derivative"
        )


def _scales(sigma: object, chosen: Settings) -> Scale | dict[Hashable, Scale]:
    """Check σ by itself, not yet against an array."""
    if not isinstance(sigma, Mapping):
        return _scale("sigma", sigma)
    if not sigma:
        raise InputError('sigma={} names no dimension; write sigma={"x": 2.0}')
    for name in sigma:
        if chosen.dims is not None and name not in chosen.dims:
            raise InputError(
                f"sigma is given for {name!r}, which dims={list(chosen.dims)!r} leaves out; "
                "name it in dims or leave its sigma out"
            )
    return {name: _scale(f"sigma of {name!r}", value) for name, value in sigma.items()}


def _scale(what: str, value: Any) -> Scale:
    if isinstance(value, np.timedelta64 | dt.timedelta):
        return _time(what, np.timedelta64(value))
    if not is_number(value):
        raise InputError(
            f"{what} is {reprlib.repr(value)}, which is no number; give a number in the unit of "
            'the coordinate, or one per dimension, as sigma={"x": 2.0}'
        )
    if not LEAST_STEP <= value <= LARGEST_STEP:
        raise InputError(
            f"{what} is {reprlib.repr(value)}; it must be a finite number above 0 "
            f"(from {LEAST_STEP:g} to {LARGEST_STEP:g})"
        )
    return float(value)


def _time(what: str, time: np.timedelta64) -> np.timedelta64:
    unit: Any = np.datetime_data(time.dtype)[0]
    if unit not in ("W", "D", "h", "m", "s", "ms", "us", "ns"):
        raise InputError(
            f"{what} is {time!r}, whose unit is none from weeks to nanoseconds; "
            "give such a time, as np.timedelta64(3, 'D')"
        )
    if not time > np.timedelta64(0, unit):  # NaT is not either
        raise InputError(f"{what} is {time!r}; it must be a time above 0")
    return time


def _smooth(
    data: xr.DataArray, wanted: Scale | dict[Hashable, Scale], chosen: Settings
) -> xr.DataArray:
    if not isinstance(wanted, dict):
        wanted = dict.fromkeys(data.dims if chosen.dims is None else chosen.dims, wanted)
    grid = Grid.of(data, _about(wanted, data, chosen))
    kernels, told = [], []
    for axis in grid.axes:
        sigma = _in_units(axis, wanted[axis.name], data, chosen.datetime_unit)
        kernels.append(_kernel(axis, sigma))
        told.append(f"{axis.name}={sigma!r}" + (f" {axis.unit}" if axis.unit else ""))
    smoothing = Smoothing(tuple(kernels), chosen.adapts, chosen.result_dtype(data.dtype))
    values = (of_blocks if is_lazy(data) else of_memory)(data.variable.data, smoothing)
    before = [str(data.attrs["smoothed"])] if "smoothed" in data.attrs else []
    attrs = {**data.attrs, "smoothed": "; ".join([*before, ", ".join(told)])}
    return xr.DataArray(values, data.coords, data.dims, data.name, attrs)


def _about(wanted: Iterable[Hashable], data: xr.DataArray, chosen: Settings) -> Settings:
    """Return the settings for those dimensions, in the order of the data.

    What is said of its other dimensions is left out, so that the same options serve a derivative.
    """
    wanted = set(wanted)
    unknown = [name for name in (*wanted, *(chosen.dims or ())) if name not in data.dims]
    spacing, period = (
        {
            name: length
            for name, length in lengths.items()
            if name in wanted or name not in data.dims
        }
        for lengths in (chosen.spacing, chosen.period)
    )
    names = (*(name for name in data.dims if name in wanted), *unknown)
    return replace(chosen, dims=names, spacing=spacing, period=period)


def _in_units(axis: Axis, sigma: Scale, data: xr.DataArray, datetime_unit: str) -> float:
    """Return σ in the unit of the coordinate."""
    if isinstance(sigma, float):
        return sigma
    if axis.name not in data.coords or not is_time(data.coords[axis.name].values):
        raise InputError(
            f"sigma of {axis.name!r} is the time {sigma}, and its coordinate holds no times; "
            "give a number in the unit of the coordinate"
        )
    # One unit against the other: NumPy's division of large times by short ones overflows.
    unit: Any = "m" if datetime_unit == "min" else datetime_unit
    stored: Any = np.datetime_data(sigma.dtype)
    count, had, wanted = (
        int(sigma.astype(np.int64)),
        np.timedelta64(1, stored),
        np.timedelta64(1, unit),
    )
    return float(count * (had / wanted) if had >= wanted else count / (wanted / had))


def _kernel(axis: Axis, sigma: float) -> Kernel:
    """Return the weights along an axis; they end after 4 σ, rounded to whole steps."""
    step = _even_step(axis)
    length = axis.span if axis.size > 1 or axis.period is not None else 0.0
    if sigma > length:
        what = "span" if axis.period is None else "period"
        raise GridError(
            f"sigma of {axis.name!r} is {sigma:g}, more than the length of the axis ({what} "
            f"{length:g} with {axis.size} points); give less, or leave {axis.name!r} out"
        )
    radius = int(TRUNCATE * sigma / step + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (sigma / step)) ** 2)
    return Kernel(axis.position, weights / weights.sum(), axis.period is not None)


def _even_step(axis: Axis) -> float:
    if axis.step is not None or axis.size == 1:
        return axis.span if axis.step is None else abs(axis.step)
    steps = np.abs(axis.steps())
    short, long = int(steps.argmin()), int(steps.argmax())
    seam = ""
    if axis.period is not None:
        seam = f", and {axis.span - float(steps.sum()):g} over the seam of its period {axis.span:g}"
    raise GridError(
        f"coordinate {axis.name!r} is uneven (step {steps[short]:g} at index {short}, "
        f"{steps[long]:g} at index {long}{seam}), and a Gaussian needs equal steps; "
        f"interpolate first, as in .interp({axis.name}=…)"
    )
