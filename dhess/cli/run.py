"""``dhess run``: a job from a file, to its end, from wherever it was interrupted."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click

from dhess.cli.outputs import check_files, emit, json_option, warn_missing
from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from dhess.job import JobSpec


@click.command(
    short_help="Run a job from a file, or go on with it.",
    epilog="""\b
Examples:
  dhess run flattest.toml
  dhess run slope.toml --scheduler tcp://127.0.0.1:8786
  dhess run slope.toml --fresh

\b
A job file:
  source = "run.zarr::temperature"
  task = "find"              # or "field", "regions", "critical"
  measure = "slope"
  k = 5
  output = "flattest.json"   # or .nc; of a field a .zarr
  [resources]
  workers = 4
  memory_limit = "4GB\"""",
)
@click.argument("job_file", metavar="JOB.toml", type=click.Path())
@click.option("--fresh", is_flag=True, help="Start over, whatever is recorded.")
@click.option(
    "--verify", is_flag=True,
    help="Compare what an earlier run has written with its checksums, and mend it.",
)  # fmt: skip
@click.option(
    "--ledger", "ledger_file", metavar="FILE",
    help="Where the job's record is; OUTPUT.ledger by default.",
)  # fmt: skip
@click.option(
    "--scheduler", metavar="ADDRESS|FILE.json",
    help="Compute on a cluster that runs already, in place of what the job says.",
)  # fmt: skip
@click.option("--workers", type=int, metavar="N", help="Processes, in place of what the job says.")
@click.option("--memory-limit", metavar="4GB", help="Memory of each of them.")
@json_option
def run(
    job_file: str,
    fresh: bool,
    verify: bool,
    ledger_file: str | None,
    scheduler: str | None,
    workers: int | None,
    memory_limit: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Run what JOB.toml describes, a search or a field, or what is left of it.

    Each window that is done is recorded in a ledger beside the output. Whatever ends the run
    (Ctrl-C, a lost cluster, a power failure), the same command goes on from there.
    """
    from dhess.cli.progress import searching
    from dhess.job import JobSpec, Runner, ledger_path, place_of
    from dhess.ledger import Ledger

    check_files(json_file, overwrite=overwrite)
    asked = {"scheduler": scheduler, "workers": workers, "memory_limit": memory_limit}
    given = {name: value for name, value in asked.items() if value is not None}
    if "scheduler" in given and len(given) > 1:
        raise InputError(
            f"--scheduler {scheduler!r} has workers of its own; leave --workers and "
            "--memory-limit out"
        )
    spec = JobSpec.load(job_file).with_resources(given)
    with (
        Ledger(ledger_path(spec, ledger_file)) as ledger,
        _ended_in_order(),
        searching(spec.task),
    ):
        runner = Runner(spec, ledger, place_of(spec), fresh=fresh, verify=verify)
        result = runner.run()
    report = _report(spec, result)
    warn_missing(report)
    emit(report, json_file)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Take a request to end as Ctrl-C, so that what is done is recorded first."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(spec: JobSpec, result: xr.Dataset | xr.DataArray) -> Any:
    from dhess.job.outputs import report_of
    from dhess.report import FieldReport

    if spec.task != "field":
        return report_of(cast("xr.Dataset", result))
    source = spec.source if isinstance(spec.source, str) else spec.source[0]
    field = cast("xr.DataArray", result)
    return FieldReport.from_array(field, field=spec.measure, source=source, out=str(spec.output))
