"""The record of jobs: durable, the same for every process, and honest about what it is."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from dhess import LedgerError
from dhess.ledger import Ledger, Token, Window
from dhess.ledger.lock import locked
from dhess.ledger.recorder import Recorder, is_full, why_full
from dhess.ledger.schema import APPLICATION, STEPS

from .test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.ledger"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path) as opened:
        opened.add("a", "{}", "f")
        yield opened


def window(number: int, result: str = "{}", checksum: str = "0") -> Window:
    return Window(number, result, checksum, 1.0, 2.0)


def test_a_job_is_added_once(ledger: Ledger) -> None:
    assert ledger.add("b", "{}", "f", submitter="me")
    assert not ledger.add("b", "{}", "f")
    assert [each.id for each in ledger.entries()] == ["a", "b"]
    entry = ledger.entry("b")
    assert entry is not None
    assert (entry.state, entry.submitter, entry.windows, entry.started) == ("queued", "me", 0, None)
    assert ledger.entry("c") is None


def test_states_and_their_times(ledger: Ledger) -> None:
    ledger.change("a", "running")
    ledger.change("a", "paused", "no room")
    entry = ledger.entry("a")
    assert entry is not None
    started = entry.started
    assert (entry.note, entry.ended) == ("no room", None)
    assert started is not None
    ledger.change("a", "running")
    ledger.change("a", "done")
    entry = ledger.entry("a")
    assert entry is not None
    assert entry.ended is not None
    assert (entry.started, entry.note) == (started, "")
    assert entry.created <= started <= entry.ended


def test_windows_are_recorded_once(ledger: Ledger) -> None:
    ledger.record("a", [window(3), window(1, "[1]")])
    ledger.record("a", [window(3), window(2)])
    assert ledger.recorded("a") == {1, 2, 3}
    assert [each.number for each in ledger.windows("a")] == [1, 2, 3]
    assert next(iter(ledger.windows("a"))).result == "[1]"
    ledger.drop("a", [2])
    assert ledger.count("a") == 2
    ledger.forget("a")
    assert ledger.count("a") == 0
    assert ledger.entries() == []


def test_a_window_with_two_results(ledger: Ledger) -> None:
    """All of a write is refused with it."""
    ledger.record("a", [window(1, checksum="x")])
    with pytest.raises(LedgerError) as caught:
        ledger.record("a", [window(2), window(1, checksum="y")])
    one_sentence(caught.value, "window 1", "job a", "--fresh")
    assert ledger.recorded("a") == {1}


def test_more_windows_than_are_read_at_once(ledger: Ledger) -> None:
    ledger.record("a", map(window, range(2500)))
    assert [each.number for each in ledger.windows("a")] == list(range(2500))


def test_what_is_recorded_outlives_its_process(path: Path) -> None:
    """Killed right after the call returned, without closing anything."""
    script = """
        import os, signal, sys
        from dhess.ledger import Ledger, Window
        ledger = Ledger(sys.argv[1])
        ledger.add("a", "{}", "f")
        ledger.record("a", [Window(7, "{}", "0", 1.0, 2.0)])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    assert subprocess.run(command, check=False).returncode < 0
    with Ledger(path) as ledger:
        assert ledger.recorded("a") == {7}


