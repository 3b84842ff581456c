"""The options that every field function and search shares, checked once."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import numpy as np

from dhess.errors import InputError, suggest

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

SCHEMES: Final = ("direct", "iterated")
FLOATS: Final = ("float32", "float64")
LEAST_STEP: Final = 1e-100
LARGEST_STEP: Final = 1e100
"""Beyond these, powers of a step leave the range of float64."""
TIMES: Final = ("D", "h", "min", "s", "ms", "us", "ns")


class Options(TypedDict, total=False):
    """The common keyword-only options."""

    dims: Hashable | Iterable[Hashable] | None
    """Dimensions to differentiate; the others are batch dimensions. None: all of them."""
    order: int
    """Order of accuracy. Only 2 so far."""
    scheme: str
    """``"direct"``, or ``"iterated"``: `numpy.gradient` twice, edges and all."""
    period: Mapping[Hashable, float] | None
    """Reserved for axes that wrap."""
    spacing: Mapping[Hashable, float] | None
    """Grid spacing of dimensions that have no coordinate."""
    nan: str
    """``"propagate"``: a point whose stencil touches a NaN is NaN, and no other."""
    geometry: str
    """``"cartesian"``."""
    datetime_unit: str
    """Reserved for datetime coordinates."""
    dtype: DTypeLike | None
    """``"float32"`` or ``"float64"`` for the result; the arithmetic is float64 always."""


@dataclass(frozen=True)
class Settings:
    """`Options`, complete and valid by themselves (not yet against an array)."""

    dims: tuple[Hashable, ...] | None = None
    order: int = 2
    scheme: str = "direct"
    spacing: Mapping[Hashable, float] = field(default_factory=dict)
    nan: str = "propagate"
    geometry: str = "cartesian"
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

    def describe(self, dims: Iterable[Hashable], dtype: np.dtype[Any]) -> dict[str, str | int]:
        """Return every option as attributes that any file format can hold."""
        return {
            "dims": ",".join(map(str, dims)),
            "order": self.order,
            "scheme": self.scheme,
            "period": "none",
            "spacing": ",".join(f"{k}={v!r}" for k, v in self.spacing.items()) or "none",
            "nan": self.nan,
            "geometry": self.geometry,
            "datetime_unit": self.datetime_unit,
            "dtype": self.result_dtype(dtype).name,
        }


def settings(**options: Unpack[Options]) -> Settings:
    """Check the common options and fill in the defaults.

    Raises
    ------
    InputError
        For an unknown option, a value that an option cannot take, and one that is still reserved.

    Examples
    --------
    >>> settings(scheme="iterated").scheme
    'iterated'
    >>> settings(order=3)
    Traceback (most recent call last):
    ...
    dhess.errors.InputError: order=3 is not available; use order=2
    """
    known = Options.__optional_keys__
    for name in options:
        if name not in known:
            raise InputError(f"unknown option {name!r}; {suggest(name, sorted(known))}")
    given = {k: v for k, v in options.items() if v is not None}
    _reserved(given)
    return Settings(
        dims=_dims(options.get("dims")),
        scheme=_choice("scheme", given.get("scheme", "direct"), SCHEMES),
        spacing=_spacing(options.get("spacing")),
        datetime_unit=_choice("datetime_unit", given.get("datetime_unit", "s"), TIMES),
        dtype=_dtype(options.get("dtype")),
    )


def _reserved(given: Mapping[str, Any]) -> None:
    order = given.get("order", 2)
    if not is_number(order) or order != 2:
        raise InputError(f"order={order!r} is not available; use order=2")
    if "period" in given and not (isinstance(given["period"], Mapping) and not given["period"]):
        raise InputError(
            f"period={given['period']!r}: periodic axes are not available yet; "
            "leave period out and the axis ends with one-sided stencils"
        )
    nan = _choice("nan", given.get("nan", "propagate"), ("propagate", "adapt"))
    if nan == "adapt":
        raise InputError("nan='adapt' is not available yet; use nan='propagate'")
    geometry = _choice("geometry", given.get("geometry", "cartesian"), ("cartesian", "sphere"))
    if geometry == "sphere":
        raise InputError(
            "geometry='sphere' is not available yet; use geometry='cartesian' on projected axes"
        )


def is_number(value: object) -> bool:
    """Tell whether a value is a real number, Python's or NumPy's; a bool is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number from 1 on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and int(value) >= 1  # type: ignore[call-overload]


def _choice(name: str, value: object, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name}={value!r} is unknown; {suggest(str(value), known)}")
    return str(value)


def _dims(dims: Hashable | Iterable[Hashable] | None) -> tuple[Hashable, ...] | None:
    if dims is None:
        return None
    names = (dims,) if isinstance(dims, str) or not isinstance(dims, Iterable) else tuple(dims)
    if not names:
        raise InputError("dims=() names no dimension; name at least one, or leave dims out for all")
    twice = [d for i, d in enumerate(names) if d in names[:i]]
    if twice:
        raise InputError(f"dims={list(names)!r} names {twice[0]!r} twice; name each dimension once")
    return names


def _spacing(spacing: Mapping[Hashable, float] | None) -> dict[Hashable, float]:
    if spacing is None:
        return {}
    if not isinstance(spacing, Mapping):
        raise InputError(
            f"spacing={spacing!r} does not say which dimension it is for; "
            'write spacing={"x": 0.1}'
        )
    for name, step in spacing.items():
        if not is_number(step) or not LEAST_STEP <= step <= LARGEST_STEP:
            raise InputError(
                f"spacing of {name!r} is {reprlib.repr(step)}; it must be a finite number above 0 "
                f"(from {LEAST_STEP:g} to {LARGEST_STEP:g})"
            )
    return {name: float(step) for name, step in spacing.items()}


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
