"""The plan of a job, for whoever would compute it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from dhess.cli.options import Job
    from dhess.planning import Plan

log = logging.getLogger(__name__)


def project(job: Job, da: xr.DataArray, measure: str, client: Any = None, **work: Any) -> Plan:
    """Plan for the workers of a cluster or, without one, for those that the options say."""
    from dask.system import CPU_COUNT

    from dhess.planning import plan

    team: dict[str, Any] = {}
    if client is None and job.place.in_threads(da.nbytes):
        team = {"workers": 1, "threads": CPU_COUNT}
    elif client is None:
        team = {"workers": job.place.workers, "memory_limit": job.place.memory_limit}
    return plan(da, measure, **team, **work, **job.options)


def tell_plan(job: Job, da: xr.DataArray, measure: str, client: Any, **work: Any) -> None:
    """Tell the log what the work will take, if somebody reads it."""
    if not log.isEnabledFor(logging.INFO):
        return
    from dhess.report.layout import amount, counted, times

    plan = project(job, da, measure, client, **work)
    log.info(
        "plan: %s of up to %s in %s, %s, reads %.2f × the data, up to %s of memory per worker",
        counted(plan.blocks, "block"), times(tuple(plan.block.values())),
        counted(plan.windows, "window"), counted(plan.tasks, "task"), plan.read_ratio,
        amount(plan.peak_memory),
    )  # fmt: skip
