"""Jobs: a search or a field that is handed in, and ends with the right answer whatever dies.

A spec says what is wanted, a ledger beside the output keeps what is done, a runner does the rest.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhess.client import Client
from dhess.errors import InputError
from dhess.job.runner import Runner
from dhess.job.spec import JobSpec
from dhess.job.submitted import Submitted
from dhess.ledger import Ledger
from dhess.running import active_client
from dhess.source import is_url

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import xarray as xr

__all__ = ["Job", "JobSpec", "Runner", "Submitted", "ledger_path", "place_of"]


class Job:
    """A search or a field that can be interrupted at any moment and goes on from there.

    Parameters
    ----------
    source
        As for `dhess.open`: ``PATH`` or ``PATH::VARIABLE``, a URL, a pattern, or a list of files.
    **keys
        The other keys of a job, as a TOML file has them: ``task`` (``"find"``, ``"field"``,
        ``"regions"`` or ``"critical"``), ``variable``, ``chunks``, ``sel``, ``smooth``,
        ``measure``, ``k``, ``output``, ``overwrite``, ``resources``, those that the task's function
        takes (``exclude_edges``; ``threshold``, ``quantile``, ``connectivity``, ``min_size``;
        ``tolerance``), and the common options, see `dhess.gradient`.

    Raises
    ------
    InputError
        For an unknown key, or a value that a key cannot take.

    Examples
    --------
    >>> import tempfile, numpy as np, xarray as xr, dhess
    >>> folder = tempfile.mkdtemp()
    >>> f = xr.DataArray(np.arange(-9.0, 10) ** 4, dims="x", name="f")
    >>> store = f.to_dataset().to_zarr(f"{folder}/f.zarr", zarr_format=2)
    >>> job = dhess.Job(f"{folder}/f.zarr", measure="slope", output=f"{folder}/flattest.json")
    >>> int(job.run()["index"][0, 0])
    9
    """

    def __init__(self, source: str | list[str], **keys: Any) -> None:
        self.spec = JobSpec.read({"source": source, **keys})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Job:
        """Read a job from a TOML or JSON file; paths in it are relative to the file.

        Raises
        ------
        InputError
            If the file cannot be read or its job is wrong.
        """
        job = cls.__new__(cls)
        job.spec = JobSpec.load(path)
        return job

    def run(
        self,
        *,
        ledger: str | os.PathLike[str] | None = None,
        fresh: bool = False,
        verify: bool = False,
    ) -> xr.Dataset | xr.DataArray:
        """Run the job to its end, or what is left of it, and return its result.

        The active Dask client computes, or else what ``resources`` names, or else threads.

        Parameters
        ----------
        ledger
            Where its record is; ``OUTPUT.ledger`` by default.
        fresh
            Start over.
        verify
            Read what an earlier run has written, and write again what is damaged.

        Returns
        -------
        What `dhess.find_minimum`, `dhess.flat_regions` or `dhess.critical_points` returns, or the
        field, lazily, as it was written.

        Raises
        ------
        DhessError
            If the input is wrong or the work failed; run it again to go on.
        """
        with Ledger(ledger_path(self.spec, ledger)) as opened:
            place = nullcontext if active_client() is not None else place_of(self.spec)
            return Runner(self.spec, opened, place, fresh=fresh, verify=verify).run()

    def submit(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        ca: str | None = None,
        patience: float = 0.0,
    ) -> Submitted:
        """Hand the job in to a gateway, which runs it on its own cluster.

        It runs to its end whether or not this process stays; the same job, handed in again, is the
        same job.

        Parameters
        ----------
        server, token, ca
            As for `dhess.Client`: its address, ``http://127.0.0.1:8765`` by default, what it knows
            us by, and who vouches for it.
        patience
            Seconds that a gateway which is busy or gone is waited for.

        Raises
        ------
        RemoteError
            If the gateway refuses it or cannot be reached.
        """
        client = Client(server, token, ca=ca)
        return Submitted(client, client.submit(self.spec, patience=patience)["id"])


def ledger_path(spec: JobSpec, ledger: str | os.PathLike[str] | None = None) -> Path:
    """Return where the record of a job is.

    Raises
    ------
    InputError
        If the job has no local output to put it beside.
    """
    if ledger is not None:
        return Path(ledger)
    if spec.output is None or is_url(spec.output):
        what = "no output" if spec.output is None else "its output behind a URL"
        raise InputError(
            f"a job with {what} has no place for its ledger; give one with ledger= (--ledger)"
        )
    return Path(f"{spec.output}.ledger")


def place_of(spec: JobSpec) -> Callable[[], AbstractContextManager[Any]]:
    """Return what makes or reaches the cluster that a job asks for."""
    asked = spec.resources
    if asked.scheduler is None and asked.workers is None and asked.memory_limit is None:
        return nullcontext
    from dhess.cluster import connect, local_cluster, tls

    @contextmanager
    def place() -> Iterator[Any]:
        if asked.scheduler is None:
            with local_cluster(asked.workers, memory_limit=asked.memory_limit) as client:
                yield client
            return
        files = asked.tls_ca, asked.tls_cert, asked.tls_key
        security = None if None in files else tls(*map(str, files))
        with connect(asked.scheduler, security=security) as client:
            yield client

    return place
