"""The strokes: colours, arrows, contours, points and legends on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dhess.plot.picture import Picture
    from dhess.plot.places import Marks

ARROWS = 24
"""Slope arrows along the longer side of a map: with more of them their heads touch."""
FAINT = 0.04
"""Arrows shorter than this part of the longest are left out: they would be dots."""
CLOSE = 0.04
"""Points nearer than this part of the box have their numbers on different sides."""
COLOURS = "cividis"
RED = "#e3191c"
INK = "#20242e"
HATCH = "////"
"""Strokes over flat regions: unlike a colour, they are seen in grey too."""
MARKERS = {
    "minimum": ("v", 2.0), "maximum": ("^", 2.0), "saddle": ("X", 1.9), "degenerate": ("s", 1.2),
}  # fmt: skip
"""Of critical points: shapes, since all are red, and their area beside that of a point."""


def figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches that belongs to nobody else."""
    try:
        from matplotlib.figure import Figure as New
    except ImportError as missing:
        raise InputError(
            "drawing needs matplotlib, which is not installed: pip install 'dhess[plot]'"
        ) from missing
    return New(figsize=(width, height), layout="constrained")


def figure_for(picture: Picture, panels: int = 1) -> Figure:
    """Return a figure whose size suits the shape of a picture, drawn so many times."""
    wide, tall = picture.shape_on_paper
    longest = 7.2 if panels == 1 else 5.4
    return figure(panels * (longest * wide + 0.5) + 0.8, longest * tall + 1.4)


def limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest and largest finite value; 0 and 1 where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def told_limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the limits for a text: what is nothing beside the larger one is zero.

    Examples
    --------
    >>> told_limits(np.array([1e-65, 4.93]))
    (0.0, 4.93)
    """
    low, high = limits(values)
    dust = 1e-12 * max(abs(low), abs(high))
    return (0.0 if abs(low) < dust else low, 0.0 if abs(high) < dust else high)


def field(
    ax: Axes,
    picture: Picture,
    *,
    relief: bool = False,
    span: tuple[float, float] | None = None,
) -> None:
    """Draw the values in colours, to scale where the picture has one."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(*(span or limits(picture.values))), colormaps[COLOURS])
    colours = scale.to_rgba(np.ma.masked_invalid(picture.values))
    shade = _shade(picture) if relief else None
    if shade is not None:
        colours[..., :3] = _lit(colours[..., :3], shade[..., np.newaxis])
    ax.set_facecolor("0.85")
    ax.pcolormesh(picture.x, picture.y, colours, shading="nearest", rasterized=True)
    ax.set(xlabel=picture.labels[0], ylabel=picture.labels[1])
    ax.set_aspect(picture.aspect or "auto")


