"""Searches that find nothing: the answer says so in every form, and only a cut cannot be drawn."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from dhess.cli import main
from tests.stores import store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


def slope(tmp_path: Path, *dims: str) -> str:
    """Store a field that rises along each of its dimensions, and so is level nowhere."""
    rise = [xr.DataArray(np.arange(8.0), dims=dim) for dim in dims]
    return str(store(sum(rise[1:], rise[0]).rename("f"), tmp_path / "rise.zarr"))


ASKED = {
    "regions": ["regions", "-m", "slope", "-t", "-1"],
    "critical": ["critical"],
}


@pytest.mark.parametrize("dims", [("z", "y", "x"), ("t", "y", "x")], ids=["cuts", "time steps"])
@pytest.mark.parametrize("task", list(ASKED))
def test_without_a_place_to_cut_through_all_but_the_picture_is_made(
    task: str, dims: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, picture, told = slope(tmp_path, *dims), tmp_path / "e.png", tmp_path / "e.json"
    only = ["--dims", "y,x"] if "t" in dims else []
    out = tmp_path / ("e.zarr" if task == "regions" else "e.nc")
    asked = [*ASKED[task], source, *only, "--plot", str(picture), "--json", str(told)]
    code = main([*asked, "--out", str(out)])
    printed, said = capsys.readouterr()
    assert code == 0
    assert "no " in printed
    assert said.count("\n") == 1
    assert repr(str(picture)) in said
    assert "was not drawn" in said
    assert not picture.exists()
    rows = "regions" if task == "regions" else "critical_points"
    assert json.loads(told.read_text())[rows] == []
    assert out.exists()


@pytest.mark.parametrize("task", list(ASKED))
def test_a_map_of_nothing_is_drawn(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "e.png"
    assert main([*ASKED[task], slope(tmp_path, "y", "x"), "--plot", str(picture)]) == 0
    assert capsys.readouterr().err == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
