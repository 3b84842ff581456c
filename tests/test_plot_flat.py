"""Regions and critical points in pictures, readable in grey, and told to those who cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

import dhess
from dhess import plot
from dhess.errors import InputError
from dhess.plot import draw
from tests.flatness import label_regions, tell_critical, tell_regions
from tests.stores import quartic, quartic_nd
from tests.test_plot import drawn, is_red, pixel, red

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def waves(size: int = 41) -> xr.DataArray:
    """f = sin 2x · cos 3y: two extrema and two saddles between −1.5 and 1.5."""
    axis = np.linspace(-1.5, 1.5, size)
    values = np.sin(2 * axis) * np.cos(3 * axis)[:, np.newaxis]
    coords = {name: (name, axis, {"units": "m"}) for name in ("y", "x")}
    return xr.DataArray(values, coords, ("y", "x"), "f", {"units": "K"})


def patch() -> xr.DataArray:
    """Labels of two squares in a field of the shape of `waves`: at x > 0, y > 0 and around
    (−1, −1)."""
    labels = xr.zeros_like(waves(), dtype=np.int64)
    labels[25:30, 25:36] = 1
    labels[5:9, 5:9] = 2
    return labels


def hatched(figure: Figure, panel: int, x: float, y: float, reach: int = 12) -> bool:
    """Whether strokes of red are in a small square, and other colours between them."""
    image = drawn(figure)
    row, column = pixel(figure, panel, x, y)
    around = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
    strokes = (around[..., 0] > 0.7) & (around[..., 1] < 0.45) & (around[..., 2] < 0.45)
    return bool(0.02 < strokes.mean() < 0.7)


def test_labels_are_shaded() -> None:
    da, labels = waves(), patch()
    figure = plot.map(da, regions=labels)
    x = da["x"].values
    assert hatched(figure, 0, x[30], x[27])
    assert hatched(figure, 0, x[7], x[7], reach=6)
    assert not hatched(figure, 0, x[15], x[27])
    outline = x[25] - 0.5 * (x[1] - x[0])  # half way to the first point outside
    assert is_red(figure, 0, outline, x[27])
    assert figure.axes[0].get_legend_handles_labels()[1] == ["flat regions"]


def test_regions_are_shaded_below_their_threshold_and_their_lowest_points_are_marked() -> None:
    da = quartic()
    curved = dhess.measure(da, "laplacian")
    rows = tell_regions(da, curved, 3.0, "laplacian")
    for figure in (
        plot.map(da, regions=rows), plot.map(da, rows), plot.answer(da, rows),
        plot.map(da, rows, regions=label_regions(curved, 3.0)),
    ):  # fmt: skip
        assert hatched(figure, 0, 0.3, 0.1)  # 12 (x − 0.3)² + 12 (y + 0.2)² < 3
        assert hatched(figure, 0, 0.05, -0.2)
        assert not hatched(figure, 0, -0.5, 0.5)
        assert is_red(figure, 0, 0.3, -0.2, reach=1)
        named = figure.axes[0].get_legend_handles_labels()[1]
        assert named == ["laplacian < 3", "lowest point of the region"]


def test_a_search_in_regions_marks_its_own_points() -> None:
    da = waves()
    slope = dhess.measure(da, "slope")
    rows = tell_regions(da, slope, 0.5, "slope")
    figure = plot.map(da, dhess.find_minimum(da, "slope", k=3), regions=rows)
    assert "3 smallest values of slope" in figure.axes[0].get_legend_handles_labels()[1]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2"]


def test_regions_know_their_options() -> None:
    """On a circle the wave is flat at its crests only; taken one-sidedly, its ends are not."""
    turn = np.arange(36) * 10.0
    wave = np.broadcast_to(np.cos(np.deg2rad(turn)), (8, 36))
    da = xr.DataArray(wave, {"x": turn}, ("y", "x"), "f")
    slope = dhess.measure(da, "slope", period={"x": 360})
    rows = tell_regions(da, slope, 0.002, "slope", period="x=360.0")
    known, blind = plot.map(da, rows), plot.map(da, rows.drop_attrs(), threshold=0.002)
    assert hatched(known, 0, 3, 3.5, reach=4)
    assert "slope < 0.002" in plot.alt_text(known)
    assert "hessian_norm < 0.002" in plot.alt_text(blind)


def test_a_measure_along_one_of_two_dimensions() -> None:
    """f = x² + 9y is level along x at x = 0, and as steep as elsewhere along y."""
    axis = np.linspace(-1, 1, 41)
    coords = {"y": axis, "x": axis}
    da = xr.DataArray(axis**2 + 9 * axis[:, np.newaxis], coords, ("y", "x"), "f")
    best = dhess.find_minimum(da, "slope", dims=["x"])
    figure = plot.map(da, best, threshold=1.0, measure="slope")
    for y in (-0.8, 0.3):
        assert hatched(figure, 0, 0.5, y, reach=4)  # |2x| = 1: a line is some of a square too
        assert not hatched(figure, 0, 0.25, y, reach=4)


@pytest.mark.parametrize("dims", [("y", "x"), ("x", "y")])
def test_labels_in_another_order_of_dimensions(dims: tuple[str, str]) -> None:
    da = waves()
    figure = plot.map(da, regions=patch().transpose(*dims))
    assert hatched(figure, 0, da["x"].values[30], da["y"].values[27])


def test_one_flat_point_of_millions_is_drawn() -> None:
    """Thinned three by three, a region of one point is still there."""
    da = xr.DataArray(np.zeros((2000, 3000), np.float32), dims=("y", "x")).chunk(700)
    labels = np.zeros((2000, 3000), np.int64)
    labels[1001, 2001] = 1
    figure = plot.map(da, regions=xr.DataArray(labels, dims=("y", "x")).chunk(500))
    assert is_red(figure, 0, 2001, 1001, reach=3)
    assert red(drawn(figure)).sum() < 400  # and its entry in the legend, and nothing else


@pytest.mark.parametrize(
    "along",
    [
        np.arange("2026-01-01", "2026-02-11", dtype="datetime64[D]").astype("datetime64[ns]"),
        np.arange(41, dtype=np.uint8)[::-1],
        np.array([f"row {i}" for i in range(41)]),
        np.linspace(0, 1, 41) ** 2,
    ],
    ids=["dates", "unsigned, descending", "names", "uneven"],
)
def test_regions_along_axes_of_every_kind(along: Any) -> None:
    labels = patch().assign_coords(y=along)
    figure = plot.map(waves().assign_coords(y=along), regions=labels, threshold=1.0)
    axis: Any = figure.axes[0].yaxis
    where = 27 if along.dtype.kind == "U" else along[27]
    assert hatched(figure, 0, 0.75, float(axis.convert_units(where)), reach=4)


def test_no_region_and_nothing_but_a_region() -> None:
    da = quartic()
    for threshold, share in ((-1.0, "nowhere"), (1e9, "on 1e+02 % of the picture")):
        curved = dhess.measure(da, "laplacian")
        rows = tell_regions(da, curved, threshold, "laplacian")
        figure = plot.answer(da, rows)
        assert drawn(figure).any()
        assert share in plot.alt_text(figure)
    none = tell_regions(da, curved, -1.0, "laplacian")
    assert "No region was found." in plot.alt_text(plot.map(da, none))
    assert plot.answer(da, none).axes[0].get_title("left") == "no region was found"


def test_critical_points_have_a_mark_each() -> None:
    da, quarter, sixth = waves(), np.pi / 4, np.pi / 6
    rows = tell_critical(
        da,
        [("minimum", (0, -quarter)), ("maximum", (0, quarter)), ("saddle", (sixth, 0)),
         ("saddle", (-sixth, 0))],
    )  # fmt: skip
    figure = plot.answer(da, rows)
    for y, x in [(0, -quarter), (0, quarter), (sixth, 0), (-sixth, 0)]:
        assert is_red(figure, 0, x, y, reach=1)  # between grid points
    assert not is_red(figure, 0, 0.0, 0.0)
    handles, texts = figure.axes[0].get_legend_handles_labels()
    assert texts == ["1 minimum", "1 maximum", "2 saddles"]
    shapes: list[Any] = [each.get_paths()[0].vertices for each in handles]  # type: ignore[attr-defined]
    assert len({tuple(map(tuple, each)) for each in shapes}) == 3
    assert figure.axes[0].get_title("left") == "1 minimum, 1 maximum, 2 saddles"
    assert "saddle at y = 0.523599, x = 0" in plot.alt_text(figure)


def test_no_critical_point() -> None:
    da = waves()
    figure = plot.answer(da, tell_critical(da, []))
    assert plot.alt_text(figure).endswith("No critical point was found.")
    with pytest.raises(InputError, match="no place to cut through"):
        plot.answer(quartic_nd(3), tell_critical(quartic_nd(3), []))


@pytest.mark.parametrize("ndim", [3, 4])
@pytest.mark.parametrize("labelled", [False, True])
def test_cuts_show_the_regions_they_cross(ndim: int, labelled: bool) -> None:
    """12 Σ (d − c)² < 1.5, a ball of radius 0.35 around the flattest point."""
    da = quartic_nd(ndim, size=9)
    curved = dhess.measure(da, "laplacian")
    rows = tell_regions(da, curved, 1.5, "laplacian")
    figure = plot.answer(da, rows, regions=label_regions(curved, 1.5) if labelled else None)
    centre = float(da["d0"][3])
    for panel in range(ndim * (ndim - 1) // 2):
        assert hatched(figure, panel, centre, centre, reach=14)
        assert not hatched(figure, panel, 0.95, 0.95)
    assert "laplacian < 1.5" in plot.alt_text(figure)


def test_a_cut_of_a_measure_is_the_measure_on_the_cut() -> None:
    """The slab that it is made of is thick enough, at the ends and for every option."""
    from dhess.plot.flat import flat_cut

    rng = np.random.default_rng(5)
    coords = {"z": np.cumsum(rng.random(60) + 0.5), "x": np.arange(9.0) * 40}
    da = xr.DataArray(rng.random((60, 12, 9)), coords, ("z", "y", "x"), "f")
    for at in (0, 3, 30, 59):
        place = {"index": (("rank", "dim"), [[at, 5, 5]])}
        best = xr.Dataset(place, {"dim": ["z", "y", "x"]})
        for options in (
            {}, {"order": 4}, {"scheme": "iterated"}, {"period": {"x": 360.0}},
            {"scale": "span"}, {"nan": "adapt"}, {"dims": ["y", "x"]},
        ):  # fmt: skip
            chosen: Any = {"dims": ["z", "y", "x"], **options}
            flat = flat_cut(da, best, ("y", "x"), None, 1.0, "hessian_norm", chosen)
            assert flat is not None
            want = dhess.measure(da, "hessian_norm", **chosen).isel(z=at)
            np.testing.assert_allclose(flat.small, want, rtol=1e-9)


def test_lines_show_regions() -> None:
    axis = np.linspace(0, 4, 401)
    da = xr.DataArray(np.cos(np.pi * axis), {"x": axis}, ("x",), "wave")
    slope = dhess.measure(da, "slope")
    figure = plot.answer(da, tell_regions(da, slope, 1.0, "slope"))
    inside, outside = 1.0, 1.5
    assert hatched(figure, 0, inside, 0.0, reach=10)
    assert not hatched(figure, 0, outside, 0.5, reach=5)
    assert is_red(figure, 0, 1.0, -1.0)


def test_a_long_line_goes_through_every_point_that_was_found() -> None:
    spike = np.zeros(100_000)
    spike[70_001] = 5.0
    da = xr.DataArray(spike, dims="x", name="f")
    figure = plot.answer(da, dhess.find_minimum(da, "laplacian"))
    line = figure.axes[0].lines[0]
    assert 5.0 in np.asarray(line.get_ydata())
    assert np.size(line.get_xdata()) <= 4001
    assert is_red(figure, 0, 70_001, 5.0)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (xr.DataArray(np.zeros((3, 4))), "float64"),
        (xr.DataArray(np.zeros((3, 4), int), dims=("y", "x")), r"\(y 3, x 4\).*\(y 21, x 21\)"),
        (xr.Dataset({"a": ("b", [1])}), "flat_regions"),
        ("all of them", "str"),
    ],
)
def test_what_is_no_region(regions: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot.map(quartic(), regions=regions)


def test_regions_without_a_threshold() -> None:
    da = quartic()
    rows = tell_regions(da, dhess.measure(da, "slope"), 1.0, "slope")
    with pytest.raises(InputError, match="threshold="):
        plot.map(da, rows.drop_attrs())


def luminance(colours: Any) -> NDArray[np.float64]:
    """Relative luminance, as WCAG 2.2 defines it."""
    rgb = np.asarray(colours)[..., :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light: NDArray[np.float64] = linear @ [0.2126, 0.7152, 0.0722]
    return light


DEFICIENT = {
    "nobody": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
"""What is seen of linear RGB: G. Machado, M. Oliveira and L. Fernandes, A physiologically-based
model for simulation of color vision deficiency, IEEE TVCG 15 (2009), 1291-1298, severity 1."""


@pytest.mark.parametrize("eye", DEFICIENT)
def test_values_are_lighter_all_the_way_up_for_every_eye(eye: str) -> None:
    """Read off the key beside a picture: in grey, and as those see it who miss a cone."""
    ramp = np.tile(np.linspace(0.0, 1.0, 200)[:, np.newaxis], 200)
    figure = plot.map(xr.DataArray(ramp, dims=("y", "x"), name="f"))
    image = drawn(figure)
    (bar,) = figure.axes[0].child_axes
    middle, bottom = bar.transAxes.transform((0.5, 0.01))
    top = bar.transAxes.transform((0.5, 0.99))[1]
    key = image[len(image) - round(top) : len(image) - round(bottom), round(middle), :3][::-1]
    linear = np.where(key <= 0.04045, key / 12.92, ((key + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ DEFICIENT[eye].T, 0, 1) @ [0.2126, 0.7152, 0.0722]
    assert len(key) > 100
    assert (np.diff(seen) >= -1e-3).all()
    assert seen[-1] - seen[0] > 0.5
    assert (np.diff(seen[:: len(seen) // 20]) > 0).all()


def test_marks_stand_out_from_every_colour_in_grey() -> None:
    """A mark has two tones, and from every colour of the map one of them differs visibly."""
    red_, white, ink = (luminance(to_rgb(each)) for each in (draw.RED, "white", draw.INK))
    ground = luminance(colormaps[draw.COLOURS](np.linspace(0, 1, 256)))

    def contrast(a: Any, b: Any) -> Any:
        return (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)

    assert contrast(red_, white) >= 4.5
    for pair in ((red_, white), (ink, white)):  # points and lines; arrows and numbers
        assert (np.max([contrast(tone, ground) for tone in pair], axis=0) >= 2).all()


def test_every_mark_has_both_tones() -> None:
    da = quartic()
    rows = tell_regions(da, dhess.measure(da, "laplacian"), 3.0, "laplacian")
    ax = plot.map(da, rows).axes[0]
    lines = [each for each in ax.collections if type(each).__name__ == "QuadContourSet"]
    rims = [each.get_path_effects()[0]._gc for each in lines if each.get_path_effects()]  # type: ignore[attr-defined]
    assert [rim["foreground"] for rim in rims] == ["white"]
    (dots,) = (each for each in ax.collections if type(each).__name__ == "PathCollection")
    np.testing.assert_array_equal(np.asarray(dots.get_edgecolor())[0, :3], to_rgb("white"))


def test_alt_text_of_a_map() -> None:
    da = quartic()
    figure = plot.map(da, dhess.find_minimum(da), threshold=3.0, measure="laplacian")
    assert plot.alt_text(figure) == (
        "Map of f [K] over northing [m] from -1 to 1 and easting [m] from -1 to 1, in colours from "
        "0 to 4.93. Surrounded in red: laplacian < 3, on 16 % of the picture. Marked in red, "
        "smallest hessian_norm: y = -0.2, x = 0.3."
    )  # 1.3⁴ + 1.2⁴ = 4.93 at x = −1, y = 1; of the 21² points 69 are less than 5 steps away


def test_alt_texts_of_the_other_pictures() -> None:
    many = plot.alt_text(plot.map(quartic(), dhess.find_minimum(quartic(), k=8)))
    assert many.endswith("; and 3 more.")
    both = plot.alt_text(plot.compare(quartic(), threshold=1.0))
    assert "laplacian_abs on" in both
    assert "hessian_norm on" in both
    da = quartic_nd(3)
    cuts = plot.alt_text(plot.slices(da, dhess.find_minimum(da)))
    assert "d0 = 0.375, d1 = 0.375, d2 = 0.375" in cuts
    da = quartic_nd(1)
    assert plot.alt_text(plot.answer(da, dhess.find_minimum(da))).startswith("Line of f over d0")


@pytest.mark.parametrize(("name", "kept"), [("a.png", b"Description"), ("a.svg", b"description")])
def test_files_carry_the_alt_text(name: str, kept: bytes, tmp_path: Path) -> None:
    figure = plot.map(quartic(), path=tmp_path / name)
    written = (tmp_path / name).read_bytes()
    assert kept in written
    assert plot.alt_text(figure).encode() in written


def test_png_bytes_are_the_file(tmp_path: Path) -> None:
    import io

    plot.map(quartic(), path=tmp_path / "a.png")
    again = imread(io.BytesIO(plot.png(plot.map(quartic()))))
    np.testing.assert_array_equal(again, imread(tmp_path / "a.png"))


def test_a_figure_of_the_user_keeps_its_label() -> None:
    from matplotlib.figure import Figure as New

    mine = New(label="mine")
    plot.map(quartic(), ax=mine.add_subplot())
    assert mine.get_label() == "mine"


def globe(values: Any, y: str, x: str) -> xr.DataArray:
    axes = {y: (y, np.linspace(59, 61, 21)), x: (x, np.linspace(10, 14, 21))}
    return xr.DataArray(values, axes, (y, x), "f")


@pytest.mark.parametrize(
    ("names", "options", "want"),
    [
        (("lat", "lon"), {}, 2.0),  # 1 / cos 60°
        (("a", "b"), {}, "auto"),
        (("a", "b"), {"geometry": "sphere", "latitude": "a", "longitude": "b"}, 2.0),
    ],
)
def test_degrees_are_as_long_as_they_are(names: Any, options: Any, want: Any) -> None:
    da = globe(quartic().values, *names)
    got = plot.map(da, **options).axes[0].get_aspect()
    assert got == want if want == "auto" else got == pytest.approx(want)
    turned = plot.map(da.T, **options).axes[0].get_aspect()
    assert turned == want if want == "auto" else turned == pytest.approx(1 / want)


def test_a_lattice_is_no_latitude() -> None:
    da = globe(quartic().values, "lattice", "longitudinal")
    for dim in da.dims:
        da[dim].attrs["units"] = "nm"
    assert plot.map(da).axes[0].get_aspect() == 1.0
