"""All kinds of faults. A new one is a file here and a name in this table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .chunk import Chunk
from .clock import Clock
from .disk import Disk
from .kill import Kill
from .ledger import LedgerFile
from .memory import Memory
from .network import Network
from .pause import Pause
from .runners import Runners
from .store import Store

if TYPE_CHECKING:
    from tests.faults.scenario import Scenario

KINDS: Final[dict[str, type[Scenario]]] = {
    each.kind: each
    for each in (
        Kill, Pause, Network, Disk, Chunk, Store, Clock, Memory, Runners, LedgerFile,
    )
}  # fmt: skip
