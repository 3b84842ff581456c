"""What all models behind ``--json`` share: frozen, versioned, closed to unknown keys."""

from __future__ import annotations

import datetime as dt
import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:
    import xarray as xr

SCHEMA_VERSION: Final = 1
"""Raised when a key changes its name or meaning; a new key alone does not raise it."""


def finite(value: Any) -> float | None:
    """Return a plain float, or none for NaN, infinity and none."""
    return float(value) if value is not None and math.isfinite(value) else None


def plain_value(value: Any) -> Any:
    """Return a coordinate's value as JSON can hold it: dates and durations as ISO 8601 text.

    A value of float32 or float16 becomes the shortest decimal that is nearest to it and to no other
    of its kind, so that it is read as it was written.

    Examples
    --------
    >>> plain_value(np.float32(0.2)), plain_value(np.datetime64("2026-01-05"))
    (0.2, '2026-01-05')
    >>> plain_value(np.timedelta64(36, "h"))
    'P1DT12H0M0S'
    """
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.timedelta64 | dt.timedelta):
        return _duration(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, np.float32 | np.float16):
        value = float(str(value))
    value = value.item() if isinstance(value, np.generic) else value
    return finite(value) if isinstance(value, float) else value


def _duration(value: np.timedelta64 | dt.timedelta) -> str | None:
    import pandas as pd  # type: ignore[import-untyped]

    duration = pd.Timedelta(value)
    return None if pd.isna(duration) else str(duration.isoformat())


def text(value: object) -> str | None:
    """Return the text of an attribute, none where there is no attribute."""
    return None if value is None else str(value)


def block_of(da: xr.DataArray) -> tuple[int, ...]:
    """Return the largest Dask block; of an array in memory all of it."""
    return tuple(max(along) for along in da.chunks) if da.chunks else da.shape


Number = Annotated[float | None, BeforeValidator(finite)]
Coordinate = Annotated[int | float | str | None, BeforeValidator(plain_value)]


class Model(BaseModel):
    """A fact that does not change once it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Report(Model):
    """What every report begins with."""

    schema_version: Literal[1] = SCHEMA_VERSION
    dhess_version: str = Field(default_factory=lambda: version("dhess"))
