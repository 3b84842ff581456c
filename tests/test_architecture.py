"""The order of the files is the order of the data, and every import runs back along it.

Errors come first, for everything can fail. Options say what is asked and know nothing of data.
Units are text and its algebra. The grid reads coordinates as those options tell. A stencil is
weights on a grid. Kernels take the weights as plain arrays and know nothing else, so that they can
be compiled, moved and timed alone. Measures name kernels. Tables are weights in the form that
kernels take. A block is one part of an array with its ghost cells; jobs are the boxes it is cut
into, each for one call of a kernel; gaps are the points that need rows of their own, tiles cut what
is large into parts, and a pass goes over a block through all of these. Pieces are how dimensions
are cut for Dask, shapes how large blocks may be, a shell what a block keeps for its neighbours.
Stored is what can be read without a graph, waiting notices a cluster that has stopped, interrupts
heed Ctrl-C, running is where Dask computes, and the budget what that has memory for. The halo makes
fields of Dask arrays; fields apply measures to labelled ones. An answer dresses the points that a
search found in labels, a description is what is told of each, a sweep is the tasks of a search,
windows are its graph, the search finds the points, and regions are what lies together below a
threshold; critical points are those between the points where the field is level. A local model is
the field around one place, on the grid or between its points; differences find the second
derivatives of a callable, and sampling makes fields of callables.
Planning tells what a search costs. Smoothing makes a field of a field, as a step before. An
accessor makes methods of all these. So far the library; then comes the way in (source), the way out
(sink) and the place to work (cluster), which know labelled arrays but no command. A plot draws
fields and answers, a report writes answers down. A ledger records what is done of a job, a client
hands one to a service elsewhere, and a job goes on from its ledger; the service runs those of many.
The demo uses all of them as a user would, and the command line stands on everything.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dhess

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = (
    "errors", "options", "units", "grid", "stencil", "kernels", "measures", "tables", "block",
    "jobs", "gaps", "tiles", "passes", "pieces", "shapes", "shell", "stored", "waiting",
    "interrupts", "running",
    "budget", "halo", "fields", "answer", "description", "sweep", "windows", "search",
    "regions", "critical", "local", "differences",
    "sampling", "planning", "smoothing", "accessor",
    "source", "sink", "cluster", "plot", "report", "ledger", "client", "job",
    "service", "demo", "cli",
)  # fmt: skip
ROOT = Path(dhess.__file__).parent
HEAVY = ["matplotlib", "distributed", "zarr", "pydantic", "click", "rich", "h5netcdf", "fastapi"]


def modules() -> dict[str, Path]:
    """Dotted name of every module below dhess, and its file."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["dhess", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def targets(node: ast.AST, name: str, path: Path) -> Iterator[str]:
    """Absolute names that one import statement may bring in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            package = package[: len(package) - node.level + 1]
            base = ".".join([*package, *filter(None, [node.module])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full in MODULES else base


def imported(name: str) -> set[str]:
    """Every module that ``name`` imports anywhere, function bodies included."""
    path = MODULES[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {target for node in ast.walk(tree) for target in targets(node, name, path)}


def inside(name: str) -> set[str]:
    """What ``name`` imports of dhess."""
    return {target for target in imported(name) if target.split(".")[0] == "dhess"}


def part(name: str) -> str:
    """The file or folder of the order that a module belongs to; '' for the package itself."""
    return name.split(".")[1] if "." in name else ""


def rank(name: str) -> float:
    """Place in the order; the package itself stands right behind the last thing it offers."""
    if part(name):
        return ORDER.index(part(name))
    offered = [part(target) for target in inside("dhess") if part(target)]
    return max(ORDER.index(offer) for offer in offered) + 0.5


def test_every_file_has_its_place() -> None:
    parts = {part(name) for name in MODULES} - {""}
    assert parts == set(ORDER)


@pytest.mark.parametrize("name", [name for name in MODULES if part(name)])
def test_imports_run_one_way(name: str) -> None:
    for target in inside(name):
        if part(target) != part(name):
            assert rank(target) < rank(name), f"{name} imports {target}, which comes later"


def test_no_circle_inside_a_folder() -> None:
    graph = {name: inside(name) - {name} for name in MODULES}
    tuple(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", [name for name in MODULES if part(name) == "kernels"])
def test_kernels_take_arrays_and_numbers(name: str) -> None:
    outside = {target.split(".")[0] for target in imported(name)}
    assert not outside & {"xarray", "dask", "distributed", "zarr", "pandas"}
    assert {part(target) for target in inside(name)} <= {"kernels"}


def test_no_utils() -> None:
    names = {path.stem for path in MODULES.values()}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("name", MODULES)
def test_files_are_small(name: str) -> None:
    lines = MODULES[name].read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{name} has {lines} lines: which of its two jobs should leave?"


def fresh(code: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_nothing_heavy(
    fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    code = f"import dhess, sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert fresh(code, fresh_process_environment, tmp_path) == ""


@pytest.mark.parametrize(
    "call",
    [
        "dhess.hessian(da)",
        "dhess.find_minimum(da)",
        "dhess.measure(da.chunk(3), 'slope')",
    ],
)
def test_work_in_memory_loads_nothing_heavy(
    call: str, fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import dhess, sys, numpy, xarray\n"
        "da = xarray.DataArray(numpy.random.rand(6, 6), dims=['y', 'x'])\n"
        f"{call}\n"
        f"print(*[m for m in {HEAVY} if m in sys.modules])"
    )
    assert fresh(code, fresh_process_environment, tmp_path) == ""


@pytest.mark.parametrize(
    "name",
    ["open", "gradient", "hessian", "laplacian", "measure", "eigenvalues", "find_minimum",
     "local_cluster", "plot"],
)  # fmt: skip
def test_public_names(name: str) -> None:
    assert name in dir(dhess)
    thing = getattr(dhess, name)
    assert thing.__doc__


def test_unknown_name_of_the_package() -> None:
    with pytest.raises(AttributeError, match="frobnicate"):
        getattr(dhess, "frobnicate")  # noqa: B009
