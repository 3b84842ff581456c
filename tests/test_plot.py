"""Pictures: what was found is red and in its place, and only what is drawn is computed."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from matplotlib.text import Text

import dhess
from dhess import plot
from dhess.errors import GridError, InputError, OutputError
from dhess.plot import draw
from dhess.plot.options import options_of
from dhess.plot.picture import closest, pictures
from tests.stores import quartic, quartic_nd

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def drawn(figure: Figure) -> NDArray[np.float64]:
    """Decode a figure as it is saved without cropping, so that its own coordinates hold."""
    file = io.BytesIO()
    figure.set_dpi(100)
    figure.savefig(file, format="png", dpi=100)
    file.seek(0)
    image: NDArray[np.float64] = imread(file)
    return image


def red(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    marked: NDArray[np.bool_] = (r > 0.8) & (g < 0.25) & (b < 0.25)
    return marked


def pixel(figure: Figure, panel: int, x: float, y: float) -> tuple[int, int]:
    """Row and column of the image where a place of a panel was drawn."""
    right, up = figure.axes[panel].transData.transform((x, y))
    height = figure.get_figheight() * 100
    return round(height - up), round(right)


def is_red(figure: Figure, panel: int, x: float, y: float, reach: int = 2) -> bool:
    marked = red(drawn(figure))
    row, column = pixel(figure, panel, x, y)
    around = marked[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return bool(around.any())


def test_map_marks_the_flattest_point() -> None:
    da = quartic()
    figure = plot.map(da, dhess.find_minimum(da))
    assert is_red(figure, 0, 0.3, -0.2)
    assert not is_red(figure, 0, -0.3, 0.2)
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("easting [m]", "northing [m]")
    assert figure.axes[0].get_title("left") == "f [K]"


def test_map_without_a_search_has_nothing_red() -> None:
    assert not red(drawn(plot.map(quartic()))).any()


def test_map_saves_a_picture(tmp_path: Path) -> None:
    plot.map(quartic(), path=tmp_path / "map.png")
    image = imread(tmp_path / "map.png")
    assert min(image.shape[:2]) > 400
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 50


def test_map_draws_on_given_axes() -> None:
    from matplotlib.figure import Figure

    mine = Figure()
    ax = mine.add_subplot()
    assert plot.map(quartic(), ax=ax) is mine
    assert ax.get_xlabel() == "easting [m]"


def test_arrows_point_uphill() -> None:
    y, x = np.linspace(0, 1, 50), np.linspace(0, 1, 60)
    slope = xr.DataArray(y[:, np.newaxis] - 2 * x, {"y": y, "x": x}, ("y", "x"), "f")
    quiver = next(c for c in plot.map(slope).axes[0].collections if type(c).__name__ == "Quiver")
    u, v = np.asarray(quiver.U), np.asarray(quiver.V)  # type: ignore[attr-defined]
    assert (u < 0).all()
    assert (v > 0).all()
    np.testing.assert_allclose(np.hypot(u, v), 1.0)  # the same slope everywhere
    assert 12 <= np.unique(quiver.X).size <= 30  # type: ignore[attr-defined]


def quiver_of(figure: Figure) -> Any:
    return next(c for c in figure.axes[0].collections if type(c).__name__ == "Quiver")


def tilted(size: int) -> xr.DataArray:
    """Latitude plus longitude, in degrees: as steep to the north everywhere, and steeper
    to the east the nearer to the pole."""
    lat, lon = np.linspace(-88, 80, size), np.linspace(0, 160, size)
    coords = {"lat": lat, "lon": lon}
    return xr.DataArray(lat[:, np.newaxis] + lon, coords, ("lat", "lon"), "f")


@pytest.mark.parametrize("size", [15, 2500])
def test_arrows_on_the_sphere_are_physical(size: int) -> None:
    for da in (tilted(size), tilted(size).T):
        (picture,) = pictures([da], {"geometry": "sphere"})
        assert picture.gradient is not None
        right, up = picture.gradient
        if da.dims == ("lat", "lon"):
            lat, east, north = picture.y[:, np.newaxis], right, up
        else:
            lat, east, north = picture.x, up, right
        inside = (slice(1, -1),) * 2  # the last block may be a short one
        np.testing.assert_allclose(north[inside], 1, rtol=1e-9)
        ratio = (east / north * np.cos(np.deg2rad(lat)))[inside]
        np.testing.assert_allclose(ratio, 1, rtol=1e-9)


def test_no_arrow_at_the_pole() -> None:
    da = tilted(15).assign_coords(lat=np.linspace(-90, 78, 15))
    quiver = quiver_of(plot.map(da, geometry="sphere"))
    assert quiver.Y.min() > -90
    assert np.isfinite(quiver.U).all()


def test_arrows_go_on_over_the_seam() -> None:
    """Central differences of sin are cos, up to a factor: in the first and last column too."""
    turn = np.arange(12) * 30.0
    values = np.broadcast_to(np.sin(np.deg2rad(turn)), (5, 12))
    bare = xr.DataArray(values, dims=("y", "x"))
    hours = np.datetime64("2026-01-01", "ns") + np.arange(12) * np.timedelta64(1, "h")
    for da, options in (
        (bare, {"period": {"x": 12}}),
        (bare, {"period": {"x": 360}, "spacing": {"x": 30}}),
        (bare.assign_coords(x=turn), {"period": {"x": 360}}),
        (bare.assign_coords(x=hours), {"period": {"x": 0.5}, "datetime_unit": "D"}),
        (bare.assign_coords(x=hours), {"period": {"x": 720}, "datetime_unit": "min"}),
    ):
        gradient = pictures([da], options)[0].gradient
        assert gradient is not None
        slope = gradient[0] / gradient[0][0, 0]
        np.testing.assert_allclose(slope, np.cos(np.deg2rad(turn)) + 0 * slope, atol=1e-12)


def coast() -> xr.DataArray:
    """A plane that rises to the right, and sea above its diagonal."""
    i = np.arange(16.0)
    return xr.DataArray(i + 0 * i[:, np.newaxis], dims=("y", "x")).where(np.tri(16, dtype=bool))


def test_arrows_up_to_the_coast() -> None:
    usual = quiver_of(plot.map(coast()))
    adapted = quiver_of(plot.map(coast(), nan="adapt"))
    # all land but the diagonal and a point beside each of its ends, where one-sided rows get wet
    assert usual.N == 136 - 16 - 2
    assert adapted.N == 136 - 1 - 1  # a corner has no neighbour along x, another none along y
    np.testing.assert_allclose(adapted.U, adapted.U[0])
    assert not adapted.V.any()


def test_no_arrow_floats_in_the_sea() -> None:
    da = xr.DataArray(np.random.default_rng(3).random((200, 200)), dims=("y", "x"))
    sea = xr.DataArray(np.hypot(*np.ogrid[-100:100, -100:100]) > 70, dims=("y", "x"))
    quiver = quiver_of(plot.map(da.where(~sea), nan="adapt"))
    assert quiver.N > 100
    assert not sea.values[quiver.Y.astype(int), quiver.X.astype(int)].any()


def test_an_answer_knows_how_it_was_found() -> None:
    da = tilted(15).where(tilted(15) > -60)
    options: dict[str, Any] = {"nan": "adapt", "geometry": "sphere", "period": {"lon": 180.0}}
    best = dhess.find_minimum(da, "slope", **options)
    want = quiver_of(plot.map(da, **options))
    for figure in (plot.answer(da, best), plot.map(da, best)):
        got = quiver_of(figure)
        np.testing.assert_array_equal(got.U, want.U)
        np.testing.assert_array_equal(got.V, want.V)
    plain = quiver_of(plot.answer(da, best, nan="propagate"))
    assert plain.N < want.N


def test_latitudes_that_only_an_option_names() -> None:
    da = tilted(15).rename(lat="a", lon="b")
    names: dict[str, Any] = {"geometry": "sphere", "latitude": "a", "longitude": "b"}
    best = dhess.find_minimum(da, "slope", **names)
    named = quiver_of(plot.map(da, **names))
    assert np.ptp(named.U / named.V) > 1
    for figure in (plot.answer(da, best), plot.map(da, best)):  # the answer tells the names
        np.testing.assert_array_equal(quiver_of(figure).U, named.U)
        np.testing.assert_array_equal(quiver_of(figure).V, named.V)
    flat = quiver_of(plot.map(da))
    overruled = quiver_of(plot.answer(da, best, geometry="cartesian"))
    np.testing.assert_array_equal(overruled.U, flat.U)


@pytest.mark.parametrize("names", [("lat", "lon"), ("a", "b")])
def test_a_cut_is_on_the_sphere_if_both_its_axes_are(names: tuple[str, str]) -> None:
    plane = tilted(15).rename(lat=names[0], lon=names[1])
    options: dict[str, Any] = {"geometry": "sphere", "radius": 2.0}
    if names != ("lat", "lon"):
        options |= {"latitude": names[0], "longitude": names[1]}
    height = xr.DataArray(np.arange(5.0), dims="z")
    best = dhess.find_minimum(height + plane, "slope", **options)
    assert options_of(best, plane)["radius"] == 2.0
    assert {**options_of(best, plane), **options} == options_of(best, plane)
    for upright in ((height + plane).isel({name: 3}) for name in names):
        assert not {*options, "latitude", "longitude"} & options_of(best, upright).keys()
        got, flat = (quiver_of(plot.map(upright, *given)) for given in ([best], []))
        np.testing.assert_array_equal(got.U, flat.U)


def test_threshold_and_arrows_take_the_same_options() -> None:
    da = coast()
    figure = plot.map(da, threshold=0.5, measure="slope", nan="adapt", order=4, period=None)
    assert quiver_of(figure).N == 134
    with pytest.raises(GridError, match="period"):
        plot.map(da, period={"x": 3})


@pytest.mark.parametrize(
    "shape", [(3, 6), (10, 20), (57, 114), (400, 800), (1500, 3000), (3, 5000), (4000, 12)]
)
def test_arrows_stay_readable_at_any_size(shape: tuple[int, int]) -> None:
    """There are some to look at, and none is so long that it reaches its neighbours."""
    da = xr.DataArray(np.random.default_rng(0).random(shape), dims=("y", "x"))
    figure = plot.map(da)
    drawn(figure)
    quiver = quiver_of(figure)
    assert 2 <= np.unique(quiver.X).size <= 30
    assert 1 <= np.unique(quiver.Y).size <= 30
    ax = figure.axes[0]
    apart = np.diff(ax.transData.transform([(x, 0) for x in np.unique(quiver.X)])[:, 0]).min()
    longest = np.hypot(quiver.U, quiver.V).max() / quiver.scale * ax.bbox.width
    assert longest <= apart


def test_flat_field_and_nan_field_can_be_drawn() -> None:
    flat = xr.DataArray(np.ones((5, 6)), dims=("y", "x"))
    for da in (flat, flat * np.nan, flat.isel(x=slice(1)), flat.isel(x=slice(2))):
        assert drawn(plot.map(da, relief=True)).any()


def test_threshold_is_a_red_contour() -> None:
    da = quartic()
    figure = plot.map(da, threshold=3.0, measure="laplacian")
    # 12 (x − 0.3)² + 12 (y + 0.2)² = 3 is a circle of radius 0.5
    assert is_red(figure, 0, 0.8, -0.2, reach=4)
    assert is_red(figure, 0, 0.3, 0.3, reach=4)
    assert not is_red(figure, 0, 0.3, -0.2, reach=4)


def aspect(da: xr.DataArray) -> float | str:
    value: float | str = plot.map(da).axes[0].get_aspect()
    return value


def test_metres_are_drawn_to_scale_and_degrees_by_latitude() -> None:
    da = quartic()
    assert aspect(da) == 1.0
    lat = ("lat", np.linspace(59, 61, 21), {"units": "degrees_north"})
    lon = ("lon", np.linspace(10, 14, 21), {"units": "degrees_east"})
    globe = xr.DataArray(da.values, {"lat": lat, "lon": lon}, ("lat", "lon"))
    assert aspect(globe) == pytest.approx(2.0)  # 1 / cos 60°
    mixed = da.assign_coords(x=("x", da.x.values, {"units": "s"}))
    assert aspect(mixed) == "auto"


def test_dates_can_be_an_axis() -> None:
    days = np.arange("2026-01-01", "2026-01-22", dtype="datetime64[D]").astype("datetime64[ns]")
    da = quartic().assign_coords(y=days)
    assert drawn(plot.map(da)).any()


def test_ranks_are_numbered() -> None:
    da = quartic()
    figure = plot.map(da, dhess.find_minimum(da, k=3))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2"]


def bowl() -> xr.DataArray:
    y, x = np.linspace(-2, 2, 401), np.linspace(-0.9, 0.9, 401)
    values = (1 - np.exp(-10 * x**2 - (y**2)[:, np.newaxis])) / 100
    return xr.DataArray(values, {"y": y, "x": x}, ("y", "x"), "f")


def test_compare_shows_where_the_laplacian_misleads() -> None:
    figure = plot.compare(bowl(), threshold=0.004)
    # on the axis y = 0 the Laplacian vanishes at x² = 22/400, where the slope is steep
    steep = np.sqrt(22 / 400)
    assert is_red(figure, 0, steep, 0.0, reach=6)
    assert not is_red(figure, 1, steep, 0.0, reach=6)
    for panel in (0, 1):
        assert is_red(figure, panel, 0.87, 1.8, reach=8)  # the plateau
        assert not is_red(figure, panel, 0.0, 0.0, reach=8)  # the trough


def test_compare_uses_one_threshold_for_all_panels() -> None:
    figure = plot.compare(bowl())
    assert figure.legends[0].get_texts()[0].get_text().startswith("measure = 0.0")


def test_compare_refuses_an_unknown_measure() -> None:
    with pytest.raises(InputError, match="hessian_norm"):
        plot.compare(bowl(), ["hesian_norm"])


@pytest.mark.parametrize(("ndim", "panels"), [(2, 1), (3, 3), (4, 6), (5, 10)])
def test_slices_draws_every_pair_of_dimensions(ndim: int, panels: int) -> None:
    da = quartic_nd(ndim, size=6)
    figure = plot.slices(da, dhess.find_minimum(da))
    assert len(figure.axes) == panels + 1  # and the colour bar
    place = float(da["d0"][3])
    marked = red(drawn(figure))
    for panel in range(panels):
        row, column = pixel(figure, panel, place, place)
        assert marked[row - 2 : row + 3, column - 2 : column + 3].any()


def test_slices_labels_the_outer_panels() -> None:
    da = quartic_nd(3, size=6)
    figure = plot.slices(da, dhess.find_minimum(da))
    labels = [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes[:3]]
    assert sorted(labels) == [("", "d1"), ("d0", "d2"), ("d1", "")]


def test_answer_draws_a_line_in_one_dimension() -> None:
    da = quartic_nd(1, size=11)
    figure = plot.answer(da, dhess.find_minimum(da))
    assert is_red(figure, 0, 0.3, 0.0)


def test_answer_holds_batch_dimensions_at_the_best_point() -> None:
    da = xr.concat([quartic() + 3, quartic() * 0.5], dim="time")
    result = dhess.find_minimum(da, dims=("y", "x"), k=3)
    figure = plot.answer(da, result)
    shown = figure.axes[0].collections[0].get_array()
    assert shown is not None
    assert is_red(figure, 0, 0.3, -0.2)
    assert "time = 1" in figure.axes[0].get_title("left")


def test_transposed_answer_is_drawn_in_its_place() -> None:
    da = quartic().transpose("x", "y")
    figure = plot.answer(da, dhess.find_minimum(da))
    assert figure.axes[0].get_xlabel() == "northing [m]"
    assert is_red(figure, 0, -0.2, 0.3)


def test_closest_marks_one_point_per_block_below_the_threshold() -> None:
    da = xr.DataArray(np.zeros((100, 100)), dims=("y", "x"))
    measure = np.full((100, 100), 5.0)
    measure[30, 40] = 0.5
    measure[80:, 80:] = 0.1
    measure[0, 0] = np.nan
    x, y = closest(pictures([da])[0], measure, 1.0)
    marked = set(zip(x.tolist(), y.tolist(), strict=True))
    assert (40, 30) in marked
    assert all(right >= 80 and up >= 80 for right, up in marked - {(40, 30)})
    assert 1 < len(marked) < 200


def test_a_map_needs_two_dimensions() -> None:
    with pytest.raises(InputError, match=r"3 \(d0, d1, d2\)"):
        plot.map(quartic_nd(3, size=4))


def test_slices_needs_two_dimensions() -> None:
    da = quartic_nd(1)
    with pytest.raises(InputError, match=r"had 1 \(d0\)"):
        plot.slices(da, dhess.find_minimum(da))


@pytest.mark.parametrize("name", ["map.pgn", "map.pgf", "map", "folder.png/map"])
def test_unknown_picture_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not a picture format"):
        plot.map(quartic(), path=tmp_path / name)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write '.*none/a\.png': No such file"):
        plot.map(quartic(), path=tmp_path / "none" / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_an_interrupted_picture_leaves_the_old_one(name: str, tmp_path: Path) -> None:
    """Matplotlib has begun to write the file when the artists are drawn into it."""

    class Interrupted(Text):
        def draw(self, renderer: Any) -> None:
            raise KeyboardInterrupt

    (tmp_path / name).write_text("old")
    ax = draw.figure(2, 2).add_subplot()
    ax.add_artist(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        plot.map(quartic(), ax=ax, path=tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_missing_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'dhess\[plot\]'"):
        plot.map(quartic())


def test_no_global_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    da: Any = quartic()
    plot.map(da, dhess.find_minimum(da))
    assert "matplotlib.pyplot" not in sys.modules
