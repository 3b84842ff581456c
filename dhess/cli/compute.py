"""Where the work runs: threads of this process, the embedded cluster, or one that runs already."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

SMALL: Final = 2**30
"""Bytes up to which threads serve, being faster than a cluster that has to start first.

Measured on two cores, threads against processes: 256 MB in 7 s against 18, 2 GB in 24 s against
34.  Above it processes serve all the same, for their memory is limited and returned.
"""


@dataclass(frozen=True)
class Place:
    """What the options say about where to compute."""

    workers: int | None = None
    memory_limit: str | None = None
    scheduler: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None

    @property
    def tls(self) -> dict[str, str | None]:
        """The three TLS files by option."""
        return {"--tls-ca": self.tls_ca, "--tls-cert": self.tls_cert, "--tls-key": self.tls_key}

    def in_threads(self, nbytes: int) -> bool:
        """Tell whether threads of this process serve, for so many bytes of data."""
        asked = (self.workers, self.memory_limit, self.scheduler)
        return nbytes <= SMALL and asked == (None, None, None)


@contextmanager
def computing(
    place: Place, nbytes: int, what: str, *, performance: str | None = None
) -> Iterator[Any]:
    """Have Dask compute at a place: hand out the client of the cluster, none for threads.

    With *performance*, Dask's performance report of the work goes to that file; *what* is its name.

    Raises
    ------
    InputError
        If options are combined that exclude each other, or bokeh is missing for the report.
    ClusterError
        If the scheduler does not answer.
    """
    from dhess.cli.performance import check_bokeh, reporting

    check_place(place)
    if performance is not None and place.scheduler is None:
        check_bokeh()
    with ExitStack() as stack:
        if performance is None and place.in_threads(nbytes):
            log.info("computing in threads of this process")
            yield None
            return
        client = stack.enter_context(cluster(place))
        _tell_workers(client)
        if performance is not None:
            stack.enter_context(reporting(client, performance, what))
        yield client


@contextmanager
def cluster(place: Place) -> Iterator[Any]:
    """Use the scheduler that is named, or else start the embedded cluster."""
    if place.scheduler is not None:
        from dhess.cluster import connect

        with connect(place.scheduler, security=_security(place)) as client:
            yield client
        return
    from dhess.cluster import local_cluster

    with local_cluster(place.workers, memory_limit=place.memory_limit) as client:
        yield client


def check_place(place: Place) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    InputError
        For the first such pair.
    """
    missing = [option for option, file in place.tls.items() if file is None]
    if 0 < len(missing) < 3:
        raise InputError(
            f"{' and '.join(missing)} is missing; TLS needs all of {', '.join(place.tls)}"
        )
    if place.scheduler is None:
        if not missing:
            raise InputError(
                f"--tls-ca {place.tls_ca!r} is for a running cluster; "
                "name it with --scheduler tls://HOST:PORT"
            )
        return
    for name, value in (("--workers", place.workers), ("--memory-limit", place.memory_limit)):
        if value is not None:
            raise InputError(
                f"{name} {value} is for the embedded cluster and cannot go with --scheduler "
                f"{place.scheduler!r}; leave one of the two out"
            )


def _tell_workers(client: Any) -> None:
    """Tell the log who computes."""
    from dhess.report.layout import amount, counted
    from dhess.running import workers

    known = workers()
    address = client.scheduler.address
    if known is None:
        log.info("computing on %s, which has no workers yet", address)
        return
    memory = "" if known.memory is None else f" and {amount(known.memory)} each"
    team = f"{counted(known.count, 'worker')} of {counted(known.threads, 'thread')}{memory}"
    log.info("computing on %s: %s", address, team)


def _security(place: Place) -> Any:
    """Return what the client shows to the scheduler; none without TLS files."""
    from dhess.cluster import tls

    if place.tls_ca is None or place.tls_cert is None or place.tls_key is None:
        return None
    return tls(place.tls_ca, place.tls_cert, place.tls_key)
