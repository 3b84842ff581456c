"""A few drawn faults; `python -m tests.faults --runs 200` has all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .accepted import accepted
from .kinds import KINDS
from .run import Bench, make_store
from .suite import drawn, play, report

if TYPE_CHECKING:
    from pathlib import Path

SCENARIOS = [("kill", 6), ("kill", 11), ("disk", 0), ("chunk", 12), ("clock", 6), ("runners", 3)]
"""Quick ones, by what their seeds draw."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize(("kind", "seed"), SCENARIOS)
def test_a_fault_comes_out_as_it_must(bench: Bench, kind: str, seed: int) -> None:
    row = play(kind, seed, bench)
    if row.verdict == "unable":
        pytest.skip(row.told)
    assert row.verdict == "same", row


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_draws_the_same_again(kind: str) -> None:
    assert drawn(kind, 5) == drawn(kind, 5)
    assert len({drawn(kind, seed) for seed in range(20)}) > 3


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    """A scenario that takes too long is killed and counted."""
    row = play("chunk", 1, Bench(tmp_path), limit=0.01)
    assert row.verdict == "HANG"
    text = report([row], 1, "python -m tests.faults --runs 1")
    assert "1 hangs" in text
    assert "| chunk | 1 | " in text


def test_what_was_accepted_is_never_lost(tmp_path: Path) -> None:
    """A gateway dies right after its answer; `python -m tests.faults --accepted 50` has more."""
    assert len(set(accepted(tmp_path, make_store(tmp_path), 3))) == 3
