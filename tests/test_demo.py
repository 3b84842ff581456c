"""The demo runs, finds level ground, and touches no folder but its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread

import dhess
from dhess.cli import main
from dhess.demo import COMPARISON, MAP, MARK, TERRAIN, bowl, prepare, terrain
from dhess.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "dhess-demo"
    assert main(["demo", "--out", str(folder)]) == 0
    return folder


def test_files_are_there(demo: Path) -> None:
    assert sorted(each.name for each in demo.iterdir()) == sorted([MARK, TERRAIN, MAP, COMPARISON])


@pytest.mark.parametrize("name", [MAP, COMPARISON])
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


def test_demo_runs_twice_and_says_what_it_did(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(demo), "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("smoothed", "hessian_norm", "metres", str(demo / MAP), "Try next", "1,200,000"):
        assert words in out
    files = sorted(each.name for each in demo.iterdir())
    assert files == sorted([MARK, TERRAIN, MAP, COMPARISON])


def test_terrain_has_even_metre_axes() -> None:
    height = terrain()
    step = 6371008.8 * np.deg2rad(1 / 1200)
    np.testing.assert_allclose(np.diff(height.y), -step)  # from north to south
    middle = float(height.lat.mean())
    np.testing.assert_allclose(np.diff(height.x), step * np.cos(np.deg2rad(middle)))
    assert 36.4 < middle < 36.8
    assert -84.5 < float(height.lon.mean()) < -84.0
    assert 230 < float(height.min()) < float(height.max()) < 1080


def test_flattest_terrain_is_less_bent_than_anywhere_else() -> None:
    height = terrain()
    result = dhess.find_minimum(height, k=10, exclude_edges=True)
    norm = dhess.measure(height, "hessian_norm")
    assert float(result.value[0]) == float(norm[1:-1, 1:-1].min())


def test_bowl_is_the_formula() -> None:
    da = bowl()
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
