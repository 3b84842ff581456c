"""What a command found out, as a model: the same facts as JSON for programs and as a table.

Every ``--json`` output is one of these models; ``FindReport.model_validate_json`` reads it back.
JSON knows neither NaN nor infinity, so both are ``null``; dates are ISO 8601 text.
"""

from __future__ import annotations

from dhess.report.advice import Hint, Sphere
from dhess.report.axes import AxisInfo
from dhess.report.base import SCHEMA_VERSION, Report
from dhess.report.critical import CriticalPoint, CriticalReport
from dhess.report.info import InfoReport, SearchInfo
from dhess.report.local import AtReport, LocalAnswer
from dhess.report.models import Answer, FieldReport, FindReport, MeasureInfo, MeasuresReport
from dhess.report.plan import PlanReport
from dhess.report.regions import Region, RegionsReport
from dhess.report.tables import render

__all__ = [
    "SCHEMA_VERSION",
    "Answer",
    "AtReport",
    "AxisInfo",
    "CriticalPoint",
    "CriticalReport",
    "FieldReport",
    "FindReport",
    "Hint",
    "InfoReport",
    "LocalAnswer",
    "MeasureInfo",
    "MeasuresReport",
    "PlanReport",
    "Region",
    "RegionsReport",
    "Report",
    "SearchInfo",
    "Sphere",
    "render",
]
