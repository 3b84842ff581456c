"""`python -m tests.versions`: the wheel in empty environments, with old and new dependencies.

Builds the wheel from the last commit, and tries it in environments of its own, made by uv:

- ``extras``: without extras and with each extra alone ``dhess find`` answers, and what the extra
  is for works;
- ``oldest``: with the oldest releases that pyproject.toml allows, on the oldest Python, the tests
  pass;
- ``newest``: with the newest releases, on each Python that is found, they pass too.

The tests are the fast ones, or what ``--tests`` says. Exits 1 if one part fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[2]
PYTHONS: Final = ("3.11", "3.12", "3.13")
FAST: Final = "-q -m 'not slow'"
SHOWN: Final = {
    "": "dhess find f.zarr::f --json -",
    "netcdf": "dhess find f.nc --json -",
    "plot": "dhess find f.zarr::f --plot found.png && test -s found.png",
    "performance": "dhess find f.zarr::f --workers 1 --performance p.html && test -s p.html",
    "s3": "python -c 'import s3fs'",
    "units": "python -c 'import cf_xarray, pint_xarray, cftime; import dhess.units'",
    "service": "dhess token add ada --data data && dhess serve --help",
    "slurm": "python -c 'import dask_jobqueue'",
    "kubernetes": "python -c 'import dask_kubernetes'",
    "all": "dhess find f.nc --plot found.png && dhess serve --help",
}
"""What an extra is for; nothing: what dhess does without one."""
DATA: Final = """
import numpy as np, xarray as xr
y, x = np.arange(-20.0, 20), np.arange(-20.0, 20)
f = xr.DataArray(y[:, None] ** 2 + 3 * (x - 5) ** 2, coords={"y": y, "x": x}, name="f")
f.to_dataset().to_zarr("f.zarr", consolidated=False)
try: import h5netcdf
except ImportError: pass
else: f.to_dataset().to_netcdf("f.nc", engine="h5netcdf")
"""


def main() -> int:
    chosen = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="dhess-versions-") as name:
        folder = Path(name)
        clone = _clone(folder)
        wheel = _wheel(clone, folder)
        failed = [
            told for told, done in _trials(chosen, clone, wheel, folder) if not _try(told, done)
        ]
    print("all passed" if not failed else f"failed: {', '.join(failed)}")
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.versions", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--part", choices=["extras", "oldest", "newest"], help="only this part")
    parser.add_argument("--python", choices=PYTHONS, help="newest: only on this one")
    parser.add_argument("--extra", choices=list(SHOWN), help="extras: only this one")
    parser.add_argument("--tests", default=FAST, metavar="WORDS", help="for pytest [%(default)s]")
    return parser


def _trials(
    chosen: argparse.Namespace, clone: Path, wheel: Path, folder: Path
) -> Iterator[tuple[str, Callable[[], None]]]:
    if chosen.part in (None, "extras"):
        for extra in SHOWN if chosen.extra is None else [chosen.extra]:
            yield f"extra {extra or '(none)'}", partial(_extra, wheel, folder, extra)
    if chosen.part in (None, "oldest"):
        yield f"oldest {PYTHONS[0]}", partial(_oldest, clone, wheel, folder, chosen.tests)
    if chosen.part in (None, "newest"):
        for python in PYTHONS if chosen.python is None else [chosen.python]:
            trial = partial(_newest, clone, wheel, folder, python, chosen.tests)
            yield f"newest {python}", trial


def _try(name: str, done: Callable[[], None]) -> bool:
    """Do it, and tell in a line how it went."""
    began, error = time.monotonic(), ""
    try:
        done()
    except subprocess.CalledProcessError as failure:
        error = f"; {failure.cmd!r} exited {failure.returncode}\n{failure.stdout or ''}"
    print(
        f"{name}: {'FAILED' if error else 'passed'}, {time.monotonic() - began:.0f} s{error}",
        flush=True,
    )
    return not error


def _clone(folder: Path) -> Path:
    """What git has, without what lies about."""
    _run(f"git clone --quiet '{ROOT}' '{folder / 'clone'}'", folder)
    return folder / "clone"


def _wheel(clone: Path, folder: Path) -> Path:
    _uv("build --quiet --wheel --out-dir ../wheel", clone)
    (wheel,) = (folder / "wheel").glob("dhess-*.whl")
    return wheel


def _extra(wheel: Path, folder: Path, extra: str) -> None:
    """Without the tests' packages, and in a folder of its own: nothing else can be imported."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = folder / f"extra-{extra or 'none'}"
    env = _environment(place, python)
    _uv(f"pip install --quiet --python '{env}' '{_wanted(wheel, extra)}'", place)
    _run(f"python -c '{DATA}'", place, env)
    _run(SHOWN[""], place, env)
    _run(SHOWN[extra], place, env)


def _oldest(clone: Path, wheel: Path, folder: Path, tests: str) -> None:
    """What dhess depends on is as old as it may be; what only tests use is new."""
    place = folder / "oldest"
    env = _environment(place, PYTHONS[0])
    (place / "wanted.in").write_text(f"{_wanted(wheel, 'all')}\n")
    _uv(
        f"pip compile --quiet --python '{env}' --resolution lowest-direct wanted.in "
        "--output-file lowest.txt --no-header",
        place,
    )
    named = {_name(each) for each in _dependencies()}
    lines = (place / "lowest.txt").read_text().splitlines()
    held = [line for line in lines if _name(line) in named]
    (place / "held.txt").write_text("\n".join(held) + "\n")
    _uv(f"pip install --quiet --python '{env}' -c held.txt '{_wanted(wheel, 'all,test')}'", place)
    _run(f"pytest {tests}", clone, env)


def _newest(clone: Path, wheel: Path, folder: Path, python: str, tests: str) -> None:
    place = folder / f"newest-{python}"
    env = _environment(place, python)
    _uv(f"pip install --quiet --python '{env}' '{_wanted(wheel, 'all,test')}'", place)
    _run(f"pytest {tests}", clone, env)


def _dependencies() -> list[str]:
    """Every requirement of dhess and its extras that names a package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(each for extra in SHOWN if extra for each in extras[extra]),
    ]
    return [each for each in wanted if not each.startswith("dhess[")]


def _name(requirement: str) -> str:
    """``a-b`` of ``a_B>=1``."""
    name = requirement.partition("=")[0].partition(">")[0].strip()
    return name.lower().replace("_", "-")


def _wanted(wheel: Path, extras: str) -> str:
    return f"dhess[{extras}] @ {wheel.as_uri()}" if extras else f"dhess @ {wheel.as_uri()}"


def _environment(place: Path, python: str) -> Path:
    place.mkdir()
    _uv(f"venv --quiet --python {python} env", place)
    return place / "env"


def _uv(words: str, folder: Path) -> None:
    _run(f"'{sys.executable}' -m uv {words}", folder)


def _run(command: str, folder: Path, env: Path | None = None) -> None:
    """Run a line of shell, in an environment if one is given."""
    line = command if env is None else f". '{env}/bin/activate' && {command}"
    subprocess.run(
        ["bash", "-c", line], cwd=folder, check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
