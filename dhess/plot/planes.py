"""Pictures of a plane: the field with all that was found in it, and measures side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dhess import fields
from dhess.errors import InputError
from dhess.measures import find_measure
from dhess.plot import draw
from dhess.plot.flat import Flat, flat_of, shaded
from dhess.plot.given import a_number, check_panels, unquantified, usable
from dhess.plot.options import options_of
from dhess.plot.picture import closest, label, pictures_with
from dhess.plot.places import Marks, differentiated, marks, span_of, told
from dhess.plot.saving import finish
from dhess.plot.thinning import step_of, thin

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dhess.plot.picture import Picture


def map(  # noqa: A001  (the name is part of the public API)
    da: xr.DataArray,
    result: xr.Dataset | None = None,
    *,
    regions: xr.Dataset | xr.DataArray | None = None,
    threshold: float | None = None,
    measure: str | None = None,
    relief: bool = False,
    ax: Axes | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw a 2-D field in colours, its slopes as arrows, and what was found in red.

    Parameters
    ----------
    da
        A field with two dimensions; the last one runs to the right.
    result
        What :func:`dhess.find_minimum` found in `da`: drawn as red points, numbered by rank. What
        :func:`dhess.critical_points` found: minima point down, maxima up, saddles are crosses. What
        :func:`dhess.flat_regions` found: the lowest point of each region.
    regions
        Labels of regions (0 where there is none), which are shaded, or what
        :func:`dhess.flat_regions` found, of which everything below its threshold is shaded. By
        default `result`, if that are regions.
    threshold
        A value of `measure`: a red contour surrounds the places where it is smaller; by default
        that of the regions.
    measure
        The measure that `threshold` is about; by default that of the regions, or the Hessian norm.
    relief
        Shade the field as terrain lit from the upper left.
    ax
        Axes to draw into; a new figure otherwise.
    path
        Where to save the picture; the ending says the format.
    title
        What stands above it; the field's name and the measure otherwise.
    **options
        Options of :func:`dhess.measure`, for the measure that `threshold` is about, and for the
        arrows: over the seam of a ``period``, up to a coast with ``nan="adapt"``, and as physical
        components with ``geometry="sphere"``. Those that `result`, or else `regions`, were found
        with are known.

    Returns
    -------
    Figure
        The figure that was drawn, or the one that `ax` belongs to.

    Raises
    ------
    InputError
        The field is not 2-D or has no real numbers, the regions are not its own, `threshold` is no
        number, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> y, x = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 31), indexing="ij")
    >>> bowl = xr.DataArray(x**4 + y**4, dims=("y", "x"), name="bowl")
    >>> flat = dhess.measure(bowl, "hessian_norm") < 0.01
    >>> figure = dhess.plot.map(bowl, dhess.find_minimum(bowl), regions=flat.astype(int))
    >>> figure.axes[0].get_xlabel()
    'x [index]'
    """
    da = _plane(da)
    result, regions = unquantified(result), unquantified(regions)
    regions = shaded(result, regions)
    shown = result if result is not None else _rows(regions)
    if shown is not None:
        options = {**_dims(shown, da), **options_of(shown, da, **options)}
    flat = flat_of(da, regions, threshold, measure, options)
    (picture,), small = pictures_with([da], [flat.small] if flat else [], options)
    ax = ax if ax is not None else draw.figure_for(picture).add_subplot()
    draw.field(ax, picture, relief=relief)
    draw.colour_bar([ax], picture)
    draw.arrows(ax, picture)
    if flat is not None:
        draw.flat(ax, picture, small[0], flat.threshold, flat.text, filled=flat.filled)
    if shown is not None:
        for each in marks(da, shown):
            draw.points(ax, each)
    ax.set_title(title if title is not None else label(da), loc="left")
    draw.legend(ax)
    return finish(ax, path, _said(da, picture, flat, small, shown))


