"""Dask's performance report: one HTML file about all tasks, their times, and the workers."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.errors import ClusterError, InputError, line

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_bokeh() -> None:
    """Refuse to make a report without bokeh, which draws it.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        version("bokeh")
    except PackageNotFoundError as error:
        raise InputError(
            "--performance needs bokeh, which is not installed: pip install 'dhess[performance]'"
        ) from error


@contextmanager
def reporting(client: Any, path: str, what: str) -> Iterator[None]:
    """Write a report about what a cluster does inside, once that has ended well.

    Parameters
    ----------
    client
        Of the cluster.
    path
        Where the report goes.
    what
        The work, as the report tells it.

    Raises
    ------
    ClusterError
        The scheduler cannot make one.
    """
    from distributed import performance_report

    from dhess.sink import whole_file

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "report.html")
        # Inline, so that the file shows without a network. Not as a context: that would draw after
        # a failure too, and hide it behind its own.
        report = performance_report(str(draft), mode="inline")
        try:
            client.run_on_scheduler(version, "bokeh")
            report.__enter__()
        except Exception as error:
            raise _cannot(client, error) from error
        yield
        try:
            client.sync(report.__aexit__, None, None, None, code=what)
        except Exception as error:
            raise _cannot(client, error) from error
        with whole_file(path) as file:
            file.write_bytes(draft.read_bytes())


def _cannot(client: Any, error: Exception) -> ClusterError:
    return ClusterError(
        f"the scheduler at {client.scheduler.address!r} cannot make a performance report "
        f"({line(error)}); install 'dhess[performance]' there, or leave --performance out"
    )
