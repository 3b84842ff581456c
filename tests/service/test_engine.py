"""The engine of a gateway: jobs end with the library's own answer, and what is told of them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

import dhess
from dhess import InputError, LedgerError
from dhess.ledger import Ledger
from dhess.report import FindReport
from dhess.service.errors import Conflict, NoSuchJob, NotReady, Refused, TooLarge, TooMany
from dhess.service.holding import lock_of, wait_until_free
from dhess.service.lookers import MOST_OF_ONE, NUMBER
from dhess.service.queue import FairQueue
from tests.test_fields import same_bits
from tests.test_options import one_sentence

from .engines import (
    BLOCK,
    PATIENCE,
    WINDOWS,
    Stage,
    data,
    gone,
    make_store,
    own_family,
    same_result,
    spec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dhess.service.models import JobView, Readiness


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def stage(store: Path) -> Iterator[Stage]:
    before = own_family()
    with Stage(store.parent, max_blocks=1000) as running:
        yield running
        mine = own_family() - before
        assert mine
    assert not gone(mine, 10), "processes are left"


@pytest.fixture(scope="module")
def idle(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An engine whose cluster never answers: jobs take their turns, and none gets on."""
    folder = tmp_path_factory.mktemp("idle")
    nowhere = str(folder / "nowhere.json")
    with Stage(folder, roots=(str(store.parent),), scheduler=nowhere) as running:
        yield running


# ------------------------------------------------------------------------------- what comes out


def test_a_search_to_its_end(stage: Stage, store: Path) -> None:
    job = stage.submit(spec(store))
    views = stage.watch(job)
    _check_story(views)
    assert views[-1].best is not None
    want = dhess.find_minimum(dhess.open(store, chunks=4), k=5)
    assert views[-1].best.value == float(want["value"][0])
    kept = stage.call(stage.engine.result_file(job, "nc"))
    same_result(kept, want)
    text = stage.call(stage.engine.result_file(job, "json")).read_text()
    told = FindReport.model_validate_json(text)
    assert told.answers == FindReport.from_dataset(want).answers
    picture = stage.call(stage.engine.result_file(job, "png"))
    assert picture.read_bytes().startswith(b"\x89PNG")
    _check_log(stage, job)


def test_a_field_to_its_end(stage: Stage, store: Path) -> None:
    job = stage.submit(spec(store, "field"))
    _check_story(stage.watch(job))
    want = dhess.measure(data(), "hessian_norm")
    same_bits(dhess.open(store.with_name("norm.zarr")), want)
    report = json.loads(stage.call(stage.engine.result_file(job, "json")).read_text())
    assert (report["report"], report["shape"]) == ("field", [24, 24, 24])
    same_bits(dhess.open(stage.call(stage.engine.result_file(job, "nc"))), want)
    picture = stage.call(stage.engine.result_file(job, "png"))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("output", [None, "found.json"])
def test_a_job_of_chunks_that_were_written_since_is_done_anew(
    stage: Stage, store: Path, output: str | None
) -> None:
    """Handed in again, it is the same job with the answer for what the store holds now."""
    (folder := store.parent / f"changing-{output}").mkdir()
    changing = make_store(folder)
    own = {} if output is None else {"output": str(folder / output)}
    few = spec(changing, resources={"window": 50}, **own)
    job = stage.submit(few)
    assert stage.watch(job)[-1].state == "done"
    time.sleep(0.02)
    array = zarr.open_array(changing / "f", mode="r+")
    corner = (slice(0, BLOCK),) * 3
    array[corner] = np.asarray(array[corner]) / 8
    assert stage.submit(few) == job
    assert stage.watch(job)[-1].state == "done"
    want = dhess.find_minimum(dhess.open(changing, chunks=4), k=5)
    same_result(stage.call(stage.engine.result_file(job, "nc")), want)
    if output is not None:
        (best, *_) = json.loads((folder / output).read_text())["answers"]
        assert list(best["index"].values()) == want["index"].values[0].tolist()
    began = stage.show(job).created
    assert stage.submit(few) == job
    assert stage.show(job).created == began, "it was done once more for nothing"


def _check_story(views: list[JobView]) -> None:
    last = views[-1]
    assert last.state == "done"
    assert last.windows == last.done == WINDOWS == last.blocks == last.of_blocks
    assert last.nbytes == last.of_nbytes == data().nbytes
    assert last.queue is last.rate is last.eta is None
    done = [view.done for view in views]
    assert done == sorted(done)
    assert any(view.state == "running" and 0 < view.done < WINDOWS for view in views)
    assert any(view.rate for view in views if view.state == "running")
    assert last.created <= str(last.started) <= str(last.ended)


def _check_log(stage: Stage, job: str) -> None:
    log = stage.call(stage.engine.log(job, 0, 100))
    assert log.lines[0]["message"] == "the job runs"
    assert log.lines[-1]["message"] == "the job is done"
    assert {line["job"] for line in log.lines} == {job}
    assert log.next == len(log.lines)
    rest = stage.call(stage.engine.log(job, 1, 100))
    assert rest.lines == log.lines[1:]
    assert rest.next == log.next


