"""Find where an n-dimensional field is flattest, and how it curves there.

Slopes, Hessians and measures of curvature of labelled arrays, lazily and out of core, and the
search for the places where a measure is smallest.

Examples
--------
>>> import numpy as np, xarray as xr, dhess
>>> x = np.linspace(-2, 2, 81)
>>> hill = xr.DataArray(np.exp(-(x**2) - x[:, None] ** 2), {"y": x, "x": x}, ("y", "x"))
>>> best = dhess.find_minimum(hill, "slope")
>>> float(best.x[0]), float(best.y[0]), str(best.kind[0].values)
(0.0, 0.0, 'maximum')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dhess import accessor  # noqa: F401  (registers ``da.dhess`` with xarray)
from dhess.errors import (
    ClusterError,
    DhessError,
    DhessWarning,
    GridError,
    GridWarning,
    InputError,
    Interrupted,
    LedgerError,
    NoValidPoint,
    OutputError,
    ReadError,
    SourceError,
    UnitsWarning,
)
from dhess.fields import eigenvalues, gradient, hessian, laplacian, measure
from dhess.planning import Plan, plan
from dhess.regions import flat_regions
from dhess.search import find_minimum

if TYPE_CHECKING:
    from dhess import plot
    from dhess.client import Client
    from dhess.cluster import local_cluster
    from dhess.critical import critical_points
    from dhess.job import Job
    from dhess.local import local_model
    from dhess.sampling import hessian_at, sample
    from dhess.smoothing import smooth
    from dhess.source import open  # noqa: A004

__all__ = [
    "Client",
    "ClusterError",
    "DhessError",
    "DhessWarning",
    "GridError",
    "GridWarning",
    "InputError",
    "Interrupted",
    "Job",
    "LedgerError",
    "NoValidPoint",
    "OutputError",
    "Plan",
    "ReadError",
    "SourceError",
    "UnitsWarning",
    "critical_points",
    "eigenvalues",
    "find_minimum",
    "flat_regions",
    "gradient",
    "hessian",
    "hessian_at",
    "laplacian",
    "local_cluster",
    "local_model",
    "measure",
    "open",
    "plan",
    "plot",
    "sample",
    "smooth",
]

# What needs zarr, distributed, scipy or matplotlib is loaded when it is first asked for.
_LATER = {
    "Client": "dhess.client",
    "critical_points": "dhess.critical",
    "open": "dhess.source",
    "Job": "dhess.job",
    "local_cluster": "dhess.cluster",
    "local_model": "dhess.local",
    "hessian_at": "dhess.sampling",
    "sample": "dhess.sampling",
    "smooth": "dhess.smoothing",
}


def __getattr__(name: str) -> Any:
    if name == "plot":
        return import_module("dhess.plot")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
