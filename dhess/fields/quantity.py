"""What a field function returns, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError, suggest
from dhess.kernels import boxes
from dhess.measures import MEASURES, Measure
from dhess.stencil import HESSIAN as SECOND
from dhess.stencil import SLOPES, Need
from dhess.units import axis_units, common, product, unit_text, warn_height, warn_mixed

if TYPE_CHECKING:
    import xarray as xr

    from dhess.grid import Grid
    from dhess.options import Settings

POLES: Final = "NaN at the poles, where latitude and longitude have no direction"


@dataclass(frozen=True)
class Quantity:
    """What a field function returns: a measure, or the components of a tensor."""

    name: str
    long_name: str
    need: Need
    measure: Measure | None = None
    components: int = -1
    leading: tuple[str, ...] = ()
    """Dimensions before those of the data, each as long as there are axes."""
    powers: tuple[int, int] | None = None
    """Powers of the field's and of the coordinate's unit; None: `unit`, or as the measure says."""
    unit: str | None = None
    """Unit that does not depend on the field's."""
    mixes: bool = True
    """Whether derivatives along different axes are added up."""


GRADIENT = Quantity(
    "gradient", "gradient", SLOPES,
    components=boxes.GRADIENT, leading=("row",), powers=(1, -1), mixes=False,
)  # fmt: skip
HESSIAN = Quantity(
    "hessian", "Hessian", SECOND,
    components=boxes.HESSIAN, leading=("row", "col"), powers=(1, -2), mixes=False,
)  # fmt: skip
EIGENVALUES = Quantity(
    "eigenvalues", "eigenvalues of the Hessian", SECOND,
    components=boxes.EIGENVALUES, leading=("eigen",), powers=(1, -2),
)  # fmt: skip


TENSORS = {each.name: each for each in (GRADIENT, HESSIAN, EIGENVALUES)}
"""What can be written besides the measures."""


def quantity_named(name: str) -> Quantity:
    """Return the field of a measure or of a tensor.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if name in TENSORS:
        return TENSORS[name]
    if name not in MEASURES:
        known = suggest(name, (*MEASURES, *TENSORS))
        raise InputError(f"unknown field {name!r}; {known}; see 'dhess measures'")
    return quantity_of(MEASURES[name])


def quantity_of(measure: Measure) -> Quantity:
    """Return the scalar field of a measure."""
    return Quantity(
        measure.name,
        measure.name.replace("_", " "),
        measure.need,
        measure=measure,
        powers=measure.powers,
        unit=measure.unit if measure.unit in ("rad", "1") else None,
        mixes=measure.mixes,
    )


def unit_of(data: xr.DataArray, grid: Grid, chosen: Settings, quantity: Quantity) -> str | None:
    """Return the unit of a quantity as text, None if the attributes do not tell it."""
    field, units = data.attrs.get("units"), _units(grid, chosen)
    if quantity.unit is not None:
        return quantity.unit
    if quantity.powers is not None:
        return unit_text(field, units, quantity.powers)
    # The determinant: one factor per axis, each in its own unit.
    return product([(field, len(units)), *((unit, -2) for unit in units)])


def unit_attrs(
    data: xr.DataArray, grid: Grid, chosen: Settings, quantity: Quantity
) -> dict[str, str]:
    """Return what the attributes of a result say of its unit, and of what else stands beside it."""
    attrs: dict[str, str] = {}
    unit = unit_of(data, grid, chosen, quantity)
    if unit is not None:
        attrs["units"] = unit
    elif quantity.leading and quantity.leading != ("eigen",):
        attrs |= _component_units(data, grid, chosen, quantity)
    if any(axis.is_time for axis in grid.axes):
        attrs["datetime_unit"] = chosen.datetime_unit
    if grid.poles:
        attrs["note"] = POLES
    return attrs


def _component_units(
    data: xr.DataArray, grid: Grid, chosen: Settings, quantity: Quantity
) -> dict[str, str]:
    """Return the units of a gradient or Hessian by row, where axes are in several."""
    units = _units(grid, chosen)
    field = data.attrs.get("units")
    rows = range(len(units))
    if len(quantity.leading) == 1:
        each = {str(grid.names[k]): product([(field, 1), (units[k], -1)]) for k in rows}
    else:
        each = {
            f"{grid.names[k]},{grid.names[l]}": product(
                [(field, 1), (units[k], -1), (units[l], -1)]
            )
            for k in rows
            for l in rows
            if k <= l
        }
    known = {name: unit for name, unit in each.items() if unit is not None}
    return {"component_units": "; ".join(f"{n}: {u}" for n, u in known.items())} if known else {}


def _units(grid: Grid, chosen: Settings) -> tuple[str | None, ...]:
    return axis_units(grid.names, [axis.unit for axis in grid.axes], chosen.scale)


def warn_units(data: xr.DataArray, grid: Grid, chosen: Settings, quantity: Quantity) -> None:
    """Warn if a quantity adds up what has different units.

    Warns
    -----
    UnitsWarning
        For axes of different units, if ``scale`` does not make one of them, and for a surface whose
        height is in another unit than its axes.
    """
    axes = dict(zip(grid.names, _units(grid, chosen), strict=True))
    surface = quantity.measure is not None and quantity.measure.surface
    if quantity.mixes:
        warn_mixed(quantity.name, axes)
    if surface and common(axes.values()) is not None:
        warn_height(quantity.name, data.attrs.get("units"), axes)
