"""What can go wrong, in one sentence each: what it was, the value seen, the limit, the remedy."""

from __future__ import annotations

import difflib
import inspect
import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xarray import Dataset


class DhessError(Exception):
    """Base of every error that dhess raises on purpose.

    ``exit_code`` is what the command line returns for it: 1, the work failed.
    """

    exit_code = 1


class InputError(DhessError, ValueError):
    """An argument or the data does not fit; the command line returns 2."""

    exit_code = 2


class GridError(InputError):
    """A coordinate or a spacing cannot carry a derivative."""


class SourceError(InputError):
    """A file, store or variable cannot be opened."""


class OutputError(InputError):
    """An output exists already or cannot be written."""


class ClusterError(InputError):
    """A scheduler does not answer or cannot be used."""


class LostClusterError(ClusterError):
    """The cluster has dropped the work, or is gone; on another one it can go on."""


class KilledWorkerError(ClusterError):
    """Workers died again and again over the same task."""


class ReadError(DhessError):
    """Data of a store cannot be read, or are not what they were when it was opened."""


class ChangedError(ReadError):
    """Data of a store were written anew after it was opened."""


class LedgerError(InputError):
    """The record of jobs cannot be used, or contradicts what comes out now."""


class NoValidPoint(DhessError):  # noqa: N818  (the name is part of the public API)
    """Every point of the searched field is NaN."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a search, with the best that was found until then.

    ``partial`` is the Dataset that the search would have returned; its attribute ``partial`` says
    how much was searched.
    """

    def __init__(self, partial: Dataset) -> None:
        super().__init__(str(partial.attrs["partial"]))
        self.partial = partial


class DhessWarning(UserWarning):
    """Base of every warning that dhess gives."""


class UnitsWarning(DhessWarning):
    """Derivatives in different units are added up."""


class GridWarning(DhessWarning):
    """A coordinate is probably not what it says."""


def warn_caller(sentence: str, category: type[DhessWarning]) -> None:
    """Warn at the first line of the call stack that is not in dhess."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "dhess":
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, category, stacklevel=level)


def line(error: BaseException | None) -> str:
    """Return the first line of what a library said, as a clause."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0].strip().rstrip(".;:") or type(error).__name__


# What a terminal takes as a command, and what has it show text in another order than it has.
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def harmless(text: str) -> str:
    r"""Return text without what a terminal would take as a command; lines stay lines.

    Names, units and attributes come from files that somebody else wrote.

    Examples
    --------
    >>> harmless("a\x1b[2Jb\nc\u202ed")
    'a?[2Jb\nc?d'
    """
    return _COMMANDS.sub("?", text)


def escaped(text: str) -> str:
    r"""Return JSON that says the same, without what a terminal would take as a command.

    Examples
    --------
    >>> escaped('["a\x9b2J"]')
    '["a\\u009b2J"]'
    """
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(text: object) -> str:
    r"""Return text in one line, without what a terminal would take as a command.

    Examples
    --------
    >>> plain("a\x1b[2Jb\nc")
    'a?[2Jb c'
    """
    return harmless(" ".join(str(text).split()))


def suggest(value: str, known: Iterable[str]) -> str:
    """Return the clause that names the nearest known word, or lists them all.

    Examples
    --------
    >>> suggest("laplacain", ["slope", "laplacian"])
    "did you mean 'laplacian'?"
    >>> suggest("foo", ["slope", "laplacian"])
    'known: slope, laplacian'
    """
    known = list(known)
    near = difflib.get_close_matches(value, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"


def was_interrupted(error: BaseException | None, since: BaseException | None = None) -> bool:
    """Tell whether an error is Ctrl-C, or came while that was being heeded.

    What was being handled before, ``since``, does not count.

    Examples
    --------
    >>> was_interrupted(ValueError()), was_interrupted(KeyboardInterrupt())
    (False, True)
    """
    while error is not None and error is not since:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
