"""Sources and outputs outside the roots: refused by their text, and where links lead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from dhess.errors import InputError
from dhess.service.errors import Refused
from dhess.service.places import LONGEST, Places
from tests.service.conftest import sentence
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.gateway import Gateway

ELSEWHERE = [
    "/etc/passwd", "/etc/*", "../secret.zarr", "a/../../secret.zarr", "run.zarr/../../secret.zarr",
    "~/x.zarr", "~root/x.zarr", "%2e%2e/secret.zarr", "run%2ezarr", "/proc/self/environ", "/",
    "file:///etc/passwd", "local:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd",
    "simplecache::file:///etc/passwd", "filecache::run.zarr", "zip://a::file:///etc/x.zip",
    "dir::run.zarr", "reference::/etc/passwd", "memory://x.zarr", "s3://bucket/x.zarr",
    "http://127.0.0.1:1/x.zarr", "https://user:hunter2@example.org/x.zarr", "ftp://a/b",
    "gs://b/x", "github://a:b@c/x", "data:,x", "run.zarr\x00.nc", "run\nzarr", "a::b::c::d",
    "..", "../*", "[.][.]/secret.zarr", "data/ledger.sqlite", "data/jobs/x", "", " ", "." * 3,
    "x" * (LONGEST + 1), "\\\\server\\share", "..\\secret.zarr",
]  # fmt: skip

ODD = {" ", "file:/etc/passwd", "data:,x", "...", "\\\\server\\share"}


@pytest.mark.parametrize("path", ELSEWHERE)
def test_sources_elsewhere(gateway: Gateway, path: str) -> None:
    """Refused, or no such file of the root's own; never opened, and no word of what is there."""
    for at in ("/v1/info", "/v1/plan", "/v1/jobs"):
        answer = gateway.ask("POST", at, json={"source": path})
        assert answer.status_code in (403, 422), answer.text
        told = sentence(answer, answer.status_code)
        if answer.status_code == 422:
            assert str(gateway.folder) in told or not path.strip(), told
        assert "hunter2" not in told
        assert "hunter2" not in gateway.told()


@pytest.mark.parametrize(
    "path", [path for path in ELSEWHERE if "*" not in path and "[" not in path]
)
def test_outputs_elsewhere(gateway: Gateway, path: str) -> None:
    """Refused, or a name in the root that only looks odd."""
    for suffix in ("", "/new.zarr"):
        job = {"source": "run.zarr", "task": "field", "measure": "slope", "output": path + suffix}
        answer = gateway.ask("POST", "/v1/plan", json=job)
        odd = path in ODD and answer.status_code == 200
        assert odd or answer.status_code in (403, 422), answer.text


def test_files_of_a_list(gateway: Gateway) -> None:
    for at in ("/v1/info", "/v1/plan", "/v1/jobs"):
        answer = gateway.ask("POST", at, json={"source": ["run.zarr", "../secret.zarr"]})
        sentence(answer, 403)


@pytest.fixture
def links(gateway: Gateway) -> dict[str, str]:
    """Sources in the root that lead out of it, each in its own way."""
    root, secret = gateway.folder, gateway.folder.parent / "secret.zarr"
    found = root / "links"
    if not found.exists():
        found.mkdir()
        (found / "whole.zarr").symlink_to(secret)
        (found / "folder").symlink_to(root.parent)
        (found / "again.zarr").symlink_to(found / "whole.zarr")
        for name, inside in (("chunk.zarr", "f/c/0/0"), ("variable.zarr", "f")):
            copy = store(quartic(), found / name)
            target = copy / inside
            target.rename(copy / "kept")
            target.symlink_to(secret / inside)
        os.mkfifo(found / "pipe.zarr")
        (found / "inner.zarr").symlink_to(root / "run.zarr")
    return {
        "a store": "links/whole.zarr", "its folder": "links/folder/secret.zarr",
        "a link to a link": "links/again.zarr", "a chunk": "links/chunk.zarr",
        "a variable": "links/variable.zarr::f", "a pattern": "links/wh*.zarr",
        "a pattern in a folder": "links/f*/*.zarr", "a pipe": "links/pipe.zarr",
        "a pattern below": "links/folder/s*.zarr",
    }  # fmt: skip


def test_links_that_lead_outside(gateway: Gateway, links: dict[str, str]) -> None:
    for what, path in links.items():
        for at in ("/v1/info", "/v1/plan", "/v1/jobs"):
            answer = gateway.ask("POST", at, json={"source": path})
            assert answer.status_code == 403, f"{what}: {answer.text}"


def test_links_that_stay_inside(gateway: Gateway, links: dict[str, str]) -> None:
    answer = gateway.ask("POST", "/v1/info", json={"source": "links/inner.zarr"})
    assert answer.status_code == 200


def test_outputs_through_links(gateway: Gateway, links: dict[str, str]) -> None:
    job: dict[str, Any] = {"source": "run.zarr", "task": "field", "measure": "slope"}
    for output in ("links/folder/new.zarr", "links/whole.zarr", "data/jobs", "data/ledger.sqlite"):
        for overwrite in (False, True):
            asked = {**job, "output": output, "overwrite": overwrite}
            sentence(gateway.ask("POST", "/v1/jobs", json=asked), 403)
    assert not (gateway.folder.parent / "new.zarr").exists()


# ------------------------------------------------------------------------------------- without HTTP