def test_the_spec_that_is_shown_is_the_same_job(stage: Stage, store: Path) -> None:
    """So a job can be handed in again from what is told of it."""
    few = {"window": 50}
    for job in (spec(store, k=3, resources=few), spec(store, "field", resources=few)):
        first = stage.submit(job)
        view = stage.show(first)
        again = type(job).read(view.spec)
        assert stage.submit(again) == first
        stage.watch(first)


def test_the_same_spec_is_one_job(stage: Stage, store: Path) -> None:
    few = spec(store, k=7, resources={"window": 50})

    async def all_at_once() -> list[tuple[JobView, bool]]:
        asked = [stage.engine.submit(few, who) for who in "abcde"]
        return await asyncio.gather(*asked)

    answers = stage.call(all_at_once())
    assert len({view.id for view, _ in answers}) == 1
    assert sorted(new for _, new in answers) == [False] * 4 + [True]
    assert stage.watch(answers[0][0].id)[-1].state == "done"
    assert stage.call(stage.engine.submit(few, "f"))[1] is False


def test_several_jobs_run_at_once(stage: Stage, store: Path) -> None:
    few = {"window": 12}
    jobs = [stage.submit(spec(store, k=k, resources=few), "ada") for k in (11, 12, 13)]
    most = 0

    def ended(view: JobView) -> bool:
        nonlocal most
        most = max(most, stage.engine.figures().running)
        return view.state == "done"

    stage.until(jobs[-1], ended)
    assert most == 2
    for job in jobs:
        stage.watch(job)
    figures = stage.engine.figures()
    assert figures.windows >= 3 * WINDOWS // 12
    assert figures.children["looking"] == 2


# -------------------------------------------------------------------------- what is asked of it


def test_a_job_without_a_result(idle: Stage, store: Path) -> None:
    job = idle.submit(spec(store, k=30))
    with pytest.raises(NotReady) as caught:
        idle.call(idle.engine.result_file(job, "json"))
    one_sentence(caught.value, job, "done")
    idle.until(job, lambda view: view.state == "paused")
    assert "nowhere.json" in idle.show(job).note
    with pytest.raises(Conflict) as refused:
        idle.call(idle.engine.delete(job))
    one_sentence(refused.value, job, "cancel it")
    assert idle.call(idle.engine.cancel(job)).wish == "cancel"
    assert idle.watch(job)[-1].state == "cancelled"
    with pytest.raises(Conflict) as ended:
        idle.call(idle.engine.cancel(job))
    one_sentence(ended.value, job, "cancelled already")
    view = idle.call(idle.engine.retry(job))
    assert (view.wish, view.state) == ("run", "queued")
    with pytest.raises(Conflict):
        idle.call(idle.engine.retry(job))
    idle.call(idle.engine.cancel(job))
    idle.watch(job)
    idle.call(idle.engine.delete(job))
    assert not idle.settings.folder(job).exists()
    for call in (idle.engine.show, idle.engine.cancel, idle.engine.retry, idle.engine.delete):
        with pytest.raises(NoSuchJob):
            idle.call(call(job))


