"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os
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
    """Mark as slow what stands in one of the slow folders."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)


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
