"""The cluster that computes: one made here and ended with its context, or one that is given."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import threading
import time
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask

from dhess.errors import ClusterError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client, Security

__all__ = ["connect", "local_cluster", "tls"]

# Dask's nanny starts workers with a trim threshold of 64 kB, so that every large block is given
# back to the system and faulted in again: 0.16 s instead of 0.10 s to read one of 67 MB. The price
# is memory that the process keeps. With one arena what one thread gives back serves the others, and
# large blocks come from it too: a search of such blocks peaks at 430 MB instead of 490, as fast.
_ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": 2147483648,
    "MALLOC_MMAP_THRESHOLD_": 2147483648,
    "MALLOC_ARENA_MAX": 1,
}
# What a worker takes before it has any data; one with less pauses for good.
_LEAST_MEMORY = 200_000_000
# A terminal sends Ctrl-C to the workers too, and one that dies of it prints two tracebacks. As text
# and not as a function of this module, which would import all of dhess (2 s) before it starts.
_LEAVE_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_LOGGING = "DASK_LOGGING__DISTRIBUTED"
_ENVIRON = "distributed.nanny.pre-spawn-environ"
# Every account of this machine reaches loopback, and Dask's pages tell of tasks, workers and logs
# without a dashboard too: /info, /json and /metrics.
_NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []
}  # fmt: skip


@contextlib.contextmanager
def local_cluster(
    n_workers: int | None = None,
    *,
    memory_limit: str | float | None = None,
    **kw: Any,
) -> Iterator[Client]:
    """Start worker processes of one thread on this machine, and end them with the context.

    The client is the default one inside the context, so every Dask computation uses it. The workers
    listen on the loopback interface only, without a dashboard or any other page, leave Ctrl-C to
    this process, and log nothing but what is fatal; your own Dask configuration of the workers'
    environment or of logging wins. A script needs its ``if __name__ == "__main__":``, since the
    processes import it.

    Parameters
    ----------
    n_workers
        Processes; the CPUs that this process may use by default.
    memory_limit
        Of each worker: bytes, text such as ``"4GB"``, or a share of the machine up to 1. By default
        an equal share of the machine's memory.
    **kw
        Handed to `distributed.LocalCluster`; ``dashboard_address="127.0.0.1:8787"`` turns the
        dashboard on.

    Yields
    ------
    distributed.Client

    Raises
    ------
    InputError
        Fewer than one worker, or a memory limit that cannot be read.
    ClusterError
        The processes did not start.

    Examples
    --------
    >>> import dhess
    >>> with dhess.local_cluster(1, memory_limit="1GB") as client:
    ...     client.submit(pow, 2, 10).result()
    1024
    """
    from distributed import Client, LocalCluster

    options: dict[str, Any] = {
        "n_workers": _worker_count(n_workers),
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": "dashboard_address" in kw},
        "silence_logs": logging.CRITICAL,
        "preload": [*dask.config.get("distributed.worker.preload"), _LEAVE_CTRL_C],
        **({} if memory_limit is None else {"memory_limit": _memory(memory_limit)}),
        **kw,
    }
    with _environment_restored(), _quiet(), contextlib.ExitStack() as stack:
        try:
            pages = {} if "dashboard_address" in kw else _NO_PAGES
            config = dask.config.set({_ENVIRON: _worker_environment(), **pages})
            with _environment_restored(), _ctrl_c_held(), config:
                cluster = stack.enter_context(LocalCluster(**options))
            client = stack.enter_context(Client(cluster))
        except Exception as error:
            raise ClusterError(
                f"the local cluster of {options['n_workers']} workers did not start: "
                f"{_line(error)}; check memory, its options, and that a script that starts one is "
                'guarded by if __name__ == "__main__":'
            ) from error
        yield client


@contextlib.contextmanager
def connect(
    address_or_file: str | os.PathLike[str],
    *,
    timeout: float = 10.0,
    security: Security | None = None,
) -> Iterator[Client]:
    """Use a scheduler that runs already; leaving the context leaves it running.

    Parameters
    ----------
    address_or_file
        ``"tcp://host:8786"``, ``"tls://host:8786"``, ``"host:8786"``, or the JSON file that
        ``dask scheduler --scheduler-file`` writes.
    timeout
        Seconds in which it has to answer.
    security
        Its certificates, see `tls`.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterError
        No scheduler there, none that answers in time, or a file that is missing or is no scheduler
        file.

    Examples
    --------
    >>> import dhess
    >>> with dhess.local_cluster(1) as own, connect(own.scheduler.address) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    if not timeout > 0:
        raise InputError(f"timeout must be more than 0 seconds, not {timeout!r}")
    deadline = time.monotonic() + timeout
    from distributed import Client, Security

    address = address_of(address_or_file)
    security = Security() if security is None else security
    _ask_identity(address, deadline, security)
    # A client waits three times at most: for a connection, for the scheduler's state, and for its
    # welcome. The share has a floor, for it may be less than nothing by now.
    share = max(0.05, (deadline - time.monotonic()) / 3)
    try:
        client = Client(address, timeout=share, security=security)
    except Exception as error:
        raise _no_answer(address, error) from error
    client.__enter__()
    try:
        yield client
    finally:
        # One that is too busy to part in order is left, and what happened here is what counts.
        with contextlib.suppress(TimeoutError):
            client.__exit__(None, None, None)


