"""What requests are made of: ids, paths, and the keys of a job."""

from __future__ import annotations

import re
from typing import Any, Final

from dhess.errors import DhessWarning, InputError, warn_caller

SHORTEST: Final = 4
WHOLE: Final = 16
"""Digits of an id: how many may stand for a job, and how many are all of it."""


def beginning(prefix: str) -> str:
    """Return the first digits of an id, or all of it, in its usual form.

    Raises
    ------
    InputError
        If that is not what it is.

    Examples
    --------
    >>> beginning(" 3F2A")
    '3f2a'
    """
    asked = prefix.strip().lower()
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST},{WHOLE}}}", asked):
        raise InputError(
            f"{prefix!r} is no id of a job, which has {WHOLE} digits 0-9 and a-f; the first "
            f"{SHORTEST} are enough if no other job begins so ('dhess jobs' lists them)"
        )
    return asked


def path_of(job: str, *parts: str) -> str:
    """Return the path of a job, which nothing in an id can lead out of."""
    if not re.fullmatch(r"[0-9A-Za-z]{1,64}", job):
        raise InputError(f"{job!r} is no id of a job; it has {WHOLE} digits 0-9 and a-f")
    return "/".join(["/v1/jobs", job, *parts])


def sendable(spec: Any) -> dict[str, Any]:
    """Return the keys of a job that a gateway takes: it has a cluster of its own."""
    spec = getattr(spec, "spec", spec)
    if not hasattr(spec, "model_dump"):
        given: dict[str, Any] = dict(spec)
        return given
    keys: dict[str, Any] = spec.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    resources = keys.pop("resources", {})
    kept = {name: value for name, value in resources.items() if name == "window"}
    if left := sorted(f"resources.{name}" for name in resources.keys() - kept):
        warn_caller(
            f"{', '.join(left)} of the job {'is' if len(left) == 1 else 'are'} left out: the "
            "gateway computes on a cluster of its own",
            DhessWarning,
        )
    return keys | ({"resources": kept} if kept else {})
