"""Pictures of any number of dimensions: orthogonal cuts through a place, a map, or a line."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import InputError
from dhess.plot import draw
from dhess.plot.flat import flat_cut, labels_of, shaded
from dhess.plot.given import unquantified, usable
from dhess.plot.options import options_of
from dhess.plot.picture import label, pictures_with, positions
from dhess.plot.places import (
    MARKED,
    Marks,
    aim,
    best_of,
    caption,
    differentiated,
    held,
    is_critical,
    is_regions,
    kind_of,
    line_marks,
    nothing,
    place_of,
    places,
    row_of,
    same_step,
    span_of,
    through,
    told,
)
from dhess.plot.planes import map as draw_map
from dhess.plot.saving import finish

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dhess.plot.flat import Flat

CUTS = 6
"""Dimensions that `slices` draws; seven would need 21 panels."""
LINE = 4000
"""Points of a line, beside those that were found."""


def slices(
    da: xr.DataArray,
    result: xr.Dataset,
    *,
    regions: xr.Dataset | xr.DataArray | None = None,
    threshold: float | None = None,
    measure: str | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    **options: Any,
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
        What :func:`dhess.find_minimum`, :func:`dhess.flat_regions` or
        :func:`dhess.critical_points` found in `da`; the cuts go through the first row.
    regions, threshold, measure
        What is shaded or surrounded in the cuts, as in :func:`map`.
    path, title
        As in :func:`map`.
    **options
        Options of :func:`dhess.measure`, for `threshold`; those of the result are known.

    Returns
    -------
    Figure
        A triangle of panels.

    Raises
    ------
    InputError
        Fewer than two dimensions were differentiated, nothing was found, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> noise = np.random.default_rng(7).random((6, 7, 8))
    >>> da = xr.DataArray(noise, dims=("z", "y", "x"), name="noise")
    >>> len(dhess.plot.slices(da, dhess.find_minimum(da)).axes)  # three cuts and a colour bar
    4
    """
    da, result, regions = usable(da), unquantified(result), unquantified(regions)
    dims = differentiated(result)
    if len(dims) < 2:
        raise InputError(
            f"slices needs two differentiated dimensions or more, this search had {len(dims)} "
            f"({', '.join(dims)}); draw it with dhess.plot.answer"
        )
    _require_rows(result)
    regions = shaded(result, regions)
    asked = {**options_of(result, da, **options), "dims": dims}
    planes = [(y, x) for x, y in itertools.combinations(dims[-CUTS:], 2)]
    cuts = [through(da, result, *plane) for plane in planes]
    found = [flat_cut(da, result, plane, regions, threshold, measure, asked) for plane in planes]
    flats = [each for each in found if each is not None]
    drawn, small = pictures_with(cuts, [each.small for each in flats])
    span = draw.limits(np.concatenate([each.values.ravel() for each in drawn]))
    figure, panels = _triangle(len(dims[-CUTS:]) - 1)
    for ax, cut, picture in zip(panels, cuts, drawn, strict=True):
        draw.field(ax, picture, span=span)
        ax.set_aspect("auto")
        best = result.isel({row_of(result): [0]})
        draw.points(ax, Marks(places(cut, best), aim(result), kind_of(result)))
    for ax, picture, flat, below in zip(panels, drawn, flats, small, strict=False):
        draw.flat(ax, picture, below, flat.threshold, flat.text, filled=flat.filled)
    _keep_outer(panels)
    draw.colour_bar(panels, drawn[0], span)
    head = title if title is not None else f"{label(da)}: cuts through the {aim(result)}"
    told = caption(result)
    if is_critical(result):
        told += f"; {kind_of(result)} at {place_of(best_of(result))}"
    figure.suptitle(f"{head}\n{told}", fontsize=11)
    draw.legend(panels[0], outside=True)
    return finish(panels[0], path, _said(da, told, aim(result), dims[-CUTS:], span, flats))


