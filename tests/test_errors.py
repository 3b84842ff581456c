"""The errors themselves: their family, exit codes, and the clause that names the nearest word."""

from __future__ import annotations

import pickle

import pytest

from dhess import errors

INPUT = [
    errors.InputError,
    errors.GridError,
    errors.SourceError,
    errors.OutputError,
    errors.ClusterError,
]


@pytest.mark.parametrize("kind", INPUT)
def test_wrong_input_is_a_value_error_and_exits_with_2(kind: type[errors.DhessError]) -> None:
    assert issubclass(kind, errors.InputError)
    assert issubclass(kind, ValueError)
    assert kind.exit_code == 2


@pytest.mark.parametrize("kind", [errors.DhessError, errors.NoValidPoint])
def test_failed_work_exits_with_1(kind: type[errors.DhessError]) -> None:
    assert kind.exit_code == 1
    assert not issubclass(kind, errors.InputError)


@pytest.mark.parametrize("kind", [errors.DhessError, errors.NoValidPoint, *INPUT])
def test_errors_cross_process_boundaries(kind: type[errors.DhessError]) -> None:
    back = pickle.loads(pickle.dumps(kind("x is 0, must be above 0")))
    assert type(back) is kind
    assert str(back) == "x is 0, must be above 0"


@pytest.mark.parametrize("name", ["DhessError", "InputError", "GridError", "NoValidPoint"])
def test_errors_are_public(name: str) -> None:
    import dhess

    assert getattr(dhess, name) is getattr(errors, name)


def test_suggest_names_the_nearest_word() -> None:
    assert errors.suggest("sloep", ["slope", "laplacian"]) == "did you mean 'slope'?"


def test_suggest_lists_everything_when_nothing_is_near() -> None:
    assert errors.suggest("qqq", ["slope", "laplacian"]) == "known: slope, laplacian"


def test_suggest_has_words_for_an_empty_list() -> None:
    assert errors.suggest("qqq", []) == "known: none"


def test_suggest_takes_an_iterator() -> None:
    assert errors.suggest("qqq", iter(["a", "b"])) == "known: a, b"
