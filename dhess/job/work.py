"""What every kind of job can do: be cut into windows, computed in batches, and ended."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.ledger import Window


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


def groups(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into parts of so many.

    Examples
    --------
    >>> list(groups("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for i in range(0, len(items), most):
        yield items[i : i + most]