def answer(
    da: xr.DataArray,
    result: xr.Dataset,
    *,
    regions: xr.Dataset | xr.DataArray | None = None,
    path: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Figure:
    """Draw what was found, whatever the number of dimensions: a line, a map, or cuts.

    Dimensions that were searched over without being differentiated (time steps, say) are held
    at the best point.

    Parameters
    ----------
    da
        The field that was searched.
    result
        What :func:`dhess.find_minimum`, :func:`dhess.flat_regions` or
        :func:`dhess.critical_points` found in it. Regions are shaded.
    regions
        Labels of the regions, or the regions where `result` are points in them.
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
        matplotlib is missing, or nothing was found and there are more than two dimensions.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> da = xr.DataArray(np.arange(9.0) ** 3, dims="x", name="cubic")
    >>> dhess.plot.answer(da, dhess.find_minimum(da)).axes[0].get_ylabel()
    'cubic'
    """
    da, result, regions = usable(da), unquantified(result), unquantified(regions)
    dims = differentiated(result)
    if len(dims) > 2:
        return slices(da, result, regions=regions, path=path, **options)
    if da.ndim > len(dims):
        _require_rows(result)
    same = same_step(result, dims) if result.sizes[row_of(result)] else result
    at = held(da, result, dims) if da.ndim > len(dims) else {}
    cut = da.isel(at).transpose(*dims)
    labels = labels_of(shaded(result, regions))
    if labels is not None:
        regions = labels.isel({dim: i for dim, i in at.items() if dim in labels.dims})
    if len(dims) == 2:
        return draw_map(cut, same, regions=regions, title=caption(result), path=path, **options)
    return _line(cut, same, path)


def _line(da: xr.DataArray, result: xr.Dataset, path: str | os.PathLike[str] | None) -> Figure:
    """Draw a 1-D field; of a long one every so many points, and each point that was found."""
    dim = str(da.dims[0])
    found = result["index"].sel(dim=dim).values
    even = np.linspace(0, da.size - 1, min(da.size, LINE)).astype(int)
    chosen = np.union1d(even, found)
    where, values = positions(da, dim)[chosen], da.isel({dim: chosen}).values
    ax = draw.figure(7.4, 4.2).add_subplot()
    ax.plot(where, values, color=draw.INK, lw=1.2, label=label(da))
    if is_regions(result):
        ends = result.isel(region=slice(MARKED))
        low, high = (ends[f"{end}_index"].sel(dim=dim).values for end in ("low", "high"))
        draw.stretches(ax, positions(da, dim), low, high)
    for each in line_marks(da, result):
        draw.points(ax, each)
    ax.set(xlabel=label(da, dim), ylabel=label(da))
    ax.set_title(caption(result), loc="left", fontsize=10)
    draw.legend(ax)
    least, most = draw.told_limits(np.asarray(values, dtype=np.float64))
    text = f"Line of {label(da)} over {span_of(da)}, from {least:.4g} to {most:.4g}."
    return finish(ax, path, f"{text} {told(da, result)}")


def _triangle(side: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels below the diagonal, column after column."""
    figure = draw.figure(2.4 + 2.3 * side, 1.5 + 2.1 * side)
    grid = figure.add_gridspec(side, side)
    cells = [(i, j) for j in range(side) for i in range(j, side)]
    return figure, [figure.add_subplot(grid[place]) for place in cells]


def _keep_outer(panels: Sequence[Axes]) -> None:
    """Leave labels at the left and the lower edge only."""
    for ax in panels:
        spec = ax.get_subplotspec()
        assert spec is not None
        if not spec.is_last_row():
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        if not spec.is_first_col():
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)


def _require_rows(result: xr.Dataset) -> None:
    if not result.sizes[row_of(result)]:
        raise InputError(
            f"{nothing(result)}, so there is no place to cut through; draw a plane of the field "
            "with dhess.plot.map"
        )


def _said(
    da: xr.DataArray,
    answer: str,
    what: str,
    dims: Sequence[str],
    span: tuple[float, float],
    flats: Sequence[Flat],
) -> str:
    """Return what cuts show, for those who cannot see them."""
    shaded = f" In red, {flats[0].text}." if flats else ""
    return (
        f"Cuts of {label(da)} along every two of {', '.join(dims)}, in colours from {span[0]:.4g} "
        f"to {span[1]:.4g}, through the {what}: {answer}.{shaded}"
    )
