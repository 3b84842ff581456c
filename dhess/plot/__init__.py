"""Pictures of a field and of where it is flattest: a map, two measures side by side, cuts.

Every function returns a :class:`matplotlib.figure.Figure` that belongs to no global state, so it
works without a display, in threads, and beside a user's own ``pyplot`` figures.  Colours come from
*cividis*, which is perceptually uniform and reads the same with a colour-vision deficiency; what
was found is red with a white rim.  A field larger than about 1000 points per side is averaged over
blocks while it is still lazy; marks are placed afterwards, so none of them is lost.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess import fields
from dhess.errors import InputError
from dhess.measures import find_measure
from dhess.plot import draw
from dhess.plot.draw import check_format
from dhess.plot.options import options_of
from dhess.plot.picture import closest, label, pictures, positions, thin

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dhess.plot.picture import Vectors

CUTS = 6
"""Dimensions that `slices` draws; seven would need 21 panels."""
NUMBERED = 12
"""Points that a map numbers by rank; more of them and the numbers hide the map."""

__all__ = ["answer", "check_format", "compare", "map", "slices"]


def map(  # noqa: A001  (the name is part of the public API)
    da: xr.DataArray,
    result: xr.Dataset | None = None,
    *,
    threshold: float | None = None,
    measure: str = "hessian_norm",
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
        What :func:`dhess.find_minimum` found in `da`: drawn as red points, numbered by rank.
    threshold
        A value of `measure`: a red contour surrounds the places where it is smaller.
    measure
        The measure that `threshold` is about.
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
        components with ``geometry="sphere"``. Those that `result` was found with are known.

    Returns
    -------
    Figure
        The figure that was drawn, or the one that `ax` belongs to.

    Raises
    ------
    InputError
        The field is not 2-D, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> y, x = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 31), indexing="ij")
    >>> bowl = xr.DataArray(x**4 + y**4, dims=("y", "x"), name="bowl")
    >>> figure = dhess.plot.map(bowl, dhess.find_minimum(bowl))
    >>> figure.axes[0].get_xlabel()
    'x [index]'
    """
    _require_plane(da)
    if result is not None:
        options = options_of(result, da, **options)
    picture = pictures([da], options)[0]
    ax = ax if ax is not None else draw.figure_for(picture).add_subplot()
    draw.field(ax, picture, relief=relief)
    draw.colour_bar([ax], picture)
    draw.arrows(ax, picture)
    if threshold is not None:
        small = thin(fields.measure(da, measure, **options), "min").values
        draw.contour(ax, picture, small, threshold, measure)
    if result is not None:
        ranks = result["rank"].values.tolist()
        numbered = ranks if 1 < len(ranks) <= NUMBERED else []
        draw.points(ax, _places(da, result), _found(result), ranks=numbered)
    ax.set_title(title if title is not None else label(da), loc="left")
    draw.legend(ax)
    return _finish(ax, path)


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

    Colours are the field and arrows its gradient, the same in every panel.  A red contour
    surrounds the places where the panel's measure is below `threshold`, and red points mark the
    ones closest to zero: at most one in each small block, so that a wide area stays readable.

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
        The field is not 2-D, a measure is unknown, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> y, x = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 31), indexing="ij")
    >>> saddle = xr.DataArray(x**2 - y**2, dims=("y", "x"), name="saddle")
    >>> len(dhess.plot.compare(saddle, threshold=0.001).axes)  # two panels
    2
    """
    import dask

    _require_plane(da)
    known = [find_measure(name) for name in measures]
    lazy = [thin(fields.measure(da, each.name, **options), "min") for each in known]
    values = [np.asarray(each.values) for each in dask.compute(*lazy)]
    picture = pictures([da], options)[0]
    if threshold is None:
        threshold = draw.limits(values[-1])[1] / 50
    figure = draw.figure_for(picture, panels=len(known))
    panels = figure.subplots(1, len(known), sharex=True, sharey=True, squeeze=False)[0]
    captions = captions or [f"{each.name} = {each.formula}" for each in known]
    for ax, small, caption in zip(panels, values, captions, strict=True):
        draw.field(ax, picture)
        draw.arrows(ax, picture)
        draw.contour(ax, picture, small, threshold, "measure")
        draw.points(ax, closest(picture, small, threshold), "points closest to zero", size=13)
        ax.set_title(caption, loc="left", fontsize=11)
        ax.label_outer()
    draw.legend(panels[0], outside=True)
    draw.colour_bar(panels, picture)
    figure.suptitle(title if title is not None else f"Where is {label(da)} flat?", weight="bold")
    return _finish(panels[0], path)


def slices(
    da: xr.DataArray,
    result: xr.Dataset,
    *,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw every orthogonal 2-D cut of a field through the best point of a search.

    The panel in column *j* and row *i* shows dimension *j* to the right and *i* upwards, with
    all others held at the point; colours mean the same in all panels.  Of a field with more
    than six differentiated dimensions the last six are drawn.

    Parameters
    ----------
    da
        The field, with two or more differentiated dimensions.
    result
        What :func:`dhess.find_minimum` found in `da`.
    path, title
        As in :func:`map`.

    Returns
    -------
    Figure
        A triangle of panels.

    Raises
    ------
    InputError
        Fewer than two dimensions were differentiated, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> noise = np.random.default_rng(7).random((6, 7, 8))
    >>> da = xr.DataArray(noise, dims=("z", "y", "x"), name="noise")
    >>> len(dhess.plot.slices(da, dhess.find_minimum(da)).axes)  # three cuts and a colour bar
    4
    """
    dims = _differentiated(result)[-CUTS:]
    if len(dims) < 2:
        raise InputError(
            f"slices needs two differentiated dimensions or more, this search had {len(dims)} "
            f"({', '.join(dims)}); draw it with dhess.plot.answer"
        )
    pairs = [(j, i) for i, j in itertools.combinations(range(len(dims))[::-1], 2)]
    cuts = [_through(da, result, dims[i], dims[j]) for j, i in pairs]
    drawn = pictures(cuts)
    span = draw.limits(np.concatenate([each.values.ravel() for each in drawn]))
    side = len(dims) - 1
    figure = draw.figure(2.4 + 2.3 * side, 1.5 + 2.1 * side)
    grid = figure.add_gridspec(side, side)
    panels = []
    for (j, i), cut, picture in zip(pairs, cuts, drawn, strict=True):
        ax = figure.add_subplot(grid[i - 1, j])
        draw.field(ax, picture, span=span)
        ax.set_aspect("auto")
        draw.points(ax, _places(cut, result.isel(rank=[0])), "flattest point")
        if i < side:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        if j > 0:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        panels.append(ax)
    draw.colour_bar(panels, drawn[0], span)
    figure.suptitle(title if title is not None else f"{label(da)}: cuts through the flattest point")
    figure.supxlabel(_caption(result), fontsize=13)
    return _finish(panels[0], path)


