"""A child of the gateway: runs one job, and tells how far it is."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import os
import time
import traceback
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import distributed  # noqa: F401  (takes long, and is done before there is a job)

from dhess.cluster import connect, tls
from dhess.errors import DhessError, was_interrupted
from dhess.job import JobSpec, Runner
from dhess.job.outputs import write_result
from dhess.ledger import Ledger
from dhess.ledger.recorder import is_full, why_full
from dhess.report import FieldReport
from dhess.running import Progress, watched
from dhess.service.holding import lock_of, wait_until_free
from dhess.service.places import Places
from dhess.service.speaking import Gateway
from dhess.sink import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    import xarray as xr

EVERY: Final = 0.2
"""Seconds between two messages about progress."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
"""Seconds between two attempts to begin on a full disk."""
LONGEST_LOG: Final = 32_000_000
"""Bytes of a log, after which nothing is added to it."""


class _Told(Ledger):
    """A ledger that tells the gateway what becomes of the job."""

    def __init__(self, path: str, gateway: Gateway) -> None:
        super().__init__(path)
        self._gateway = gateway

    def begin(self, job: str, layout: str, windows: int) -> None:
        super().begin(job, layout, windows)
        self._gateway.tell(changed=True)

    def change(self, job: str, state: str, note: str = "") -> None:
        self._gateway.tell(state=state, note=note)  # first: it needs no room on a disk
        super().change(job, state, note)
        self._gateway.tell(changed=True)


class _Log(logging.Handler):
    """Lines of JSON in a file."""

    def __init__(self, folder: Path, job: str) -> None:
        super().__init__()
        self._job = job
        self._folder = folder
        self._file: FileIO | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = (self._folder / "log.jsonl").open("ab", buffering=0)
            if self._file.tell() > LONGEST_LOG:
                return
            when = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat()
            line = {
                "time": when.replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "job": self._job,
                "message": record.getMessage(),
            }
            self._file.write(json.dumps(line).encode() + b"\n")
        except Exception:  # noqa: BLE001  (a full disk: the work goes on)
            return

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


class _Teller:
    """Tells the gateway and the disk how far the job is, not too often."""

    def __init__(self, gateway: Gateway, file: Path) -> None:
        self._gateway = gateway
        self._file = file
        self._last = -math.inf
        self._kept = -math.inf

    def __call__(self, progress: Progress) -> None:
        now, last = time.monotonic(), progress.window == progress.of_windows
        if now - self._last < EVERY and not last:
            return
        self._last = now
        plain = asdict(progress)
        self._gateway.tell(progress=plain)
        if last or now - self._kept > 25 * EVERY:
            self._kept = now
            _write(self._file, json.dumps(plain))


def _write(file: Path, text: str) -> None:
    """Write a small file that is only for show; on a full disk, not at all."""
    try:
        with whole_file(file) as partial:
            partial.write_text(text, encoding="utf-8")
    except DhessError as error:
        logging.getLogger(__name__).debug("%s", error)


def _place(asked: dict[str, Any]) -> Callable[[], AbstractContextManager[Any]]:
    """Return what reaches the gateway's cluster, wherever that is by then."""

    @contextmanager
    def place() -> Iterator[Any]:
        security = tls(*asked["tls"]) if asked["tls"] else None
        with connect(asked["scheduler"], security=security) as client:
            yield client

    return place


def _keep(spec: JobSpec, folder: Path, result: xr.Dataset | xr.DataArray) -> None:
    """Keep what the gateway hands out as the result."""
    if spec.task == "field":
        source = spec.source if isinstance(spec.source, str) else spec.source[0]
        report = FieldReport.from_array(
            cast("xr.DataArray", result), field=spec.measure, source=source, out=str(spec.output)
        )
        with whole_file(folder / "result.json") as file:
            file.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return
    found = cast("xr.Dataset", result)
    if find_spec("h5netcdf") is not None:
        write_result(found, str(folder / "result.nc"), lambda _: None)
    write_result(found, str(folder / "result.json"), lambda _: None)


def run(gateway: Gateway, asked: dict[str, Any]) -> None:
    """Run a job to its end."""
    spec = JobSpec.model_validate(asked["spec"])
    folder = Path(asked["folder"])
    # A link may have been changed since the job was handed in.
    places = Places(asked["roots"], asked["output_roots"], Path(asked["data"]))
    places.check_source(spec.source, spec.variable)
    if spec.output is not None:
        places.check_output(spec.output)
    folder.mkdir(parents=True, exist_ok=True)
    wait_until_free(folder, math.inf, partial(_say_paused, gateway, "its last runner still ends"))
    for each in folder.glob(".result.partial-*"):
        each.unlink(missing_ok=True)
    with _Told(asked["ledger"], gateway) as ledger:
        runner = Runner(
            spec,
            ledger,
            _place(asked),
            patience=math.inf,
            job=asked["job"],
            elsewhere=True,
            lock=lock_of(folder),
            keep=lambda result: _keep(spec, folder, result),
            base=asked["base"],
        )
        with watched(_Teller(gateway, folder / "progress.json")):
            runner.run()


def _say_paused(gateway: Gateway, note: str) -> None:
    gateway.tell(state="paused", note=note)


def _patiently(gateway: Gateway, asked: dict[str, Any]) -> None:
    """Run a job, also if there is no room yet to begin with it."""
    wait = FIRST_WAIT
    while True:
        try:
            run(gateway, asked)
        except (OSError, DhessError) as error:
            if not is_full(error):
                raise
            _say_paused(gateway, why_full(error))
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        else:
            return


def _tell_end(gateway: Gateway, log: logging.Logger, error: BaseException) -> None:
    """Tell why a job has ended that is not done."""
    if was_interrupted(error):
        log.info("the job was stopped")
        gateway.tell(ended="stopped")
        return
    if isinstance(error, DhessError):
        note = str(error)
    else:
        traceback.print_exception(error)
        note = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
    log.error("the job failed: %s", note)
    gateway.tell(ended="failed", note=note)


def main() -> None:
    """Wait for a job, and run it."""
    gateway = Gateway()
    asked = gateway.read()
    if asked is None:
        return
    log = logging.getLogger("dhess")
    log.addHandler(_Log(Path(asked["folder"]), asked["job"]))
    log.setLevel(logging.INFO)
    try:
        gateway.end_with_it()
        log.info("the job runs")
        _patiently(gateway, asked)
    except BaseException as error:  # noqa: BLE001  (whatever it is, the gateway has to hear of it)
        _tell_end(gateway, log, error)
    else:
        log.info("the job is done")
        gateway.tell(ended="done")
    # Everything is closed and on the disk; the next job waits for this one's place.
    os._exit(0)


if __name__ == "__main__":
    main()
