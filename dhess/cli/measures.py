"""``dhess measures``: the table of what can be minimised or written."""

from __future__ import annotations

import click

from dhess.cli.outputs import check_files, emit, json_option


@click.command(
    short_help="Print the table of measures with formulas and units.",
    epilog="""\b
Examples:
  dhess measures
  dhess measures --json - | python -m json.tool""",
)
@json_option
def measures(json_file: str | None, overwrite: bool) -> None:
    """Print every measure: its formula, what it needs, its unit and what it means."""
    from dhess.report import MeasuresReport

    check_files(json_file, overwrite=overwrite)
    emit(MeasuresReport.of_table(), json_file)
