"""Stores that somebody hostile wrote: they reach no other file, and run no code."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import tracemalloc
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dhess
from dhess.cli import main
from dhess.errors import InputError, SourceError, escaped, plain
from dhess.job import JobSpec
from dhess.source.elsewhere import data_elsewhere
from dhess.source.guarding import check_metadata
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Callable

# Zarr warns that consolidated metadata are not yet a part of format 3.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")

# --- names that lead outside


def renamed(folder: Path, name: str) -> None:
    """Give the array ``f`` another name in the consolidated metadata, and nowhere else."""
    if (folder / ".zmetadata").exists():
        file = folder / ".zmetadata"
        found = json.loads(file.read_text())
        for part in (".zarray", ".zattrs"):
            found["metadata"][f"{name}/{part}"] = found["metadata"].pop(f"f/{part}")
    else:
        file = folder / "zarr.json"
        found = json.loads(file.read_text())
        members = found["consolidated_metadata"]["metadata"]
        members[name] = members.pop("f")
    file.write_text(json.dumps(found))


OUTSIDE: dict[str, Callable[[Path], str]] = {
    "up": lambda _: "../secret.zarr/f",
    "up from below": lambda _: "deep/../../secret.zarr/f",
    "up with the other slash": lambda _: "..\\secret.zarr\\f",
    "from the top": lambda folder: f"{folder}/secret.zarr/f",
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", OUTSIDE)
def test_a_name_that_leads_out_of_its_store(tmp_path: Path, zarr_format: Any, way: str) -> None:
    """Zarr makes paths of names in consolidated metadata, and would read the other store."""
    for name in ("secret", "open"):
        quartic().to_dataset(name="f").to_zarr(
            tmp_path / f"{name}.zarr", zarr_format=zarr_format, consolidated=True
        )
    dhess.open(tmp_path / "open.zarr")
    renamed(tmp_path / "open.zarr", OUTSIDE[way](tmp_path))
    with pytest.raises(SourceError, match="which lies outside of it") as caught:
        dhess.open(tmp_path / "open.zarr")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_name_that_leads_out_of_a_bucket(memory_files: Any, zarr_format: Any) -> None:
    for name in ("secret", "open"):
        quartic().to_dataset(name="f").to_zarr(
            f"memory://bucket/{name}.zarr", zarr_format=zarr_format, consolidated=True
        )
    file = "/bucket/open.zarr/" + (".zmetadata" if zarr_format == 2 else "zarr.json")
    text = memory_files.cat_file(file).decode().replace('"f/.z', '"../secret.zarr/f/.z')
    memory_files.pipe_file(file, text.replace('"f": {', '"../secret.zarr/f": {').encode())
    with pytest.raises(SourceError, match="which lies outside of it"):
        dhess.open("memory://bucket/open.zarr")


# --- sizes that cannot be

SIZES: dict[str, tuple[list[int], list[int], Any]] = {
    "blocks along a dimension": ([10**7, 9], [4, 9], None),
    "of them along 'd0'": ([10**17, 9], [4, 9], "auto"),
    "1,000,000,000,000 blocks": ([10**6, 10**6], [1, 1], None),
    "80 dimensions": ([2] * 80, [2] * 80, "auto"),
    "points, and at most": ([2**62, 2**62], [2**62, 2**62], "auto"),
    "too large": ([2**63, 2], [4, 1], "auto"),
}


@pytest.mark.parametrize("told", SIZES)
def test_sizes_that_a_store_only_states(tmp_path: Path, told: str) -> None:
    """They cost a few numbers to write, and would cost all memory to list."""
    shape, stored, chunks = SIZES[told]
    quartic().to_dataset(name="f").to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    place = tmp_path / "a.zarr" / "f"
    metadata = json.loads((place / ".zarray").read_text()) | {"shape": shape, "chunks": stored}
    (place / ".zarray").write_text(json.dumps(metadata))
    dims = [f"d{i}" for i in range(len(shape))]
    (place / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": dims}))
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as caught:
            dhess.open(tmp_path / "a.zarr::f", chunks=chunks)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert told in str(caught.value) or told == "blocks along a dimension"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\0b", "a\0b.zarr::f", "file:///a\0b", "\ud800", "memory://\0"])
def test_characters_that_no_path_has(path: str) -> None:
    with pytest.raises(SourceError, match="has a character that no path has"):
        dhess.open(path)


@pytest.mark.parametrize(
    "text", ["k = " + "9" * 5000, "a = " + "[" * 50_000, "k = 0x" + "f" * 5000]
)
@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_job_without_end(tmp_path: Path, text: str, suffix: str) -> None:
    """Numbers of more digits than Python writes, and lists deeper than it reads."""
    file = tmp_path / f"job{suffix}"
    said = f'source = "a.zarr"\n{text}' if suffix == ".toml" else text.partition(" = ")[2]
    file.write_text(said)
    with pytest.raises(InputError) as caught:
        JobSpec.load(file)
    assert len(str(caught.value)) < 600


# --- codecs that run code


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def with_codec(folder: Path, **changes: Any) -> Path:
    """Write a store of format 2 whose coordinate ``x`` is stored otherwise."""
    quartic().to_dataset(name="f").to_zarr(folder, zarr_format=2, consolidated=False)
    file = folder / "x" / ".zarray"
    plain_one = {"compressor": None, "fill_value": None}
    file.write_text(json.dumps(json.loads(file.read_text()) | plain_one | changes))
    return folder


HOSTILE: dict[str, dict[str, Any]] = {
    "a pickle": {"dtype": "|O", "filters": [{"id": "pickle"}]},
    "a pickle of numbers": {"filters": [{"id": "pickle"}]},
    "a pickle as compressor": {"compressor": {"id": "pickle"}},
    "objects without a codec": {"dtype": "|O", "filters": None},
    "a field of objects": {"dtype": [["a", "<f8"], ["b", "|O"]]},
    "bytes seen as objects": {"filters": [{"id": "astype", "encode_dtype": "|O",
                                           "decode_dtype": "<f8"}]},
    "differences of objects": {"filters": [{"id": "delta", "dtype": "O8"}]},
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_codecs_that_could_run_code(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before anything is decoded, even where numcodecs would take it."""
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True)
    folder = with_codec(tmp_path / "a.zarr", **HOSTILE[how])
    (folder / "x" / "0").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(SourceError, match=r"is refused: its .*(runs code|Python objects)"):
        dhess.open(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("where", [".zmetadata", "zarr.json", ".zarray"])
def test_codecs_are_seen_wherever_they_stand(where: str) -> None:
    """Below a shard, in consolidated metadata; and attributes may say what they like."""
    codec = {"name": "sharding_indexed", "configuration": {"codecs": [{"name": "pickle"}]}}
    for found in (
        {"codecs": [codec]},
        {"metadata": {"a/.zarray": {"filters": [{"id": "Pickle"}]}}},
        {"consolidated_metadata": {"metadata": {"a": {"codecs": [codec]}}}},
        {"consolidated_metadata": {"metadata": {"attributes": {"codecs": [codec]}}}},
        {"metadata": {"a/.zattrs": {"node_type": "array", "codecs": [codec]}}},
    ):
        with pytest.raises(SourceError, match="runs code"):
            check_metadata(f"a/{where}", json.dumps(found).encode())
    free = {"id": "pickle", "dtype": "O"}
    check_metadata(where, json.dumps({"node_type": "array", "attributes": free}).encode())
    check_metadata(where, json.dumps({"metadata": {"a/.zattrs": free}}).encode())
    check_metadata(where, json.dumps({"name": "numcodecs.zlib"}).encode())
    check_metadata(where, b"{no JSON")
    check_metadata(where, b"[]")
    check_metadata("a/0.0", json.dumps({"id": "pickle"}).encode())


def test_metadata_nested_without_end() -> None:
    with pytest.raises(SourceError, match="nested too deep"):
        check_metadata(".zarray", b'{"a":' * 100_000)


def test_text_is_no_object(tmp_path: Path) -> None:
    """Coordinates of text are objects of format 2, with a codec that makes text only."""
    named = quartic().assign_coords(name=("x", np.array(list("abcdefghijklmnopqrstu"), object)))
    store(named, tmp_path / "a.zarr")
    named.to_dataset(name="f").to_zarr(tmp_path / "b.zarr", zarr_format=2)
    for name in ("a", "b"):
        assert dhess.open(tmp_path / f"{name}.zarr::f")["name"].values[1] == "b"


# --- HDF5 files that name other files


def elsewhere(file: Path, how: str, secret: Path) -> None:
    import h5py

    with h5py.File(file, "a") as opened:
        if how == "external storage":
            opened["deep"].create_dataset("f", (8, 8), "u1", external=[(str(secret), 0, 64)])
        elif how == "an external link":
            opened["deep"]["f"] = h5py.ExternalLink(str(secret), "f")
        else:
            layout = h5py.VirtualLayout((8, 8), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "f", (8, 8))
            opened["deep"].create_virtual_dataset("f", layout)


@pytest.mark.parametrize("how", ["external storage", "an external link", "a virtual dataset"])
def test_a_remote_file_takes_nothing_from_this_machine(
    tmp_path: Path, memory_files: Any, how: str
) -> None:
    import h5py

    secret, file = tmp_path / "secret.h5", tmp_path / "own.nc"
    with h5py.File(secret, "w") as other:
        other["f"] = np.ones((8, 8))
    with h5py.File(file, "w") as own:
        own.create_group("deep")["plain"] = [1.0, 2.0]
        own["soft"] = h5py.SoftLink("/deep/plain")
        own["g"] = np.arange(64.0).reshape(8, 8)
    memory_files.pipe_file("/own.nc", file.read_bytes())
    assert dhess.open("memory://own.nc::g").sum() == 2016
    elsewhere(file, how, secret)
    memory_files.pipe_file("/own.nc", file.read_bytes())
    with pytest.raises(SourceError, match=f"takes data from other files \\({how}\\)") as caught:
        dhess.open("memory://own.nc::g")
    assert len(str(caught.value).splitlines()) == 1
    assert data_elsewhere(io.BytesIO(file.read_bytes())) is not None
    dhess.open(f"{file}::g")  # one's own files may be put together of others


# --- what a terminal would take


COMMANDS = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202eevil"


def test_names_command_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither those in tables nor in errors; and JSON on a terminal says the same in escapes."""
    field = quartic().rename({"y": f"y{COMMANDS}"}).rename(f"f{COMMANDS}")
    field.attrs = {"units": f"m{COMMANDS}", "long_name": f"long{COMMANDS}"}
    field["x"].attrs["units"] = f"km{COMMANDS}"
    field.to_dataset().to_zarr(tmp_path / "a.zarr", zarr_format=2)
    source = str(tmp_path / "a.zarr")
    for words in (
        ["info", source], ["find", source], ["plan", source], ["find", source, "--dims", "nothing"],
        ["info", f"{source}::nothing"], ["find", source, "--json", "-"],
        ["info", source, "--json", "-"], ["--verbose", "find", source],
        ["regions", source, "--quantile", "0.5"],
    ):  # fmt: skip
        main(words)
        told = "".join(capsys.readouterr())
        assert "evil" in told, words
        assert not set(COMMANDS) - set("[2J]0;owned31mevil") & set(told), words
    main(["info", source, "--json", "-"])
    assert json.loads(capsys.readouterr().out)["name"] == f"f{COMMANDS}"


def test_text_stays_what_it_is() -> None:
    assert plain("λ ≤ 2\n∇²") == "λ ≤ 2 ∇²"
    assert json.loads(escaped(json.dumps(COMMANDS, ensure_ascii=False))) == COMMANDS


# --- what readers leave behind


def test_damaged_files_leave_no_traceback(
    tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    """Of h5netcdf's file that was never open, and of the tasks of Zarr that failed second."""
    quartic().to_dataset(name="f").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    data = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(data[: len(data) // 2])
    quartic().to_dataset(name="f").to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    for name in "fxy":
        (tmp_path / "a.zarr" / name / ".zarray").write_text('{"zarr_format": 2, "shape": ["a"]}')
    run = "import sys; from dhess.cli import main; sys.exit(main())"
    for name in ("a.nc", "a.zarr"):
        ended = subprocess.run(
            [sys.executable, "-c", run, "info", str(tmp_path / name)],
            env=fresh_process_environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert len(ended.stderr.splitlines()) == 1, ended.stderr


# --- pages of a cluster


def test_a_cluster_of_its_own_has_no_pages() -> None:
    """Every account of a machine reaches loopback: what Dask's pages tell is for none of them."""
    with dhess.local_cluster(1) as client:
        services = [client.scheduler_info()["services"].values()]
        services += [w["services"].values() for w in client.scheduler_info()["workers"].values()]
        ports = [port for each in services for port in each]
        assert ports
        for port in ports:
            for path in ("status", "info/main/workers.html", "json/counts.json", "metrics"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30)
