"""What a command found out, as a model: the same facts as JSON for programs and as a table.

Every ``--json`` output is one of these models; ``FindReport.model_validate_json`` reads it back.
JSON knows neither NaN nor infinity, so both are ``null``; dates are ISO 8601 text.
"""

from __future__ import annotations

from dhess.report.models import (
    SCHEMA_VERSION,
    Answer,
    AxisInfo,
    FieldReport,
    FindReport,
    InfoReport,
    MeasureInfo,
    MeasuresReport,
    Report,
)
from dhess.report.tables import render

__all__ = [
    "SCHEMA_VERSION",
    "Answer",
    "AxisInfo",
    "FieldReport",
    "FindReport",
    "InfoReport",
    "MeasureInfo",
    "MeasuresReport",
    "Report",
    "render",
]
