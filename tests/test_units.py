"""Unit texts follow UDUNITS' grammar, their products are right, and pint's units survive."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dhess import units
from dhess.errors import UnitsWarning
from dhess.units.words import symbol_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

TEXTS = {
    # as CF, UDUNITS, ERA5, CMIP and people write them: symbols and powers by hand
    "m": {"m": 1},
    "m s-1": {"m": 1, "s": -1},
    "m/s": {"m": 1, "s": -1},
    "m.s-1": {"m": 1, "s": -1},
    "meters per second": {"m": 1, "s": -1},
    "kg m^-2": {"kg": 1, "m": -2},
    "kg m**-2 s**-1": {"kg": 1, "m": -2, "s": -1},
    "K m**2 kg**-1 s**-1": {"K": 1, "m": 2, "kg": -1, "s": -1},
    "m**2": {"m": 2},
    "m ^ 2": {"m": 2},
    "m²": {"m": 2},
    "W·m⁻²": {"W": 1, "m": -2},
    "K day-1": {"K": 1, "d": -1},
    "W m-2 K-1": {"W": 1, "m": -2, "K": -1},
    "W/m2 K": {"W": 1, "m": -2, "K": 1},  # from left to right, as UDUNITS reads it
    "J/(kg K)": {"J": 1, "kg": -1, "K": -1},
    "m/s/K": {"m": 1, "s": -1, "K": -1},
    "m m-1": {},
    "1": {},
    "": {},
    "dimensionless": {},
    "%": {"%": 1},
    "percent": {"%": 1},
    "hPa": {"hPa": 1},
    "millibars": {"hPa": 1},
    "Degrees_North": {"degree": 1},
    "degrees east": {"degree": 1},
    "degree_E": {"degree": 1},
    "deg": {"degree": 1},
    "°": {"degree": 1},
    "radians": {"rad": 1},
    "degC": {"degC": 1},
    "degrees C": {"degC": 1},
    "Celsius": {"degC": 1},
    "°C": {"degC": 1},
    "degree K-1": {"degree": 1, "K": -1},
    "hours since 2000-01-01": {"h": 1},
    "days since 1850-1-1 00:00:00.0": {"d": 1},
    "seconds since start": {"s": 1},
    "minutes": {"min": 1},
    "µm": {"um": 1},
    "μm": {"um": 1},
    "microns": {"um": 1},
    "kilometres": {"km": 1},
    "m^0.5": {"m": Fraction(1, 2)},
    "m^(-3/2)": {"m": Fraction(-3, 2)},
    "1/s": {"s": -1},
    "per day": {"d": -1},
    "1e-3 kg": {"0.001": 1, "kg": 1},
    "10^3 kg": {"10": 3, "kg": 1},
    "psu": {"psu": 1},
    "furlong s-1": {"furlong": 1, "s": -1},
    "gC m-2 day-1": {"gC": 1, "m": -2, "d": -1},
    "kg (dry air) m-2": {"kg": 1, "dry air": 1, "m": -2},
}

PROSE = [
    "furlongs per jiffy", "mol CO2 m-2", "CO2", "kg(H2O) m-2", "m of water equivalent", "0-1",
    "lg(re 1 mW)", "distance from shore", "total precipitation", "m-", "m--1", "^2", "m2.5", "per",
    "1e999", "0 m", "10m", "m s-1)2", "m " * 120 + "m",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_taken_apart(text: str) -> None:
    assert units.parse(text) == TEXTS[text]


@pytest.mark.parametrize("text", PROSE)
def test_what_no_parser_knows_is_carried(text: str) -> None:
    assert len(units.parse(text)) == 1
    carried = text.replace(")", "]")
    if text.count("(") == text.count(")"):
        carried = text
    assert units.product([(text, 1), ("m", -2)]) == f"({carried}) m-2"
    assert units.product([(text, 1), ("m", -1), (text, -1)]) == "m-1"
    assert units.same(text, text)


@pytest.mark.parametrize("text", ["", "(", ")", "()", "((", ".", "/", "@", "since", "  ", "⁻", "°"])
def test_no_text_is_fatal(text: str) -> None:
    assert units.product([(text, 1), ("m", -1)])


@given(st.text(alphabet="ms2-+^*/().· @°%1eperK⁻²\t\n[", max_size=30))
def test_whatever_the_text_its_product_reads_back(text: str) -> None:
    powers = units.parse(text)
    made = units.product([(text, 2), ("kg", -3)])
    assert made is not None
    twice = {symbol: 2 * power for symbol, power in powers.items()} | {"kg": Fraction(-3)}
    # Sums with what the text has of kilograms or degC; powers past three digits are prose.
    if not {"kg", "degC"} & set(powers) and all(abs(p) < 500 for p in powers.values()):
        assert units.parse(made) == twice


@pytest.mark.parametrize(
    ("powers", "text"),
    [
        ([("K", 1), ("m", -2)], "K m-2"),
        ([("m", 1), ("m", -1)], "1"),
        ([("m", 1), ("m", -2)], "m-1"),
        ([("metre", 1), ("m", -1)], "1"),
        ([("metre", 1), ("m", -2)], "m-1"),
        ([("metres", 1), ("s", -2)], "metres s-2"),
        ([("meters", 1), ("meters", -2)], "meters-1"),
        ([("m s-1", 1), ("s", -1)], "m s-2"),
        ([("K", 1), ("hours since 1970-01-01", -1)], "K h-1"),
        ([("degC", 1), ("m", -1)], "K m-1"),
        ([("degrees C", 1), ("1", -1)], "K"),
        ([("degF", 1), ("m", -1)], "degR m-1"),
        ([("hPa", 1), ("degrees_north", -2)], "hPa degrees_north-2"),
        ([("kg m-3", 2), ("m", -4)], "kg2 m-10"),
        ([("1", 1), ("", -2)], "1"),
        ([], "1"),
        ([(None, 0), ("m", 1)], "m"),
        ([(None, 1), ("m", -1)], None),
        ([("psu", 1), ("m", -1)], "psu m-1"),
        ([("m", 1), ("gC", -1)], "m (gC)-1"),
        ([("furlongs", 2)], "furlongs^2"),
        ([("1e-3", 1), ("m", -1)], "0.001 m-1"),
        ([("10 m", 1), ("s", -1)], "10 m s-1"),
        ([("s", 1), ("10 m", -2)], "s 10^-2 m-2"),
        ([("degree", 1), ("K", 1)], "degree.K"),
    ],
)
def test_products(powers: list[tuple[str | None, int]], text: str | None) -> None:
    assert units.product(powers) == text


NAMES = ("m", "metre", "s", "seconds", "K", "km", "kg", "hPa", "degrees_north", "rad", "%", "h")
WORDS = st.sampled_from([*NAMES, "psu", "gC", "furlongs per jiffy", "CO2", "10"])


@given(st.lists(st.tuples(WORDS, st.integers(-6, 6)), max_size=6))
def test_products_read_back(powers: list[tuple[str | None, int]]) -> None:
    made = units.product(powers)
    assert made is not None
    total: dict[str, Fraction] = {}
    for name, power in powers:
        assert name is not None
        symbol = symbol_of(name) or name
        total[symbol] = total.get(symbol, Fraction(0)) + power
    assert units.parse(made) == {s: p for s, p in total.items() if p}
    assert units.product([(made, 1)]) == made


def test_sameness() -> None:
    assert units.same("m s-1", "metres/second")
    assert units.same("days since 2000-01-01", "day")
    assert not units.same("M", "m")  # case tells symbols apart
    assert not units.same("degC", "K")
    assert not units.same(None, None)
    assert units.common(["degrees_north", "degrees_east"]) == "degree"
    assert units.common([]) is None
    assert units.unit_text("K", ("degrees_north", "degrees_east"), (1, -2)) == "K degree-2"
    assert units.unit_text("K", ("m", None), (1, -2)) is None
    assert units.unit_text(None, ("m", "m"), (0, -2)) == "m-2"


@pytest.mark.parametrize(
    ("names", "before", "scaled", "after"),
    [
        ("tx", ("s", "m"), (), ("s", "m")),
        ("tx", ("s", "m"), {"t": 3600.0}, ("m", "m")),
        ("tyx", ("s", "m", "metres"), {"t": 3600.0}, ("m", "m", "metres")),
        ("tx", ("s", "m"), {"t": 3600.0, "x": 1000.0}, ("1", "1")),
        ("tx", ("s", None), "span", ("1", "1")),
        ("tx", ("s", None), {"t": 3600.0}, (None, None)),
        ("tyx", ("s", "m", "km"), {"t": 3600.0}, (None, "m", "km")),
    ],
)
def test_scaled_axes_count_as_their_neighbours(
    names: str, before: Sequence[str | None], scaled: Any, after: tuple[str | None, ...]
) -> None:
    assert units.axis_units(tuple(names), before, scaled) == after


def test_the_warning_names_axes_units_and_remedy_at_the_callers_line() -> None:
    frame = inspect.currentframe()
    assert frame is not None
    with pytest.warns(UnitsWarning) as caught:
        units.warn_mixed("hessian_norm", {"time": "s", "x": "m", "k": None})
    line = frame.f_lineno - 1
    assert str(caught[0].message) == (
        "hessian_norm adds up derivatives along axes of different units (time: s, x: m); say how "
        "much of each counts as one, as in scale={'time': 3600.0, 'x': 1000.0}, or scale='span' "
        "for axes of length 1"
    )
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


@pytest.mark.parametrize(
    ("unit", "length"),
    [("h", 1.0), ("sec", 3600.0), ("metres", 1000.0), ("Pa", 100.0), ("m2", 1.0), ("m s-1", 1.0)],
)
def test_what_is_offered_as_the_length_of_an_axis(unit: str, length: float) -> None:
    assert units.usual_length(unit) == length


@pytest.mark.parametrize(
    "axes",
    [
        {},
        {"x": "m"},
        {"y": "metre", "x": "m"},
        {"y": None, "x": "m"},
        {"lat": "degrees_north", "lon": "degrees_east"},
    ],
)
def test_no_warning_where_nothing_is_known_to_differ(axes: dict[Hashable, str | None]) -> None:
    units.warn_mixed("slope", axes)  # a warning would be an error
    assert units.mixed(axes) == {}


def test_a_height_has_the_unit_of_the_ground() -> None:
    units.warn_height("mean_curvature", "metres", {"y": "m", "x": None})
    units.warn_height("mean_curvature", None, {"y": "m"})
    with pytest.warns(UnitsWarning, match=r"\(field: m, lat: degrees_north\); convert"):
        units.warn_height("mean_curvature", "m", {"lat": "degrees_north"})


# What follows needs pint. Its stubs say less than its arrays can.

pint: Any = pytest.importorskip("pint")
pint_xarray: Any = pytest.importorskip("pint_xarray")
REGISTRY = pint.UnitRegistry(force_ndarray_like=True)


def quantified(*, lazy: bool = False, **of: str) -> xr.DataArray:
    """A field over y in km and x in m, indexed by pint-xarray, with a height in feet along x."""
    values = np.arange(12.0).reshape(3, 4)
    coords = {
        "y": ("y", [1.0, 2.0, 4.0], {"long_name": "northing"}),
        "x": ("x", [0.0, 5.0, 10.0, 15.0]),
        "height": ("x", np.arange(4.0)),
        "name": ("x", list("abcd")),
    }
    plain = xr.DataArray(values, coords, ("y", "x"), "T", {"long_name": "temperature"})
    if lazy:
        plain = plain.chunk(x=2)
    chosen = {"T": "degC", "y": "km", "x": "m", "height": "foot"} | of
    done: xr.DataArray = plain.pint.quantify(chosen, unit_registry=REGISTRY)
    return done


def is_quantity(array: xr.DataArray) -> bool:
    return isinstance(array.variable.data, pint.Quantity)


@pytest.mark.parametrize("lazy", [False, True])
def test_quantities_become_texts(lazy: bool, lazy_only: None) -> None:
    made = quantified(lazy=lazy)
    array, origin = units.plain(made)
    assert origin is not None
    assert origin.registry is REGISTRY
    assert isinstance(array.variable.data, da.Array if lazy else np.ndarray)
    assert array.attrs == {"long_name": "temperature", "units": "degC"}
    assert {n: c.attrs.get("units") for n, c in array.coords.items()} == {
        "y": "km", "x": "m", "height": "ft", "name": None,
    }  # fmt: skip
    assert list(array.coords) == list(made.coords)
    assert array.y.attrs["long_name"] == "northing"
    assert array.sel(x=5.0, y=2.0).shape == ()  # the indexes are pandas' again
    assert list(array.indexes) == ["y", "x"]
    assert is_quantity(made)  # untouched


@pytest.mark.parametrize("lazy", [False, True])
def test_there_and_back_is_identical(lazy: bool, lazy_only: None) -> None:
    made = quantified(lazy=lazy)
    back = units.requantified(*units.plain(made))
    assert back.variable.data.units == REGISTRY.degC
    assert back.coords["height"].variable.data.units == REGISTRY.foot
    assert back.xindexes["x"].equals(made.xindexes["x"])
    assert back.attrs == made.attrs
    assert isinstance(back.variable.data.magnitude, da.Array if lazy else np.ndarray)
    if not lazy:
        xr.testing.assert_identical(back, made)


def test_results_are_in_the_registry_of_the_user() -> None:
    array, origin = units.plain(quantified(x="km"))
    slope = array.differentiate("x").assign_attrs(units=units.product([("degC", 1), ("km", -1)]))
    result = units.requantified(slope, origin)
    assert result.variable.data.units == REGISTRY.kelvin / REGISTRY.kilometer
    assert result.variable.data._REGISTRY is REGISTRY
    assert "units" not in result.attrs
    # the columns rise by 1 K in 5 km
    assert result.variable.data.to("K/m").magnitude == pytest.approx(np.full((3, 4), 2e-4))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("K m-2", "kelvin / meter ** 2"),
        ("1", "dimensionless"),
        ("m2 s-2", "meter**2/second**2"),
        ("K degrees_north-2", "kelvin / degree**2"),
        ("hPa d-1", "hectopascal / day"),
        ("% h-1", "percent / hour"),
        ("m^(1/2)", "meter ** 0.5"),
        ("degC", "degree_Celsius"),
        ("degR m-1", "degree_Rankine / meter"),
        ("W m-2 degC-1", "watt / meter**2 / kelvin"),
        ("(furlong / fortnight) m-2", "furlong / fortnight / meter**2"),
        ("furlongs per fortnight", "furlong / fortnight"),
        ("metres per second", "meter / second"),
        ("µm", "micrometer"),
    ],
)
def test_texts_become_units_symbol_by_symbol(text: str, unit: str) -> None:
    _, origin = units.plain(quantified())
    result = units.requantified(xr.DataArray(np.ones(2), attrs={"units": text}), origin)
    assert result.variable.data.units == REGISTRY.Unit(unit)


@pytest.mark.parametrize("text", ["psu m-1", "furlongs per jiffy", "0.001 m", "mol CO2 m-2"])
def test_units_that_the_registry_does_not_know_stay_texts(text: str) -> None:
    _, origin = units.plain(quantified())
    result = units.requantified(xr.DataArray(np.ones(2), attrs={"units": text}), origin)
    assert not is_quantity(result)
    assert result.attrs == {"units": text}


@pytest.mark.parametrize(
    "unit",
    ["meter", "degree_Celsius", "delta_degree_Celsius", "millibarn", "millibar", "kelvin / fathom",
     "furlong ** 2 / fortnight", "dimensionless", "percent", "micrometer ** 0.5", "liter / day",
     "degree / year", "metric_ton / hectare", "debye", "conventional_volt_90", "cmH2O",
     "counts / pixel", "gallon", "decibel", "ppm", "month", "angstrom", "knot", "degF"],
)  # fmt: skip
def test_every_unit_of_pints_survives_its_text(unit: str) -> None:
    made = xr.DataArray(REGISTRY.Quantity(np.ones(2), unit), dims="x")
    array, origin = units.plain(made)
    assert units.requantified(array, origin).variable.data.units == REGISTRY.Unit(unit)


@given(
    st.dictionaries(
        st.sampled_from(["meter", "second", "kelvin", "hour", "newton", "furlong", "mbar"]),
        st.integers(-3, 3),
        max_size=4,
    )
)
def test_products_agree_with_pint(powers: dict[str, int]) -> None:
    unit = REGISTRY.Unit("dimensionless")
    for name, power in powers.items():
        unit *= REGISTRY.Unit(name) ** power
    field = xr.DataArray(REGISTRY.Quantity(np.ones(2), unit), dims="x")
    array, origin = units.plain(field)
    array.attrs["units"] = units.product([(array.attrs["units"], 2), ("m", -3), ("h", 1)])
    back = units.requantified(array, origin).variable.data.units
    assert back == unit**2 / REGISTRY.meter**3 * REGISTRY.hour


def test_dask_with_quantities_in_its_chunks(lazy_only: None) -> None:
    made = quantified()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chunked = made.chunk(x=2)  # puts Dask around pint, not pint around Dask
    assert isinstance(chunked.variable.data, da.Array)
    array, origin = units.plain(chunked)
    assert array.attrs["units"] == "degC"
    assert origin is not None
    values = array.variable.data.compute(scheduler="synchronous")
    assert type(values) is np.ndarray
    np.testing.assert_array_equal(values, np.arange(12.0).reshape(3, 4))


def test_datasets() -> None:
    made = quantified().to_dataset(name="T").assign(count=("x", np.arange(4)))
    data, origin = units.plain(made)
    assert data["T"].attrs["units"] == "degC"
    assert data["count"].attrs == {}
    xr.testing.assert_identical(units.requantified(data, origin), made)


def test_a_found_place_has_units_where_nothing_is_indexed() -> None:
    _, origin = units.plain(quantified())
    found = xr.Dataset(
        {"value": ("rank", [1.0], {"units": "K m-2"}), "kind": ("rank", ["saddle"])},
        {"x": ("rank", [5.0], {"units": "m"}), "y": ("rank", [2.0], {"units": "km"})},
    )
    result = units.requantified(found, origin)
    assert result["value"].variable.data.units == REGISTRY.kelvin / REGISTRY.meter**2
    assert result["x"].variable.data.units == REGISTRY.meter
    assert result["y"].attrs == {}
    assert result["kind"].dtype.kind == "U"


def test_units_of_coordinates_alone() -> None:
    made = quantified().pint.dequantify()
    made = made.pint.quantify(
        {"T": None, "x": "m", "y": None, "height": None}, unit_registry=REGISTRY
    )
    array, origin = units.plain(made)
    assert array.x.attrs["units"] == "m"
    assert origin is not None
    assert list(origin.coords) == ["x"]


def test_arrays_without_quantities_pass_untouched(tmp_path: Any) -> None:
    field = xr.DataArray(np.ones(3), dims="x", attrs={"units": "K"})
    assert units.plain(field) == (field, None)
    assert units.requantified(field, None) is field
    code = (
        "import sys, xarray, dhess.units as u; a = xarray.DataArray([1.0]); b, o = u.plain(a); "
        "assert b is a and o is None and u.requantified(b, o) is a; "
        "print({'pint', 'pint_xarray', 'cf_xarray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_nothing_is_read_from_a_file(tmp_path: Any) -> None:
    pytest.importorskip("h5netcdf")
    path = tmp_path / "a.nc"
    xr.Dataset({"a": ("x", np.ones(3)), "b": ("x", np.ones(3))}).to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        units.plain(data)
        assert not data.variables["b"]._in_memory
