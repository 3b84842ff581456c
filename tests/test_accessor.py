"""The accessor: every function that takes an array is a method, and does the same."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import dhess
from dhess.accessor import Accessor

from .stores import quartic

if TYPE_CHECKING:
    from pathlib import Path

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("gradient", (), {"order": 4}),
    ("hessian", (), {"dims": ["x", "y"]}),
    ("laplacian", (), {"order": 4}),
    ("eigenvalues", (), {"dtype": "float32"}),
    ("measure", ("slope",), {"scheme": "iterated"}),
    ("smooth", ({"x": 0.2},), {"period": {"x": 2.1}}),
    ("find_minimum", ("slope",), {"k": 3, "order": 4}),
    ("flat_regions", ("slope",), {"threshold": 0.2, "connectivity": "full", "order": 4}),
    ("flat_regions", ("slope",), {"quantile": 0.1, "k": 1, "labels": True}),
    ("critical_points", (), {"order": 4}),
    ("local_model", ({"x": 0.123, "y": 0.5},), {"order": 4}),
]


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_method_is_the_function(
    name: str, args: tuple[Any, ...], options: dict[str, Any], lazy: bool
) -> None:
    f = quartic().chunk(8) if lazy else quartic()
    function = getattr(dhess, name)
    for data in (f, f.to_dataset()):
        one, other = getattr(data.dhess, name)(*args, **options), function(data, *args, **options)
        assert type(one) is type(other)
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
        for mine, its in pairs:
            assert type(mine) is type(its)
            xr.testing.assert_identical(mine, its)


def test_a_plan() -> None:
    assert quartic().chunk(8).dhess.plan("slope") == dhess.plan(quartic().chunk(8), "slope")


def test_every_function_of_an_array_is_a_method() -> None:
    """Those whose first parameter is the data; a Job, for one, is none."""
    offered = {
        name
        for name in dhess.__all__
        if inspect.isfunction(getattr(dhess, name))
        and next(iter(inspect.signature(getattr(dhess, name)).parameters)) == "data"
    }
    methods = {name for name in vars(Accessor) if not name.startswith("_")}
    assert offered == methods
    assert {name for name, _, _ in CALLS} | {"plan"} == methods
    assert all(f"dhess.{name}" in (getattr(Accessor, name).__doc__ or "") for name in methods)


def test_importing_dhess_registers_it(
    fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import xarray, dhess; da = xarray.DataArray([0.0, 1.0, 4.0, 9.0], dims='x'); "
        "data = xarray.Dataset({'f': da}); "
        "print(float(da.dhess.laplacian()[1]), float(data.dhess.measure('slope').f[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=fresh_process_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2.0 2.0\n"


def test_what_is_wrong_is_told_as_by_the_function() -> None:
    with pytest.raises(dhess.InputError, match="order=3"):
        quartic().dhess.hessian(order=3)
    with pytest.raises(dhess.InputError, match="did you mean 'slope'"):
        quartic().dhess.find_minimum("slop")