def answer(
    da: xr.DataArray,
    result: xr.Dataset,
    *,
    path: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Figure:
    """Draw what a search found, whatever the number of dimensions: a line, a map, or cuts.

    Dimensions that were searched over without being differentiated (time steps, say) are held
    at the best point.

    Parameters
    ----------
    da
        The field that was searched.
    result
        What :func:`dhess.find_minimum` found in it.
    path
        Where to save the picture; the ending says the format.
    **options
        As in :func:`map`; those that `result` was found with are known.

    Returns
    -------
    Figure
        One differentiated dimension: a line; two: :func:`map`; more: :func:`slices`.

    Raises
    ------
    InputError
        matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> da = xr.DataArray(np.arange(9.0) ** 3, dims="x", name="cubic")
    >>> dhess.plot.answer(da, dhess.find_minimum(da)).axes[0].get_ylabel()
    'cubic'
    """
    dims = _differentiated(result)
    if len(dims) > 2:
        return slices(da, result, path=path)
    same = _same_step(result, dims)
    cut = _through(da, result, *dims)
    if len(dims) == 2:
        return map(cut, same, title=_caption(result), path=path, **options)
    return _line(cut, same, path)


def _line(da: xr.DataArray, result: xr.Dataset, path: str | os.PathLike[str] | None) -> Figure:
    """Draw a 1-D field; of a long one every so many points, and each point that was found."""
    dim = str(da.dims[0])
    chosen = np.unique(np.linspace(0, da.size - 1, min(da.size, 4000)).astype(int))
    values = da.isel({dim: chosen}).values
    ax = draw.figure(7.4, 4.2).add_subplot()
    ax.plot(positions(da, dim)[chosen], values, color="#20242e", lw=1.2, label=label(da))
    found = result["index"].sel(dim=dim).values
    draw.points(ax, (positions(da, dim)[found], result["field"].values), _found(result))
    ax.set(xlabel=label(da, dim), ylabel=label(da))
    ax.set_title(_caption(result), loc="left", fontsize=10)
    draw.legend(ax)
    return _finish(ax, path)


def _require_plane(da: xr.DataArray) -> None:
    if da.ndim != 2:
        dims = ", ".join(str(dim) for dim in da.dims)
        raise InputError(
            f"a map shows two dimensions, {label(da)!r} has {da.ndim} ({dims}); choose a plane "
            "with .isel, or draw a search's answer with dhess.plot.answer"
        )


def _finish(ax: Axes, path: str | os.PathLike[str] | None) -> Figure:
    from matplotlib.figure import Figure

    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    draw.save(figure, path)
    return figure


def _differentiated(result: xr.Dataset) -> list[str]:
    return [str(dim) for dim in result["row"].values]


def _same_step(result: xr.Dataset, dims: list[str]) -> xr.Dataset:
    """Keep the answers that lie in the same time step, or other batch index, as the best one."""
    others = ~result["dim"].isin(dims)
    index = result["index"].where(others, 0)
    return result.isel(rank=(index == index.isel(rank=0)).all("dim").values)


def _through(da: xr.DataArray, result: xr.Dataset, *dims: str) -> xr.DataArray:
    """Return the cut of a field along some dimensions, through the best point."""
    best = result["index"].isel(rank=0)
    held = {dim: int(best.sel(dim=dim)) for dim in da.dims if dim not in dims}
    return da.isel(held).transpose(*dims)


def _places(da: xr.DataArray, result: xr.Dataset) -> Vectors:
    """Return where the answers are drawn on a plane, x first."""
    y, x = (positions(da, str(d))[result["index"].sel(dim=d).values] for d in da.dims)
    return x, y


def _found(result: xr.Dataset) -> str:
    count = result.sizes["rank"]
    name = result.attrs.get("measure", "measure")
    return f"smallest {name}" if count == 1 else f"{count} smallest values of {name}"


def _caption(result: xr.Dataset) -> str:
    """Return the best answer as one line: the measure's value and where it is."""
    best = result.isel(rank=0)
    place = ", ".join(f"{dim} = {_text(best, str(dim))}" for dim in result["dim"].values)
    return f"{result.attrs.get('measure', 'measure')} = {float(best['value']):.4g} at {place}"


def _text(best: xr.Dataset, dim: str) -> str:
    value = best[dim].values
    return f"{float(value):.6g}" if value.dtype.kind in "iuf" else str(value)
