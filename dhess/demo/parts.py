"""The parts of the demo: each looks at one field, says what it found, and draws it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from dhess import plot
from dhess.cluster import local_cluster
from dhess.critical import critical_points
from dhess.demo.data import SIGMA, bowl, bowl_on_a_grid, noise, terrain
from dhess.fields import gradient
from dhess.local import local_model
from dhess.planning import plan
from dhess.regions import flat_regions
from dhess.report import FindReport, PlanReport, RegionsReport, render
from dhess.report.html import Image, find_page, write_page
from dhess.sampling import hessian_at
from dhess.search import find_minimum
from dhess.sink import write_field
from dhess.source import open as open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK: Final = 128
FOUND: Final = 10
SHARE: Final = 0.05
"""Of the ground: the flattest, whose regions are looked for."""
BROAD: Final = 400.0
"""Metres over which hills are smoothed before their tops are counted."""
STEP: Final = 100.0
"""Metres from the highest top for which its local model predicts the height."""
THRESHOLD: Final = 0.004
"""A fiftieth of the largest Hessian norm of the bowl: what counts as flat in the comparison."""
CAPTIONS: Final = (
    (
        "|Laplacian|: small on the plateau, and along a curve on the\n"
        "steep flanks, where $f_{xx}$ and $f_{yy}$ cancel: not flat!"
    ),
    "Hessian norm: small on the plateau only,\nwhere the surface is really flat",
)


def flat_ground(
    store: Path, picture: Path, page: Path, say: Callable[[Any], object], n_workers: int | None
) -> None:
    """Search real terrain for its flattest points and regions, on a cluster of processes."""
    height = terrain()
    write_field(height.chunk(y=CHUNK, x=CHUNK), store)
    rows, columns = height.shape
    say(
        f"   {rows} × {columns} points near Jacksboro, Tennessee. The model has whole metres on a\n"
        "   grid of 1/1200°. It was put on axes in metres, and smoothed by a Gaussian of\n"
        f"   {SIGMA} steps, since the stairs between whole metres would be all the curvature.\n"
        "   Stored as Zarr, opened in chunks, and searched by a cluster of processes:"
    )
    stored = open_source(store)
    with local_cluster(n_workers), ThreadPoolExecutor(1) as pool:
        pool.submit(_compile_for_later)
        began = time.monotonic()
        best = find_minimum(stored, "slope", k=FOUND, exclude_edges=True)
        regions, labels = flat_regions(
            stored, "slope", quantile=SHARE, k=FOUND, labels=True
        )  # fmt: skip
        labels = labels.compute()
        spent = time.monotonic() - began
    say(render(FindReport.from_dataset(best)))
    say(f"   The flattest {SHARE:.0%} of the ground, and where most of it is connected:")
    say(render(RegionsReport.from_dataset(regions)))
    lat, lon = (
        float(height[name][int(best["index"].sel(rank=0, dim=dim))])
        for name, dim in (("lat", "y"), ("lon", "x"))
    )
    say(f"Found in {spent:.1f} s. The flattest point is at {lat:.4f}° N, {-lon:.4f}° W.")
    figure = plot.map(
        stored, best, regions=labels, relief=True, path=picture,
        measure="slope", threshold=regions.attrs["threshold"],
        title=f"Jacksboro, Tennessee: the {FOUND} flattest points, and regions of flat ground",
    )  # fmt: skip
    told = PlanReport.from_plan(plan(stored, "slope", k=FOUND))
    write_page(find_page(FindReport.from_dataset(best), images=[Image.of(figure)], plan=told), page)


def summits(store: Path, picture: Path, say: Callable[[Any], object]) -> None:
    """Find tops, hollows and passes of the terrain, and how the highest top curves."""
    stored = open_source(store)
    hills = stored.dhess.smooth({"y": BROAD, "x": BROAD})
    found = hills.dhess.critical_points()
    tops, hollows, passes = (
        int((found["kind"] == kind).sum()) for kind in ("maximum", "minimum", "saddle")
    )
    say(
        f"   Smoothed over {BROAD:.0f} m, it has {tops} tops, {hollows} hollows and {passes} "
        "passes, found\n   between the points of the grid."
    )
    top = found.isel(rank=-1)  # lowest value first
    at = {dim: float(top[dim]) for dim in ("y", "x")}
    model = local_model(hills, at)
    height, across = float(model["value"]), np.sort(np.abs(model["radius"].values))
    lower = height - float(model.predict({"x": STEP}))
    say(
        f"   The highest top is {height:.1f} m high, at y = {at['y']:.1f} m and "
        f"x = {at['x']:.1f} m.\n"
        f"   It is as round as circles of {across[0]:,.0f} m and {across[1]:,.0f} m radius;\n"
        f"   {STEP:.0f} m to the east the ground is {lower:.2f} m lower."
    )
    plot.map(
        hills, found, relief=True, path=picture, title="Tops, hollows and passes of the broad hills"
    )


def four_dimensions(picture: Path, say: Callable[[Any], object]) -> None:
    """Search a field of four dimensions in memory."""
    field = noise()
    began = time.monotonic()
    best = find_minimum(field)
    spent = time.monotonic() - began
    say(render(FindReport.from_dataset(best)))
    say(f"Found in {spent:.1f} s, ten second derivatives per point.")
    plot.slices(field, best, path=picture, title="Cuts through the flattest point of a 4-D field")


def laplacian_or_hessian(picture: Path, say: Callable[[Any], object]) -> None:
    """Show on a formula that a small Laplacian is no flat place, and that a Hessian is exact."""
    field = bowl_on_a_grid()
    say(
        "   f = (1 − exp(−10x² − y²)) / 100 is flat far from its trough and nowhere else. Its\n"
        "   Laplacian also vanishes along a curve on the steep flanks, where the surface bends\n"
        "   up in one direction and down in the other: red on the left, absent on the right."
    )
    exact = hessian_at(lambda point: bowl(point[0], point[1]), [0.0, 0.0])
    fitted = local_model(field, {"y": 0.0, "x": 0.0}, order=6)["hessian"].values
    say(
        "   At the bottom f_yy = 2/100 and f_xx = 20/100. Of the callable: "
        f"{exact[0, 0]:.8f} and {exact[1, 1]:.8f};\n"
        f"   of its samples on a grid: {fitted[0, 0]:.8f} and {fitted[1, 1]:.8f}."
    )
    plot.compare(
        field, ("laplacian_abs", "hessian_norm"), threshold=THRESHOLD, path=picture,
        title="f = (1 − exp(−10x² − y²)) / 100: where is it flat?",
        captions=CAPTIONS,
    )  # fmt: skip


def _compile_for_later() -> None:
    """Compile what comes later, while the workers compile what the search needs."""
    level = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"))
    gradient(level)
    critical_points(level)
