"""Hand jobs in to a gateway, look at them, and fetch what they found.

A request goes to one address, with its token, and nowhere else: no redirect is followed.
"""

from __future__ import annotations

import io
import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from dhess.client.access import Access
from dhess.client.errors import RemoteError, UnreachableError
from dhess.client.events import events_of
from dhess.client.forms import WHOLE, beginning, path_of, sendable
from dhess.client.patience import Patience
from dhess.client.transport import Transport
from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

__all__ = ["ENDED", "Access", "Client", "Patience", "RemoteError", "UnreachableError"]

ENDED: Final = ("done", "failed", "cancelled")
"""States of a job that it does not leave by itself."""
SILENCE: Final = 45.0
"""Seconds after which a stream of events is lost; a gateway says something every 15."""
DRAWING: Final = 300.0
"""Seconds that a picture may take, which is drawn when it is first asked for."""
PAGE, LINES = 200, 1000
"""Jobs and lines of a log that are asked for at once."""

View = dict[str, Any]
"""A job as the gateway tells of it."""


class Client:
    """The jobs of a gateway.

    Parameters
    ----------
    server
        Its address; by default `DHESS_SERVER`, the ``server`` in ``~/.config/dhess/config.toml``,
        or ``http://127.0.0.1:8765``.
    token
        What ``dhess token add`` printed there; by default `DHESS_TOKEN`, what is in the file that
        `DHESS_TOKEN_FILE` names, or the ``token`` in the configuration.
    ca
        PEM file of the authority that signed its certificate, where the system does not know it;
        by default `DHESS_CA` or the ``ca`` in the configuration.
    timeout
        Seconds without a word from it after which a request has failed.

    Raises
    ------
    InputError
        If the address is none, or a file with a token can be read by others.

    Notes
    -----
    Calls raise `RemoteError` if the gateway refuses them, with the ``status`` of its answer, and
    `UnreachableError` if it does not answer.

    Examples
    --------
    >>> Client("http://localhost:8765")
    Client('http://localhost:8765')
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        ca: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._transport = Transport(Access.of(server, token, ca=ca), timeout)

    @classmethod
    def of(cls, access: Access, *, timeout: float = 30.0) -> Client:
        """Return the client for an address and a token that were made out already."""
        client = cls.__new__(cls)
        client._transport = Transport(access, timeout)
        return client

    def __repr__(self) -> str:
        return f"Client({self.server!r})"

    @property
    def server(self) -> str:
        """The gateway's address."""
        return self._transport.access.server

    def me(self) -> dict[str, Any]:
        """Return the name and the scopes of the token, as the gateway knows it."""
        return self._table("GET", "/v1/me")

    def submit(self, spec: Any, *, patience: float = 0.0) -> View:
        """Hand in a job and return how it stands; the same one again is the same job.

        Parameters
        ----------
        spec
            A `dhess.Job`, its `JobSpec`, or a dictionary of its keys. Only of a dictionary the
            relative paths are taken as they are, and mean files in the gateway's first root.
        patience
            Seconds that a gateway which is busy or gone is waited for.

        Raises
        ------
        RemoteError
            If the job is wrong, or not allowed there.
        """
        body = sendable(spec)
        ask = Patience(patience).persist
        return ask(lambda: self._view("POST", "/v1/jobs", body=body))

    def jobs(
        self,
        *,
        state: str | None = None,
        task: str | None = None,
        submitter: str | None = None,
        limit: int | None = None,
    ) -> Iterator[View]:
        """Yield jobs, the newest first, asking for more of them as they are taken.

        Parameters
        ----------
        state, task, submitter
            Only those, say ``"running"``, ``"find"``, the name of a token.
        limit
            How many at most.
        """
        left, before = limit, None
        while left is None or left > 0:
            query = {
                "state": state, "task": task, "submitter": submitter, "before": before,
                "limit": PAGE if left is None else min(left, PAGE),
            }  # fmt: skip
            page = self._table("GET", "/v1/jobs", "jobs", "next", query=query)
            yield from page["jobs"]
            left = None if left is None else left - len(page["jobs"])
            before = page["next"]
            if before is None:
                return

    def resolve(self, prefix: str) -> str:
        """Return the id of the only job that begins so.

        Raises
        ------
        RemoteError
            If there is none.
        InputError
            If there are several, or the beginning is too short.
        """
        asked = beginning(prefix)
        if len(asked) == WHOLE:
            return asked
        found = [each["id"] for each in self.jobs() if each["id"].startswith(asked)]
        if not found:
            raise RemoteError(
                f"no job at {self.server} begins with {asked!r}; 'dhess jobs' lists all",
                404,
            )
        if len(found) > 1:
            several = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
            raise InputError(f"{len(found)} jobs begin with {asked!r} ({several}); add digits")
        return str(found[0])

    def show(self, job: str) -> View:
        """Return how a job stands."""
        return self._view("GET", path_of(job))

    def result(self, job: str) -> dict[str, Any]:
        """Return what a job found, or the description of what it wrote, as ``--json`` has it."""
        return self._table("GET", path_of(job, "result"))

    def result_netcdf(self, job: str) -> bytes:
        """Return what a search found, as the bytes of a NetCDF file."""
        return self._bytes(path_of(job, "result.nc"), "application/x-netcdf", None)

    def result_dataset(self, job: str) -> xr.Dataset:
        """Return what a search found, as its function in Python returns it; needs h5netcdf."""
        import xarray as xr

        if find_spec("h5netcdf") is None:
            raise InputError(
                "a Dataset comes as NetCDF, which needs h5netcdf: pip install 'dhess[netcdf]'"
            )
        file = io.BytesIO(self.result_netcdf(job))
        with xr.open_dataset(file, engine="h5netcdf") as dataset:
            return dataset.load()

    def picture(self, job: str) -> bytes:
        """Return a picture of the result, as the bytes of a PNG file."""
        return self._bytes(path_of(job, "result.png"), "image/png", DRAWING)

    def cancel(self, job: str) -> View:
        """End a job for good; what it has done so far stays recorded."""
        return self._view("POST", path_of(job, "cancel"), body={})

    def retry(self, job: str) -> View:
        """Have a job go on that failed or was cancelled."""
        return self._view("POST", path_of(job, "retry"), body={})

    def delete(self, job: str) -> None:
        """Remove the gateway's record of a job and the results that it keeps, not the output."""
        self._transport.json("DELETE", path_of(job))

    def logs(self, job: str) -> Iterator[dict[str, Any]]:
        """Yield what was logged of a job until now."""
        after = 0
        while True:
            before = after
            lines, after = self.log(job, before)
            yield from lines
            if after == before:
                return

    def log(self, job: str, after: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Return some lines of what was logged, from one on, and where the next ones begin."""
        query = {"after": after, "limit": LINES}
        page = self._table("GET", path_of(job, "log"), "lines", "next", query=query)
        return list(page["lines"]), int(page["next"])

    def events(self, job: str) -> Iterator[View]:
        """Yield a job as it stands and then each change, while the gateway is there."""
        with self._transport.open(
            "GET", path_of(job, "events"), accept="text/event-stream", timeout=SILENCE
        ) as stream:
            for name, data in events_of(stream):
                if name == "job":
                    yield json.loads(data)

    def follow(
        self,
        job: str,
        *,
        patience: float = 600.0,
        lost: Callable[[RemoteError], None] | None = None,
    ) -> Iterator[View]:
        """Yield a job as it stands and then each change, until it has ended.

        Parameters
        ----------
        job
            Its id.
        patience
            Seconds that a gateway which is gone is waited for; then its absence is raised.
        lost
            Called each time when it is gone, with why.
        """
        waiting = Patience(patience, lost)
        while True:
            try:
                for view in self.events(job):
                    waiting.answered()
                    yield view
                    if view["state"] in ENDED:
                        return
            except RemoteError as error:
                waiting.wait(error)
            # Not only when it is back: something between us may hold streams up.
            view = waiting.persist(lambda: self.show(job))
            yield view
            if view["state"] in ENDED:
                return
            time.sleep(1.0)

    def wait(self, job: str, *, patience: float = 600.0) -> View:
        """Return how a job stands when it has ended, well or not.

        Parameters
        ----------
        job
            Its id.
        patience
            Seconds that a gateway which is gone is waited for; then its absence is raised.
        """
        view: View = {}
        for view in self.follow(job, patience=patience):  # noqa: B007  (the last one is wanted)
            pass
        return view

    def _view(self, method: str, path: str, **how: Any) -> View:
        return self._table(method, path, "id", "state", **how)

    def _table(self, method: str, path: str, *needed: str, **how: Any) -> dict[str, Any]:
        """Return an answer that has some keys, as that of a gateway has."""
        found = self._transport.json(method, path, **how)
        if not isinstance(found, dict) or not found.keys() >= {*needed}:
            raise UnreachableError(
                f"what answers at {self.server} is no gateway of dhess (it sent JSON without "
                f"{' and '.join(needed) or 'any keys'}); check the address",
                passing=False,
            )
        return found

    def _bytes(self, path: str, kind: str, timeout: float | None) -> bytes:
        with self._transport.open("GET", path, accept=kind, timeout=timeout) as answer:
            return answer.read()