def test_many_threads_write(ledger: Ledger) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 20):
            ledger.record("a", [window(number)])

    threads = [threading.Thread(target=write, args=(20 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.recorded("a") == set(range(160))


def test_two_processes_make_a_ledger_at_once(path: Path) -> None:
    script = "import sys; from dhess.ledger import Ledger; Ledger(sys.argv[1]).add('a', '{}', 'f')"
    command = [sys.executable, "-c", script, str(path)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4


# ------------------------------------------------------------------------------- what it refuses


def test_a_ledger_of_a_later_version(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute(f"PRAGMA application_id = {APPLICATION}")
    base.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    base.close()
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    one_sentence(caught.value, f"version {len(STEPS) + 1}", str(len(STEPS)), str(path))


def test_an_older_ledger_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("dhess.ledger.schema.STEPS", STEPS[:1])
        Ledger(path).close()
    base = sqlite3.connect(path)  # as a dhess of version 1 wrote it
    base.execute("INSERT INTO jobs (id, spec, fingerprint, state, created)"
                 " VALUES ('a', '{}', 'f', 'running', 1.5)")  # fmt: skip
    base.execute("INSERT INTO windows VALUES ('a', 3, '{}', 'c', 1.0, 2.0)")
    base.commit()
    base.close()
    with Ledger(path) as ledger:
        assert ledger._rows("PRAGMA user_version") == [(len(STEPS),)]
        entry = ledger.entry("a")
        assert entry is not None
        assert (entry.state, entry.created, entry.wish, entry.attempts) == (
            "running",
            1.5,
            "run",
            0,
        )
        assert ledger.recorded("a") == {3}
        assert ledger.tokens() == []


def test_a_migration_that_fails_leaves_all_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(path).close()
    wrong = (*STEPS, "ALTER TABLE jobs ADD COLUMN b INTEGER; ALTER TABLE nothing ADD COLUMN c")
    monkeypatch.setattr("dhess.ledger.schema.STEPS", wrong)
    with pytest.raises(LedgerError):
        Ledger(path)
    monkeypatch.undo()
    with Ledger(path) as ledger:
        assert ledger._rows("PRAGMA user_version") == [(len(STEPS),)]
        assert "b" not in [row[1] for row in ledger._rows("PRAGMA table_info(jobs)")]


def test_other_files(path: Path) -> None:
    path.write_text("no database at all " * 100)
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    one_sentence(caught.value, str(path), "--ledger")
    assert path.read_text().startswith("no database")
    base = sqlite3.connect(path.with_name("other.db"))
    base.execute("CREATE TABLE songs (title TEXT)")
    base.close()
    with pytest.raises(LedgerError, match="no ledger of jobs"):
        Ledger(path.with_name("other.db"))
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(path.parent / "no_such_folder" / "a.ledger")


@pytest.mark.parametrize("size", [0, 50, 300, 5000, -10])
def test_a_ledger_that_was_cut_off(path: Path, size: int) -> None:
    """It is none that is about to be made, and stays as it is."""
    with Ledger(path) as ledger:
        ledger.add("a", "{}", "f")
    whole = path.read_bytes()
    path.write_bytes(whole[: size if size >= 0 else len(whole) + size])
    left = path.read_bytes()
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    one_sentence(
        caught.value, str(path), f"{len(left):,} bytes", "put a copy of it back", "--ledger"
    )
    assert path.read_bytes() == left
    path.write_bytes(whole)
    with Ledger(path) as ledger:
        assert [each.id for each in ledger.entries()] == ["a"]


@pytest.mark.parametrize("name", ["a\0b.ledger", "x" * 300, "y" * 255])
def test_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path / name)
    one_sentence(caught.value, "cannot be used")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_appears_whole(path: Path) -> None:
    """A process that is killed at any write of its making leaves none, or one that can be used."""
    script = """
        import os, signal, sys
        from dhess.ledger import Ledger, schema
        left = [int(sys.argv[2])]
        def die(statement):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        connected = schema._connected
        def watched(*given):
            base = connected(*given)
            base.set_trace_callback(die)
            return base
        schema._connected = watched
        Ledger(sys.argv[1])
    """
    for statements in (0, 2, 6, 10):
        command = [sys.executable, "-c", textwrap.dedent(script), str(path), str(statements)]
        assert subprocess.run(command, check=False).returncode < 0
        assert not path.exists()
    with Ledger(path) as ledger:
        assert ledger.add("a", "{}", "f")


def test_a_ledger_that_is_read_only_is_waited_for(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add("a", "{}", "f")
    with Ledger(path) as ledger:
        ledger._rows("PRAGMA query_only = ON")  # as of a disk that was mounted anew, read-only
        with pytest.raises(LedgerError) as caught:
            ledger.add("b", "{}", "f")
        one_sentence(caught.value, str(path), "read-only", "writable")
        assert is_full(caught.value)
        assert "read-only" in why_full(caught.value)


# --------------------------------------------------------------------------------------- the lock


def test_one_runner_at_a_time(path: Path) -> None:
    with locked(path):
        with pytest.raises(LedgerError) as caught, locked(path):
            pass
        one_sentence(caught.value, "another process", str(path))
    with locked(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_the_lock_goes_with_its_process(path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from dhess.ledger.lock import locked
        with locked(Path(sys.argv[1])):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    assert subprocess.run(command, check=False).returncode < 0
    with locked(path):
        pass


# --------------------------------------------------------------------------------------- recording


def test_all_that_was_added_is_recorded(ledger: Ledger) -> None:
    with Recorder(ledger, "a", lambda _: None) as recorder:
        for number in range(500):
            recorder.add(window(number))
    assert ledger.recorded("a") == set(range(500))


def test_what_was_done_before_an_error_is_recorded(ledger: Ledger) -> None:
    def work(recorder: Recorder) -> None:
        recorder.add(window(1))
        raise LookupError

    with pytest.raises(LookupError), Recorder(ledger, "a", lambda _: None) as recorder:
        work(recorder)
    assert ledger.recorded("a") == {1}


def test_a_contradiction_ends_the_recording(ledger: Ledger) -> None:
    ledger.record("a", [window(1, checksum="x")])
    with pytest.raises(LedgerError), Recorder(ledger, "a", lambda _: None) as recorder:
        recorder.add(window(1, checksum="y"))


def test_a_full_disk_is_waited_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own limit of pages stands for the disk; it is lifted once the pause was told."""
    monkeypatch.setattr("dhess.ledger.recorder.AGAIN", 0.01)
    ((pages,),) = ledger._rows("PRAGMA page_count")
    ledger._rows(f"PRAGMA max_page_count = {pages}")
    told: list[str] = []

    def paused(why: str) -> None:
        told.append(why)
        ledger._rows("PRAGMA max_page_count = 100000")

    with Recorder(ledger, "a", paused) as recorder:
        for number in range(50):
            recorder.add(window(number, "x" * 1000))
    assert ledger.recorded("a") == set(range(50))
    assert "is full" in told[0]
    assert told[-1] == ""


def test_what_says_that_a_disk_is_full() -> None:
    assert is_full(sqlite3.OperationalError("database or disk is full"))
    assert is_full(OSError(28, "No space left on device"))
    assert not is_full(sqlite3.OperationalError("no such table"))
    assert not is_full(None)


def test_opening_a_ledger_writes_nothing(path: Path) -> None:
    """The disk may be full."""
    with Ledger(path) as first:
        first.add("a", "{}", "f")
        size = path.with_name(f"{path.name}-wal").stat().st_size
        for _ in range(3):
            Ledger(path).close()
        assert path.with_name(f"{path.name}-wal").stat().st_size == size


def test_a_job_that_is_handed_in_anew_is_of_whoever_does_so(ledger: Ledger) -> None:
    ledger.add("b", "{}", "f", submitter="ada")
    ledger.ask_again("b", '{"overwrite":true}', "eve")
    entry = ledger.entry("b")
    assert entry is not None
    assert (entry.spec, entry.submitter) == ('{"overwrite":true}', "eve")


def test_a_proof_is_what_was_written_last(ledger: Ledger) -> None:
    assert ledger.proof() is None
    ledger.prove(3)
    ledger.prove(4)
    assert ledger.proof() == 4


# --------------------------------------------------------------------------- many jobs, and names


def test_pages_go_from_the_newest_job_to_the_oldest(ledger: Ledger) -> None:
    for i in range(7):
        spec = json.dumps({"task": "find" if i % 2 else "field"})
        ledger.add(f"job{i}", spec, "f", submitter="ann" if i < 4 else "bob")
    ledger.change("job6", "done")
    everyone = [entry.id for entry in ledger.entries()]
    ids: list[str] = []
    before = None
    while page := ledger.page(before=before, limit=3):
        ids += [entry.id for entry in page]
        before = (page[-1].created, page[-1].id)
    assert ids == everyone[::-1]
    assert [entry.id for entry in ledger.page(submitter="ann", task="find")] == ["job3", "job1"]
    assert [entry.id for entry in ledger.page(state="done")] == ["job6"]
    assert ledger.counts()["bob", "done"] == 1
    assert ledger.counts()["ann", "queued"] == 4


def test_a_wish_and_the_attempts_are_kept(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add("a", "{}", "f")
        ledger.wish("a", "cancel")
        ledger.attempt("a", 3)
    with Ledger(path) as ledger:
        entry = ledger.entry("a")
        assert entry is not None
        assert (entry.wish, entry.attempts) == ("cancel", 3)


def test_tokens_are_found_by_their_digest(ledger: Ledger) -> None:
    token = Token("ann", "d" * 64, ("read", "submit"), 1.0)
    assert ledger.add_token(token)
    assert not ledger.add_token(Token("ann", "e" * 64, ("read",), 2.0))
    assert ledger.token("d" * 64) == token
    assert ledger.token("e" * 64) is None
    ledger.touch_token("ann", 5.0)
    assert [each.used for each in ledger.tokens()] == [5.0]
    assert ledger.drop_token("ann")
    assert not ledger.drop_token("ann")
    assert ledger.token("d" * 64) is None


def test_the_log_stays_while_somebody_has_the_ledger_open(path: Path) -> None:
    """Though it is opened again here, and another process opens and closes it."""

    def elsewhere(what: str) -> str:
        code = f"from dhess.ledger import Ledger\nwith Ledger({str(path)!r}) as it: {what}"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        return done.stdout.decode()

    with Ledger(path) as first, Ledger(path):
        first.add("a", "{}", "f")
        elsewhere("it.add('b', '{}', 'f')")
        first.add("c", "{}", "f")
        assert elsewhere("print(*sorted(e.id for e in it.entries()))").split() == ["a", "b", "c"]
