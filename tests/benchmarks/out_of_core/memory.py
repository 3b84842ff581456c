"""What a worker's memory grows by, in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.report import Ratio, at_most

from . import clusters, races, stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from tests.benchmarks.report import Limit
    from tests.benchmarks.scale import Scale


@dataclass(frozen=True)
class Memory:
    """Bytes of resident memory of one worker process."""

    now: int
    peak: int


def memory(scale: Scale) -> Iterator[Ratio]:
    """The floor is what a worker holds that has searched and written a field of small blocks."""
    store, tiny = stores.main_store(scale), stores.tiny_store()
    path, tiny_path = stores.folder() / "measured.zarr", stores.folder() / "tiny-field.zarr"
    works: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        races.OURS: (
            lambda: tiny.search(tiny.opened()),
            lambda: store.search(store.opened()),
        ),
        "the norm written as a field": (
            lambda: races.write_norm(tiny, tiny_path),
            lambda: races.write_norm(store, path),
        ),
    }
    for what, (small, large) in works.items():
        with clusters.tuned() as client:
            small()
            floors = of_workers(client, forget=True)
            large()
            peaks = of_workers(client)
        yield above_floor(what, floors, peaks, store.block_bytes, at_most(3))
    stores.remove(path)
    stores.remove(tiny_path)


def above_floor(
    what: str,
    floors: dict[str, Memory],
    peaks: dict[str, Memory],
    block: int,
    limit: Limit | None,
) -> Ratio:
    """Return by how many blocks the worker that grew most did."""
    worker = max(peaks, key=lambda name: peaks[name].peak - floors[name].now)
    floor, peak = floors[worker].now, peaks[worker].peak
    return Ratio(
        f"peak memory of a worker above its floor of {floor / 1e6:.0f} MB ÷ block: {what}",
        f"{(peak - floor) / 1e6:.1f} MB ÷ {block / 1e6:.1f} MB",
        (peak - floor) / block,
        limit,
    )


def under_limit(what: str, client: Client, limit: int) -> Ratio:
    """Return how much of its limit the worker took that took most."""
    peak = max(memory.peak for memory in of_workers(client).values())
    measured = f"{peak / 1e6:.0f} MB ÷ {limit / 1e6:.0f} MB"
    return Ratio(f"peak memory of a worker ÷ its limit: {what}", measured, peak / limit, at_most(1))


def of_workers(client: Client, *, forget: bool = False) -> dict[str, Memory]:
    """Read the kernel's own figures, by worker; ``forget`` starts the peak again from now.

    Linux only, as `alone`, and for the same reason.
    """

    # It travels by value: the workers need not find the tests.
    def read(forget: bool) -> tuple[int, int]:
        import gc
        from pathlib import Path

        gc.collect()
        fields = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        if forget:
            Path("/proc/self/clear_refs").write_text("5")
        now, peak = (1024 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return now, peak

    return {worker: Memory(*each) for worker, each in client.run(read, forget).items()}
