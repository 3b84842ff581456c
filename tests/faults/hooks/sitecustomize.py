"""Run by every Python that has this folder on its path: has it meet a fault at a set moment.

``DHESS_FAULTS_STOP``: how many looks at chunks, after which the process stops itself (SIGSTOP).
``DHESS_FAULTS_CLOCK``: seconds that the clock jumps once the file ``DHESS_FAULTS_NOW`` is there.
``DHESS_FAULTS_HOG``: a file; the worker that removes it takes all the memory that it may have.
"""

# ruff: noqa: PTH104, PTH108, PTH123  (every process runs this, and most need no pathlib)

from __future__ import annotations

import itertools
import os
import signal
import sys
import time

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from typing import Any

_looks = itertools.count(1)
_stat, _time, _time_ns = os.stat, time.time, time.time_ns
_stop = int(os.environ.get("DHESS_FAULTS_STOP", "0"))
_jump = float(os.environ.get("DHESS_FAULTS_CLOCK", "0"))
_now = os.environ.get("DHESS_FAULTS_NOW", "")
_is_worker = any("spawn_main" in each for each in sys.orig_argv)
_hog = os.environ.get("DHESS_FAULTS_HOG", "") if _is_worker else ""


def _looked(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
    if isinstance(path, str) and ".zarr/f/c/" in path:
        if next(_looks) == _stop:
            os.kill(os.getpid(), signal.SIGSTOP)
        if _hog:
            _take()
    return _stat(path, *args, **kwargs)


def _take() -> None:
    try:
        os.unlink(_hog)
    except OSError:
        return
    with open(f"{_hog}.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{_hog}.new", f"{_hog}.taken")
    held = []
    while True:  # until the nanny ends it
        held.append(b"x" * 20_000_000)
        time.sleep(0.02)


def _seconds() -> float:
    try:
        _stat(_now)
    except OSError:
        return 0.0
    return _jump


if _stop or _hog:
    os.stat = _looked
if _jump:
    time.time = lambda: _time() + _seconds()
    time.time_ns = lambda: _time_ns() + int(_seconds() * 1e9)
