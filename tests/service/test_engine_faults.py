"""Children of a gateway die, hang, and lie; so does the gateway. Jobs end with the same answer."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

import dhess
from dhess import InputError
from dhess.ledger import Ledger
from dhess.service import runners
from tests.test_fields import same_bits
from tests.test_options import one_sentence

from .engines import Stage, data, family, gone, make_store, same_result, spec
from .gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dhess.service.children import Child


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path)


@pytest.fixture
def stage(store: Path) -> Iterator[Stage]:
    with Stage(store.parent) as running:
        yield running


def check_answer(stage: Stage, job: str, store: Path) -> None:
    kept = stage.call(stage.engine.result_file(job, "nc"))
    same_result(kept, dhess.find_minimum(dhess.open(store, chunks=4), k=5))


def kill(child: Child | None) -> None:
    assert child is not None
    os.kill(child.process.pid, signal.SIGKILL)


def test_runner_and_cluster_are_killed(stage: Stage, store: Path) -> None:
    job = stage.submit(spec(store))
    stage.until(job, lambda view: view.done >= 20)
    kill(stage.engine.turns.active[job].child)
    before = stage.show(job).done
    stage.until(job, lambda view: view.done > before)
    kill(stage.engine.cluster.child)
    assert stage.watch(job)[-1].state == "done"
    check_answer(stage, job, store)
    figures = stage.engine.figures()
    assert figures.restarts["running"] == 1
    assert figures.restarts["embedded"] == 1
    log = stage.call(stage.engine.log(job, 0, 100))
    assert any("windows are recorded" in line["message"] for line in log.lines)


def test_a_runner_that_dies_again_and_again(
    stage: Stage, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "TRIES", 2)
    job = stage.submit(spec(store))
    dead: set[int] = set()
    while stage.show(job).state not in ("failed", "done"):
        running = stage.engine.turns.active.get(job)
        child = None if running is None else running.child
        if child is not None and child.process.pid not in dead and child.runs:
            dead.add(child.process.pid)
            kill(child)
        time.sleep(0.01)
    view = stage.show(job)
    assert (view.state, view.attempts, len(dead)) == ("failed", 2, 2)
    assert "2 times in a row" in view.note
    stage.call(stage.engine.retry(job))
    view = stage.watch(job)[-1]
    assert (view.state, view.attempts) == ("done", 0)


def test_a_gateway_is_killed(store: Path) -> None:
    """No process stays, and the next one goes on with what is recorded."""
    options = ["--workers", "1", "--memory-limit", "1GB", "--root", str(store.parent)]
    options += ["--output-root", str(store.parent)]
    output = store.with_name("norm.zarr")
    with Gateway(store.parent, options) as gateway:
        job = gateway.submit(
            source=str(store), task="field", chunks=4, output=str(output), resources={"window": 1}
        )
        safe = 0
        while safe < 20:
            time.sleep(0.02)
            safe = gateway.ask("GET", f"/v1/jobs/{job}").json()["done"]
        assert gateway.process is not None
        children = family(gateway.process.pid)
        assert len(children) >= 5
        gateway.end(signal.SIGKILL)
        gateway.start()
        assert not gone(children, 30), "processes are left"
        assert gateway.wait(job)["state"] == "done"
        log = gateway.ask("GET", f"/v1/jobs/{job}/log").json()["lines"]
        told = [line["message"] for line in log if "windows are recorded" in line["message"]]
        assert told, log
        assert int(told[-1].split()[0]) >= safe
        children = family(gateway.process.pid)
        assert gateway.end(signal.SIGTERM) == 0
        assert not gone(children, 10), "processes are left"
    same_bits(dhess.open(output), dhess.measure(data(), "hessian_norm"))


def test_stopped_jobs_go_on(store: Path) -> None:
    with Stage(store.parent) as stage:
        job = stage.submit(spec(store))
        stage.until(job, lambda view: view.done >= 10)
        stage.stop()
        with Ledger(stage.settings.ledger) as ledger:
            entry = ledger.entry(job)
            assert entry is not None
            assert (entry.state, entry.wish) == ("stopped", "run")
            assert ledger.count(job) >= 10
        stage.start()
        views = stage.watch(job)
        assert views[0].note
        assert views[-1].state == "done"
        check_answer(stage, job, store)


def test_wishes_survive_a_restart(store: Path) -> None:
    """As they do when the gateway dies between the wish and what comes of it."""
    with Stage(store.parent, scheduler=str(store.with_name("nowhere.json"))) as stage:
        jobs = [stage.submit(spec(store, k=k)) for k in (1, 2, 3)]
        stage.until(jobs[0], lambda view: view.state == "paused")
        stage.stop()
        with Ledger(stage.settings.ledger) as ledger:
            ledger.wish(jobs[0], "cancel")
            ledger.wish(jobs[1], "delete")
        stage.start()
        stage.until(jobs[0], lambda view: view.state == "cancelled")
        page = stage.call(stage.engine.page())
        assert {view.id for view in page.jobs} == {jobs[0], jobs[2]}
        assert not stage.settings.folder(jobs[1]).exists()


def test_a_source_that_hangs_takes_its_looker_only(store: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        nowhere = str(store.with_name("nowhere.json"))
        with Stage(store.parent, roots=(str(store.parent), url), scheduler=nowhere) as stage:
            stage.call(stage.engine.info(str(store), None, None))
            stage.engine.lookers.seconds = 4.0
            begin, errors = time.monotonic(), []

            def hang() -> None:
                with pytest.raises(InputError) as caught:
                    stage.call(stage.engine.info(f"{url}f.zarr", None, None))
                errors.append(caught.value)

            thread = threading.Thread(target=hang)
            thread.start()
            info = stage.call(stage.engine.info(str(store), None, None))
            assert info["shape"] == [24, 24, 24]
            thread.join()
            assert time.monotonic() - begin < 30
            one_sentence(errors[0], "cannot be looked at")
            deadline = time.monotonic() + 60
            while stage.engine.lookers.running < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert stage.engine.lookers.restarts == 1


def test_a_store_that_lies_about_its_size(store: Path) -> None:
    """What it claims would fill all memory; the process that believes it has a limit."""
    liar = store.with_name("liar.zarr")
    liar.mkdir()
    (liar / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    (liar / "f").mkdir()
    text = (store / "f" / "zarr.json").read_text()
    huge = text.replace("24", str(10**9)).replace("4", "1")
    (liar / "f" / "zarr.json").write_text(huge)
    nowhere = str(store.with_name("nowhere.json"))
    with Stage(store.parent, scheduler=nowhere) as stage:
        stage.engine.lookers.seconds = 20.0
        with pytest.raises(InputError) as caught:
            stage.submit(spec(liar, chunks=1))
        one_sentence(caught.value)
        assert stage.call(stage.engine.info(str(store), None, None))["blocks"] >= 1
