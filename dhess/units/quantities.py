"""Arrays that pint gives units: made plain with the units as texts, and given them back.

Nothing here imports pint. Arrays bring their registry with them, and what comes from pint is told
by the module of its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import xarray as xr

from dhess.units.grammar import Factor, factors, written
from dhess.units.text import DIFFERENCE
from dhess.units.words import symbol_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

T = TypeVar("T", bound="xr.DataArray | xr.Dataset")

NAMES: Final = {
    "degC": "degree_Celsius", "degF": "degree_Fahrenheit", "degR": "degree_Rankine",
    "d": "day", "h": "hour", "min": "minute", "%": "percent", "t": "metric_ton",
}  # fmt: skip
"""What pint calls these symbols; the others are its own too."""


@dataclass(frozen=True)
class Pint:
    """Where quantities come from, to make such of plain results."""

    registry: Any
    """The user's `pint.UnitRegistry`."""
    coords: Mapping[Hashable, Any]
    """Unit of every coordinate that has one of pint's."""
    index: Any = None
    """The class `pint_xarray.index.PintIndex`, if a coordinate is indexed by one."""


def plain(data: T) -> tuple[T, Pint | None]:
    """Take pint's units off an array or a Dataset, and write them into the ``units`` attributes.

    Parameters
    ----------
    data
        With NumPy or Dask arrays inside `pint.Quantity`, or indexes of pint-xarray, or neither.

    Returns
    -------
    The same, plain, and what `requantified` needs; data without quantities as it is, and None.
    Lazy stays lazy. Numbers are not converted.

    Examples
    --------
    >>> import pint
    >>> registry = pint.UnitRegistry()
    >>> data = xr.DataArray(registry.Quantity(np.arange(3.0), "degC"), dims="x")
    >>> array, origin = plain(data)
    >>> array.values, array.attrs["units"]
    (array([0., 1., 2.]), 'degC')
    """
    units = {
        n: c.units for n, v in data.coords.variables.items() if (c := _quantity(v)) is not None
    }
    found = [q.units for v in _parts(data) if (q := _quantity(v)) is not None]
    if not found and not units:
        return data, None
    variables = {name: _stripped(v) for name, v in data.coords.variables.items()}
    indexes: dict[Hashable, Any] = dict(data.xindexes)
    quantified = {name: i for name, i in indexes.items() if _from(i, "pint_xarray")}
    for name, index in quantified.items():
        indexes[name] = index.index
        variables |= index.index.create_variables({name: variables[name]})
    kind = next(map(type, quantified.values()), None)
    pint = Pint([*found, *units.values()][0]._REGISTRY, units, kind)
    stripped: T = _rebuilt(data, map(_stripped, _parts(data)), variables, indexes)
    return stripped, pint


def requantified(result: T, pint: Pint | None) -> T:
    """Make quantities of a plain result again, in the registry that its data came from.

    Parameters
    ----------
    result
        Array or Dataset. An array with an attribute ``units`` that the registry knows becomes a
        quantity and the attribute goes; any other stays plain with its text.
    pint
        From `plain`; with None the result is returned as it is.

    Examples
    --------
    >>> import pint
    >>> registry = pint.UnitRegistry()
    >>> _, origin = plain(xr.DataArray(registry.Quantity(np.arange(3.0), "degC"), dims="x"))
    >>> slope = xr.DataArray(np.ones(3), dims="x", attrs={"units": "K m-1"})
    >>> print(requantified(slope, origin).data)
    [1.0 1.0 1.0] kelvin / meter
    """
    if pint is None:
        return result
    variables = dict(result.coords.variables)
    indexes: dict[Hashable, Any] = dict(result.xindexes)
    for name in pint.coords.keys() & variables.keys():
        if name not in indexes:
            variables[name] = _attached(variables[name], pint.registry, pint.coords[name])
        elif pint.index is not None and variables[name].dims == (name,):
            indexes[name] = pint.index(index=indexes[name], units={name: pint.coords[name]})
            bare = variables[name].to_base_variable()
            bare.attrs = _without_units(bare)
            variables |= indexes[name].create_variables({name: bare})
    parts = (_quantified(v, pint.registry) for v in _parts(result))
    rebuilt: T = _rebuilt(result, parts, variables, indexes)
    return rebuilt


