"""What pictures are given: wrong kinds are refused in one sentence, odd ones drawn."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as darray
import pytest
import xarray as xr

import dhess
from dhess import plot
from dhess.errors import InputError
from tests.stores import quartic


def unknown_chunks() -> xr.DataArray:
    values = darray.ones((6, 7), chunks=(3, 7))
    return xr.DataArray(values[values[:, 0] > 0], dims=("y", "x"), name="f")


REFUSED: list[tuple[Any, str]] = [
    (quartic().to_dataset(name="f"), "type Dataset.*'f'"),
    (quartic().values, "type ndarray.*DataArray"),
    (quartic()[:0], "is empty"),
    (unknown_chunks(), "unknown size along y.*compute_chunk_sizes"),
    (quartic() + 1j, "complex.*abs"),
    (quartic().astype(str), "text data"),
]


@pytest.mark.parametrize("draw", [plot.map, plot.compare], ids=lambda each: each.__name__)
@pytest.mark.parametrize(("field", "words"), REFUSED)
def test_what_has_no_picture(field: Any, words: str, draw: Any) -> None:
    with pytest.raises(InputError, match=words) as told:
        draw(field)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("field", "words"), REFUSED)
def test_what_has_no_answer_to_draw(field: Any, words: str) -> None:
    found = dhess.find_minimum(quartic())
    for draw in (plot.answer, plot.slices):
        with pytest.raises(InputError, match=words):
            draw(field, found)
    with pytest.raises(InputError, match=words):
        plot.local(field, {"y": 0.0, "x": 0.0})


@pytest.mark.parametrize(
    ("draw", "options", "words"),
    [
        (plot.map, {"threshold": "a"}, "threshold='a' is not a number"),
        (plot.compare, {"threshold": "a"}, "threshold='a' is not a number"),
        (plot.map, {"threshold": [1, 2]}, r"threshold=\[1, 2\] is not a number"),
        (plot.compare, {"measures": ()}, "measures is empty"),
        (plot.compare, {"captions": ["a"]}, "each of the 2 measures, not 1"),
        (plot.compare, {"captions": "ab"}, "each of the 2 measures, not a text"),
    ],
)
def test_options_that_cannot_be(draw: Any, options: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        draw(quartic(), **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", [r"$\foo$", r"a $^$ b", "$x^2$", "5 $"])
def test_a_name_that_is_no_formula_is_drawn_as_it_is_written(name: str) -> None:
    odd = quartic().assign_attrs(long_name=name)
    odd["x"].attrs["long_name"] = name
    line = odd.isel(y=0)
    pictures = [
        plot.map(odd), plot.compare(odd, captions=[name, name], title=name),
        plot.answer(line, dhess.find_minimum(line)), plot.local(odd, {"y": 0.0, "x": 0.0}),
    ]  # fmt: skip
    for figure in pictures:
        assert plot.png(figure).startswith(b"\x89PNG")
        assert name in plot.alt_text(figure)
    label = pictures[0].axes[0].xaxis.label
    assert label.get_text().startswith(name)
    assert label.get_parse_math() == (name in ("$x^2$", "5 $"))


def test_units_of_pint_are_told() -> None:
    pint: Any = pytest.importorskip("pint")
    pytest.importorskip("pint_xarray")
    plain = quartic()
    plain.attrs.pop("units", None)
    for axis in ("y", "x"):
        plain[axis].attrs.pop("units", None)
    registry = pint.UnitRegistry(force_ndarray_like=True)
    units = {plain.name: "kelvin", "y": "km", "x": "km"}
    da: xr.DataArray = plain.pint.quantify(units, unit_registry=registry)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pint's, of units that are lost
        found = dhess.find_minimum(da)
        figures = [plot.map(da, found), plot.compare(da), plot.answer(da, found)]
        near = plot.local(da, {"y": 0.0, "x": 0.0})
    for figure in figures:
        assert "f [K]" in plot.alt_text(figure)
        assert "[km] from -1 to 1" in plot.alt_text(figure)
        assert figure.axes[-1].get_ylabel() == "" or "f [K]" in _bar(figure)
    assert _bar(figures[0]) == "f [K]"
    assert near.axes[0].get_ylabel() == "f [K]"


def _bar(figure: Any) -> str:
    """The text beside the colours."""
    texts = {each.yaxis.label.get_text() for ax in figure.axes for each in (ax, *ax.child_axes)}
    return next((text for text in texts if text.startswith("f")), "")
