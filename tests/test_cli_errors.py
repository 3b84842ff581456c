"""Every mistake ends with code 2 and one sentence that quotes the value and says what to do."""

from __future__ import annotations

import math
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import h5py
import numpy as np
import pytest
import xarray as xr

from dhess.cli import commands, main
from dhess.errors import Interrupted, OutputError
from dhess.sink import check_apart
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(capsys: pytest.CaptureFixture[str], *args: str, code: int = 2) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout."""
    returned = main(args)
    out, err = capsys.readouterr()
    assert returned == code, err
    assert out == ""
    assert err.startswith("dhess: error: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert "Traceback" not in err
    return err


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


# command line after SRC, words of the sentence: the value, and the remedy
OPTIONS = [
    (["--measure", "hesian_norm"], ["hesian_norm", "hessian_norm"]),
    (["--dims", "y,lon"], ["lon", "y, x"]),
    (["--dims", "y,y"], ["'y'", "twice"]),
    (["--order", "3"], ["order=3", "2, 4, 6 or 8"]),
    (["--order", "10"], ["order=10", "2, 4, 6 or 8"]),
    (["--sel", "x=0:7", "--order", "8"], ["'x'", "7 points", "10"]),
    (["--order", "two"], ["'two'", "--help"]),
    (["--scheme", "direkt"], ["direkt", "direct"]),
    (["--nan", "adopt"], ["adopt", "adapt"]),
    (["--geometry", "spher"], ["spher", "sphere"]),
    (["--dtype", "int8"], ["int8", "float32"]),
    (["--nan", "adpat"], ["adpat", "'adapt'"]),
    (["--scheme", "iterated", "--nan", "adapt"], ["iterated", "adapt", "direct"]),
    (["--period", "lon=360"], ["'lon'", "y, x"]),
    (["--period", "x=1.5"], ["'x'", "1.5", "shorter", "2"]),
    (["--period", "x=2"], ["'x'", "period", "2", "repeats", "drop"]),
    (["--period", "x"], ["--period 'x'", "lon=360", "number"]),
    (["--period", "x=wide"], ["--period 'x=wide'", "lon=360"]),
    (["--period", "x=-360"], ["'x'", "-360", "above 0"]),
    (["--geometry", "sphere"], ["sphere", "latitude", "y, x"]),
    (["--geometry", "sphere", "--latitude", "lat", "--longitude", "x"], ["lat", "y, x"]),
    (["--geometry", "sphere", "--latitude", "y", "--longitude", "x"], ["'m'", "degrees"]),
    (["--latitude", "y"], ["latitude='y'", "sphere"]),
    (["--radius", "6e6"], ["radius=6000000.0", "sphere"]),
    (["--radius", "big"], ["'big'", "--help"]),
    (["--geometry", "sphere", "--radius", "0"], ["radius=0.0", "above 0"]),
    (["--datetime-unit", "parsec"], ["parsec", "D, h, min, s"]),
    (["--scale", "x=0"], ["'x'", "0.0", "above 0"]),
    (["--scale", "x"], ["--scale 'x'", "t=3600"]),
    (["--scale", "width"], ["--scale 'width'", "span"]),
    (["--scale", "span", "--scale", "x=1"], ["span", "x=1", "leave"]),
    (["--scale", "q=1"], ["'q'", "y, x"]),
    (["--smooth", "x=0"], ["'x'", "0.0", "above 0"]),
    (["--smooth", "x=-1"], ["'x'", "-1.0", "above 0"]),
    (["--smooth", "x=1e9"], ["'x'", "1e+09", "2"]),
    (["--smooth", "q=1"], ["'q'", "y, x"]),
    (["--smooth", "x"], ["--smooth 'x'", "x=2,y=3"]),
    (["--smooth", "x=1", "--sel", "x=0"], ["'x'", "known: y"]),
    (["--spacing", "x=0.1"], ["0.1", "'x'", "coordinate"]),
    (["--spacing", "x"], ["'x'", "x=0.1"]),
    (["--spacing", "x=wide"], ["x=wide", "number"]),
    (["--spacing", "z=1"], ["'z'", "y, x"]),
    (["--spacing", "x=0"], ["'x'", "0.0", "above 0"]),
    (["--spacing", "x=-1"], ["'x'", "-1.0", "above 0"]),
    (["--spacing", "x=nan"], ["'x'", "nan", "above 0"]),
    (["--k", "0"], ["k", "0"]),
    (["--k", "many"], ["'many'", "--help"]),
    (["--chunks", "big"], ["'big'", "auto"]),
    (["--chunks", "x=big"], ["'x=big'", "auto"]),
    (["--sel", "time=3"], ["'time'", "y, x"]),
    (["--sel", "x=21"], ["x=21", "21 points", "0 to 20"]),
    (["--sel", "x=-22"], ["x=-22", "21 points"]),
    (["--sel", "x=5:22"], ["x=5:22", "up to 21"]),
    (["--sel", "x=5:5"], ["x=5:5", "start:stop"]),
    (["--sel", "x=0:10:2"], ["x=0:10:2", "time=0:10"]),
    (["--sel", "x=1.5"], ["x=1.5", "whole numbers"]),
    (["--sel", "x=0:3"], ["'x'", "3", "4"]),  # shorter than the stencil
    (["--workers", "0"], ["0", "1"]),
    (["--memory-limit", "much", "--workers", "1"], ["much", "4GB"]),
    (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], ["--workers 2", "leave one"]),
    (["--tls-ca", "ca.pem"], ["--tls-cert", "--tls-key"]),
    (["--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"], ["'a'", "--scheduler"]),
    (["--scheduler", "nowhere.json"], ["nowhere.json"]),
    (["--report", "memory://a.html"], ["memory://a.html", "URL", "path"]),
    (["--report", "no/such/folder/a.html"], ["no/such/folder"]),
    (["--report", "a.html", "--json", "a.html"], ["'a.html'", "two outputs"]),
    (["--report", "a.html", "--performance", "a.html"], ["'a.html'", "two outputs"]),
    (["--report", "a.pdf"], ["'a.pdf'", "'.pdf'", ".html"]),
    (["--report", "a"], ["'a'", "no ending", ".html"]),
    (["--performance", "no/such/folder/a.html"], ["no/such/folder"]),
    (["--plot", "answer.pgn"], ["pgn", "png"]),
    (["--plot", "answer"], ["answer", "png"]),
    (["--json", "no/such/folder/a.json"], ["no/such/folder"]),
    (["--plot", "no/such/folder/a.png"], ["no/such/folder"]),
    (["--json", "memory://a.json", "--overwrite"], ["memory://a.json", "URL", "path"]),
    (["--json", "file:///tmp/a.json"], ["file:///tmp/a.json", "URL", "path"]),
    (["--plot", "memory://a.png"], ["memory://a.png", "URL", "path"]),
    (["--json", ".", "--overwrite"], ["'.'", "folder", "another name"]),
    (["--json", "a.png", "--plot", "a.png"], ["'a.png'", "two outputs"]),
    (["--json", "./a.png", "--plot", "a.png"], ["a.png'", "two outputs"]),
    (["--ordr", "2"], ["--ordr", "--order", "dhess find --help"]),
    (["--json"], ["--json", "--help"]),
    (["more"], ["more", "--help"]),
]


@pytest.mark.parametrize(("args", "words"), OPTIONS, ids=lambda each: " ".join(each))
def test_option_that_does_not_fit(
    args: list[str], words: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "find", source, *args)
    assert all(word in said for word in words), said


COMMANDS = [
    ([], ["Usage: dhess"]),
    (["fnd"], ["fnd", "dhess --help"]),
    (["--colour"], ["--colour", "dhess --help"]),
    (["find"], ["SRC", "dhess find --help"]),
    (["field", "f.zarr"], ["--out", "dhess field --help"]),
    (["completion", "powershell"], ["powershell", "bash"]),
    (["completion"], ["SHELL", "dhess completion --help"]),
    (["measures", "x"], ["x", "dhess measures --help"]),
]


@pytest.mark.parametrize(("args", "words"), COMMANDS, ids=lambda each: " ".join(each))
def test_command_that_cannot_be_read(
    args: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(word in err for word in words), err
    assert err.count("\n") == 1 or not args


def _no_file(folder: Path) -> str:
    return str(folder / "nothing.zarr")


def _text_file(folder: Path) -> str:
    (folder / "notes.nc").write_text("not a NetCDF file")
    return str(folder / "notes.nc")


def _empty_folder(folder: Path) -> str:
    (folder / "empty.zarr").mkdir()
    return str(folder / "empty.zarr")


def _wrong_variable(folder: Path) -> str:
    ds = xr.Dataset({"temperature": quartic()})
    ds.to_zarr(folder / "t.zarr", consolidated=False)
    return f"{folder / 't.zarr'}::temprature"


def _two_variables(folder: Path) -> str:
    xr.Dataset({"first": quartic(), "second": quartic()}).to_zarr(
        folder / "two.zarr", consolidated=False
    )
    return str(folder / "two.zarr")


def _with(da: xr.DataArray) -> Callable[[Path], str]:
    return lambda folder: str(store(da.rename("f"), folder / "bad.zarr"))


def _on(x: list[float]) -> xr.DataArray:
    return xr.DataArray(np.zeros(len(x)), {"x": x}, "x", "f")


def _dates() -> xr.DataArray:
    return xr.DataArray(np.arange(5).astype("datetime64[ns]"), dims="x")


def _text(folder: Path) -> str:
    da = xr.DataArray(np.array(["a", "b", "c", "d"]), dims="x")
    # format 3 of Zarr has no settled type for text, and would warn
    da.to_dataset(name="f").to_zarr(folder / "text.zarr", zarr_format=2, consolidated=False)
    return str(folder / "text.zarr")


def _objects(folder: Path) -> str:
    """Text of any length, which xarray holds as Python objects."""
    da = xr.DataArray(np.array(["a", "bc", "d", "e"], dtype=object), dims="x")
    da.to_dataset(name="f").to_netcdf(folder / "objects.nc", engine="h5netcdf")
    return f"{folder / 'objects.nc'}::f"


def _curvilinear() -> xr.DataArray:
    lat = np.add.outer(np.arange(5.0), np.arange(6.0))
    return xr.DataArray(np.zeros((5, 6)), {"lat": (("y", "x"), lat)}, ("y", "x"))


SOURCES: list[tuple[str, Callable[[Path], str], list[str]]] = [
    ("no such file", _no_file, ["nothing.zarr"]),
    ("a text file", _text_file, ["notes.nc"]),
    ("an empty folder", _empty_folder, ["empty.zarr"]),
    ("no such variable", _wrong_variable, ["temprature", "'temperature'"]),
    ("several variables", _two_variables, ["first", "second", "::"]),
    ("short axis", _with(_on([0.0, 1.0, 2.0])), ["'x'", "3", "4"]),
    ("duplicate", _with(_on([0.0, 1.0, 1.0, 2.0, 3.0])), ["'x'", "1.0"]),
    ("unsorted", _with(_on([0.0, 2.0, 1.0, 3.0, 4.0])), ["'x'", "2.0", "1.0"]),
    ("NaN coordinate", _with(_on([0.0, 1.0, np.nan, 3.0, 4.0])), ["'x'", "nan", "2"]),
    ("infinite coordinate", _with(_on([0.0, 1.0, 2.0, 3.0, np.inf])), ["'x'", "inf", "4"]),
    ("curvilinear", _with(_curvilinear()), ["two-dimensional", "lat"]),
    ("text", _text, ["f", "numeric"]),
    ("objects", _objects, ["'f'", "object", "numeric"]),
    ("complex", _with(xr.DataArray(np.zeros(5, complex), dims="x")), ["f", "complex"]),
    ("dates", _with(_dates()), ["f", "datetime"]),
    ("scalar", _with(xr.DataArray(1.0)), ["f"]),
    ("too short", _with(_on([0.0, 1.0])), ["'x'", "2", "4"]),
    ("empty", _with(xr.DataArray(np.zeros((4, 0)), dims=("y", "x"))), ["f"]),
]


@pytest.mark.parametrize("command", ["find", "field"])
@pytest.mark.parametrize(
    ("make", "words"), [each[1:] for each in SOURCES], ids=[each[0] for each in SOURCES]
)
def test_data_that_does_not_fit(
    command: str,
    make: Callable[[Path], str],
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    extra = ["--out", str(tmp_path / "out.zarr")] if command == "field" else []
    said = refused(capsys, command, make(tmp_path), *extra)
    assert all(word in said for word in words), said
    assert not (tmp_path / "out.zarr").exists()


def _globe(latitude: list[float], longitude: list[float]) -> xr.DataArray:
    coords = {"lat": latitude, "lon": longitude}
    return xr.DataArray(np.zeros((len(latitude), len(longitude))), coords, ("lat", "lon"))


UNFIT: list[tuple[str, xr.DataArray, list[str], list[str]]] = [
    (
        "latitude beyond the pole", _globe([0.0, 40.0, 80.0, 120.0], [0.0, 1.0, 2.0, 3.0]),
        ["--geometry", "sphere"], ["'lat'", "120", "index 3", "90"],
    ),
    (
        "longitude that goes around twice", _globe([0.0, 1.0, 2.0, 3.0], [0.0, 240.0, 480.0, 7e2]),
        ["--geometry", "sphere"], ["'lon'", "700", "360"],
    ),
    (
        "latitude without longitude", _globe([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]),
        ["--geometry", "sphere", "--dims", "lat"], ["'lon'", "dims"],
    ),
    (
        "smoothing along an uneven axis", _on([0.0, 1.0, 3.0, 6.0, 10.0]),
        ["--smooth", "x=2"], ["'x'", "uneven", "step 1 ", "4 at index 3"],
    ),
    (
        "period along an uneven axis that is longer", _on([0.0, 1.0, 3.0, 6.0, 10.0]),
        ["--period", "x=9"], ["'x'", "9", "10"],
    ),
]  # fmt: skip


@pytest.mark.parametrize("command", ["find", "field"])
@pytest.mark.parametrize(
    ("da", "args", "words"), [each[1:] for each in UNFIT], ids=[each[0] for each in UNFIT]
)
def test_option_that_does_not_fit_the_axes(
    command: str,
    da: xr.DataArray,
    args: list[str],
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = str(store(da.rename("f"), tmp_path / "f.zarr"))
    extra = ["--out", str(tmp_path / "out.zarr")] if command == "field" else []
    said = refused(capsys, command, source, *args, *extra)
    assert all(word in said for word in words), said
    assert not (tmp_path / "out.zarr").exists()


def test_every_point_nan_is_work_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = store(quartic() * np.nan, tmp_path / "nan.zarr")
    assert "NaN" in refused(capsys, "find", str(source), code=1)


def test_info_of_what_find_refuses_gives_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = store(_on([0.0, 1.0, 1.0, 2.0, 3.0]), tmp_path / "f.zarr")
    assert main(["info", str(source)]) == 0
    assert "no derivative along x: coordinate 'x' has duplicate values" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--json", "a.json"),
        ("--plot", "a.png"),
        ("--report", "a.html"),
        ("--performance", "a.html"),
    ],
)
def test_output_that_exists(
    option: str, name: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_text("mine")
    assert f"output {str(file)!r} exists" in refused(capsys, "find", source, option, str(file))
    assert file.read_text() == "mine"


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_special_file_stays(
    option: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe of our own, and no device of the machine's: were this to fail, it would be lost."""
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    said = refused(capsys, "find", source, option, str(pipe), "--overwrite")
    assert "named pipe" in said
    assert "another name" in said
    assert pipe.is_fifo()


