"""The cache of compiled kernels: shared by processes, and never older than its sources."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from dhess.kernels import compiled
from dhess.kernels.eigen import symmetric_eigenvalues

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import numpy as np
from dhess.kernels.eigen import symmetric_eigenvalues
out = np.empty((1, 2))
symmetric_eigenvalues(np.array([[[0.0, 2.0], [2.0, 0.0]]]), out)
print(out.tolist(), sum(symmetric_eigenvalues.dispatcher.stats.cache_hits.values()))
"""


def test_processes_that_start_at_once_compile_once(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert all(out.startswith("[[-2.0, 2.0]]") for out, _ in said)
    assert sorted(out.split()[-1] for out, _ in said) == ["0", "1", "1"]


def test_a_cache_older_than_any_kernel_source_is_dropped(tmp_path: Path) -> None:
    index = tmp_path / "boxes.search_box-1.py311.nbi"
    index.write_text("old")
    compiled._drop_stale(tmp_path)
    assert not index.exists()
    index.write_text("new")
    compiled._drop_stale(tmp_path)
    assert index.exists()


def test_what_is_not_finite_has_no_eigenvalues() -> None:
    for n in range(1, 6):
        matrices = np.array([np.eye(n), np.eye(n)])
        matrices[0, 0, n - 1] = matrices[0, n - 1, 0] = np.inf
        out = np.empty((2, n))
        symmetric_eigenvalues(matrices, out)
        assert np.isnan(out[0]).all()
        assert (out[1] == 1.0).all()


def test_large_and_small_entries_neither_overflow_nor_vanish() -> None:
    for n in range(1, 6):
        for scale in (1e-200, 1e200):
            out = np.empty((1, n))
            symmetric_eigenvalues((scale * np.diag(np.arange(1.0, n + 1)))[None], out)
            np.testing.assert_allclose(out[0], scale * np.arange(1.0, n + 1), rtol=1e-14)