def colour_bar(
    panels: Sequence[Axes], picture: Picture, span: tuple[float, float] | None = None
) -> None:
    """Draw the key to the colours: as tall as the last panel, or (given a span) beside them all."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(*(span or limits(picture.values))), colormaps[COLOURS])
    where = (
        {"ax": list(panels), "pad": 0.02, "aspect": 30}
        if span
        else {"cax": panels[-1].inset_axes((1.03, 0.0, 0.035, 1.0))}
    )
    panels[-1].figure.colorbar(scale, label=picture.labels[2], **where)


def arrows(ax: Axes, picture: Picture) -> None:
    """Draw the mean uphill slope of each block of the picture as an arrow.

    An arrow is perpendicular to the contour lines as they appear on paper, whatever the units of
    the axes, and the steepest ones are as long as the blocks. There is none where half of a block
    or its middle has no data: it would float in the sea.
    """
    import matplotlib.patheffects as effects

    if picture.gradient is None:
        return
    rows, columns = picture.blocks(ARROWS)
    along_x, along_y = (_means(part, rows, columns) for part in picture.gradient)
    length = np.hypot(along_x, along_y)
    longest = np.nanpercentile(length, 97) if np.isfinite(length).any() else 0.0
    right = np.minimum(np.arange(length.shape[1]) * columns + columns // 2, picture.x.size - 1)
    up = np.minimum(np.arange(length.shape[0]) * rows + rows // 2, picture.y.size - 1)
    dry = np.isfinite(picture.values[np.ix_(up, right)])
    shown = dry & np.isfinite(length) & (length > FAINT * longest)
    if not shown.any():
        return
    shrink = np.minimum(1.0, longest / length[shown]) / longest
    row, column = np.nonzero(shown)
    x, y = picture.x[right[column]], picture.y[up[row]]
    drawn = ax.quiver(
        x, y, along_x[shown] * shrink, along_y[shown] * shrink,
        angles="uv", scale_units="width", scale=picture.x.size / columns / 0.95, pivot="middle",
        color="white", width=0.0032, headwidth=3.6, headlength=4.2, headaxislength=3.8,
        minlength=0.1, zorder=3,
    )  # fmt: skip
    drawn.set_path_effects([effects.withStroke(linewidth=1.3, foreground=INK)])


def flat(
    ax: Axes, picture: Picture, small: NDArray[np.float64], threshold: float, text: str,
    *, filled: bool = False,
) -> None:  # fmt: skip
    """Draw a red line around the places where something is below the threshold, or shade them too.

    The line has a white rim, and the shade is hatched, so that both are seen on any colour and in
    grey.
    """
    import matplotlib.patheffects as effects

    tint = (*_rgb(RED), 0.22)
    if filled:
        ax.fill([], [], facecolor=tint, edgecolor=RED, hatch=HATCH, label=text)
    else:
        ax.plot([], [], color=RED, lw=1.4, label=text)
    below = np.isfinite(small) & (small < threshold)
    if min(small.shape) < 2 or not below.any():
        return
    x, y = _to_rims(picture.x), _to_rims(picture.y)
    small = np.pad(small, 1, mode="edge")
    if filled:
        levels = [float(np.nanmin(small)) - 1, threshold]
        shade = ax.contourf(x, y, small, levels=levels, colors=[tint], hatches=[HATCH], zorder=2.5)
        shade.set_edgecolor(RED)
        shade.set_linewidth(0)
    if np.nanmax(small) > threshold:
        line = ax.contour(x, y, small, levels=[threshold], colors=RED, linewidths=1.1, zorder=4)
        line.set_capstyle("round")  # around a single point in a corner it is a dot
        line.set_path_effects([effects.withStroke(linewidth=2.4, foreground="white")])


def stretches(
    ax: Axes, places: NDArray[Any], low: NDArray[np.int64], high: NDArray[np.int64]
) -> None:
    """Shade parts of a line, each from its lowest to its highest index; each point is a cell.

    Where the highest index is below the lowest one, a part goes over the seam of a periodic axis
    and is two spans.
    """
    rims = _cell_rims(places)
    for i, (first, last) in enumerate(zip(low, high, strict=True)):
        over = [(first, last)] if first <= last else [(first, len(places) - 1), (0, last)]
        for k, (start, end) in enumerate(over):
            ax.axvspan(
                rims[start], rims[end + 1],
                facecolor=(*_rgb(RED), 0.22), edgecolor=RED, hatch=HATCH, lw=1.1, zorder=0.5,
                label="" if i or k else "flat regions",
            )  # fmt: skip


def points(ax: Axes, marks: Marks, *, size: float = 40) -> None:
    """Mark places in red with a white rim, and write their ranks, if given, beside them."""
    x, y = marks.where
    shape, larger = MARKERS.get(marks.kind, ("o", 1.0))
    ax.scatter(
        x, y, s=size * larger * marks.area, c=RED, marker=shape, edgecolors="white",
        linewidths=min(1.2, size * marks.area / 30), zorder=5, label=marks.text,
    )  # fmt: skip
    numbered: list[NDArray[np.float64]] = []
    for rank, place in zip(marks.ranks, zip(x, y, strict=True), strict=bool(marks.ranks)):
        numbered.append(_number(ax, rank, place, numbered))


def _number(
    ax: Axes, rank: int, place: tuple[Any, Any], others: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Write a rank beside its point, and return where in the box the point is, from 0 to 1.

    The number stands on the side towards the middle, or on the far one where a number stands.
    """
    import matplotlib.patheffects as effects

    axes: tuple[Any, Any] = (ax.xaxis, ax.yaxis)  # dates become numbers here
    drawn = [axis.convert_units(end) for axis, end in zip(axes, place, strict=True)]
    inside: NDArray[np.float64] = ax.transAxes.inverted().transform(ax.transData.transform(drawn))
    taken = any(np.abs(inside - other).max() < CLOSE for other in others)
    left = (inside[0] > 0.5) != taken
    number = ax.annotate(
        str(rank), place, (-6 if left else 6, -5 if inside[1] > 0.5 else 5),
        textcoords="offset points", ha="right" if left else "left", va="center",
        color="white", fontsize=8.5, weight="bold", zorder=6,
    )  # fmt: skip
    number.set_path_effects([effects.withStroke(linewidth=2, foreground=INK)])
    return inside


