"""A Dataset that predicts: the quadratic model of a field around a place."""

from __future__ import annotations

import datetime as dt
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dhess.errors import InputError, suggest
from dhess.units import plain, requantified

if TYPE_CHECKING:
    from collections.abc import Hashable


class LocalModel(xr.Dataset):  # type: ignore[no-untyped-call]
    """What `dhess.local_model` returns: a Dataset with a method more.

    A subclass without state of its own, so that selecting, copying and pickling keep it, and all
    that takes a Dataset takes it. A file does not: `of` brings the method back.

    Examples
    --------
    >>> import dhess
    >>> model = dhess.local_model(xr.DataArray([0.0, 1.0, 4.0, 9.0], dims="x"), {"x": 1.5})
    >>> model.copy().predict([1.5]).item()
    9.0
    """

    __slots__ = ()

    @classmethod
    def of(cls, dataset: xr.Dataset) -> LocalModel:
        """Return a Dataset with the variables of a model, as it comes from a file, as a model."""
        return cls(dataset.data_vars, dataset.coords, dataset.attrs)

    def predict(self, h: Mapping[Hashable, Any] | Any) -> xr.DataArray:
        """Return f + g·h + h'Hh/2: what the model says of the field at a displacement h.

        Parameters
        ----------
        h
            Displacement from the place, in the unit of the axes (along times: of
            ``datetime_unit``, or a length of time; with ``scale`` in its units; on a sphere: of the
            radius, along great circles, north and east). By name, as ``{"x": 0.1, "y": 0.0}``,
            with numbers, arrays or DataArrays that broadcast, 0 along what is not named. Or a
            sequence in the order of ``row``; of an array with more dimensions the last one counts.

        Returns
        -------
        DataArray with the dimensions of h, and those that the model has beside. Its error grows as
        |h|³ on a smooth field, from what the gradient and the Hessian are off.

        Raises
        ------
        InputError
            If h names what was not differentiated, or has another number of components.

        Examples
        --------
        >>> import numpy as np, xarray as xr, dhess
        >>> x = np.arange(6.0)
        >>> f = xr.DataArray(x[:, None] ** 2 + 3 * x, {"y": x, "x": x}, ("y", "x"))
        >>> model = dhess.local_model(f, {"y": 2.5, "x": 1.0})
        >>> model.predict({"y": 0.5}).item(), model.predict([0.5, 1.0]).item()
        (12.0, 15.0)
        """
        model, pint = plain(self)
        along = _displacement(h, model)
        f, g, H = model["value"], model["gradient"], model["hessian"]
        curved = xr.dot(along, H, along.rename(row="col"), dim=["row", "col"])
        predicted = f + xr.dot(g, along, dim="row") + 0.5 * curved
        kept = {name: f.attrs[name] for name in ("units", "long_name") if name in f.attrs}
        named: xr.DataArray = predicted.rename("prediction").assign_attrs(kept)
        return requantified(named, pint)


def _displacement(h: Any, model: xr.Dataset) -> xr.DataArray:
    """Return a displacement as an array along ``row``."""
    row = model["row"]
    names = row.values.tolist()
    if isinstance(h, Mapping):
        for name in h:
            if str(name) not in names:
                raise InputError(
                    f"h names {name!r}, which is no row of the model; {suggest(str(name), names)}"
                )
        given = {str(name): _one(str(name), part, model) for name, part in h.items()}
        zero = xr.DataArray(0.0)
        parts = xr.broadcast(*(given.get(name, zero) for name in names))
        return xr.concat(parts, "row").assign_coords(row=row)
    if isinstance(h, xr.DataArray) and "row" in h.coords:
        if sorted(h["row"].values.tolist()) != sorted(names):
            raise InputError(
                f"h has the rows {h['row'].values.tolist()}, and the model has {names}; give one "
                "number for each"
            )
        return h.sel(row=names)
    values = _numbers("h", h)
    if not values.ndim or values.shape[-1] != len(names):
        raise InputError(
            f"h has shape {values.shape}, and the model has the {len(names)} rows "
            f"{', '.join(names)}; give one number for each, or numbers by name"
        )
    dims = [f"h_{d}" for d in range(values.ndim - 1)]
    return xr.DataArray(values, {"row": row}, (*dims, "row"))


def _one(name: str, part: Any, model: xr.Dataset) -> xr.DataArray:
    """Return the displacement along one axis as numbers."""
    given = part if isinstance(part, xr.DataArray) else np.asarray(part)
    if given.dtype == object and isinstance(part, dt.timedelta):
        given = np.asarray(np.timedelta64(part))
    if given.dtype.kind == "m" and model[name].dtype.kind in "MmO":
        unit: Any = {"min": "m"}.get(model.attrs["datetime_unit"], model.attrs["datetime_unit"])
        given = given / np.timedelta64(1, unit)
    if isinstance(given, xr.DataArray):
        return given.drop_vars([each for each in given.coords if each not in given.dims])
    values = _numbers(f"h of {name!r}", given)
    return xr.DataArray(values, dims=[f"h_{d}" for d in range(values.ndim)])


def _numbers(what: str, h: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.asarray(h)
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{what} is {reprlib.repr(h)}, which is no number and no array of numbers; give it in "
            "the unit of the axis"
        )
    return values.astype(np.float64)
