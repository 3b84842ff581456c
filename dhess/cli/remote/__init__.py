"""The commands that ask a gateway: hand a job in, look at it, fetch its result."""

from __future__ import annotations

from dhess.cli.remote.changing import cancel, delete, retry
from dhess.cli.remote.jobs import jobs
from dhess.cli.remote.logs import logs
from dhess.cli.remote.result import result
from dhess.cli.remote.show import show
from dhess.cli.remote.submit import submit

__all__ = ["COMMANDS"]

COMMANDS = (submit, jobs, show, result, cancel, retry, delete, logs)
"""In the order in which one meets them."""
