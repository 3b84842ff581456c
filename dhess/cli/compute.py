"""Where the work runs: threads of this process, the embedded cluster, or one that runs already."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@contextmanager
def computing(place: Place, nbytes: int, label: str) -> Iterator[None]:
    """Have Dask compute at a place, and show progress on stderr.

    Raises
    ------
    InputError
        If options are combined that exclude each other.
    ClusterError
        If the scheduler does not answer.
    """
    from dhess.cli.progress import watching

    _check(place)
    with ExitStack() as stack:
        client = _client(place, nbytes, stack)
        stack.enter_context(watching(client, label))
        yield


def _client(place: Place, nbytes: int, stack: ExitStack) -> Any:
    """Return the client of the cluster to use; none for threads."""
    if place.scheduler is not None:
        from dhess.cluster import connect

        return stack.enter_context(connect(place.scheduler, security=_security(place)))
    if place.workers is None and place.memory_limit is None and nbytes <= SMALL:
        return None
    from dhess.cluster import local_cluster

    return stack.enter_context(local_cluster(place.workers, memory_limit=place.memory_limit))


def _check(place: Place) -> None:
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


def _security(place: Place) -> Any:
    """Return what the client shows to the scheduler; none without TLS files."""
    from dhess.cluster import tls

    if place.tls_ca is None or place.tls_cert is None or place.tls_key is None:
        return None
    return tls(place.tls_ca, place.tls_cert, place.tls_key)
