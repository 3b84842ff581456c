"""The demo: real terrain on an embedded cluster, a 4-D search, and why the Laplacian misleads."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from dhess.demo import parts
from dhess.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK: Final = ".dhess-demo"
"""File that makes a folder the demo's own."""
TERRAIN, MAP, PAGE = "jacksboro.zarr", "jacksboro.png", "jacksboro.html"
SUMMITS, CUTS, COMPARISON = "summits.png", "cuts.png", "laplacian_or_hessian.png"
MADE: Final = (MAP, PAGE, SUMMITS, CUTS, COMPARISON)
"""Files that it makes beside the store."""


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
        The elevation model as a Zarr store, four pictures and a page.

    Raises
    ------
    OutputError
        The folder holds something else, or cannot be written.
    InputError
        matplotlib is missing, which ships the elevation model.
    """
    began = time.monotonic()
    prepare(folder)
    store, (relief, page, tops, cuts, comparison) = folder / TERRAIN, map(folder.joinpath, MADE)
    say("1. The flattest ground of a real elevation model")
    parts.flat_ground(store, relief, page, say, n_workers)
    say("\n2. Its tops, hollows and passes")
    parts.summits(store, tops, say)
    say("\n3. The flattest point of 1,200,000 random numbers in four dimensions, smoothed")
    parts.four_dimensions(cuts, say)
    say("\n4. Why the Laplacian does not measure flatness")
    parts.laplacian_or_hessian(comparison, say)
    made = [relief, page, tops, cuts, comparison]
    say(f"\nDone in {time.monotonic() - began:.0f} s. Look at")
    say("".join(f"  {each}\n" for each in made))
    say(
        "Try next\n"
        f"  dhess info {store}\n"
        f"  dhess find {store} --measure slope --k 5\n"
        f"  dhess regions {store} --measure slope --threshold 0.02 --k 5\n"
        f"  dhess at {store} y=15000 x=20000\n"
        f"  dhess field {store} --measure hessian_norm --out {folder / 'flatness.zarr'}\n"
        "  dhess measures"
    )
    return [store, *made]


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
        for name in MADE:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write the folder {str(folder)!r} ({error.strerror}); choose another one with "
            "--out"
        ) from error