def tls(
    ca: str | os.PathLike[str], cert: str | os.PathLike[str], key: str | os.PathLike[str]
) -> Security:
    """Return what proves a client to a scheduler behind ``tls://``: three PEM files.

    Raises
    ------
    InputError
        One of them does not exist.

    Examples
    --------
    >>> tls("no_ca.pem", "cert.pem", "key.pem")
    Traceback (most recent call last):
    ...
    dhess.errors.InputError: TLS ca file 'no_ca.pem' does not exist; check the path
    """
    from distributed import Security

    for name, path in {"ca": ca, "cert": cert, "key": key}.items():
        if not Path(path).expanduser().is_file():
            raise InputError(f"TLS {name} file {str(path)!r} does not exist; check the path")
    ca, cert, key = (str(Path(path).expanduser()) for path in (ca, cert, key))
    return Security(
        tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True
    )


@contextlib.contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Deliver Ctrl-C only afterwards; processes started meanwhile never get it.

    They inherit the mask, from their first instruction on. Without it each would print where in its
    imports it was interrupted.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would lift the mask when the first process starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worker_count(n_workers: Any) -> int:
    if n_workers is None:
        return int(dask.system.CPU_COUNT)
    if isinstance(n_workers, bool) or not isinstance(n_workers, int) or n_workers < 1:
        raise InputError(f"n_workers must be a whole number of at least 1, not {n_workers!r}")
    return n_workers


def _memory(limit: str | float) -> str | float:
    """Return the limit as `distributed` takes it, if it can be read."""
    try:
        readable = limit == "auto" or (limit != "" and dask.utils.parse_bytes(limit) > 0)
    except (ValueError, TypeError, AttributeError):
        readable = False
    if not readable or isinstance(limit, bool):
        raise InputError(
            f"memory_limit {limit!r} cannot be read; give the bytes of one worker, as '4GB'"
        )
    if isinstance(limit, float) and limit <= 1:
        return limit
    if limit == "auto":
        return limit
    size = int(dask.utils.parse_bytes(limit))
    if size < _LEAST_MEMORY:
        raise InputError(
            f"memory_limit {limit!r} is {size:,} bytes; a worker needs {_LEAST_MEMORY:,} to start "
            "with, so give at least '256MB'"
        )
    return size


