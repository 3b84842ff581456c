"""xarray: DataArray.differentiate, its docstring and xarray/tests/test_dataset.py."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

import dhess

from .fact import Array, Fact, array, ask

DOC, FILE = "docs of DataArray.differentiate", "test_dataset.py"
STEPS = array(np.arange(12).reshape(4, 3), "x y", x=[0, 0.1, 1.1, 1.2])
INSIDE = np.full((2, 3), 27.54545455)
"""As printed; 303/11 on paper."""

UNEVEN = array(
    np.random.RandomState(42).randn(8, 6), "x y", x=[0.2, 0.35, 0.4, 0.6, 0.7, 0.75, 0.76, 0.8]
)
DAYS = np.array(
    [
        "2004-07-13", "2006-01-13", "2010-08-13", "2010-09-13", "2010-10-11", "2010-12-13",
        "2011-02-13", "2012-08-13",
    ],
    dtype="datetime64[D]",
)  # fmt: skip
SINCE = (DAYS - DAYS[0]) / np.timedelta64(1, "D")
DATED = {unit: array(SINCE, "x", x=DAYS.astype(f"datetime64[{unit}]")) for unit in ("ns", "s")}

CF = xr.date_range("2000", periods=8, freq="2ME", use_cftime=True).values
"""The ends of every second month, as dates of cftime."""
CF_SINCE = np.array([(d - CF[0]).days for d in CF], dtype=float)
ONES = np.ones(8)


def numpys(edge_order: Literal[1, 2]) -> Array:
    """What their test demands: numpy.gradient along x."""
    x = UNEVEN["x"].values
    slopes: Array = np.gradient(UNEVEN.values, x, axis=0, edge_order=edge_order)
    return slopes


FACTS = (
    Fact(
        "xarray", DOC, "f_x of uneven steps, inside",
        ask(STEPS, "gradient", row="x", dims="x", where={"x": slice(1, 3)}), INSIDE, close=5e-9,
    ),
    Fact(
        "xarray", DOC, "f_x of uneven steps, ends, scheme='iterated'",
        ask(STEPS, "gradient", row="x", dims="x", where={"x": [0, 3]}, scheme="iterated"),
        np.full((2, 3), 30.0),
    ),
    Fact(
        "xarray", DOC, "f_x of uneven steps, ends",
        ask(STEPS, "gradient", row="x", dims="x", where={"x": [0, 3]}),
        np.full((2, 3), 30.0), ours=np.full((2, 3), 357 / 11),
        because="its ends take two points (first order), ours three: 30 + 0.1 (30 - 3)/1.1",
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate", "random field, uneven, edge_order=2",
        ask(UNEVEN, "gradient", row="x", dims="x"), numpys(2), close=1e-11,
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate", "random field, uneven, edge_order=1",
        ask(UNEVEN, "gradient", row="x", dims="x", scheme="iterated"), numpys(1), close=1e-11,
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate_datetime", "days since, differentiated per day",
        ask(DATED["ns"], "gradient", row="x", datetime_unit="D"), ONES, close=1e-11,
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate_datetime", "per day is 24 times per hour",
        ask(
            DATED["ns"], "gradient", row="x", datetime_unit="h",
            then=lambda per_hour: 24 * per_hour,
        ),
        ONES, close=1e-11,
    ),
    Fact(
        "xarray", "datetime_unit=None", "days since, no unit asked for, ns",
        ask(DATED["ns"], "gradient", row="x"), DATED["ns"].differentiate("x"),
        ours=ONES / 86400, close=1e-11,
        because="its unit is that of the coordinate's dtype; ours is the second unless asked",
    ),
    Fact(
        "xarray", "datetime_unit=None", "days since, no unit asked for, s",
        ask(DATED["s"], "gradient", row="x"), DATED["s"].differentiate("x"), close=1e-11,
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate_datetime", "dates differentiated by dates",
        ask(array(DAYS.astype("datetime64[ms]"), "x", x=DATED["ns"]["x"]), "gradient"),
        ONES, ours=dhess.InputError, because="dates are no field; they are taken as a coordinate",
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate_cftime", "a cftime axis, per day",
        ask(array(CF_SINCE, "time", time=CF), "gradient", row="time", datetime_unit="D"),
        ONES, close=1e-11,
    ),
    Fact(
        "xarray", f"{FILE}::test_differentiate_cftime", "a cftime axis, per hour",
        ask(array(CF_SINCE, "time", time=CF), "gradient", row="time", datetime_unit="h"),
        ONES / 24, close=1e-11,
    ),
)  # fmt: skip
