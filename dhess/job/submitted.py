"""A job that was handed in to a gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dhess.client import RemoteError

if TYPE_CHECKING:
    import xarray as xr

    from dhess.client import Client


@dataclass(frozen=True)
class Submitted:
    """A job that a gateway runs, whoever leaves."""

    client: Client
    """Who asks the gateway, with everything else that it can be asked."""
    id: str

    def show(self) -> dict[str, Any]:
        """Return how it stands."""
        return self.client.show(self.id)

    def wait(self, *, patience: float = 600.0) -> dict[str, Any]:
        """Return how it stands when it has ended, well or not.

        Parameters
        ----------
        patience
            Seconds that a gateway which is gone is waited for.
        """
        return self.client.wait(self.id, patience=patience)

    def result(self, *, patience: float = 600.0) -> xr.Dataset | xr.DataArray:
        """Wait for its end and return its result, as `Job.run` does.

        A field is opened where the gateway wrote it, which has to be in reach from here.

        Raises
        ------
        RemoteError
            If it failed or was cancelled, or the gateway is gone for longer than ``patience``.
        """
        view = self.wait(patience=patience)
        if view["state"] != "done":
            raise RemoteError(
                f"job {self.id} is {view['state']}"
                + (f": {view['note']}" if view["note"] else "")
                + "; its log tells more",
                409,
            )
        if view["task"] != "field":
            return self.client.result_dataset(self.id)
        from dhess.source import open as open_field

        return open_field(view["output"])

    def cancel(self) -> dict[str, Any]:
        """End it for good."""
        return self.client.cancel(self.id)
