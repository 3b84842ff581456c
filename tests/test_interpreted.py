"""Kernels are plain Python too: with ``NUMBA_DISABLE_JIT=1`` small cases give the same bits.

So a debugger can step through them, and their lines count in a measurement of coverage.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import dhess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


def _field(*shape: int, uneven: bool = False, gap: bool = False) -> xr.DataArray:
    values = np.random.default_rng(len(shape)).standard_normal(shape)
    if gap:
        values[2, 3] = np.nan
    dims = ["z", "y", "x"][-len(shape) :]
    coords = {"y": np.arange(float(shape[-2])) ** 1.2} if uneven else {}
    return xr.DataArray(values, coords, dims, name="f")


def _globe() -> xr.DataArray:
    values = np.random.default_rng(1).standard_normal((6, 8))
    coords = {"lat": np.linspace(-60.0, 60.0, 6), "lon": np.arange(8) * 45.0}
    return xr.DataArray(values, coords, ["lat", "lon"], name="f")


def _cases() -> Iterator[tuple[str, xr.DataArray | xr.Dataset]]:
    """Each kernel at work on a few points: stencils, searches, regions, critical points."""
    plane, space, gap = _field(7, 8, uneven=True), _field(5, 6, 5), _field(7, 8, gap=True)
    yield "gradient", dhess.gradient(plane, order=4)
    yield "hessian", dhess.hessian(space)
    yield "eigenvalues", dhess.eigenvalues(space)
    for name in ("hessian_norm", "hessian_det", "shape_index", "profile_curvature"):
        yield name, dhess.measure(plane, name)
    yield "gaps", dhess.measure(gap, "slope", nan="adapt")
    sphere: dict[str, Any] = {"geometry": "sphere", "period": {"lon": 360.0}}
    yield "sphere", dhess.measure(_globe(), "laplacian", **sphere)
    yield "search", dhess.find_minimum(plane, k=3)
    yield "seams", dhess.find_minimum(space.chunk(3), "eigenvalue_max", k=3)
    yield "regions", dhess.flat_regions(plane, "slope", quantile=0.4)
    yield "regions in blocks", dhess.flat_regions(space.chunk(3), "slope", threshold=1.0)
    yield "critical points", dhess.critical_points(plane)
    yield "critical points in blocks", dhess.critical_points(plane.chunk(4))
    yield "smoothing", dhess.smooth(gap, {"x": 1.0}, nan="adapt")


def _bits(found: xr.DataArray | xr.Dataset) -> dict[str, bytes]:
    dataset = found.to_dataset(name="value") if isinstance(found, xr.DataArray) else found
    arrays = {str(name): each.to_numpy() for name, each in dataset.variables.items()}
    return {n: repr(a).encode() if a.dtype.kind == "O" else a.tobytes() for n, a in arrays.items()}


def _told() -> dict[str, dict[str, bytes]]:
    return {name: _bits(found) for name, found in _cases()}


def test_without_compilation_the_bits_are_the_same(
    fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import pickle, sys, numba; assert numba.config.DISABLE_JIT\n"
        "from tests.test_interpreted import _told\n"
        "open(sys.argv[1], 'wb').write(pickle.dumps(_told()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code, str(tmp_path / "told")],
        env={**fresh_process_environment, "NUMBA_DISABLE_JIT": "1"}, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain, compiled = pickle.loads((tmp_path / "told").read_bytes()), _told()
    differing = [
        f"{name}: {each}"
        for name, variables in compiled.items()
        for each, bits in variables.items()
        if plain[name][each] != bits
    ]
    assert plain.keys() == compiled.keys()
    assert not differing


def test_a_kernel_can_be_called_without_its_compiler(
    fresh_process_environment: dict[str, str],
) -> None:
    """A mistake in it is an error of Python, with the line that it is in."""
    code = (
        "from dhess.kernels.compiled import Kernel\n"
        "def divide(a, b):\n    return a[b]\n"
        "Kernel(divide)([1], 2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**fresh_process_environment, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "IndexError: list index out of range" in done.stderr