def test_prefixes_of_urls() -> None:
    roots = ["s3://bucket/runs/", "https://data.example.org/open", "simplecache::s3://bucket/x"]
    places = Places(roots, ["s3://bucket/out"])
    for inside in (
        "s3://bucket/runs/a.zarr", "s3://bucket/runs/a.zarr::f", "s3://bucket/runs/*.zarr",
        "https://data.example.org/open/a.nc", "HTTPS://DATA.example.org/open/a.nc::f",
        "simplecache::s3://bucket/x/a.nc",
    ):  # fmt: skip
        assert places.placed(inside) == inside
        places.check_source(inside)
    assert places.placed("a.zarr") == "s3://bucket/runs/a.zarr"
    for outside in (
        "s3://bucket/run/a.zarr", "s3://bucket/runsaway/a.zarr", "s3://other/runs/a.zarr",
        "s3://bucket/runs/../x", "s3://bucket/runs/./x", "s3://bucket/runs/%2e%2e/x",
        "s3://u:p@bucket/runs/x", "s3://bucket/runs/x#y", "s3://bucket/runs/a b",
        "s3a://bucket/runs/x", "https://data.example.org.evil/open/x", "s3://BUCKET\\@evil/runs/x",
        "https://data.example.org:444/open/x", "http://data.example.org/open/x",
        "https://data.example.org/open/x?signature=1", "https://[/open/x", "file:///etc/passwd",
        "simplecache::s3://bucket/runs/a.nc", "simplecache::s3://bucket/x/a::file:///etc/passwd",
        "s3://bucket/runs/a.zip::zip://x", "/etc/passwd",
    ):  # fmt: skip
        with pytest.raises(Refused):
            places.placed(outside)
    assert places.placed_output("a.zarr") == "s3://bucket/out/a.zarr"
    with pytest.raises(Refused, match="--output-root"):
        places.placed_output("s3://bucket/runs/a.zarr")


def test_without_any_root() -> None:
    places = Places([], [])
    for path in ("a.zarr", "/a.zarr", "s3://a/b"):
        with pytest.raises(Refused, match="none is set"):
            places.placed(path)


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    (real / "a").mkdir()
    places = Places([str(link)], [f"file://{real}"])
    for path in (f"{link}/a", f"{real}/a", "a"):
        places.check_source(path)
    for path in (f"{real}/a", "a"):
        places.check_output(path)
    with pytest.raises(Refused, match="outside"):
        places.check_output(str(real))


def test_the_services_own_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "outputs").mkdir(parents=True)
    (data / "jobs").mkdir()
    places = Places([str(tmp_path)], [str(tmp_path)], data)
    places.check_output(str(data / "outputs" / "a.zarr"))
    for path in (data / "a.zarr", data / "jobs" / "a.zarr", data, data / "outputs" / ".." / "x"):
        with pytest.raises(Refused):
            places.check_output(str(path))
        with pytest.raises(Refused):
            places.check_source(str(path))


def test_a_store_of_links_without_end(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "up").symlink_to(tmp_path / "a")
    (deep / "self").symlink_to(deep / "self")
    Places([str(tmp_path)], []).check_source(str(tmp_path / "a"))


def test_a_list_without_end(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="10,000"):
        Places([str(tmp_path)], []).placed(["a"] * 10_001)


# ---------------------------------------------------------------------- what stands in the files


@pytest.mark.parametrize("how", ["external", "link", "virtual"])
def test_files_that_take_data_from_others(tmp_path: Path, how: str) -> None:
    import h5py

    root, secret = tmp_path / "root", tmp_path / "secret.h5"
    root.mkdir()
    with h5py.File(secret, "w") as other:
        other["f"] = [[1.0] * 8] * 8
    with h5py.File(root / "own.nc", "w") as file:
        file.create_group("deep")["plain"] = [1.0, 2.0]
        file["soft"] = h5py.SoftLink("/deep/plain")
    Places((str(root),), ()).check_source(str(root / "own.nc"))
    with h5py.File(root / "own.nc", "a") as file:
        if how == "external":
            file["deep"].create_dataset("f", (8, 8), "u1", external=[(str(secret), 0, 64)])
        elif how == "link":
            file["deep"]["f"] = h5py.ExternalLink(str(secret), "f")
        else:
            layout = h5py.VirtualLayout((8, 8), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "f", (8, 8))
            file["deep"].create_virtual_dataset("f", layout)
    with pytest.raises(Refused, match="takes data from other files"):
        Places((str(root),), ()).check_source(str(root / "own.nc"))


def test_outputs_that_would_take_more_away(tmp_path: Path) -> None:
    """Neither a store around other stores can be made up, nor the service's own be replaced."""
    places = Places((), (str(tmp_path),), tmp_path / "a" / "data")
    for name in ("zarr.json", ".zgroup", ".zarray", ".zmetadata", "zarr.json/"):
        with pytest.raises(Refused, match="of every store has that name"):
            places.check_output(f"{tmp_path}/team/{name}")
    (tmp_path / "a" / "data").mkdir(parents=True)
    with pytest.raises(Refused, match="keeps its own files in it"):
        places.check_output(f"{tmp_path}/a")
    places.check_output(f"{tmp_path}/a/new.zarr")


def test_a_root_with_a_password() -> None:
    with pytest.raises(InputError, match="has a password") as caught:
        Places(("https://user:hunter2@example.org/d",), ())
    assert "hunter2" not in str(caught.value)


def test_a_list_of_many_long_names() -> None:
    with pytest.raises(Refused, match="by a pattern"):
        Places(("/data",), ()).placed([f"/data/{'x' * 100}{i}.nc" for i in range(1000)])