def compare(
    da: xr.DataArray,
    measures: Sequence[str] = ("laplacian_abs", "hessian_norm"),
    *,
    threshold: float | None = None,
    captions: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw a 2-D field once per measure, each time with the places where that measure is small.

    Colours are the field and arrows its gradient, the same in every panel.  The places where the
    panel's measure is below `threshold` have a red contour around, and red points mark the ones
    closest to zero: at most one in each small block, so that a wide area stays readable.

    Parameters
    ----------
    da
        A field with two dimensions; the last one runs to the right.
    measures
        Names of the measures, one panel each.
    threshold
        The value that a measure must fall below; by default a fiftieth of the largest value of
        the last measure, so that every panel is judged by the same number.
    captions
        What stands above each panel; the measure and its formula otherwise.
    path, title
        As in :func:`map`.
    **options
        Options of :func:`dhess.measure`.

    Returns
    -------
    Figure
        One panel per measure, side by side.

    Raises
    ------
    InputError
        The field is not 2-D or has no real numbers, a measure is unknown or there is none,
        `captions` are not one for each, `threshold` is no number, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> y, x = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 31), indexing="ij")
    >>> saddle = xr.DataArray(x**2 - y**2, dims=("y", "x"), name="saddle")
    >>> len(dhess.plot.compare(saddle, threshold=0.001).axes)  # two panels
    2
    """
    da = _plane(da)
    check_panels(measures, captions)
    known = [find_measure(name) for name in measures]
    lazy = [fields.measure(da, each.name, **options) for each in known]
    wanted = [*(thin(each, "min") for each in lazy), thin(lazy[-1], "max")]
    (picture,), (*values, large) = pictures_with([da], wanted, options)
    threshold = draw.limits(large)[1] / 50 if threshold is None else a_number(threshold)
    figure = draw.figure_for(picture, panels=len(known))
    panels = figure.subplots(1, len(known), sharex=True, sharey=True, squeeze=False)[0]
    captions = captions or [f"{each.name} = {each.formula}" for each in known]
    for ax, small, caption in zip(panels, values, captions, strict=True):
        draw.field(ax, picture)
        draw.arrows(ax, picture)
        draw.flat(ax, picture, small, threshold, f"measure = {threshold:.3g}")
        dots = Marks(closest(picture, small, threshold), "points closest to zero")
        draw.points(ax, dots, size=13)
        ax.set_title(caption, loc="left", fontsize=11)
        ax.label_outer()
    draw.legend(panels[0], outside=True)
    draw.colour_bar(panels, picture)
    figure.suptitle(title if title is not None else f"Where is {label(da)} flat?", weight="bold")
    parts = zip(known, values, strict=True)
    where = ", ".join(f"{each.name} {_share(small, threshold, da)}" for each, small in parts)
    text = (
        f"{len(known)} maps of {_base(da, picture)}, side by side. Marked in red: where a "
        f"measure is below {threshold:.3g}, that is {where}."
    )
    return finish(panels[0], path, text)


def _plane(da: xr.DataArray) -> xr.DataArray:
    """Return a field as it is drawn; refuse one that is not 2-D."""
    da = usable(da)
    if da.ndim != 2:
        dims = ", ".join(str(dim) for dim in da.dims)
        raise InputError(
            f"a map shows two dimensions, {label(da)!r} has {da.ndim} ({dims}); choose a plane "
            "with .isel, or draw a search's answer with dhess.plot.answer"
        )
    return da


def _rows(regions: xr.Dataset | xr.DataArray | None) -> xr.Dataset | None:
    """Return the regions' rows, if they have any."""
    import xarray as xr

    return regions if isinstance(regions, xr.Dataset) and "index" in regions else None


def _dims(result: xr.Dataset, da: xr.DataArray) -> dict[str, Any]:
    """Return the differentiated dimensions as an option, where they are some of the plane's."""
    dims = [dim for dim in differentiated(result) if dim in da.dims]
    return {"dims": dims} if 0 < len(dims) < da.ndim else {}


def _said(
    da: xr.DataArray,
    picture: Picture,
    flat: Flat | None,
    small: Sequence[NDArray[np.float64]],
    result: xr.Dataset | None,
) -> str:
    """Return what a map shows, for those who cannot see it."""
    text = f"Map of {_base(da, picture)}."
    if flat is not None:
        verb = "Shaded" if flat.filled else "Surrounded"
        text += f" {verb} in red: {flat.text}, {_share(small[0], flat.threshold, da)}."
    return text if result is None else f"{text} {told(da, result)}"


def _base(da: xr.DataArray, picture: Picture) -> str:
    low, high = draw.told_limits(picture.values)
    return f"{label(da)} over {span_of(da)}, in colours from {low:.4g} to {high:.4g}"


def _share(small: NDArray[np.float64], threshold: float, da: xr.DataArray) -> str:
    """Say on how much of a picture of a field something is below the threshold.

    A cell of several points counts if one of them does, which is more than their share.
    """
    valid = np.isfinite(small)
    part = float((small[valid] < threshold).mean()) if valid.any() else 0.0
    if not part:
        return "nowhere"
    if small.shape == da.shape:
        return f"on {100 * part:.2g} % of the picture"
    rows, columns = (step_of(size) for size in da.shape)
    return f"somewhere in {100 * part:.2g} % of the cells of {rows} × {columns} points"
