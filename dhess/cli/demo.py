"""``dhess demo``: real terrain and two synthetic fields, in half a minute."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    short_help="Search real terrain and two synthetic fields, in half a minute.",
    epilog="""\b
Examples:
  dhess demo
  dhess demo --out pictures --workers 4""",
)
@click.option(
    "--out", "folder", default="dhess-demo", show_default=True, metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the files go: a new or empty folder, or one that the demo made before.",
)  # fmt: skip
@click.option("--workers", type=int, metavar="N", help="Processes of the embedded cluster.")
def demo(folder: Path, workers: int | None) -> None:
    """Search a real elevation model and two synthetic fields, and draw what was found.

    Nothing is downloaded: the elevation model ships with matplotlib.
    """
    from dhess.cli.outputs import say
    from dhess.demo import run

    run(folder, say, n_workers=workers)
