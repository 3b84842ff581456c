"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import dask
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = ("benchmarks", "cluster", "deploy", "faults", "fuzz", "service")
"""Folders whose tests start processes; the rest is the fast part of the suite."""

STARTING = (
    "test_cli_help", "test_cli_options", "test_cli_processes", "test_client_commands",
    "test_documentation", "test_guarding", "test_interpreted", "test_jobs", "test_machine",
    "test_runner",
)  # fmt: skip
"""Files in the fast part that start processes, some with a limit of time."""

if "PYTEST_XDIST_WORKER" in os.environ:  # it ignores Ctrl-C, and what it starts would too
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "dhess",
    max_examples=30,
    deadline=None,  # the first example of a kernel compiles it
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("dhess")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what stands in one of the slow folders, and have it come last.

    The others compile the kernels, which processes with a limit of their own then find compiled.
    """
    here = Path(__file__).parent
    slow = [item for item in items if item.path.relative_to(here).parts[0] in SLOW]
    for item in slow:
        item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _stage(item, here))


def _stage(item: pytest.Item, here: Path) -> int:
    folder, *below = item.path.relative_to(here).parts
    if below and folder in SLOW:
        return 2
    return int(Path(folder).stem in STARTING)


@pytest.fixture
def lazy_only() -> Iterator[None]:
    """Any Dask computation inside fails: what is claimed to be lazy has to be."""

    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise AssertionError("something was computed that should have stayed lazy")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.fixture
def fresh_process_environment() -> dict[str, str]:
    """Environment for a new Python that imports the same dhess as this one."""
    spec = find_spec("dhess")
    assert spec is not None
    assert spec.origin is not None
    paths = [str(Path(spec.origin).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture
def memory_files() -> Iterator[Any]:
    """fsspec's own store in memory, empty before and after."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]