def _parts(data: xr.DataArray | xr.Dataset) -> list[xr.Variable]:
    """Return the variables that are no coordinates."""
    if isinstance(data, xr.DataArray):
        return [data.variable]
    return [data.variables[name] for name in data.data_vars]


def _rebuilt(
    data: xr.DataArray | xr.Dataset,
    parts: Iterator[xr.Variable],
    variables: Mapping[Hashable, xr.Variable],
    indexes: Mapping[Hashable, Any],
) -> Any:
    """Return data with other variables and coordinates."""
    coords = xr.Coordinates(dict(variables), dict(indexes))
    if isinstance(data, xr.DataArray):
        array = xr.DataArray(next(parts), coords, name=data.name)
        array.encoding = dict(data.encoding)
        return array
    out = xr.Dataset(dict(zip(data.data_vars, parts, strict=True)), coords, data.attrs)
    out.encoding = dict(data.encoding)
    return out


def _from(thing: object, package: str) -> bool:
    return any(cls.__module__.split(".")[0] == package for cls in type(thing).__mro__)


def _quantity(variable: xr.Variable) -> Any:
    """Return the quantity that a variable holds, or one that Dask holds chunks of, or None."""
    # `Variable.data` would read from a file what has not been read yet.
    values = variable._data
    for candidate in (values, getattr(values, "_meta", None)):
        if _from(candidate, "pint"):
            return candidate
    return None


def _stripped(variable: xr.Variable) -> xr.Variable:
    quantity = _quantity(variable)
    if quantity is None:
        return variable
    values: Any = variable._data
    if quantity is values:
        values = values.magnitude
    else:
        meta = np.empty((0,) * variable.ndim, variable.dtype)
        values = values.map_blocks(_magnitude, dtype=variable.dtype, meta=meta)
    attrs = {**variable.attrs, "units": _text(quantity.units)}
    return xr.Variable(variable.dims, values, attrs, variable.encoding)


def _magnitude(block: Any) -> Any:
    return getattr(block, "magnitude", block)


def _without_units(variable: xr.Variable) -> dict[Any, Any]:
    return {name: value for name, value in variable.attrs.items() if name != "units"}


def _attached(variable: xr.Variable, registry: Any, unit: Any) -> xr.Variable:
    values = registry.Quantity(variable.data, unit)
    return xr.Variable(variable.dims, values, _without_units(variable), variable.encoding)


def _quantified(variable: xr.Variable, registry: Any) -> xr.Variable:
    text = variable.attrs.get("units")
    if text is None or variable.dtype.kind not in "biufc":
        return variable
    unit = _registered(registry, str(text))
    return variable if unit is None else _attached(variable, registry, unit)


def _text(unit: Any) -> str:
    """Return the CF text of a unit of pint's, which `_registered` reads as the same unit."""
    registry = unit._REGISTRY
    parts = []
    for name, power in registry.Quantity(1, unit).unit_items():
        symbol = symbol_of(str(registry.get_symbol(name)))
        exact = symbol and _registered(registry, symbol) == registry.Unit(name)
        word = symbol if symbol and exact else str(name)
        parts.append(Factor(word, word, Fraction(power).limit_denominator(100)))
    return written(parts)


def _registered(registry: Any, text: str) -> Any:
    """Return the unit of the registry that a text names, built symbol by symbol, or None."""
    # pint's own parser reads "m-2" as a difference.
    parts = factors(text, trusting=True)
    alone = len(parts) == 1 and parts[0].power == 1
    unit = registry.Unit("dimensionless")
    for factor in parts:
        one = _named(registry, factor, alone=alone)
        if one is None:
            return None
        power = factor.power
        unit *= one ** (int(power) if power.denominator == 1 else float(power))
    return unit


def _named(registry: Any, factor: Factor, *, alone: bool) -> Any:
    """Return the unit of one factor; beside others a temperature is a difference."""
    symbol = factor.symbol if alone else DIFFERENCE.get(factor.symbol, factor.symbol)
    names = [NAMES.get(symbol, symbol)]
    if symbol == factor.symbol:
        # Only long names mean the same here and there: "mb" is a millibarn in pint.
        names.insert(0 if len(factor.spelling) > 3 else 1, factor.spelling)
    for name in names:
        if name.isidentifier():
            try:
                return registry.Unit(name)
            except (AttributeError, ValueError):
                continue  # pint.UndefinedUnitError is an AttributeError
    return None