def _worker_environment() -> dict[str, Any]:
    """Return the variables that workers start with: the user's, and ours where there is none."""
    import distributed  # noqa: F401  (its import loads the defaults compared with below)

    environment = dict(dask.config.get(_ENVIRON))
    defaults: dict[str, Any] = {}
    for config in dask.config.defaults:
        defaults |= dask.config.get(_ENVIRON, default={}, config=config)
    # Dask lower-cases what it reads from DASK_…__MALLOC_TRIM_THRESHOLD_; glibc would overlook it.
    spoken = {name.upper().replace("-", "_"): name for name in environment if name not in defaults}
    for name, value in _ALLOCATOR.items():
        if name in spoken:
            environment[name] = environment[spoken[name]]
        elif environment.get(name) == defaults.get(name):
            environment[name] = value
    if not dask.config.get("logging", default=None):
        # What a task raises reaches the client; the worker's log would only say it a second time.
        environment[_LOGGING] = "critical"
    return environment


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what an interrupted computation leaves in the event loop's log.

    It gives up its futures while `distributed` waits for them, which then reports an ``AllExit``
    that nobody retrieved.
    """

    def is_news(record: logging.LogRecord) -> bool:
        return "AllExit" not in record.getMessage()

    logger = logging.getLogger("asyncio")
    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


@contextlib.contextmanager
def _environment_restored() -> Iterator[None]:
    """Undo what a nanny leaves in this process: it sets its workers' variables here too.

    Left standing, they would win over the configuration of the next cluster. It does so when it
    starts a worker and when it replaces one.
    """
    before = dict(os.environ)
    names = {*dask.config.get(_ENVIRON, default={}), *_ALLOCATOR, _LOGGING, "PYTHONHASHSEED"}
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


def address_of(address_or_file: str | os.PathLike[str]) -> str:
    """Return the scheduler's address, read from its file if it is one.

    Raises
    ------
    ClusterError
        If the file cannot be read, or is none of a scheduler.
    """
    text = str(address_or_file)
    path = Path(text).expanduser()
    if "://" in text or (re.fullmatch(r"[^/\\]+:\d+", text) and not path.exists()):
        return text
    try:
        return str(json.loads(path.read_text())["address"] + "")
    except OSError as error:
        raise ClusterError(
            f"{text!r} is neither a scheduler's address (tcp://host:8786) nor a scheduler file "
            f"that can be read ({error.strerror}); check it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f'{text!r} is not a scheduler file (JSON with an "address"); give the one that '
            "dask scheduler --scheduler-file wrote, or the address"
        ) from error


def _ask_identity(address: str, deadline: float, security: Security) -> None:
    """Make sure that a scheduler answers there, before there is a client to clean up after.

    In a thread, since the caller may have an event loop running; the thread is not waited for
    beyond the deadline, since looking up a name may hang where nothing can interrupt it.
    """
    begin = time.monotonic()
    patience = max(0.1, 0.9 * (deadline - begin))  # a tenth is left for ending the attempt
    outcome: list[BaseException | dict[str, Any]] = []

    def ask() -> None:
        try:
            outcome.append(asyncio.run(asyncio.wait_for(_identity(address, security), patience)))
        except BaseException as error:  # noqa: BLE001  (raised in the caller's thread)
            outcome.append(error)

    thread = threading.Thread(target=ask, name="dhess-connect", daemon=True)
    thread.start()
    thread.join(max(0.2, deadline - begin))
    answer = outcome[0] if outcome else TimeoutError()
    if isinstance(answer, TimeoutError):
        raise ClusterError(
            f"no scheduler answered at {address!r} within {patience:.3g} s; check the address, and "
            "that it runs"
        ) from answer
    if isinstance(answer, BaseException):
        raise _no_answer(address, answer) from answer
    if answer.get("type") != "Scheduler":
        raise ClusterError(
            f"at {address!r} a {answer.get('type')} answers, not a scheduler; check the address"
        )


async def _identity(address: str, security: Security) -> dict[str, Any]:
    from distributed.core import rpc

    arguments = security.get_connection_args("client")
    async with rpc(address, connection_args=arguments, deserialize=False) as scheduler:
        return dict(await scheduler.identity())


def _no_answer(address: str, error: BaseException) -> ClusterError:
    return ClusterError(
        f"no scheduler can be reached at {address!r}: {_line(error)}; "
        "check the address and its certificates, and that it runs"
    )


def _line(error: BaseException) -> str:
    """Return the first line of the innermost cause, as a clause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return lines[0].strip().rstrip(".;:") or type(error).__name__
