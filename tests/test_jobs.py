"""Jobs: what they accept, that they end with the library's own answer, and how they go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import InputError, Job, LedgerError, OutputError
from dhess.cli import main
from dhess.errors import ChangedError
from dhess.job.identity import fingerprint, identity
from dhess.job.spec import JobSpec
from dhess.ledger import Ledger
from dhess.running import Progress, watched
from dhess.sink import publish

from .test_fields import same_bits
from .test_options import one_sentence
from .test_windows import identical, write

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE, CHUNKS = (24, 20, 18), (4, 5, 6)
BLOCKS = 6 * 4 * 3


def data() -> xr.DataArray:
    """Noise with ties and gaps, on axes of which one is uneven."""
    values = np.random.default_rng(3).standard_normal(SHAPE).round(1).astype("f4")
    values[5, 6, 7:9] = np.nan
    coords = {"z": np.arange(24.0) * 2, "x": np.arange(18.0) ** 1.1}
    return xr.DataArray(values, coords, ["z", "y", "x"], name="f")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(data(), tmp_path / "f.zarr", CHUNKS)


def keys(path: Path, task: str = "find", **more: Any) -> dict[str, Any]:
    name = "flattest.json" if task == "find" else "norm.zarr"
    output = str(path.parent / name)
    own = {"k": 5} if task == "find" else {}
    return {"source": str(path), "task": task, "chunks": 5, "output": output, **own, **more}


class Stops:
    """Ends a job as Ctrl-C does, once so many windows are done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, progress: Progress) -> None:
        if progress.window >= self.after:
            raise KeyboardInterrupt


def search(job: Job, **more: Any) -> xr.Dataset:
    found = job.run(**more)
    assert isinstance(found, xr.Dataset)
    return found


def interrupted(job: Job, after: int) -> int:
    """Run a job until so many windows are done; return how many are recorded."""
    with pytest.raises(KeyboardInterrupt), watched(Stops(after)):
        job.run()
    with Ledger(f"{job.spec.output}.ledger") as ledger:
        (entry,) = ledger.entries()
        assert entry.state == "stopped"
        return ledger.count(entry.id)


def windows_of(job: Job) -> list[Any]:
    with Ledger(f"{job.spec.output}.ledger") as ledger:
        (entry,) = ledger.entries()
        return list(ledger.windows(entry.id))


# -------------------------------------------------------------------------------------- the spec


