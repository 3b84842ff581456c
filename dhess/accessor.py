"""``da.dhess.hessian()``: every function that takes an array, as a method of arrays and Datasets.

Registered with xarray by ``import dhess``. A method is the function of the same name with the data
as its first argument, and that function's documentation holds. Each is loaded when it is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack

import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhess.local import LocalModel
    from dhess.options import Options
    from dhess.planning import Plan


@xr.register_dataset_accessor("dhess")  # type: ignore[no-untyped-call]
@xr.register_dataarray_accessor("dhess")  # type: ignore[no-untyped-call]
class Accessor:
    """Slopes, curvatures and searches of this array, or of a Dataset's variables.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-1, 1, 21)
    >>> f = xr.DataArray(x**2 - x[:, None] ** 2, {"y": x, "x": x}, ("y", "x"))
    >>> str(f.dhess.find_minimum("slope").kind[0].values)
    'saddle'
    >>> f.dhess.hessian(order=4)[:, :, 10, 10].values.round(6)
    array([[-2.,  0.],
           [ 0.,  2.]])
    """

    def __init__(self, data: xr.DataArray | xr.Dataset) -> None:
        self._data = data

    def gradient(self, **options: Unpack[Options]) -> Any:
        """See `dhess.gradient`."""
        return self._called("fields", "gradient", **options)

    def hessian(self, **options: Unpack[Options]) -> Any:
        """See `dhess.hessian`."""
        return self._called("fields", "hessian", **options)

    def laplacian(self, **options: Unpack[Options]) -> Any:
        """See `dhess.laplacian`."""
        return self._called("fields", "laplacian", **options)

    def eigenvalues(self, **options: Unpack[Options]) -> Any:
        """See `dhess.eigenvalues`."""
        return self._called("fields", "eigenvalues", **options)

    def measure(self, name: str, **options: Unpack[Options]) -> Any:
        """See `dhess.measure`."""
        return self._called("fields", "measure", name, **options)

    def smooth(self, sigma: Any, **options: Unpack[Options]) -> Any:
        """See `dhess.smooth`."""
        return self._called("smoothing", "smooth", sigma, **options)

    def find_minimum(self, measure: str = "hessian_norm", **options: Any) -> xr.Dataset:
        """See `dhess.find_minimum`."""
        found: xr.Dataset = self._called("search", "find_minimum", measure, **options)
        return found

    def flat_regions(self, measure: str = "hessian_norm", **options: Any) -> Any:
        """See `dhess.flat_regions`."""
        return self._called("regions", "flat_regions", measure, **options)

    def critical_points(self, **options: Any) -> xr.Dataset:
        """See `dhess.critical_points`."""
        found: xr.Dataset = self._called("critical", "critical_points", **options)
        return found

    def local_model(self, at: Mapping[Any, Any], **options: Unpack[Options]) -> LocalModel:
        """See `dhess.local_model`."""
        model: LocalModel = self._called("local", "local_model", at, **options)
        return model

    def plan(self, measure: str = "hessian_norm", **options: Any) -> Plan:
        """See `dhess.plan`."""
        planned: Plan = self._called("planning", "plan", measure, **options)
        return planned

    def _called(self, home: str, name: str, *args: Any, **options: Any) -> Any:
        return getattr(import_module(f"dhess.{home}"), name)(self._data, *args, **options)
