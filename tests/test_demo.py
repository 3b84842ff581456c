"""The demo runs, finds level ground, and touches no folder but its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import label

import dhess
from dhess.cli import main
from dhess.demo import COMPARISON, CUTS, MADE, MAP, MARK, PAGE, SUMMITS, TERRAIN, prepare
from dhess.demo.data import bowl_on_a_grid, terrain
from dhess.errors import OutputError

ROOT = Path(__file__).parent.parent

if TYPE_CHECKING:
    import xarray as xr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "dhess-demo"
    assert main(["demo", "--out", str(folder)]) == 0
    return folder


def test_files_are_there(demo: Path) -> None:
    assert sorted(each.name for each in demo.iterdir()) == sorted([MARK, TERRAIN, *MADE])


@pytest.mark.parametrize("name", [MAP, SUMMITS, CUTS, COMPARISON])
def test_pictures_are_large_and_have_red_points(demo: Path, name: str) -> None:
    image = imread(demo / name)
    assert min(image.shape[:2]) > 600
    red = (image[..., 0] > 0.8) & (image[..., 1] < 0.25) & (image[..., 2] < 0.25)
    assert red.sum() > 300


def test_stored_terrain_is_the_smoothed_model_in_chunks(demo: Path) -> None:
    stored = dhess.open(demo / TERRAIN)
    np.testing.assert_array_equal(stored.values, terrain().values)
    assert stored.encoding["chunks"] == (128, 128)
    assert stored.attrs["units"] == stored.y.attrs["units"] == "m"


def largest_region(height: xr.DataArray) -> int:
    """Return how many of the flattest 5 % of points are together, as SciPy counts."""
    slope = dhess.measure(height, "slope").values
    members, _ = label(slope <= np.quantile(slope, 0.05, method="inverted_cdf"))
    return int(np.bincount(members.ravel())[1:].max())


def test_demo_runs_twice_and_says_what_it_did(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(demo), "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in (
        "smoothed", "hessian_norm", "metres", str(demo / MAP), "Try next", "1,200,000", "area (m2)",
        f" 0   {largest_region(terrain()):,} ", "tops", "passes",
        "0.02000000 and 0.20000000;", "0.02000000 and 0.20000000.",
    ):  # fmt: skip
        assert words in out
    files = sorted(each.name for each in demo.iterdir())
    assert files == sorted([MARK, TERRAIN, *MADE])


def test_terrain_has_even_metre_axes() -> None:
    height = terrain()
    step = 6371008.8 * np.deg2rad(1 / 1200)
    np.testing.assert_allclose(np.diff(height.y), -step)  # from north to south
    middle = float(height.lat.mean())
    np.testing.assert_allclose(np.diff(height.x), step * np.cos(np.deg2rad(middle)))
    assert 36.4 < middle < 36.8
    assert -84.5 < float(height.lon.mean()) < -84.0
    assert 230 < float(height.min()) < float(height.max()) < 1080


def test_flattest_terrain_is_less_steep_than_anywhere_else() -> None:
    height = terrain()
    result = dhess.find_minimum(height, "slope", k=10, exclude_edges=True)
    slope = dhess.measure(height, "slope")
    assert float(result.value[0]) == float(slope[1:-1, 1:-1].min())


def test_the_readme_shows_the_map(demo: Path) -> None:
    """In squares of 8 × 8 dots: the stored picture has fewer colours, and fonts may differ."""
    name = "tests/pictures/jacksboro.png"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.index(f"]({name})") < 1500  # on the first screen, below the command
    drawn, shown = (squares(imread(path)[..., :3]) for path in (demo / MAP, ROOT / name))
    rows, columns = (min(sizes) for sizes in zip(drawn.shape[:2], shown.shape[:2], strict=True))
    assert rows > 140
    assert columns > 150
    assert np.abs(drawn[:rows, :columns] - shown[:rows, :columns]).mean() < 0.02


def squares(image: np.ndarray) -> np.ndarray:
    rows, columns = (size // 8 for size in image.shape[:2])
    whole = image[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8, 3)
    return np.asarray(whole.mean(axis=(1, 3)))


def test_page_shows_the_map(demo: Path) -> None:
    text = (demo / PAGE).read_text()
    assert "Where is slope smallest?" in text
    assert text.count("<img ") == 1


def test_bowl_is_the_formula() -> None:
    da = bowl_on_a_grid()
    assert float(da[400, 400]) == pytest.approx(0.0, abs=1e-15)
    assert float(da[0, 400]) == pytest.approx((1 - np.exp(-(1.8**2))) / 100)


def test_folder_of_somebody_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert str(tmp_path) in err
    assert "--out" in err
    assert err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def test_own_folder_keeps_what_the_user_put_there(tmp_path: Path) -> None:
    prepare(tmp_path / "demo")
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    (tmp_path / "demo" / MAP).write_text("old")
    prepare(tmp_path / "demo")
    assert sorted(each.name for each in (tmp_path / "demo").iterdir()) == [MARK, "notes.txt"]


def test_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        prepare(tmp_path / "file")
