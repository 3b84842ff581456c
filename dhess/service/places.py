"""Which files and addresses a service may read and write: those below its roots, and no others.

Text is judged first, without a look at any disk, so that whoever asks for the file of a mount that
hangs holds up nobody else; links are followed where a file is opened, in a process of its own.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dhess.errors import DhessError, InputError
from dhess.service.errors import Refused
from dhess.source import ZARR_METADATA, data_elsewhere, is_url, public, split_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_ENTRIES: Final = 100_000
"""Entries of a store that are looked at for links, and files that a pattern may name."""
MOST_LISTED: Final = 10_000
"""Files of a list."""
LONGEST_LIST: Final = 65_536
"""Characters of all of them: a job is shown with its source, again and again."""
LONGEST: Final = 4096
"""Characters of a path, as of Linux."""

# Of a URL also what browsers and libraries read in different ways.
_HOSTILE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HOSTILE_URL = re.compile(r"[\s\\#]")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_PATTERN = re.compile(r"[*?\[]")


class Places:
    """The roots of a service: folders, and prefixes of URLs.

    Parameters
    ----------
    roots
        Below which sources may be. A relative source is taken from the first of them.
    output_roots
        Below which outputs may be, likewise.
    private
        The service's own folder, out of bounds wherever it is, but for its ``outputs``.
    """

    def __init__(
        self, roots: Sequence[str], output_roots: Sequence[str], private: Path | None = None
    ) -> None:
        self.roots = tuple(map(_root, roots))
        self.output_roots = tuple(map(_root, output_roots))
        # A root may be named by a link, and what is below it by where that leads.
        self._reach = _both(self.roots)
        self._output_reach = _both(self.output_roots)
        self.private = None if private is None else Path(os.path.realpath(private))

    def placed(self, source: str | list[str], variable: str | None = None) -> str | list[str]:
        """Return a source with absolute paths, judged by its text alone.

        Raises
        ------
        Refused
            If its text leads out of the roots, or might.
        """
        if isinstance(source, str):
            return self._placed(source, variable)
        if len(source) > MOST_LISTED:
            raise Refused(
                f"a source of {len(source):,} files is refused: a list may have {MOST_LISTED:,}; "
                "name them by a pattern"
            )
        if (length := sum(map(len, source))) > LONGEST_LIST:
            raise Refused(
                f"a source with {length:,} characters is refused: a list may have "
                f"{LONGEST_LIST:,}; name its files by a pattern"
            )
        return [self._placed(each, variable) for each in source]

    def placed_output(self, output: str) -> str:
        """Return an output as an absolute path, judged by its text alone.

        Raises
        ------
        Refused
            If its text leads out of the roots, or might.
        """
        if output.rstrip("/").rpartition("/")[2] in ZARR_METADATA:
            told = "a file of every store has that name"
            raise _refused(output, "output", told, self.output_roots)
        return _inside_text(output, self.output_roots, self._output_reach, "output")

    def check_source(self, source: str | list[str], variable: str | None = None) -> None:
        """Refuse a source of which any file is outside the roots, links followed.

        It looks at the disk, which may take as long as the disk takes.

        Raises
        ------
        Refused
            If a path, a link, or what a pattern fits leads out of the roots.
        """
        placed = self.placed(source, variable)
        for each in [placed] if isinstance(placed, str) else placed:
            path = _split(each, variable)[0]
            if not is_url(path):
                self._check_local(path)

    def check_output(self, output: str) -> None:
        """Refuse an output outside the roots, links followed.

        Raises
        ------
        Refused
            If its folder, or what stands there, leads out of the roots or is the service's own.
        """
        path = self.placed_output(output)
        if is_url(path):
            return
        roots = _local(self.output_roots)
        if self.private is not None and self.private.is_relative_to(os.path.realpath(path)):
            told = "the service keeps its own files in it"
            raise _refused(output, "output", told, self.output_roots)
        self._check_inside(Path(path).parent, roots, output, "output", below=False)
        self._check_inside(Path(path), roots, output, "output")
        self._check_links(Path(path), roots, output, "output")

    def _placed(self, source: str, variable: str | None) -> str:
        path, name = _split(source, variable)
        if name is not None and _HOSTILE.search(name):
            raise _refused(source, "source", "its variable has control characters", self.roots)
        placed = _inside_text(path, self.roots, self._reach, "source")
        return placed if variable is not None or name is None else f"{placed}::{name}"

    def _check_local(self, path: str) -> None:
        roots = _local(self.roots)
        for found in self._found(path, roots):
            self._check_inside(found, roots, path, "source")
            self._check_links(found, roots, path, "source")
            if found.is_file() and (other := data_elsewhere(found)) is not None:
                raise _refused(path, "source", other, self.roots)

    def _found(self, path: str, roots: Sequence[Path]) -> Iterator[Path]:
        """Yield what a path or a pattern names, refusing every folder outside on the way."""
        if not _PATTERN.search(path) or os.path.lexists(path):
            yield Path(path)
            return
        parts = Path(path).parts
        first = next(i for i, part in enumerate(parts) if _PATTERN.search(part))
        self._check_inside(Path(*parts[:first]), roots, path, "source", below=False)
        for depth in range(first + 1, len(parts) + 1):
            found = glob.iglob(str(Path(*parts[:depth])))  # noqa: PTH207  (as the source does)
            for number, each in enumerate(found):
                if number == MOST_ENTRIES:
                    told = f"it fits more than {MOST_ENTRIES:,} files"
                    raise _refused(path, "source", told, self.roots)
                self._check_inside(Path(each), roots, path, "source")
                if depth == len(parts):
                    yield Path(each)

    def _check_inside(
        self, path: Path, roots: Sequence[Path], asked: str, what: str, *, below: bool = True
    ) -> None:
        """Refuse a path that is elsewhere once all links are followed, or is no file or folder."""
        real = Path(os.path.realpath(path))
        known = self.roots if what == "source" else self.output_roots
        if not any(real.is_relative_to(root) and (real != root or not below) for root in roots):
            raise _refused(asked, what, "it is outside", known)
        if self._is_private(real):
            raise _refused(asked, what, "the service keeps its own files there", known)
        try:
            mode = real.stat().st_mode
        except OSError:
            return  # whoever opens it says so
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise _refused(asked, what, "it is no file or folder", known)

    def _is_private(self, real: Path) -> bool:
        own = self.private
        if own is None or not real.is_relative_to(own):
            return False
        return not real.is_relative_to(own / "outputs")

    def _check_links(self, store: Path, roots: Sequence[Path], asked: str, what: str) -> None:
        """Refuse a store in which a link leads out, among its first entries, folders first."""
        known = self.roots if what == "source" else self.output_roots
        for link in islice(_links(store), MOST_ENTRIES):
            real = Path(os.path.realpath(link))
            if not any(real.is_relative_to(root) for root in roots) or self._is_private(real):
                raise _refused(asked, what, "a link in it leads outside", known)


def _links(store: Path) -> Iterator[str]:
    """Yield the links in a store; the folders nearest to its top come first."""
    left = MOST_ENTRIES
    folders, seen = deque([str(store)]), set()
    while folders and left > 0:
        folder = folders.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        with suppress(OSError), os.scandir(folder) as entries:  # whoever opens it says so
            for entry in islice(entries, left):
                left -= 1
                if entry.is_symlink():
                    yield entry.path
                if entry.is_dir():
                    folders.append(entry.path)


def _inside_text(path: str, roots: Sequence[str], reach: Sequence[str], what: str) -> str:
    """Return a path as an absolute one that is below a root by its text."""
    told = _suspicion(path)
    if told is None and is_url(path):
        if any(_below(path, root) for root in roots if is_url(root)):
            return path
        told = "it is outside"
    if told is not None:
        raise _refused(path, what, told, roots)
    if not path.startswith("/"):
        if not roots:
            raise _refused(path, what, "there is no place for it", roots)
        path = f"{roots[0].rstrip('/')}/{path}"
        if is_url(path):
            return path
    plain = os.path.normpath(path)
    if not any(_lies_below(plain, root) for root in reach if not is_url(root)):
        raise _refused(path, what, "it is outside", roots)
    return plain


def _suspicion(path: str) -> str | None:
    """Say what is wrong with the text of a path, wherever it leads."""
    checks: Iterable[tuple[bool, str]] = (
        (not path.strip(), "it is empty"),
        (len(path) > LONGEST, f"it is longer than {LONGEST:,} characters"),
        (_HOSTILE.search(path) is not None, "it has control characters"),
        (_ENCODED.search(path) is not None, "it has percent-encoded characters"),
        (path.startswith("~"), "it begins with ~"),
        (".." in re.split(r"[/\\]", path.replace("::", "/")), "it has .. in it"),
        (is_url(path) and _HOSTILE_URL.search(path) is not None, "no URL is written so"),
        (not is_url(path) and "::" in path, "it has :: in it"),
    )
    return next((told for wrong, told in checks if wrong), None)


def _below(url: str, root: str) -> bool:
    """Tell whether a URL is a root or below it: the same protocol and host, and so on."""
    if "::" in url.removeprefix(root):
        return False
    if "::" in root:
        return url == root or url.startswith(root.rstrip("/") + "/")
    try:
        given, known = urlsplit(url), urlsplit(root)
    except ValueError:  # brackets around no address
        return False
    if "@" in given.netloc or "." in given.path.split("/"):
        return False
    if given.query and given.scheme.startswith("http"):
        return False  # it may be a signature, and a source is shown to all
    same = (given.scheme.lower(), given.netloc.lower()) == (known.scheme, known.netloc.lower())
    return same and _lies_below(given.path, known.path)


def _lies_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _split(source: str, variable: str | None) -> tuple[str, str | None]:
    if variable is not None:
        return source, variable
    try:
        return split_source(source)
    except DhessError as error:
        raise Refused(str(error)) from error


def _root(root: str) -> str:
    """Return a root in the form that it is compared in."""
    root = re.sub(r"^(file|local)://", "", root)
    if not is_url(root):
        return os.path.normpath(Path(root).expanduser().absolute())
    if "::" in root:
        return root
    if public(root) != root:
        raise InputError(
            f"root {public(root)!r} has a password, which every answer would show; give it to the "
            "processes in their environment"
        )
    scheme, mark, rest = root.partition("://")
    return f"{scheme.lower()}{mark}{rest}"


def _both(roots: Sequence[str]) -> tuple[str, ...]:
    return (*roots, *map(str, _local(roots)))


def _local(roots: Iterable[str]) -> list[Path]:
    return [Path(os.path.realpath(root)) for root in roots if not is_url(root)]


def _refused(path: str, what: str, told: str, roots: Sequence[str]) -> Refused:
    shown = public(_HOSTILE.sub("�", path))
    shown = shown if len(shown) <= 200 else f"{shown[:200]}…"
    known = ", ".join(map(public, roots)) or "none is set"
    option = "--root" if what == "source" else "--output-root"
    return Refused(
        f"{what} {shown!r} is refused: {told}; this service reaches what is below its roots "
        f"({known}), and dhess serve {option} adds another"
    )
