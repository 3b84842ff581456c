"""The demo: real terrain on an embedded cluster, a 4-D search, and why the Laplacian misleads."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from dhess import plot
from dhess.cluster import local_cluster
from dhess.errors import InputError, OutputError
from dhess.fields import gradient, measure
from dhess.options import EARTH
from dhess.report import FindReport, render
from dhess.search import find_minimum
from dhess.sink import write_field
from dhess.smoothing import TRUNCATE, smooth
from dhess.source import open as open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SIGMA: Final = 2.5
"""Grid steps by which the terrain is smoothed: whole metres make stairs on a 90 m grid."""
CHUNK: Final = 128
FOUND: Final = 10
THRESHOLD: Final = 0.004
"""A fiftieth of the largest Hessian norm of the bowl: what counts as flat in the comparison."""
CAPTIONS: Final = (
    (
        "|Laplacian|: small on the plateau, and along a curve on the\n"
        "steep flanks, where $f_{xx}$ and $f_{yy}$ cancel: not flat!"
    ),
    "Hessian norm: small on the plateau only,\nwhere the surface is really flat",
)

MARK: Final = ".dhess-demo"
"""File that makes a folder the demo's own."""
TERRAIN, MAP, COMPARISON = "jacksboro.zarr", "jacksboro.png", "laplacian_or_hessian.png"


def run(
    folder: Path, say: Callable[[Any], object] = print, n_workers: int | None = None
) -> list[Path]:
    """Run the demo and return the files that it made.

    Parameters
    ----------
    folder
        Where they go: a new or empty folder, or one that the demo made before.
    say
        Called with each text and table to show.
    n_workers
        Processes of the embedded cluster; as many as there are CPUs by default.

    Returns
    -------
    list of Path
        The elevation model as a Zarr store, and two pictures.

    Raises
    ------
    OutputError
        The folder holds something else, or cannot be written.
    InputError
        matplotlib is missing, which ships the elevation model.
    """
    began = time.monotonic()
    prepare(folder)
    store, relief, comparison = (folder / name for name in (TERRAIN, MAP, COMPARISON))
    say("1. The flattest ground of a real elevation model")
    _search_terrain(store, relief, say, n_workers)
    say("\n2. The flattest point of 1,200,000 random numbers in four dimensions")
    _search_noise(say)
    say("\n3. Why the Laplacian does not measure flatness")
    _compare_measures(comparison, say)
    say(f"\nDone in {time.monotonic() - began:.0f} s. Look at\n  {relief}\n  {comparison}")
    say(
        "Try next\n"
        f"  dhess info {store}\n"
        f"  dhess find {store} --measure slope --k 5\n"
        f"  dhess field {store} --measure hessian_norm --out {folder / 'flatness.zarr'}\n"
        "  dhess measures"
    )
    return [store, relief, comparison]


def prepare(folder: Path) -> None:
    """Make the folder, or empty it of what an earlier demo left, and of nothing else.

    Raises
    ------
    OutputError
        The folder holds something else, or cannot be written.
    """
    try:
        if folder.is_dir() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise OutputError(
                f"{str(folder)!r} holds files that are not the demo's; choose a new or empty "
                "folder with --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()
        shutil.rmtree(folder / TERRAIN, ignore_errors=True)
        for name in (MAP, COMPARISON):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write the folder {str(folder)!r} ({error.strerror}); choose another one with "
            "--out"
        ) from error


def terrain() -> xr.DataArray:
    """Return the elevation model that matplotlib ships, smoothed, on axes in metres.

    Rows run from north to south.  The Gaussian's reach is cut off at the borders, so that no
    ground is made up.  Latitude and longitude come along as coordinates.
    """
    import xarray as xr

    try:
        from matplotlib.cbook import get_sample_data
    except ImportError as missing:
        raise InputError(
            "the demo needs matplotlib, which ships its elevation model: pip install 'dhess[plot]'"
        ) from missing
    with np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)) as file:
        metres = file["elevation"].astype(np.float64)
        west, north = float(file["xmin"]), float(file["ymin"])
        step = float(file["dx"])
    margin = int(np.ceil(TRUNCATE * SIGMA))
    inside = slice(margin, -margin)
    height = smooth(xr.DataArray(metres, dims=("y", "x")), SIGMA).values[inside, inside]
    lat = north - step * (margin + np.arange(height.shape[0]))
    lon = west + step * (margin + np.arange(height.shape[1]))
    y = EARTH * np.deg2rad(step) * np.arange(height.shape[0])[::-1]
    x = EARTH * np.deg2rad(step) * np.cos(np.deg2rad(lat.mean())) * np.arange(height.shape[1])
    coords = {
        "y": ("y", y, {"units": "m", "long_name": "northing"}),
        "x": ("x", x, {"units": "m", "long_name": "easting"}),
        "lat": ("y", lat, {"units": "degrees_north"}),
        "lon": ("x", lon, {"units": "degrees_east"}),
    }
    return xr.DataArray(height, coords, ("y", "x"), "elevation", {"units": "m"})


def bowl() -> xr.DataArray:
    """Return (1 − exp(−10x² − y²)) / 100 on a grid that resolves where its Laplacian vanishes."""
    import xarray as xr

    y, x = np.linspace(-1.8, 1.8, 801), np.linspace(-0.8, 0.8, 801)
    X, Y = np.meshgrid(x, y)
    values = (1 - np.exp(-10 * X**2 - Y**2)) / 100
    return xr.DataArray(values, {"y": y, "x": x}, ("y", "x"), "f")


def _search_terrain(
    store: Path, picture: Path, say: Callable[[Any], object], n_workers: int | None
) -> None:
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
        pool.submit(_compile_for_pictures)
        began = time.monotonic()
        result = find_minimum(stored, "hessian_norm", k=FOUND, exclude_edges=True)
        spent = time.monotonic() - began
    say(render(FindReport.from_dataset(result)))
    best = result["index"].isel(rank=0)
    lat, lon = (
        float(height[name][int(best.sel(dim=d))]) for name, d in (("lat", "y"), ("lon", "x"))
    )
    say(f"Found in {spent:.1f} s. The flattest ground is at {lat:.4f}° N, {-lon:.4f}° W.")
    plot.map(
        stored, result, relief=True, path=picture,
        title=f"Elevation near Jacksboro, Tennessee, and its {FOUND} flattest points",
    )  # fmt: skip


def _compile_for_pictures() -> None:
    """Compile what the pictures need, while the workers compile what the search needs."""
    level = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"))
    measure(level, "hessian_norm")
    gradient(level)


def _search_noise(say: Callable[[Any], object]) -> None:
    import xarray as xr

    noise = np.random.default_rng(0).random((30, 50, 40, 20))
    began = time.monotonic()
    result = find_minimum(xr.DataArray(noise, dims=("t", "z", "y", "x"), name="noise"))
    spent = time.monotonic() - began
    say(render(FindReport.from_dataset(result)))
    say(f"Found in {spent:.1f} s, ten second derivatives per point.")


def _compare_measures(picture: Path, say: Callable[[Any], object]) -> None:
    say(
        "   f = (1 − exp(−10x² − y²)) / 100 is flat far from its trough and nowhere else. Its\n"
        "   Laplacian also vanishes along a curve on the steep flanks, where the surface bends\n"
        "   up in one direction and down in the other: red on the left, absent on the right."
    )
    plot.compare(
        bowl(), ("laplacian_abs", "hessian_norm"), threshold=THRESHOLD, path=picture,
        title="f = (1 − exp(−10x² − y²)) / 100: where is it flat?",
        captions=CAPTIONS,
    )  # fmt: skip
