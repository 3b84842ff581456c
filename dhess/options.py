"""The options that every field function and search shares, checked once."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import numpy as np

from dhess.errors import InputError, suggest

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

ORDERS: Final = (2, 4, 6, 8)
SCHEMES: Final = ("direct", "iterated")
NANS: Final = ("propagate", "adapt")
GEOMETRIES: Final = ("cartesian", "sphere")
EARTH: Final = 6371008.8
"""Mean radius of the Earth in metres (IUGG)."""
FLOATS: Final = ("float32", "float64")
LEAST_STEP: Final = 1e-100
LARGEST_STEP: Final = 1e100
"""Beyond these, powers of a step leave the range of float64."""
COUNTS: Final = "it must be a whole number from 1 on, below 2**63"
"""What `is_count` takes, in a sentence."""
TIMES: Final = ("D", "h", "min", "s", "ms", "us", "ns")


class Options(TypedDict, total=False):
    """The common keyword-only options."""

    dims: Hashable | Iterable[Hashable] | None
    """Dimensions to differentiate; the others are batch dimensions. None: all of them."""
    order: int
    """Order of accuracy p: 2, 4, 6 or 8, edges and uneven axes included."""
    scheme: str
    """``"direct"``, or ``"iterated"``: first derivatives twice; of order 2 `numpy.gradient` twice,
    edges and all."""
    period: Mapping[Hashable, float] | None
    """Length after which an axis starts over, in the unit of its coordinate."""
    spacing: Mapping[Hashable, float] | None
    """Grid spacing of dimensions that have no coordinate."""
    scale: Mapping[Hashable, float] | str | None
    """How much of an axis counts as one unit of length: its coordinate is divided by that. Or
    ``"span"``: by the length of the axis, for every axis."""
    nan: str
    """``"propagate"``: a point whose stencil touches a NaN is NaN, and no other. ``"adapt"``: each
    run of valid points along an axis is a domain of its own, with one-sided stencils at its ends,
    of lower order where it is short. A run is looked at as far as a stencil can reach: order + 1
    points to each side, order + 2 on uneven axes. `dhess.gaps` tells the rule."""
    geometry: str
    """``"cartesian"``, or ``"sphere"``: covariant derivatives along latitude and longitude."""
    latitude: Hashable | None
    """Dimension that is the latitude, where neither its name nor CF attributes tell it."""
    longitude: Hashable | None
    """Dimension that is the longitude."""
    radius: float
    """Radius of the sphere, 6371008.8 (metres) by default."""
    datetime_unit: str
    """Unit of derivatives along times: D, h, min, s, ms, us or ns."""
    dtype: DTypeLike | None
    """``"float32"`` or ``"float64"`` for the result; the arithmetic is float64 always."""


@dataclass(frozen=True)
class Settings:
    """`Options`, complete and valid by themselves (not yet against an array)."""

    dims: tuple[Hashable, ...] | None = None
    order: int = 2
    scheme: str = "direct"
    period: Mapping[Hashable, float] = field(default_factory=dict)
    spacing: Mapping[Hashable, float] = field(default_factory=dict)
    scale: Mapping[Hashable, float] | str = field(default_factory=dict)
    nan: str = "propagate"
    geometry: str = "cartesian"
    latitude: Hashable | None = None
    longitude: Hashable | None = None
    radius: float = EARTH
    datetime_unit: str = "s"
    dtype: np.dtype[Any] | None = None

    def result_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of a result from data of ``dtype``.

        Examples
        --------
        >>> Settings().result_dtype(np.dtype("float32")), Settings().result_dtype(np.dtype("i2"))
        (dtype('float32'), dtype('float64'))
        """
        if self.dtype is not None:
            return self.dtype
        short = dtype.kind == "f" and dtype.itemsize <= 4
        return np.dtype("float32" if short else "float64")

    def _sphere(self) -> dict[str, Any]:
        if self.geometry != "sphere":
            return {}
        named = {"latitude": self.latitude, "longitude": self.longitude}
        return {k: str(v) for k, v in named.items() if v is not None} | {"radius": self.radius}

    @property
    def adapts(self) -> bool:
        """Whether stencils adapt to NaN."""
        return self.nan == "adapt"

    def describe(self, dims: Iterable[Hashable], dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return every option as attributes that any file format can hold."""
        return {
            "dims": ",".join(map(str, dims)),
            "order": self.order,
            "scheme": self.scheme,
            "period": _written(self.period),
            "spacing": _written(self.spacing),
            "scale": self.scale if isinstance(self.scale, str) else _written(self.scale),
            "nan": self.nan,
            "geometry": self.geometry,
            **self._sphere(),
            "datetime_unit": self.datetime_unit,
            "dtype": self.result_dtype(dtype).name,
        }


def _written(numbers: Mapping[Hashable, float]) -> str:
    return ",".join(f"{k}={v!r}" for k, v in numbers.items()) or "none"


def settings(**options: Unpack[Options]) -> Settings:
    """Check the common options and fill in the defaults.

    Raises
    ------
    InputError
        For an unknown option, a value that an option cannot take, and options that exclude each
        other.

    Examples
    --------
    >>> settings(scheme="iterated").scheme
    'iterated'
    >>> settings(order=3)
    Traceback (most recent call last):
    ...
    dhess.errors.InputError: order=3 is not available; use order=2, 4, 6 or 8
    """
    known = Options.__optional_keys__
    for name in options:
        if name not in known:
            raise InputError(f"unknown option {name!r}; {suggest(name, sorted(known))}")
    given: dict[str, Any] = {k: v for k, v in options.items() if v is not None}
    chosen = Settings(
        dims=_dims(options.get("dims")),
        order=_order(given.get("order", 2)),
        scheme=_choice("scheme", given.get("scheme", "direct"), SCHEMES),
        period=_lengths("period", given.get("period", {}), "lon", 360),
        spacing=_lengths("spacing", given.get("spacing", {}), "x", 0.1),
        scale=_scale(given.get("scale", {})),
        nan=_choice("nan", given.get("nan", "propagate"), NANS),
        geometry=_choice("geometry", given.get("geometry", "cartesian"), GEOMETRIES),
        latitude=_name("latitude", given.get("latitude")),
        longitude=_name("longitude", given.get("longitude")),
        radius=_radius(given.get("radius", EARTH)),
        datetime_unit=_choice("datetime_unit", given.get("datetime_unit", "s"), TIMES),
        dtype=_dtype(options.get("dtype")),
    )
    _check_together(chosen, given)
    return chosen


def _check_together(chosen: Settings, given: Mapping[str, Any]) -> None:
    """Refuse options that exclude each other."""
    if chosen.scheme == "iterated" and chosen.adapts:
        raise InputError(
            "scheme='iterated' cannot go with nan='adapt': it repeats what numpy.gradient does, "
            "which knows no gaps; use scheme='direct'"
        )
    if chosen.geometry == "cartesian":
        for name in ("latitude", "longitude", "radius"):
            if name in given:
                raise InputError(
                    f"{name}={given[name]!r} is for geometry='sphere', and geometry is "
                    "'cartesian'; give both or leave it out"
                )


def _order(order: object) -> int:
    if not is_number(order) or order not in ORDERS:
        raise InputError(f"order={order!r} is not available; use order=2, 4, 6 or 8")
    return int(order)


def _radius(radius: object) -> float:
    if not _is_length(radius):
        raise InputError(
            f"radius={reprlib.repr(radius)} is none for a sphere; it must be a finite number "
            f"above 0, as {EARTH} for the Earth in metres"
        )
    return float(radius)  # type: ignore[arg-type]


def _scale(scale: object) -> dict[Hashable, float] | str:
    if isinstance(scale, str):
        if scale != "span":
            raise InputError(
                f"scale={scale!r} is unknown; write scale='span' to divide every axis by its "
                'length, or scale={"x": 1000.0}'
            )
        return scale
    return _lengths("scale", scale, "x", 1000.0)


def is_number(value: object) -> bool:
    """Tell whether a value is a real number, Python's or NumPy's; bools and durations are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def _is_length(value: Any) -> bool:
    """Tell whether a value is a number that a step can be."""
    if isinstance(value, np.floating):
        value = float(value)  # a short one would shorten the limits
    return is_number(value) and bool(LEAST_STEP <= value <= LARGEST_STEP)


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number from 1 on that 64 bits hold: files keep it so."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)
    return whole and 1 <= int(value) < 2**63  # type: ignore[call-overload]


def _choice(name: str, value: object, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name}={value!r} is unknown; {suggest(str(value), known)}")
    return str(value)


def _dims(dims: Hashable | Iterable[Hashable] | None) -> tuple[Hashable, ...] | None:
    if dims is None:
        return None
    if isinstance(dims, AbstractSet):
        raise InputError(
            f"dims={reprlib.repr(dims)} is a set, which has no order, and the rows of a result "
            'have one; write a list, as dims=["y", "x"]'
        )
    names = (dims,) if isinstance(dims, str) or not isinstance(dims, Iterable) else _listed(dims)
    for name in names:
        _name("dims", name)
    if not names:
        raise InputError("dims=() names no dimension; name at least one, or leave dims out for all")
    twice = [d for i, d in enumerate(names) if d in names[:i]]
    if twice:
        raise InputError(f"dims={list(names)!r} names {twice[0]!r} twice; name each dimension once")
    return names


def _listed(dims: Iterable[Hashable]) -> tuple[Hashable, ...]:
    try:
        return tuple(dims)
    except TypeError:  # as an array of no dimension
        return (dims,)  # type: ignore[return-value]


def _name(option: str, name: Any) -> Any:
    """Check that something can be the name of a dimension."""
    if not isinstance(name, Hashable):
        raise InputError(
            f"{option} holds {reprlib.repr(name)}, which is no name of a dimension; "
            'write names, as "x"'
        )
    return name


def _lengths(option: str, lengths: object, name: str, example: float) -> dict[Hashable, float]:
    """Check a mapping of dimensions to lengths; the example is for the sentence only."""
    if not isinstance(lengths, Mapping):
        raise InputError(
            f"{option}={lengths!r} does not say which dimension it is for; "
            f'write {option}={{"{name}": {example}}}'
        )
    for key, length in lengths.items():
        if not _is_length(length):
            raise InputError(
                f"{option} of {key!r} is {reprlib.repr(length)}; it must be a finite number "
                f"above 0 (from {LEAST_STEP:g} to {LARGEST_STEP:g})"
            )
    return {key: float(length) for key, length in lengths.items()}


def _dtype(dtype: DTypeLike | None) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError, SyntaxError):
        name = ""
    if name not in FLOATS:
        raise InputError(f"dtype={dtype!r} is not available; use one of {', '.join(FLOATS)}")
    return np.dtype(name)
