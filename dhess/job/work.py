"""What every kind of job can do: be cut into windows, computed in batches, and ended."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.ledger import Window


FEW, PARTS = 8, 32
"""Windows that are due together at least, and into how many parts a batch is cut at most."""


class Work(Protocol):
    """A job on its data."""

    name: str
    """What its tasks are called."""
    windows: int
    """How many there are."""
    blocks: int
    """Blocks in all of them."""
    nbytes: int
    """Bytes of decoded data."""

    def layout(self) -> dict[str, Any]:
        """Return how it is cut, so that it is cut alike when it is resumed."""

    def start(self) -> None:
        """Prepare the output, before the first window."""

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:
        """Take up windows that are recorded; return those among them that have to be done again."""

    def batches(self, done: Container[int]) -> Iterator[list[tuple[int, Delayed]]]:
        """Yield what is to be computed, a few thousand blocks at a time, with window numbers."""

    def layer(self, number: int) -> int:
        """Return when a window is done: those of a lower layer first."""

    def recorded(self, number: int, result: Any) -> tuple[str, str]:
        """Return what the ledger keeps of a window, and its checksum."""

    def finish(self, done: Iterable[Window]) -> xr.Dataset | xr.DataArray:
        """Make the result of all windows and publish it."""

    def best(self) -> tuple[float | None, tuple[int, ...]]:
        """Return the smallest value so far, and where it is, if this looks for one."""


def digest(parts: Iterable[bytes | memoryview]) -> str:
    """Return the checksum of some bytes."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()[:32]


def turns(number: int, base: int) -> list[int]:
    """Return when each of so many windows is due, where jobs share a cluster.

    A window is due when every other job has done as many as came before it; ``base`` is how many
    the others had done when this job came. So a short job does not wait for a long one, and a new
    one does not hold up those that run (start-time fair queuing [1]_). Windows are due a few at a
    time, for each time costs the scheduler a message.

    References
    ----------
    .. [1] P. Goyal, H. M. Vin, H. Cheng, "Start-time fair queueing: a scheduling algorithm for
       integrated services packet switching networks", IEEE/ACM Trans. Networking 5(5), 1997.

    Examples
    --------
    >>> turns(18, 100)[6:]
    [100, 100, 108, 108, 108, 108, 108, 108, 108, 108, 116, 116]
    """
    step = max(FEW, -(-number // PARTS))
    return [base + i // step * step for i in range(number)]


def groups(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into parts of so many.

    Examples
    --------
    >>> list(groups("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for i in range(0, len(items), most):
        yield items[i : i + most]
