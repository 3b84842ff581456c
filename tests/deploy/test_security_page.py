"""The page on security names tests: each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deploy" / "SECURITY.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of each threat."""
    found = re.findall(r"^\| \d+ \|.*$", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found]


def test_every_threat_has_a_test() -> None:
    assert len(rows()) >= 20
    assert [int(row[0]) for row in rows()] == list(range(1, len(rows()) + 1))
    for row in rows():
        assert len(row) == 5, row
        assert re.search(r"`tests/\S+\.py::test_\w+`", row[4]), row


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(tests/\S+\.py)::(test_\w+)`", PAGE))
    assert named
    for file, name in sorted(named):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert name in there, f"{file} has no {name}"
