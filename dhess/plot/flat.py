"""Where a picture is flat: below a threshold of a measure, or where labels say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dhess import fields
from dhess.errors import InputError
from dhess.plot.given import a_number
from dhess.plot.places import held, is_regions
from dhess.plot.thinning import thin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REACH = 4
"""Points to either side of a cut that its derivatives take, per order, one-sided rows included."""


@dataclass(frozen=True, eq=False)
class Flat:
    """A field on a plane, lazy where the data is: what is below the threshold is flat.

    Thinned, each cell counts by its smallest value, so that a flat place of one point stays.
    """

    small: xr.DataArray
    threshold: float
    text: str
    """What is drawn around, for the legend."""
    filled: bool
    """Whether it is shaded, or only surrounded."""


def flat_of(
    da: xr.DataArray,
    regions: xr.Dataset | xr.DataArray | None,
    threshold: float | None,
    measure: str | None,
    options: Mapping[str, Any],
) -> Flat | None:
    """Return what is flat on a plane: labels, if there are any, or else below a threshold.

    Raises
    ------
    InputError
        The regions are neither, or not of this plane, or there is no threshold for a measure.
    """
    labels = labels_of(regions)
    threshold, measure = known(regions, threshold, measure)
    if labels is not None:
        return Flat(_outside(da, labels), 0.5, named(measure, threshold), filled=True)
    if threshold is None:
        return None
    small = thin(fields.measure(da, measure, **options), "min")
    return Flat(small, threshold, named(measure, threshold), filled=regions is not None)


def flat_cut(
    da: xr.DataArray,
    result: xr.Dataset,
    dims: Sequence[str],
    regions: xr.Dataset | xr.DataArray | None,
    threshold: float | None,
    measure: str | None,
    options: Mapping[str, Any],
) -> Flat | None:
    """Return what is flat on the cut through the first row of an answer, as `flat_of` does.

    The measure takes derivatives across the cut too.  So it is made of as many planes to either
    side as these need, and not of all the data.
    """
    labels = labels_of(regions)
    threshold, measure = known(regions, threshold, measure)
    at = held(da, result, dims)
    if labels is not None:
        cut = da.isel(at).transpose(*dims)
        inside = {dim: i for dim, i in at.items() if dim in labels.dims}
        return Flat(_outside(cut, labels.isel(inside)), 0.5, named(measure, threshold), filled=True)
    if threshold is None:
        return None
    near, place = _near(da, at, options)
    small = fields.measure(near, measure, **options).isel(place).transpose(*dims)
    filled = regions is not None
    return Flat(thin(small, "min"), threshold, named(measure, threshold), filled)


def shaded(
    result: xr.Dataset | None, regions: xr.Dataset | xr.DataArray | None
) -> xr.Dataset | xr.DataArray | None:
    """Return what is shaded: the regions, those that `result` is, or labels that tell theirs."""
    if result is None or not is_regions(result):
        return regions
    if isinstance(regions, xr.DataArray):
        return regions.assign_attrs({**result.attrs, **regions.attrs})
    return result if regions is None else regions


def labels_of(regions: xr.Dataset | xr.DataArray | None) -> xr.DataArray | None:
    """Return the labels of regions, if there are any.

    Raises
    ------
    InputError
        They are no labels, or the Dataset tells of no regions.
    """
    if regions is None:
        return None
    if isinstance(regions, xr.Dataset):
        if "index" not in regions or not is_regions(regions):
            raise InputError(
                f"regions= is a Dataset with dimensions {', '.join(map(str, regions.sizes))}; "
                "give what dhess.flat_regions returned, or an array of labels"
            )
        return None
    kind = getattr(regions, "dtype", None)
    if kind is None or kind.kind not in "iub":
        kind = kind or type(regions).__name__
        raise InputError(
            f"regions= is of type {kind}; give what dhess.flat_regions returned, or a DataArray "
            "of whole numbers that are 0 where there is no region"
        )
    return regions


def known(
    regions: xr.Dataset | xr.DataArray | None, threshold: float | None, measure: str | None
) -> tuple[float | None, str]:
    """Return threshold and measure: those that are given, or else those of the regions."""
    attrs = {} if regions is None else regions.attrs
    if threshold is None and attrs.get("threshold") is not None:
        threshold = float(attrs["threshold"])
    if threshold is None and isinstance(regions, xr.Dataset):
        raise InputError(
            "regions= has no attribute 'threshold', so where they are cannot be drawn; give "
            "threshold=, or their labels"
        )
    if threshold is not None:
        threshold = a_number(threshold)
    return threshold, measure or str(attrs.get("measure", "hessian_norm"))


def named(measure: str, threshold: float | None) -> str:
    """Say what is flat, for a legend.

    Examples
    --------
    >>> named("slope", 0.25), named("slope", None)
    ('slope < 0.25', 'flat regions')
    """
    return "flat regions" if threshold is None else f"{measure} < {threshold:.3g}"


def _outside(plane: xr.DataArray, labels: xr.DataArray) -> xr.DataArray:
    """Return 1 where no label is, and 0 where there is one, thinned."""
    if set(labels.dims) != set(plane.dims) or dict(labels.sizes) != dict(plane.sizes):
        seen, wanted = (
            ", ".join(f"{dim} {size}" for dim, size in each.sizes.items())
            for each in (labels, plane)
        )
        raise InputError(
            f"labels of shape ({seen}) are not those of a field of ({wanted}); "
            "give the labels that were made with it"
        )
    return thin((labels.transpose(*plane.dims) == 0).astype(np.uint8), "min")


def _near(
    da: xr.DataArray, at: Mapping[str, int], options: Mapping[str, Any]
) -> tuple[xr.DataArray, dict[str, int]]:
    """Return the data near a cut, and where in it the cut is.

    Whole along axes that go around, and where the length of an axis is its scale.
    """
    dims = options.get("dims", da.dims)
    reach = REACH * int(options.get("order", 2))
    around = options.get("period") or {}
    place, parts = dict(at), {}
    for dim, i in at.items():
        if dim not in dims:
            parts[dim] = slice(i, i + 1)
            place[dim] = 0
        elif dim not in around and options.get("scale") != "span":
            start = max(0, i - reach)
            parts[dim] = slice(start, i + reach + 1)
            place[dim] = i - start
    return da.isel(parts), place