@pytest.mark.parametrize(
    ("given", "fragments"),
    [
        ({}, ["needs 'source'"]),
        ({"source": "a", "measur": "slope"}, ["'measur'", "did you mean 'measure'"]),
        ({"source": "a", "resources": {"worker": 2}}, ["'resources.worker'", "'workers'"]),
        ({"source": "a", "k": 0}, ["k=0", "greater than or equal to 1"]),
        ({"source": "a", "k": True}, ["k=True"]),
        ({"source": "a", "task": "peaks"}, ["task='peaks'", "'regions' or 'critical'"]),
        ({"source": "a", "order": 3}, ["order=3", "2, 4, 6 or 8"]),
        ({"source": "a", "measure": "slop"}, ["'slop'", "'slope'"]),
        ({"source": "a", "version": 2}, ["version=2"]),
        ({"source": "a", "task": "field"}, ["needs an output"]),
        ({"source": "a", "task": "field", "output": "b.zarr", "k": 2}, ["k is for task = 'find'"]),
        ({"source": "a", "output": "b.txt"}, ["b.txt", ".json or .nc"]),
        ({"source": "a", "output": "s3://b/c.json"}, ["s3://b/c.json", "local file"]),
        ({"source": "a.zarr", "task": "field", "output": "a.zarr"}, ["each other's way"]),
        ({"source": "run_*.zarr", "task": "field", "output": "run_b.zarr"}, ["run_*.zarr"]),
        ({"source": "a", "resources": {"tls_ca": "x"}}, ["tls_cert"]),
        ({"source": "a", "resources": {"workers": 0}}, ["resources.workers=0"]),
        ({"source": "a", "sel": {"t": [1]}}, ["sel"]),
        ({"source": "a", "nan": "adapt", "scheme": "iterated"}, ["iterated", "adapt"]),
    ],
)
def test_what_a_spec_refuses(given: dict[str, Any], fragments: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        JobSpec.read(given)
    one_sentence(caught.value, *fragments)


def test_a_spec_of_everything(tmp_path: Path) -> None:
    """TOML and JSON say the same, and paths are relative to the file."""
    given = {
        "source": "f.zarr::f", "chunks": {"z": 4}, "sel": {"z": [0, 10], "y": 3},
        "smooth": {"x": 2.0}, "measure": "slope", "k": 3, "exclude_edges": True, "dims": ["z", "x"],
        "order": 4, "period": {"x": 360.0}, "scale": "span", "nan": "adapt",
        "output": "out.json", "resources": {"workers": 2, "window": 8},
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(given))
    toml = "\n".join(
        f"{name} = {_toml(value)}" for name, value in given.items() if name != "resources"
    )
    (tmp_path / "job.toml").write_text(f"{toml}\n[resources]\nworkers = 2\nwindow = 8\n")
    spec = JobSpec.load(tmp_path / "job.toml")
    assert spec == JobSpec.load(tmp_path / "job.json")
    assert spec.source == f"{tmp_path}/f.zarr::f"
    assert spec.output == f"{tmp_path}/out.json"
    assert spec.selection == {"z": slice(0, 10), "y": 3}
    assert spec.options == {
        "dims": ["z", "x"], "nan": "adapt", "order": 4, "period": {"x": 360.0}, "scale": "span",
    }  # fmt: skip


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "fragment"), [("source = [", "not valid TOML"), (None, "cannot be read")]
)
def test_files_that_hold_no_job(tmp_path: Path, text: str | None, fragment: str) -> None:
    if text is not None:
        (tmp_path / "job.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        Job.load(tmp_path / "job.toml")
    one_sentence(caught.value, fragment, "job.toml")


def test_what_makes_another_job(path: Path) -> None:
    opened = dhess.open(path)
    told = fingerprint(opened)
    same = identity(JobSpec.read(keys(path)), told)
    assert same == identity(JobSpec.read(keys(path, resources={"workers": 3})), told)
    assert same == identity(JobSpec.read(keys(path, overwrite=True)), told)
    assert same == identity(JobSpec.read(keys(path, order=None)), told)
    for other in ({"k": 6}, {"order": 4}, {"output": "b.json"}, {"source": f"{path}::f"}):
        assert same != identity(JobSpec.read(keys(path, **other)), told)
    assert told == fingerprint(dhess.open(path))
    assert told != fingerprint(opened.assign_coords(z=opened.z + 1))
    assert told != fingerprint(opened.isel(z=slice(1, None)))
    time.sleep(0.01)
    shutil.rmtree(path)
    assert told != fingerprint(dhess.open(write(data(), path, CHUNKS)))


# ------------------------------------------------------------------------------------- the answer


@pytest.mark.parametrize("window", [1, 4, 1000])
@pytest.mark.parametrize(
    "options",
    [{}, {"order": 4, "nan": "adapt"}, {"dims": ["y", "z"]}, {"smooth": {"z": 3.0}}],
    ids=str,
)
def test_a_search_finds_what_the_library_finds(
    path: Path, window: int, options: dict[str, Any]
) -> None:
    job = Job(**keys(path, resources={"window": window}, **options))
    found = search(job)
    opened = dhess.open(path)
    chosen = {name: value for name, value in options.items() if name != "smooth"}
    array = dhess.smooth(opened, options["smooth"]) if "smooth" in options else opened
    want = dhess.find_minimum(array, k=5, **chosen)
    identical(found, want)
    blocks = [json.loads(each.result)["blocks"] for each in windows_of(job)]
    assert len(blocks) == -(-sum(blocks) // window)
    report = json.loads(Path(str(job.spec.output)).read_text())
    assert [each["value"] for each in report["answers"]] == want["value"].values.tolist()


def test_a_search_writes_a_dataset(path: Path) -> None:
    output = str(path.with_name("flattest.nc"))
    found = search(Job(**keys(path, output=output)))
    with xr.open_dataset(output, engine="h5netcdf") as written:
        xr.testing.assert_equal(written.load(), found)


@pytest.mark.parametrize("measure", ["hessian_norm", "gradient"])
def test_a_field_is_what_the_library_writes(path: Path, measure: str) -> None:
    job = Job(**keys(path, "field", measure=measure))
    job.run()
    made: Callable[..., Any] = getattr(dhess, measure, None) or dhess.measure
    named = () if made is not dhess.measure else (measure,)
    written = dhess.open(str(job.spec.output))
    same_bits(written, made(data(), *named))
    assert written.sizes == made(data(), *named).sizes


# ------------------------------------------------------------------------------------- going on


@pytest.mark.parametrize("task", ["find", "field"])
def test_an_interrupted_job_goes_on(path: Path, task: str) -> None:
    job = Job(**keys(path, task))
    count = interrupted(job, 7)
    assert 7 <= count < len(windows_of(job)) + BLOCKS
    before = {each.number: each for each in windows_of(job)}
    seen: list[int] = []
    with watched(lambda progress: seen.append(progress.window)):
        job.run()
    assert seen[0] == count, "it began again"
    after = {each.number: each for each in windows_of(job)}
    assert all(after[number] == each for number, each in before.items())
    if task == "find":
        identical(search(job), dhess.find_minimum(dhess.open(path), k=5))
    else:
        same_bits(dhess.open(str(job.spec.output)), dhess.measure(data(), "hessian_norm"))


def test_a_job_that_is_done_is_done(path: Path) -> None:
    """Again, it reads no data: not even where that is gone."""
    job = Job(**keys(path))
    first = search(job)
    shutil.rmtree(path / "f" / "c")
    identical(search(job), first)


def test_fresh_starts_over(path: Path) -> None:
    job = Job(**keys(path))
    interrupted(job, 3)
    seen: list[int] = []
    with watched(lambda progress: seen.append(progress.window)):
        job.run(fresh=True)
    assert seen[0] == 0


def test_other_data_are_another_job(path: Path) -> None:
    """Nothing that was recorded of the old ones goes into the answer."""
    job = Job(**keys(path))
    interrupted(job, 5)
    shutil.rmtree(path)
    write(data() * 2, path, CHUNKS)
    identical(search(job), dhess.find_minimum(dhess.open(path), k=5))


def test_a_chunk_that_was_written_anew_in_between(path: Path) -> None:
    job = Job(**keys(path))
    interrupted(job, 3)
    time.sleep(0.01)
    chunk = path / "f" / "c" / "5" / "3" / "2"
    chunk.write_bytes(chunk.read_bytes())
    with pytest.raises(dhess.ReadError, match="changed"):
        job.run()


@pytest.mark.parametrize("after", [1, BLOCKS], ids=["begun", "done"])
@pytest.mark.parametrize("task", ["find", "field"])
def test_a_chunk_that_no_window_reads_again(path: Path, task: str, after: int) -> None:
    """What is recorded was of other data, and is not the answer any more."""
    job = Job(**keys(path, task))
    output = Path(str(job.spec.output))
    if after == BLOCKS:
        job.run()
    else:
        interrupted(job, after)
    time.sleep(0.02)
    rewritten(path)
    now = dhess.open(path)
    with pytest.raises(ChangedError) as caught:
        job.run()
    one_sentence(caught.value, str(path), "changed", "--fresh")
    with Ledger(f"{output}.ledger") as ledger:
        assert [each.state for each in ledger.entries()] == ["failed"]
    job.run(fresh=True)
    _check_output(output, now)
    job.run()  # once more it is its own
    _check_output(output, now)
    assert not list(path.parent.glob(".*")), "something is left beside the output"


def _check_output(output: Path, now: xr.DataArray) -> None:
    if output.suffix == ".zarr":
        same_bits(dhess.open(output), dhess.measure(now.load(), "hessian_norm"))
    else:
        best = json.loads(output.read_text())["answers"]
        want = dhess.find_minimum(now, k=5)
        assert [list(each["index"].values()) for each in best] == want["index"].values.tolist()


def rewritten(path: Path) -> None:
    """Halve the numbers of the first chunk in place."""
    import zarr

    array = zarr.open_array(path / "f", mode="r+")
    first = tuple(slice(0, c) for c in CHUNKS)
    array[first] = np.asarray(array[first]) / 2


def test_a_change_outside_of_what_was_chosen_is_none(path: Path) -> None:
    job = Job(**keys(path, sel={"z": [4, 24]}))
    first = search(job)
    time.sleep(0.02)
    rewritten(path)
    identical(search(job), first)


def test_a_job_of_many_files_looks_at_each(tmp_path: Path) -> None:
    halves = [data().isel(z=slice(0, 12)), data().isel(z=slice(12, 24))]
    paths = [write(half, tmp_path / f"{i}.zarr", CHUNKS) for i, half in enumerate(halves)]
    job = Job(list(map(str, paths)), output=str(tmp_path / "flattest.json"), chunks=5)
    job.run()
    time.sleep(0.02)
    rewritten(paths[1])
    with pytest.raises(ChangedError, match=r"0\.zarr.* and 1 more have changed"):
        job.run()


@pytest.mark.parametrize("killed", ["before", "behind"])
def test_a_new_start_that_is_killed_at_its_end(
    path: Path, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old result stands, whole, until the new one takes its place."""
    job = Job(**keys(path, "field"))
    output = Path(str(job.spec.output))
    job.run()
    old = dhess.open(output).load()
    time.sleep(0.02)
    rewritten(path)

    def die(partial: Path, target: Path, *, overwrite: bool) -> None:
        if killed == "behind":
            publish(partial, target, overwrite=overwrite)
        raise SystemExit

    monkeypatch.setattr("dhess.job.writing.publish", die)
    with pytest.raises(SystemExit):
        job.run(fresh=True)
    monkeypatch.undo()
    if killed == "before":
        same_bits(dhess.open(output), old)
    job.run()
    _check_output(output, dhess.open(path))


def test_a_new_start_replaces_nothing_of_others(path: Path) -> None:
    job = Job(**keys(path, "field"))
    output = Path(str(job.spec.output))
    job.run()
    shutil.rmtree(output)
    write(data(), output, CHUNKS)
    with pytest.raises(OutputError, match="exists"):
        job.run(fresh=True)
    same_bits(dhess.open(output), data())


def refused(job: Job, *fragments: str) -> None:
    with pytest.raises(dhess.ReadError) as caught:
        job.run()
    one_sentence(caught.value, "--fresh", *fragments)


def test_other_data_with_the_times_of_these(path: Path) -> None:
    """As a copy brings them: nothing is newer than the job, but the files are others."""
    job = Job(**keys(path))
    interrupted(job, 3)
    other = write(data() * 2, path.with_name("other.zarr"), CHUNKS)
    for chunk in (other / "f" / "c").rglob("*"):
        if chunk.is_file():
            os.utime(chunk, (1.7e9, 1.7e9))
    shutil.rmtree(path / "f" / "c")
    (other / "f" / "c").rename(path / "f" / "c")
    refused(job, str(path), "have changed")
    identical(search(job, fresh=True), dhess.find_minimum(dhess.open(path), k=5))


def test_a_chunk_that_is_gone_is_no_fill_value(path: Path) -> None:
    """It was there when the job came; put back, all goes on."""
    job = Job(**keys(path))
    want = dhess.find_minimum(dhess.open(path), k=5)
    interrupted(job, 3)
    chunk = path / "f" / "c" / "5" / "3" / "2"
    chunk.rename(path.with_name("aside"))
    refused(job, "c/5/3/2 is gone, of 73", "put them back")
    path.with_name("aside").rename(chunk)
    seen: list[int] = []
    with watched(lambda progress: seen.append(progress.window)):
        identical(search(job), want)
    assert seen[0] >= 3


def test_data_dated_in_the_future(path: Path) -> None:
    """The clock was set back since they were written; they are the same files all the while."""
    for each in path.rglob("*"):
        if each.parent.parent.parent.name == "c":
            os.utime(each, (time.time() + 3600, time.time() + 3600))
    job = Job(**keys(path))
    interrupted(job, 3)
    identical(search(job), search(Job(**keys(path, output=str(path.with_name("b.json"))))))


def test_a_job_that_is_done_is_not_that_of_other_data(path: Path) -> None:
    job = Job(**keys(path))
    job.run()
    chunk = path / "f" / "c" / "5" / "3" / "2"
    chunk.write_bytes(chunk.read_bytes())
    refused(job, "have changed")
    identical(search(job, fresh=True), dhess.find_minimum(dhess.open(path), k=5))


def test_a_damaged_chunk_is_repaired(path: Path) -> None:
    """What is said of the damage, and of the repaired chunk, leads to the answer."""
    want = dhess.find_minimum(dhess.open(path), k=5)
    chunk = path / "f" / "c" / "5" / "3" / "2"
    whole = chunk.read_bytes()
    chunk.write_bytes(b"")
    job = Job(**keys(path))
    refused(job, "c/5/3/2", "no bytes", "write it anew")
    chunk.write_bytes(whole)
    refused(job, "have changed")
    identical(search(job, fresh=True), want)


@pytest.mark.parametrize("verify", [False, True])
def test_chunks_of_a_field_that_are_gone_or_damaged(path: Path, verify: bool) -> None:
    job = Job(**keys(path, "field"))
    interrupted(job, 30)
    place = json.loads(windows_of(job)[0].result)[0][0]
    chunk = Path(str(job.spec.output), "f", "c", *map(str, place))
    if verify:
        damaged = bytearray(chunk.read_bytes())
        damaged[-1] ^= 1
        chunk.write_bytes(damaged)
    else:
        chunk.unlink()
    job.run(verify=verify)
    same_bits(dhess.open(str(job.spec.output)), dhess.measure(data(), "hessian_norm"))


@pytest.mark.parametrize("more", [{"sel": {"z": [0, 20]}}, {"smooth": {"z": 3.0}}], ids=str)
def test_a_part_of_other_data_is_another_job(path: Path, more: dict[str, Any]) -> None:
    job = Job(**keys(path, overwrite=True, **more))
    job.run()
    shutil.rmtree(path)
    write(data() * 5, path, CHUNKS)
    array = dhess.open(path).isel({k: slice(*v) for k, v in more.get("sel", {}).items()})
    array = dhess.smooth(array, more["smooth"]) if "smooth" in more else array
    identical(search(job), dhess.find_minimum(array, k=5))


def test_one_of_many_files_is_another_one(tmp_path: Path) -> None:
    halves = [data().isel(z=slice(0, 12)), data().isel(z=slice(12, 24))]
    paths = [write(half, tmp_path / f"{i}.zarr", CHUNKS) for i, half in enumerate(halves)]
    output = str(tmp_path / "flattest.json")
    job = Job(list(map(str, paths)), output=output, chunks=5, overwrite=True)
    job.run()
    shutil.rmtree(paths[1])
    write(halves[1] * 0.1, paths[1], CHUNKS)
    identical(search(job), dhess.find_minimum(dhess.open(paths)))


def test_a_file_that_takes_the_name_meanwhile_stays(path: Path) -> None:
    job = Job(**keys(path))
    interrupted(job, 3)
    output = Path(str(job.spec.output))
    output.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        job.run()
    assert output.read_text() == "mine"
    output.unlink()
    job.run()
    job.run()  # its own it may write again


def test_a_store_that_takes_the_name_meanwhile_stays_until_the_end(path: Path) -> None:
    job = Job(**keys(path, "field", overwrite=True))
    output = Path(str(job.spec.output))
    interrupted(job, 3)
    shutil.rmtree(output)
    write(data(), output, CHUNKS)
    interrupted(job, 10)
    same_bits(dhess.open(output), data())
    job.run()
    same_bits(dhess.open(output), dhess.measure(data(), "hessian_norm"))


def test_fresh_replaces_its_own_beginning(path: Path) -> None:
    job = Job(**keys(path, "field"))
    interrupted(job, 3)
    job.run(fresh=True)
    same_bits(dhess.open(str(job.spec.output)), dhess.measure(data(), "hessian_norm"))


@pytest.mark.parametrize("left", ["nothing", "a partial file", "the first file"])
def test_what_a_death_at_the_beginning_leaves(
    path: Path, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, one with a file that was just being written, or metadata without any chunk."""
    job = Job(**keys(path, "field"))
    output = Path(str(job.spec.output))

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr("dhess.job.writing.lay_out", die)
    with pytest.raises(SystemExit):
        job.run()
    monkeypatch.undo()
    if left != "the first file":
        (output / "zarr.json").unlink()
    if left == "a partial file":
        (output / ".0123.partial").write_text("{")
    job.run()
    same_bits(dhess.open(output), dhess.measure(data(), "hessian_norm"))
    assert not list(output.rglob(".*.partial"))


def test_a_finished_field_is_verified_and_mended(path: Path) -> None:
    """Only what is damaged is written again, though the field replaced another one."""
    job = Job(**keys(path, "field", overwrite=True))
    output = Path(str(job.spec.output))
    write(data(), output, CHUNKS)
    job.run()
    chunks = sorted(each for each in output.rglob("c/*/*/*") if each.is_file())
    chunks[0].write_bytes(chunks[0].read_bytes()[:20])
    times = {each: each.stat().st_mtime_ns for each in chunks[1:]}
    job.run(verify=True)
    same_bits(dhess.open(output), dhess.measure(data(), "hessian_norm"))
    assert times == {each: each.stat().st_mtime_ns for each in chunks[1:]}


def test_an_unfinished_field_is_refused(path: Path) -> None:
    job = Job(**keys(path, "field"))
    interrupted(job, 3)
    with pytest.raises(dhess.SourceError) as caught:
        dhess.open(str(job.spec.output))
    one_sentence(caught.value, "not written to its end", "dhess run JOB.toml")
    shutil.rmtree(str(job.spec.output))
    job.run()
    same_bits(dhess.open(str(job.spec.output)), dhess.measure(data(), "hessian_norm"))


# --------------------------------------------------------------------------------------- outputs


@pytest.mark.parametrize("task", ["find", "field"])
def test_an_output_that_exists_stays(path: Path, task: str) -> None:
    job = Job(**keys(path, task))
    output = Path(str(job.spec.output))
    if task == "find":
        output.write_text("mine")
    else:
        write(data(), output, CHUNKS)
    with pytest.raises(OutputError) as caught:
        job.run()
    one_sentence(caught.value, "exists", "overwrite")
    if task == "find":
        assert output.read_text() == "mine"
        Job(**keys(path, overwrite=True)).run()
        assert json.loads(output.read_text())["report"] == "find"
    else:
        same_bits(dhess.open(output), data())


def test_what_is_replaced_stays_until_the_field_is_whole(path: Path) -> None:
    job = Job(**keys(path, "field", overwrite=True))
    output = Path(str(job.spec.output))
    write(data(), output, CHUNKS)
    interrupted(job, 10)
    same_bits(dhess.open(output), data())
    job.run()
    same_bits(dhess.open(output), dhess.measure(data(), "hessian_norm"))
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "f.zarr", "norm.zarr", "norm.zarr.ledger",
    ]  # fmt: skip


def test_a_job_without_a_place_for_its_ledger(path: Path) -> None:
    job = Job(**keys(path, output=None))
    with pytest.raises(InputError) as caught:
        job.run()
    one_sentence(caught.value, "no output", "--ledger")
    found = search(job, ledger=path.with_name("my.ledger"))
    identical(found, dhess.find_minimum(dhess.open(path), k=5))


def test_two_runners_of_one_job(path: Path) -> None:
    job = Job(**keys(path))

    def again(_: Progress) -> None:
        with pytest.raises(LedgerError, match="another process"):
            job.run()

    with watched(again):
        job.run()


# ------------------------------------------------------------------------------- the command line


def job_file(path: Path, task: str, extra: str = "") -> str:
    given = keys(path, task)
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    place = path.with_name(f"{task}.toml")
    place.write_text("\n".join(lines) + f"\n{extra}")
    return str(place)


def test_dhess_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", job_file(path, "find")]) == 0
    want = dhess.find_minimum(dhess.open(path), k=5)
    assert f"{float(want['value'][0]):.4g}" in capsys.readouterr().out
    assert main(["run", job_file(path, "find"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"][0]["rank"] == 0
    assert main(["run", job_file(path, "field")]) == 0
    assert "norm.zarr" in capsys.readouterr().out


def test_dhess_run_refuses(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = job_file(path, "find", "[resources]\nworkers = 2\n")
    for arguments, fragment in (
        (["run", "no.toml"], "cannot be read"),
        (["run", file, "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--workers"),
        (["run", file, "--ledger", str(path)], "cannot be used"),
    ):
        assert main(arguments) == 2
        told = capsys.readouterr().err
        assert fragment in told
        assert told.count("\n") == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end(path: Path, how: signal.Signals) -> None:
    """What is done is recorded, no process and no lock stays, and the next run goes on."""
    file = job_file(path, "field", "[resources]\nworkers = 1\nmemory_limit = '1GB'\n")
    ledger = path.with_name("norm.zarr.ledger")
    dhess_command = Path(sys.executable).with_name("dhess")
    process = subprocess.Popen(
        [dhess_command, "run", file], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if ledger.exists() and _count(ledger):
            process.send_signal(how)
            break
        time.sleep(0.02)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert not ledger.with_name("norm.zarr.ledger.lock").exists()
    assert _alone_within(process.pid, 10)
    assert _count(ledger) > 0
    assert main(["run", file]) == 0
    same_bits(dhess.open(path.with_name("norm.zarr")), dhess.measure(data(), "hessian_norm"))


def _alone_within(session: int, seconds: float) -> bool:
    """Tell whether nothing of a session runs any more; what tends its memory leaves last."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if subprocess.run(["pgrep", "-s", str(session)], stdout=-3, check=False).returncode == 1:
            return True
        time.sleep(0.1)
    return False


def _count(ledger: Path) -> int:
    try:
        with Ledger(ledger) as opened:
            return sum(opened.count(entry.id) for entry in opened.entries())
    except LedgerError:
        return 0
