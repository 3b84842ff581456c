"""Ten drawn runs in which processes are killed; `python -m tests.faults --runs 50` has more."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from .accepted import accepted
from .run import disturbed, drawn, make_store, undisturbed

if TYPE_CHECKING:
    from pathlib import Path

SEED = 2024


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, store: Path) -> dict[str, Any]:
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), store)


@pytest.mark.parametrize("number", range(10))
def test_a_job_ends_with_the_same_bits(
    tmp_path: Path, store: Path, expected: dict[str, Any], number: int
) -> None:
    """Whoever is killed: a worker, the scheduler, the gateway, the runner, or two at once."""
    plan = drawn(random.Random(SEED + number))
    outcome = disturbed(tmp_path, store, plan, expected[plan.task])
    print(outcome.line())


def test_what_was_accepted_is_never_lost(tmp_path: Path, store: Path) -> None:
    """A gateway dies right after its answer; `python -m tests.faults --accepted 50` has more."""
    assert len(set(accepted(tmp_path, store, 3))) == 3
