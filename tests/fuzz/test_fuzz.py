"""A few cases of each kind; `python -m tests.fuzz` runs any number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import SHARES, main
from tests.fuzz.kinds import KINDS
from tests.fuzz.worker import run

if TYPE_CHECKING:
    from pathlib import Path

# Readers of damaged files warn of what they meet.
pytestmark = pytest.mark.filterwarnings("ignore")

CASES = {"spec": 200, "coordinates": 60, "zarr": 40, "netcdf": 40, "words": 30}


@pytest.mark.parametrize("kind", CASES)
def test_what_comes_in_is_refused_or_right(kind: str, tmp_path: Path) -> None:
    wrong = {n: told for n in range(CASES[kind]) if (told := run(kind, 1, n, tmp_path))}
    assert not wrong, f"python -m tests.fuzz --kind {kind} --case {min(wrong)} shows it: {wrong}"


def test_every_kind_has_its_share() -> None:
    assert set(KINDS) == set(SHARES) == set(CASES)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_a_case_is_the_same_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kind", "spec", "--case", "7"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