def test_reading_that_fails_is_no_failure_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "damaged.nc"
    quartic().to_netcdf(file, engine="h5netcdf", encoding={"f": {"zlib": True}})
    with h5py.File(file) as stored:
        chunk = stored["f"].id.get_chunk_info(0)
    with file.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    said = refused(capsys, "find", str(file), "--plot", str(tmp_path / "a.png"), code=1)
    assert "chunk [0:21, 0:21] of" in said
    assert "damaged.nc::f' cannot be read" in said
    assert "a.png" not in said
    assert [each.name for each in tmp_path.iterdir()] == ["damaged.nc"]


def test_store_that_exists(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert source in refused(capsys, "field", source, "--out", source)
    assert xr.open_zarr(source, consolidated=False)["f"].shape == (21, 21)


@pytest.mark.parametrize("name", ["slop", "gradiant"])
def test_unknown_field(
    name: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "field", source, "--measure", name, "--out", str(tmp_path / "o.zarr"))
    assert name in said
    assert {"slop": "'slope'", "gradiant": "'gradient'"}[name] in said


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder closed even to root")
def test_folder_that_cannot_be_written(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--json", "--plot"):
        assert "'/proc'" in refused(capsys, "find", source, option, "/proc/a.png")
    assert "'/proc'" in refused(capsys, "field", source, "--out", "/proc/a.zarr")
    assert "'/proc/demo'" in refused(capsys, "demo", "--out", "/proc/demo")


def test_parent_that_is_a_file(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    said = refused(capsys, "field", source, "--out", str(tmp_path / "file" / "a.zarr"))
    assert "file" in said


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (("field",), ("--out", "{}")),
        (("field",), ("--out", "{}/slope.zarr")),
        (("regions", "--quantile", "0.1"), ("--out", "{}")),
        (("regions", "--quantile", "0.1"), ("--json", "{}/zarr.json")),
        (("find",), ("--report", "{}/page.html")),
        (("info",), ("--json", "{}/link/zarr.json")),
    ],
)
def test_no_command_writes_over_its_source(
    command: tuple[str, ...],
    output: tuple[str, str],
    source: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (Path(source) / "link").symlink_to(source)

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in Path(source).rglob("*") if path.is_file()}

    before = files()
    name, place = output
    args = [command[0], source, *command[1:], name, place.format(source), "--overwrite"]
    assert "in each other's way" in refused(capsys, *args)
    assert files() == before


def test_a_pattern_covers_its_folder_and_no_other(tmp_path: Path) -> None:
    source = str(tmp_path / "run_*.nc")
    check_apart(tmp_path / "deeper" / "run_1.nc", [source])
    check_apart(tmp_path / "run.nc", [source])
    with pytest.raises(OutputError, match="each other's way"):
        check_apart(tmp_path / "run_1.nc", [source])


def test_scheduler_that_does_not_answer(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        began = time.monotonic()
        assert address in refused(capsys, "find", source, "--scheduler", address)
        assert time.monotonic() - began < 12


def test_missing_matplotlib_is_named(
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    said = refused(capsys, "find", source, "--plot", str(tmp_path / "a.png"))
    assert "pip install 'dhess[plot]'" in said


@click.command(hidden=True)
def explode() -> None:
    """Fail in a way that nobody foresaw."""
    raise ZeroDivisionError("a line\nand another")


@pytest.fixture
def unforeseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(commands.commands, "explode", explode)


@pytest.mark.usefixtures("unforeseen")
def test_unforeseen_failure_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "explode", code=1)
    assert "ZeroDivisionError: a line and another" in said
    assert "--traceback" in said


@pytest.mark.usefixtures("unforeseen")
@pytest.mark.parametrize("how", ["option", "environment"])
def test_traceback_when_asked_for(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "environment":
        monkeypatch.setenv("DHESS_TRACEBACK", "1")
    assert main([*(["--traceback"] if how == "option" else []), "explode"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@click.command(hidden=True)
@click.option("--twice", is_flag=True)
def interrupted(twice: bool) -> None:
    """Be interrupted after a part of a search, and while workers end."""
    try:
        raise Interrupted(xr.Dataset(attrs={"partial": "12 of 27 blocks searched"}))
    finally:
        if twice:
            raise KeyboardInterrupt


@pytest.mark.parametrize("more", [[], ["--twice"]])
def test_interrupt_says_what_is_left(
    more: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(commands.commands, "interrupted", interrupted)
    assert main(["interrupted", *more]) == 130
    said = "dhess: interrupted; 12 of 27 blocks searched, so the answer is partial\n"
    assert capsys.readouterr() == ("", said)
