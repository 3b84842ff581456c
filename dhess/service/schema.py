"""A job as this service takes it, for forms and for the description of the API."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from dhess.errors import InputError
from dhess.job import JobSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhess.service.places import Places

FIND: Final = {"source": "run.zarr::temperature", "measure": "slope", "k": 3}
FIELD: Final = {
    "task": "field",
    "source": "run.zarr::temperature",
    "measure": "slope",
    "output": "slope.zarr",
    "sel": {"time": [0, 10]},
}
REGIONS: Final = {
    "task": "regions",
    "source": "run.zarr::temperature",
    "measure": "slope",
    "quantile": 0.05,
    "min_size": 10,
}
CRITICAL: Final = {"task": "critical", "source": "run.zarr::temperature", "period": {"x": 360.0}}
JOBS: Final = {"find": FIND, "field": FIELD, "regions": REGIONS, "critical": CRITICAL}
"""An example of each task."""
_OURS: Final = ("window",)
"""Resources that a job may choose here; all others are the service's own."""


def job_schema() -> dict[str, Any]:
    """Return the JSON schema of a job that can be handed in here."""
    return copy.deepcopy(_job_schema())


@cache
def _job_schema() -> dict[str, Any]:
    schema = JobSpec.model_json_schema()
    resources = schema.pop("$defs")["Resources"]
    known = resources["properties"]
    resources["properties"] = {name: known[name] for name in _OURS}
    resources["description"] = "In what portions it runs."
    schema["properties"]["resources"] = resources
    schema["title"] = "Job"
    return schema


def job_of(given: Mapping[str, Any], places: Places) -> JobSpec:
    """Return the job that a body describes; relative paths are taken from the first roots.

    Raises
    ------
    InputError
        If it is no job.
    Refused
        If its source or its output leads out of the roots.
    """
    found = dict(given)
    source, variable, output = (found.get(name) for name in ("source", "variable", "output"))
    if isinstance(source, str) or _is_list_of_text(source):
        found["source"] = places.placed(source, variable if isinstance(variable, str) else None)
    if isinstance(output, str):
        found["output"] = places.placed_output(output)
    spec = JobSpec.read(found)
    if isinstance(spec.source, list) and not spec.source:
        raise InputError("source is an empty list; name at least one file")
    return spec


def _is_list_of_text(given: Any) -> TypeGuard[list[str]]:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)
