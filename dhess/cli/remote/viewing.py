"""How a job of a gateway looks: as a row, and described."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from dhess.errors import plain
from dhess.report.layout import Column, amount, columns, counted, duration, facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

View = dict[str, Any]


def listed(views: Sequence[View]) -> Table:
    """Return a row for each job; who handed it in is told where several did."""
    given = [
        Column("id", "left", [plain(each["id"]) for each in views]),
        Column("state", "left", [plain(each["state"]) for each in views]),
        Column("task", "left", [_task(each) for each in views]),
        Column("done", "right", [_share(each) for each in views]),
        Column("handed in", "left", [moment(each["created"])[:16] for each in views]),
        Column("by", "left", [plain(each["submitter"]) for each in views]),
        Column("source", "left", [_short(each["source"]) for each in views]),
    ]
    several = len({each["submitter"] for each in views}) > 1
    return columns(*(each for each in given if several or each.head != "by"))


def described(view: View) -> RenderableType:
    """Return all that is told of a job."""
    return facts(
        ("job", plain(view["id"])),
        ("state", state(view)),
        ("task", _task(view)),
        ("source", _source(view)),
        ("output", plain(view["output"] or "")),
        ("handed in", f"{moment(view['created'])} by {plain(view['submitter'])}"),
        ("started", moment(view["started"])),
        ("ended", moment(view["ended"])),
        ("windows", _windows(view)),
        ("read", _read(view)),
        ("pace", _pace(view)),
        ("lowest" if view["task"] == "critical" else "best", _best(view)),
    )


def _task(view: View) -> str:
    return plain(f"{view['task']} {view['measure']}".rstrip())


def state(view: View) -> str:
    """Say how a job stands, and why."""
    told = plain(view["state"])
    if view["queue"]:
        told += f", place {view['queue']}"
    if view["wish"] != "run" and told != "cancelled":
        told += f", to be {'deleted' if view['wish'] == 'delete' else 'cancelled'}"
    return told + (f": {plain(view['note'])}" if view["note"] else "")


def moment(text: str | None) -> str:
    """Return a time in ISO 8601 as the clock of this place shows it."""
    if not text:
        return ""
    try:
        return dt.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return plain(text)


def _share(view: View) -> str:
    windows = view["windows"]
    return f"{100 * view['done'] // windows} %" if windows else "–"


def _short(source: str | list[str]) -> str:
    """Return the end of a source, by which people know it."""
    first = plain(source if isinstance(source, str) else source[0])
    more = "" if isinstance(source, str) or len(source) == 1 else f" and {len(source) - 1} more"
    path, mark, variable = first.partition("::")
    return path.rstrip("/").rpartition("/")[2] + mark + variable + more


def _source(view: View) -> str:
    source = view["source"] if isinstance(view["source"], str) else ", ".join(view["source"])
    return plain(source + (f"::{view['variable']}" if view["variable"] else ""))


def _windows(view: View) -> str | None:
    if not view["windows"]:
        return None
    again = f"; {counted(view['attempts'], 'start')} without one" if view["attempts"] else ""
    return f"{view['done']:,} of {view['windows']:,}, {_share(view)}{again}"


def _read(view: View) -> str | None:
    if not view["of_nbytes"]:
        return None
    return f"{amount(view['nbytes'])} of {amount(view['of_nbytes'])}"


def _pace(view: View) -> str | None:
    if not view["rate"]:
        return None
    left = "" if view["eta"] is None else f", {duration(view['eta'])} left"
    return f"{view['rate']:.3g} windows/s{left}"


def _best(view: View) -> str | None:
    best = view["best"]
    if best is None or best["value"] is None:
        return None
    return f"{best['value']:.6g} at index {', '.join(map(str, best['index']))}"
