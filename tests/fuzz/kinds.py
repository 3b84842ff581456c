"""What is drawn, and what is asked of it: one function for each kind of case.

A case that is refused raises `DhessError`. Any other exception is a finding, an `AssertionError`
that of a wrong answer.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

import dhess
from dhess.cli import main
from dhess.errors import DhessError
from dhess.job import JobSpec
from tests.fuzz.values import DTYPES, NAMES, NUMBERS, anything, axis, damaged, mutated, text, toml
from tests.stores import quartic

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

OPTIONS: Final = [
    "--measure", "--dims", "--k", "--order", "--scheme", "--period", "--spacing", "--scale",
    "--nan", "--geometry", "--latitude", "--longitude", "--radius", "--datetime-unit", "--smooth",
    "--dtype", "--sel", "--chunks", "--exclude-edges", "--threshold", "--quantile",
    "--connectivity", "--min-size", "--tolerance", "--nan-share", "--read-rate", "--json",
]  # fmt: skip
WORDS: Final = [
    "laplacian", "slope", "hessian_norm", "x", "y", "x,y", "z", "x=1", "y=0:5", "x=-1", "x=3:2",
    "lon=360", "x=nan", "x=inf", "x=1e308", "x=1e-320", "adapt", "propagate", "sphere", "cartesian",
    "direct", "iterated", "span", "float32", "auto", "x=0", "x=-1:", "full", "faces", "s", "ns",
    "0.5", "1e400", "nan", "-", "x=1,y=2", "=", ",", "", "x=", "=1", "x=1=2", "x=:",
]  # fmt: skip
COMMANDS: Final = ["info", "find", "plan", "regions", "critical", "at"]
KEYS: Final = [*JobSpec.model_fields, "unknown", "", "resources"]


def spec(rng: random.Random, folder: Path) -> None:
    """A job as text: what is taken says the same when it is read again."""
    given = {"source": rng.choice(NAMES), "measure": "slope"}
    for _ in range(rng.randrange(6)):
        given[rng.choice(KEYS)] = anything(rng)
    written = toml(rng, given) if rng.random() < 0.6 else json.dumps(given)
    if rng.random() < 0.4:
        written = text(rng, written)
    suffix = rng.choice([".toml", ".json"])
    file = folder / f"job{suffix}"
    file.write_bytes(written.encode("utf-8", "surrogatepass"))
    found = JobSpec.load(file)
    again = JobSpec.read(found.model_dump(mode="json", exclude_none=True))
    assert again == found, f"{again!r} is not {found!r}"


def words(rng: random.Random, folder: Path) -> None:
    """A command line: it ends with 0, 1 or 2 and a sentence, and JSON is JSON."""
    store = _plain(folder)
    line = [rng.choice(COMMANDS), rng.choice([str(store), f"{store}::f", rng.choice(NAMES)])]
    if line[0] == "at":
        line += [rng.choice(WORDS) for _ in range(rng.randrange(3))]
    for _ in range(rng.randrange(5)):
        line.append(rng.choice(OPTIONS))
        if rng.random() < 0.9:
            many = rng.random() < 0.5
            line.append(rng.choice(WORDS) if many else str(rng.choice(NUMBERS)))
    if rng.random() < 0.1:
        line[rng.randrange(len(line))] = text(rng, rng.choice(line))
    line = [word.replace("\0", "").replace("\ud800", "") for word in line]  # no system gives these
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main(line)
    told = out.getvalue() + err.getvalue()
    assert code in (0, 1, 2), f"exit {code}: {told[-300:]}"
    assert "Traceback" not in told, told[-500:]
    assert "--traceback … shows where" not in told, told[-500:]
    assert code == 0 or "dhess: error: " in told, told[-300:]
    if code == 0 and line[-2:] == ["--json", "-"]:
        json.loads(out.getvalue())


def zarr(rng: random.Random, folder: Path) -> None:
    """Metadata of a Zarr store: refused, or a plan and its first value are there."""
    version = rng.choice([2, 3])
    store = folder / "hostile.zarr"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(_template(folder, version), store)
    files = [p for p in sorted(store.rglob("*")) if p.name in _METADATA]
    if rng.random() < 0.5:  # what is consolidated would hide it
        (store / ".zmetadata").unlink(missing_ok=True)
        files = [p for p in files if p.name != ".zmetadata"]
    for _ in range(rng.randrange(1, 3)):
        file = rng.choice(files)
        if rng.random() < 0.1:
            file.write_bytes(damaged(rng, file.read_bytes()))
        else:
            with contextlib.suppress(ValueError):  # it may be damaged already
                found = json.loads(file.read_bytes())
                file.write_text(json.dumps(mutated(rng, found)))
    _looked_at(store, rng)


def netcdf(rng: random.Random, folder: Path) -> None:
    """Bytes of a NetCDF file: refused, or a plan and its first value are there."""
    file = folder / "hostile.nc"
    file.write_bytes(damaged(rng, _netcdf(folder).read_bytes()))
    _looked_at(file, rng)


def coordinates(rng: random.Random, folder: Path) -> None:
    """A coordinate: refused, or the second derivative of a parabola along it is right."""
    values = axis(rng)
    dtype = rng.choice(DTYPES)
    with np.errstate(all="ignore"), contextlib.suppress(ValueError, TypeError, OverflowError):
        values = np.asarray(values).astype(dtype)
    numbers = np.asarray(values)
    if numbers.dtype.kind in "mM":
        numbers = (numbers - numbers[:1]).astype("m8[ns]").astype(float) / 1e9
    exact = numbers.dtype.kind in "iuf"
    if exact:
        with np.errstate(all="ignore"):
            x = np.asarray(numbers, float)
            x = x - (x[0] if len(x) and np.isfinite(x[0]) else 0.0)
            field = 3.0 * x * x + 2.0 * x + 1.0
    else:
        field = np.arange(float(len(numbers)))
    try:
        da = xr.DataArray(np.stack([field] * 4), dims=("b", "x"), coords={"x": ("x", values)})
    except ValueError:
        return  # xarray takes no such dates
    order = rng.choice([2, 2, 4, 6, 8])
    found = dhess.laplacian(da, dims=("x",), order=order).values
    if not exact or not np.isfinite(field).all():
        return
    steps = np.abs(np.diff(x))
    step, spread = float(steps.min()), float(steps.max() / max(steps.min(), 1e-300))
    away = np.abs(x - np.linspace(x[0], x[-1], len(x))).max()
    rounding = np.spacing(np.abs(numbers.astype(float)).max())
    if spread > 30 or not step > 1e-100 or 4 * rounding < away < 1e-5 * np.abs(numbers).max():
        return  # steps that are equal but for float32's rounding are taken as equal
    noise = np.spacing(np.abs(field).max()) + (6 * np.abs(x).max() + 2) * rounding
    noise *= 1e3 * spread**2 / step**2
    worst = float(np.max(np.abs(found - 6.0)))
    assert worst <= 1e-6 + noise, f"6 is {found.ravel()[:3]}, off by {worst:.3g}"


def _looked_at(path: Path, rng: random.Random) -> None:
    chunks: Any = rng.choice(["auto", "auto", None, 4, {"x": 3}])
    da = dhess.open(f"{path}::f" if rng.random() < 0.7 else path, chunks=chunks)
    plan = dhess.plan(da)
    assert plan.blocks >= 1
    if da.size <= 10**6 and da.data.npartitions <= 1000:
        first = da[(0,) * da.ndim].values
        assert first.shape == ()
        if da.size <= 10**4:
            dhess.find_minimum(da)


_METADATA: Final = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")


def _field() -> xr.Dataset:
    field = quartic()[:8, :9].to_dataset(name="f")
    return field.assign_coords(t=("x", np.arange(9).astype("M8[D]").astype("M8[ns]")))


def _template(folder: Path, version: int) -> Path:
    path = folder / f"template{version}.zarr"
    if not path.exists():
        chunks = {"f": {"chunks": (4, 9)}}
        _field().to_zarr(path, zarr_format=version, consolidated=True, encoding=chunks)
    return path


def _plain(folder: Path) -> Path:
    path = folder / "plain.zarr"
    if not path.exists():
        quartic()[:8, :9].to_dataset(name="f").to_zarr(path, zarr_format=2)
    return path


def _netcdf(folder: Path) -> Path:
    path = folder / "template.nc"
    if not path.exists():
        chunks = {"f": {"chunksizes": (4, 9), "zlib": True}}
        _field().to_netcdf(path, engine="h5netcdf", encoding=chunks)
    return path


KINDS: dict[str, Callable[[random.Random, Path], None]] = {
    "spec": spec, "words": words, "zarr": zarr, "netcdf": netcdf, "coordinates": coordinates,
}  # fmt: skip
REFUSALS: Final = (DhessError,)
__all__ = ["KINDS", "REFUSALS"]
