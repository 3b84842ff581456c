"""The options that commands share: they reach the library as they are, and it judges them."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dhess.cli.compute import Place, computing
from dhess.cli.reading import chunks, index, names, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import xarray as xr

OPERATOR = (
    "dims", "order", "scheme", "period", "spacing", "scale", "nan", "geometry", "latitude",
    "longitude", "radius", "datetime_unit", "dtype",
)  # fmt: skip
"""Options that go to the library by the same name."""
PLACE = ("workers", "memory_limit", "scheduler", "tls_ca", "tls_cert", "tls_key")


@dataclass(frozen=True)
class Job:
    """What the shared options say: the data, the operators, and where to compute."""

    source: str
    chunks: Any
    sel: dict[str, int | slice]
    options: dict[str, Any]
    """Keyword arguments of the library; an option that was not given is left out."""
    place: Place
    smooth: dict[str, float] | None = None
    """Standard deviations of the Gaussian to smooth with, in units of the coordinates."""

    def open(self) -> xr.DataArray:
        """Open the source lazily, select from it, and smooth what is selected."""
        from dhess.source.prepared import prepared

        return prepared(self.source, self.options, self.chunks, self.sel, self.smooth)

    def computing(
        self, da: xr.DataArray, label: str, *, performance: str | None = None
    ) -> AbstractContextManager[Any]:
        """Have what is computed inside run at the place that was asked for."""
        what = f"dhess {label} {da.encoding['source']}"  # not as typed: a URL may have a password
        return computing(self.place, da.nbytes, what, performance=performance)

    @contextmanager
    def running(
        self, da: xr.DataArray, label: str, *, performance: str | None = None
    ) -> Iterator[Any]:
        """Have it run there, and show how many tasks are done."""
        from dhess.cli.progress import counting

        with self.computing(da, label, performance=performance) as client, counting(client, label):
            yield client


def source_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add SRC, and how it is read and where, to a command; hand them to it as one `Job`."""
    return _as_job(function, (*_SOURCE, *_PLACE))


def job_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add what `source_options` adds, and the options of the operators."""
    return _as_job(function, (*_SOURCE, *_OPERATOR, *_PLACE))


def _as_job(
    function: Callable[..., None], added: Sequence[Callable[..., Any]]
) -> Callable[..., None]:
    @functools.wraps(function)
    def command(source: str, chunks: Any, sel: dict[str, int | slice], **rest: Any) -> None:
        place = Place(**{name: rest.pop(name) for name in PLACE})
        given = {name: rest.pop(name, None) for name in OPERATOR}
        options = {name: value for name, value in given.items() if value is not None}
        smooth = rest.pop("smooth", None)
        function(Job(source, chunks, sel, options, place, smooth), **rest)

    return functools.reduce(lambda decorated, add: add(decorated), reversed(added), command)


def measure_names() -> list[str]:
    """Return the names of the measures, for the shell's completion."""
    from dhess.measures import MEASURES

    return list(MEASURES)


def _choices(*known: str) -> Callable[..., list[str]]:
    return lambda *_: list(known)


_NUMBER = pairs(float, "a number")
_SOURCE = (
    click.argument("source", metavar="SRC", type=click.Path()),
    click.option(
        "--chunks", default="auto", show_default=True, metavar="auto|N|x=64,y=64",
        callback=chunks, help="Size of the blocks that are read and computed.",
    ),
    click.option(
        "--sel", multiple=True, metavar="time=3|time=0:10",
        callback=lambda *a: pairs(index, "whole numbers, counted from 0")(*a) or {},
        help="Take one index, or start:stop without stop; repeatable. One index drops the "
        "dimension; negative ones count from the end.",
    ),
)  # fmt: skip
_OPERATOR = (
    click.option(
        "--dims", metavar="z,y,x", callback=names,
        help="Dimensions to differentiate; all by default. Others are searched over.",
    ),
    click.option(
        "--order", type=int, metavar="N", shell_complete=_choices("2", "4", "6", "8"),
        help="Order of accuracy, ends and uneven axes included: 2, 4, 6 or 8.  [default: 2]",
    ),
    click.option(
        "--scheme", metavar="NAME", shell_complete=_choices("direct", "iterated"),
        help="direct, or iterated: first derivatives twice; of order 2 numpy.gradient twice, "
        "edges and all.  [default: direct]",
    ),
    click.option(
        "--period", multiple=True, metavar="lon=360", callback=_NUMBER,
        help="Length after which an axis starts over, in the unit of its coordinate. Repeatable.",
    ),
    click.option(
        "--spacing", multiple=True, metavar="x=0.1,y=2", callback=_NUMBER,
        help="Spacing of dimensions without a coordinate; 1 by default. Repeatable.",
    ),
    click.option(
        "--scale", multiple=True, metavar="t=3600|span",
        callback=pairs(float, "a number, or as span", word="span"), shell_complete=_choices("span"),
        help="How much of an axis counts as one, so that axes of different units can be added "
        "up; span: its whole length, for every axis. Repeatable.",
    ),
    click.option(
        "--nan", metavar="NAME", shell_complete=_choices("propagate", "adapt"),
        help="propagate: a point whose stencil touches a NaN is NaN. adapt: stencils are "
        "one-sided at NaN, as at the ends of an axis.  [default: propagate]",
    ),
    click.option(
        "--geometry", metavar="NAME", shell_complete=_choices("cartesian", "sphere"),
        help="What the axes span; sphere: latitude and longitude are angles, derivatives along "
        "them are per metre, and curvature is the sphere's own.  [default: cartesian]",
    ),
    click.option(
        "--latitude", metavar="NAME",
        help="Dimension that is the latitude, if neither name nor attributes tell.",
    ),
    click.option("--longitude", metavar="NAME", help="Dimension that is the longitude, likewise."),
    click.option(
        "--radius", type=float, metavar="METRES", help="Of the sphere.  [default: the Earth's]"
    ),
    click.option(
        "--datetime-unit", metavar="UNIT",
        shell_complete=_choices("D", "h", "min", "s", "ms", "us", "ns"),
        help="Unit of derivatives along times: D, h, min, s, ms, us or ns.  [default: s]",
    ),
    click.option(
        "--smooth", multiple=True, metavar="x=2,y=3",
        callback=_NUMBER,
        help="Smooth first, by a Gaussian of that standard deviation in the unit of the "
        "coordinate. Repeatable.",
    ),
    click.option(
        "--dtype", metavar="NAME", shell_complete=_choices("float32", "float64"),
        help="Of the result; arithmetic is float64 always.  [default: as the data]",
    ),
)  # fmt: skip
_PLACE = (
    click.option(
        "--workers", type=int, metavar="N",
        help="Processes of the embedded cluster. Without it, small data is computed by threads.",
    ),
    click.option("--memory-limit", metavar="4GB", help="Memory of each of them."),
    click.option(
        "--scheduler", metavar="ADDRESS|FILE.json",
        help="Use a Dask cluster that runs already.",
    ),
    click.option("--tls-ca", metavar="FILE", help="CA certificate of that cluster."),
    click.option("--tls-cert", metavar="FILE", help="Our own certificate for it."),
    click.option("--tls-key", metavar="FILE", help="The key of our certificate."),
)  # fmt: skip
