"""``dhess plan``: what a search, a field, regions or critical points would take, before it runs."""

from __future__ import annotations

import click

from dhess.cli.compute import check_place, cluster
from dhess.cli.field import TENSORS
from dhess.cli.options import Job, job_options, measure_names
from dhess.cli.outputs import check_files, emit, json_option
from dhess.cli.project import project
from dhess.cli.reading import rate
from dhess.errors import ClusterError, InputError


@click.command(
    short_help="Tell what a search or a field would take, before it runs.",
    epilog="""\b
Examples:
  dhess plan run.zarr::temperature
  dhess plan big.zarr --workers 8 --memory-limit 4GB --read-rate measure
  dhess plan big.zarr --task field --measure slope --read-rate 500MB
  dhess plan big.zarr --task critical --dims y,x
  dhess plan big.zarr --scheduler tcp://127.0.0.1:8786 --json -
  dhess plan 'run_*.nc::T' --dims y,x --chunks time=24,y=256,x=256""",
)
@click.option(
    "-m", "--measure", default="hessian_norm", show_default=True, metavar="NAME",
    shell_complete=lambda *_: [*measure_names(), *TENSORS],
    help="As for 'dhess find', or as for the command that --task names.",
)  # fmt: skip
@click.option(
    "-k", "--k", type=int, default=1, show_default=True, metavar="N",
    help="How many points to find.",
)  # fmt: skip
@click.option(
    "--task", default="find", show_default=True, metavar="NAME",
    shell_complete=lambda *_: ["find", "field", "regions", "critical"],
    help="Which command to plan: find, field, regions or critical.",
)  # fmt: skip
@click.option("--field", is_flag=True, help="The same as --task field.")
@click.option(
    "--read-rate", metavar="500MB|measure", callback=rate,
    help="Estimate the time, from the bytes that one thread reads and computes in a second; "
    "measure: do a few blocks and see.",
)  # fmt: skip
@json_option
@job_options
def plan(
    job: Job,
    measure: str,
    k: int,
    task: str,
    field: bool,
    read_rate: float | str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Tell what 'dhess find SRC' would take, or another --task: tasks, bytes, memory, time.

    Nothing is searched or written, and no cluster is started: --workers and --memory-limit say
    what there would be. With --scheduler, the cluster that runs there is asked for its workers.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The exit code is 2 if the work does not fit into the memory of the workers.
    """
    from dhess.report import PlanReport

    check_files(json_file, overwrite=overwrite, source=job.source)
    check_place(job.place)
    da = job.open()
    work = {"task": task, "k": k, "field": field, "rate": read_rate}
    if job.place.scheduler is None:
        found = project(job, da, measure, **work)
    else:
        with cluster(job.place) as client:
            _check_workers(job.place.scheduler)
            found = project(job, da, measure, client, **work)
    report = PlanReport.from_plan(found)
    emit(report, json_file)
    if not report.fits:
        raise InputError(report.refusal)


def _check_workers(scheduler: str) -> None:
    from dhess.running import workers

    if workers() is None:
        raise ClusterError(
            f"the scheduler at {scheduler!r} has no workers to plan for; start some, or leave "
            "--scheduler out and say --workers and --memory-limit"
        )