def test_many_submissions_at_once(idle: Stage, store: Path) -> None:
    """Each is on the disk or refused with a time to try again; none is lost."""

    async def all_at_once() -> list[Any]:
        asked = [
            idle.engine.submit(spec(store, k=100 + i, resources={}), f"user-{i % 2}")
            for i in range(200)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    idle.engine.settings.__dict__["queued_per_submitter"] = 80
    answers = idle.call(all_at_once())
    taken = [answer[0].id for answer in answers if isinstance(answer, tuple)]
    refused = [answer for answer in answers if isinstance(answer, TooMany)]
    assert len(taken) + len(refused) == 200
    assert 160 <= len(taken) <= 162
    assert all(error.retry_after > 0 for error in refused)
    with Ledger(idle.settings.ledger) as ledger:
        assert set(taken) <= {entry.id for entry in ledger.entries()}
    _check_pages(idle, taken)
    for job in taken:
        if idle.show(job).state == "queued":
            assert idle.call(idle.engine.cancel(job)).state in ("cancelled", "queued", "running")
    for job in taken:
        idle.call(_cancelled(idle, job))
        idle.watch(job)


def test_one_submitter_takes_half_of_the_looks(idle: Stage, store: Path) -> None:
    def look(caller: str) -> Any:
        return idle.engine.info(str(store), None, "auto", caller=caller)

    async def all_at_once() -> list[Any]:
        mine = [look("chatty") for _ in range(MOST_OF_ONE + 20)]
        return await asyncio.gather(*mine, look("another"), return_exceptions=True)

    *mine, another = idle.call(all_at_once())
    refused = [each for each in mine if isinstance(each, TooMany)]
    assert 20 - NUMBER <= len(refused) <= 20  # those that are being looked at do not wait
    assert not isinstance(another, Exception)


def test_a_lock_that_cannot_be_made_is_not_waited_for(tmp_path: Path) -> None:
    lock_of(tmp_path).mkdir()
    with pytest.raises(LedgerError, match="cannot be made"):
        wait_until_free(tmp_path)


async def _cancelled(idle: Stage, job: str) -> None:
    if (await idle.engine.show(job)).state != "cancelled":
        await idle.engine.cancel(job)


def _check_pages(idle: Stage, taken: list[str]) -> None:
    seen: list[JobView] = []
    before: str | None = None
    while True:
        page = idle.call(idle.engine.page(submitter="user-0", before=before, limit=30))
        seen += page.jobs
        before = page.next
        if before is None:
            break
    assert len({view.id for view in seen}) == len(seen)
    assert {view.id for view in seen} == {j for j in taken if idle.show(j).submitter == "user-0"}
    waiting = [view.queue for view in seen if view.queue is not None]
    assert len(waiting) == len(set(waiting))
    with pytest.raises(InputError) as caught:
        idle.call(idle.engine.page(before="yesterday"))
    one_sentence(caught.value, "yesterday")


def test_what_is_refused(stage: Stage, store: Path, tmp_path: Path) -> None:
    for job, kind, fragments in [
        (spec(store, chunks=1), Refused, ["13,824", "1,000"]),
        (spec(store, resources={"workers": 2}), InputError, ["workers", "window"]),
        (spec(tmp_path / "f.zarr"), Refused, ["f.zarr", "outside"]),
        (spec(store.with_name("none.zarr")), InputError, ["none.zarr"]),
        (spec(store, dims=["w"]), InputError, ["'w'"]),
    ]:
        with pytest.raises(kind) as caught:
            stage.submit(job)
        one_sentence(caught.value, *fragments)


def test_what_is_looked_at(stage: Stage, store: Path) -> None:
    info = stage.call(stage.engine.info(str(store), None, None))
    assert (info["report"], info["shape"]) == ("info", [24, 24, 24])
    plan = stage.call(stage.engine.plan(spec(store)))
    assert (plan["report"], plan["blocks"], plan["workers"]) == ("plan", WINDOWS, 1)


def test_a_result_that_is_too_large(stage: Stage, store: Path) -> None:
    job = stage.submit(spec(store, k=4, resources={"window": 50}))
    stage.watch(job)
    stage.engine.settings.__dict__["max_result_bytes"] = 10
    try:
        with pytest.raises(TooLarge) as caught:
            stage.call(stage.engine.result_file(job, "json"))
    finally:
        stage.engine.settings.__dict__["max_result_bytes"] = 256_000_000
    one_sentence(caught.value, "10 B")


def failing(stage: Stage, wanted: set[str]) -> tuple[Readiness, set[str]]:
    """Return what does not work, once all has started that will."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = stage.call(stage.engine.ready())
        bad = {name for name, check in found.checks.items() if not check.ok}
        if bad == wanted or time.monotonic() > deadline:
            return found, bad
        time.sleep(0.2)


def test_it_is_ready(stage: Stage) -> None:
    found, bad = failing(stage, set())
    assert found.ready, found
    assert not bad
    assert not any("/" in check.told for check in found.checks.values())


def test_it_is_not_ready(idle: Stage) -> None:
    found, bad = failing(idle, {"cluster"})
    assert not found.ready
    assert bad == {"cluster"}


def test_one_gateway_per_folder(stage: Stage) -> None:
    with pytest.raises(InputError) as caught, Stage(stage.settings.data.parent):
        pass
    one_sentence(caught.value, "another gateway", str(stage.settings.data))


# ---------------------------------------------------------------------------------- whose turn


def test_turns() -> None:
    queue = FairQueue()
    for number in range(4):
        queue.add(f"a{number}", "a")
    queue.add("b0", "b")
    queue.add("c0", "c")
    assert list(queue.positions()) == ["a0", "b0", "c0", "a1", "a2", "a3"]
    assert [queue.take(), queue.take()] == ["a0", "b0"]
    queue.done("a0")
    queue.add("b1", "b")
    assert queue.take() == "c0", "the one who was never served"
    assert queue.take() == "a1", "before b, of whom one runs"
    assert queue.remove("a2")
    assert not queue.remove("a2")
    queue.done("b0")
    assert list(queue.positions().items()) == [("b1", 1), ("a3", 2)]
    assert [queue.take(), queue.take(), queue.take()] == ["b1", "a3", None]


def test_turns_of_a_submitter_are_limited() -> None:
    queue = FairQueue(most=1)
    for job in ("a0", "a1"):
        queue.add(job, "a")
    assert [queue.take(), queue.take()] == ["a0", None]
    queue.done("a0")
    assert queue.take() == "a1"
