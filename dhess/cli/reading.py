"""What is typed after an option, read as what the library takes; the library judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import click


def names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Read ``z,y,x``."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def pairs(
    read: Callable[[str], Any], what: str, *, word: str | None = None
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], Any]:
    """Return a callback that reads NAME=VALUE pairs, separated by commas or given repeatedly.

    Parameters
    ----------
    read
        Reads the text of a value, or raises ValueError.
    what
        What a value is, for the sentence about one that cannot be read.
    word
        A word that may stand in place of all pairs.
    """

    def callback(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> Any:
        name = option.opts[0]
        parts = [part.strip() for text in texts for part in text.split(",")]
        if word in parts:
            if len(set(parts)) > 1:
                other = next(part for part in parts if part != word)
                raise InputError(f"{name} {word} is for every axis; leave {name} {other} out")
            return word
        found: dict[str, Any] = {}
        for part in parts:
            key, equals, value = (each.strip() for each in part.partition("="))
            try:
                found[key] = read(value)
            except ValueError:
                equals = ""
            if not (equals and key):
                raise InputError(
                    f"{name} {part!r} cannot be read; write it as {option.metavar} with {what}"
                )
        return found or None

    return callback


def index(text: str) -> int | slice:
    """Read ``3`` or ``0:10``; a step is refused, since it would change the spacing."""
    if ":" not in text:
        return int(text)
    start, stop = text.split(":")
    return slice(int(start) if start else None, int(stop) if stop else None)


def chunks(_: click.Context, option: click.Parameter, text: str) -> Any:
    """Read ``auto``, one size, or sizes by name."""
    if text == "auto":
        return text
    try:
        if "=" not in text:
            return int(text)
        return {n.strip(): int(size) for n, size in (p.split("=") for p in text.split(","))}
    except ValueError:
        raise InputError(
            f"--chunks {text!r} cannot be read; write {option.metavar}: auto, one size for all "
            "dimensions, or a size by name"
        ) from None


def rate(_: click.Context, option: click.Parameter, text: str | None) -> float | str | None:
    """Read bytes per second, or ``measure``."""
    from dask.utils import parse_bytes

    if text is None or text == "measure":
        return text
    try:
        found = float(parse_bytes(text.removesuffix("/s")))
    except ValueError:
        found = 0.0
    if not found > 0 or not any(map(str.isdigit, text)):
        raise InputError(
            f"{option.opts[0]} {text!r} cannot be read; write {option.metavar}: bytes per second "
            "above 0, or measure"
        )
    return found
