"""What a job's record and the gateway cost: functions from a scale to rows, as the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gateway import gateway
from .records import records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.report import Ratio
    from tests.benchmarks.scale import Scale

SERVICE: dict[str, Callable[[Scale], Iterator[Ratio]]] = {"ledger": records, "gateway": gateway}