def legend(ax: Axes, *, outside: bool = False) -> None:
    """Name what the marks mean, in one row below the axes, or `outside` below all panels."""
    from matplotlib.lines import Line2D
    from matplotlib.quiver import Quiver

    handles, labels = ax.get_legend_handles_labels()
    if any(isinstance(each, Quiver) for each in ax.collections):
        handles.append(Line2D([], [], color=INK, marker=r"$\rightarrow$", ls="", ms=13))
        labels.append("uphill slope")
    if not handles:
        return
    row = {"ncols": len(handles), "frameon": False, "fontsize": 9, "columnspacing": 1.6}
    if outside:
        ax.figure.legend(handles, labels, loc="outside lower center", markerscale=1.3, **row)
    else:
        below = -0.62 / ax.get_window_extent().height * ax.figure.dpi
        ax.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, below), **row)


def _to_rims(places: NDArray[Any]) -> NDArray[Any]:
    """Return places of points and, before and behind them, of the rims of the outermost cells."""
    if places.dtype.kind in "iu":  # unsigned ones have no differences
        places = places.astype(np.float64)
    first, last = (places[1] - places[0]) / 2, (places[-1] - places[-2]) / 2
    return np.concatenate([[places[0] - first], places, [places[-1] + last]])


def _cell_rims(places: NDArray[Any]) -> NDArray[Any]:
    """Return where the cells of a line begin and end: half-way between neighbours."""
    around = _to_rims(places)
    between = around[1:-2] + (around[2:-1] - around[1:-2]) / 2
    return np.concatenate([around[:1], between, around[-1:]])


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _shade(picture: Picture) -> NDArray[np.float64] | None:
    """Return how much light from the upper left falls on each point; level ground gets 1.

    Heights are exaggerated until the steepest twentieth of the slopes reaches 45 degrees.
    """
    if picture.gradient is None:
        return None
    along_x, along_y = (np.nan_to_num(part) for part in picture.gradient)
    steepest = np.percentile(np.hypot(along_x, along_y), 95)
    if not steepest:
        return None
    along_x, along_y = along_x / steepest, along_y / steepest
    facing = (1 + 0.75 * (along_x - along_y)) / np.sqrt(1 + along_x**2 + along_y**2)
    shade: NDArray[np.float64] = np.clip(facing, 0.0, 1.5)
    return shade


def _lit(colours: NDArray[np.float64], shade: NDArray[np.float64]) -> NDArray[np.float64]:
    """Darken what is in the shade, and mix white into what faces the light."""
    darker = colours * (0.4 + 0.6 * np.minimum(shade, 1))
    return darker + (1 - darker) * 0.7 * np.maximum(shade - 1, 0) + (1 - darker) * 0.1


def _means(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Return the mean of each whole block of rows × columns points, NaN if half of it is NaN."""
    high, wide = (
        max(1, n // block) for n, block in zip(values.shape, (rows, columns), strict=True)
    )
    whole = values[: high * rows, : wide * columns]
    blocks = whole.reshape(high, whole.shape[0] // high, wide, whole.shape[1] // wide)
    valid = np.isfinite(blocks)
    count = valid.sum(axis=(1, 3))
    total = np.where(valid, blocks, 0.0).sum(axis=(1, 3))
    enough = 2 * count > blocks.shape[1] * blocks.shape[3]
    means: NDArray[np.float64] = np.where(enough, total / np.maximum(count, 1), np.nan)
    return means
