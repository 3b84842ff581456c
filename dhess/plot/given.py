"""What a picture is asked of: refused in one sentence where it cannot be drawn, made plain else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from dhess.errors import InputError
from dhess.grid import check_data
from dhess.units import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def usable(da: Any) -> xr.DataArray:
    """Return a field without pint's quantities, whose units become texts.

    Raises
    ------
    InputError
        It is no DataArray, or one that has no real numbers, no points, or no known size.
    """
    if not isinstance(da, xr.DataArray):
        remedy = "wrap it with xarray.DataArray"
        if isinstance(da, xr.Dataset):
            names = ", ".join(map(repr, da.data_vars)) or "none"
            remedy = f"choose one of its variables ({names})"
        raise InputError(
            f"a picture shows an xarray.DataArray, and the field is of type {type(da).__name__}; "
            f"{remedy}"
        )
    check_data(da)
    bare: xr.DataArray = plain(da)[0]
    return bare


def unquantified(found: T) -> T:
    """Return an answer, or labels, without pint's quantities; anything else as it is."""
    if isinstance(found, xr.DataArray | xr.Dataset):
        stripped: Any = plain(found)[0]
        return stripped  # type: ignore[no-any-return]
    return found


def a_number(threshold: Any) -> float:
    """Return a threshold as a number.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        if isinstance(threshold, str | bytes):
            raise TypeError
        return float(threshold)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"threshold={threshold!r} is not a number; give the value that the measure has to be "
            "below"
        ) from problem


def check_panels(measures: Sequence[str], captions: Sequence[str] | None) -> None:
    """Refuse no measures, and captions that are not one for each.

    Raises
    ------
    InputError
        As above.
    """
    if not measures:
        raise InputError("measures is empty, and each of them is a panel; name one or more")
    if captions is not None and (isinstance(captions, str) or len(captions) != len(measures)):
        seen = "a text" if isinstance(captions, str) else str(len(captions))
        raise InputError(
            f"captions must be one text for each of the {len(measures)} measures, not {seen}"
        )
