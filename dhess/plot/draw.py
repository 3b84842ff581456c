"""The strokes: colours, arrows, contours, points and legends on matplotlib axes."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import InputError, OutputError, suggest
from dhess.sink import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dhess.plot.picture import Picture, Vectors

ARROWS = 24
"""Slope arrows along the longer side of a map: with more of them their heads touch."""
FAINT = 0.04
"""Arrows shorter than this part of the longest are left out: they would be dots."""
CLOSE = 0.04
"""Points nearer than this part of the box have their numbers on different sides."""
COLOURS = "cividis"
RED = "#e3191c"
DPI = 150


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


def check_format(path: str | os.PathLike[str]) -> None:
    """Refuse a file whose ending names no picture format.

    Raises
    ------
    OutputError
        If the ending is unknown.
    InputError
        If matplotlib is missing.
    """
    known = figure(1, 1).canvas.get_supported_filetypes()
    ending = PurePath(path).suffix.lower().lstrip(".")
    if ending not in known:
        seen = f"the ending {ending!r}" if ending else "no ending"
        raise OutputError(
            f"cannot draw {str(path)!r}: {seen} is not a picture format; "
            f"{suggest(ending, sorted(known))}"
        )


def save(drawn: Figure, path: str | os.PathLike[str] | None) -> None:
    """Save a figure if there is a path, whole or not at all; its ending says the format.

    Raises
    ------
    OutputError
        If the ending is unknown, or the file cannot be written.
    """
    if path is not None:
        check_format(path)
        with whole_file(path) as partial:
            drawn.savefig(partial, dpi=DPI, bbox_inches="tight", pad_inches=0.15)


def limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest and largest finite value; 0 and 1 where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


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
    drawn.set_path_effects([effects.withStroke(linewidth=1.3, foreground="#20242e")])


def contour(
    ax: Axes, picture: Picture, measure: NDArray[np.float64], threshold: float, name: str
) -> None:
    """Draw a red line around the places where a measure is below the threshold."""
    finite = measure[np.isfinite(measure)]
    if finite.size and finite.min() < threshold < finite.max():
        ax.contour(
            picture.x, picture.y, measure, levels=[threshold], colors=RED, linewidths=1.0, zorder=4
        )
    ax.plot([], [], color=RED, lw=1.0, label=f"{name} = {threshold:.3g}")


def points(
    ax: Axes, where: Vectors, text: str, *, size: float = 40, ranks: Sequence[int] = ()
) -> None:
    """Mark places in red with a white rim, and write their ranks, if given, beside them."""
    x, y = where
    rim = min(1.2, size / 30)
    ax.scatter(x, y, s=size, c=RED, edgecolors="white", linewidths=rim, zorder=5, label=text)
    numbered: list[NDArray[np.float64]] = []
    for rank, place in zip(ranks, zip(x, y, strict=True), strict=bool(ranks)):
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
    number.set_path_effects([effects.withStroke(linewidth=2, foreground="#20242e")])
    return inside


def legend(ax: Axes, *, outside: bool = False) -> None:
    """Name what the marks mean, in one row below the axes, or `outside` below all panels."""
    from matplotlib.lines import Line2D
    from matplotlib.quiver import Quiver

    handles, labels = ax.get_legend_handles_labels()
    if any(isinstance(each, Quiver) for each in ax.collections):
        handles.append(Line2D([], [], color="#20242e", marker=r"$\rightarrow$", ls="", ms=13))
        labels.append("uphill slope")
    if not handles:
        return
    row = {"ncols": len(handles), "frameon": False, "fontsize": 9, "columnspacing": 1.6}
    if outside:
        ax.figure.legend(handles, labels, loc="outside lower center", markerscale=1.3, **row)
    else:
        below = -0.62 / ax.get_window_extent().height * ax.figure.dpi
        ax.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, below), **row)


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
