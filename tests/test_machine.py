"""A store, a ledger and a job against a plain model, whatever is done to them in whatever order.

Runs, deaths at any moment, Ctrl-C, new starts, chunks written anew, the store replaced, the output
removed: a job that says it is done has the answer for what the store holds, and what stands under
the name of the output is whole, or says that it is not.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import dhess
from dhess import SourceError
from dhess.ledger import Ledger

from .forks import Ended, Forks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dhess.ledger import Entry

    Numbers = NDArray[np.float64]

SHAPE, CHUNKS = (12, 10), (4, 5)
WINDOWS = 6
K = 3
TICK = 0.02
"""Seconds after which files have another time."""


def first(f: Numbers, axis: int) -> Numbers:
    """(f₊ - f₋) / 2, at the ends (-3 f₀ + 4 f₁ - f₂) / 2."""
    f = np.moveaxis(f, axis, 0)
    low, high = -3 * f[0] + 4 * f[1] - f[2], 3 * f[-1] - 4 * f[-2] + f[-3]
    return np.moveaxis(np.concatenate([[low], f[2:] - f[:-2], [high]]) / 2, 0, axis)


def second(f: Numbers, axis: int) -> Numbers:
    """f₋ - 2 f + f₊, at the ends 2 f₀ - 5 f₁ + 4 f₂ - f₃."""
    f = np.moveaxis(f, axis, 0)
    low, high = 2 * f[0] - 5 * f[1] + 4 * f[2] - f[3], 2 * f[-1] - 5 * f[-2] + 4 * f[-3] - f[-4]
    return np.moveaxis(np.concatenate([[low], f[2:] - 2 * f[1:-1] + f[:-2], [high]]), 0, axis)


def norm(f: Numbers) -> Numbers:
    """The Frobenius norm of the Hessian on a grid of step 1."""
    return np.sqrt(second(f, 0) ** 2 + second(f, 1) ** 2 + 2 * first(first(f, 0), 1) ** 2)


def answer(task: str, f: Numbers) -> Any:
    """What the output has to hold: the field, or the smallest values and their places."""
    bends = norm(f)
    if task == "field":
        return bends
    places = np.argsort(bends, axis=None, kind="stable")[:K]
    return [(int(p) // SHAPE[1], int(p) % SHAPE[1], float(bends.flat[p])) for p in places]


BEGUN = "begun"
"""What an output is that says itself that it is not whole."""


def whole(output: Any) -> bool:
    return output is not None and output is not BEGUN


def same(one: Any, other: Any) -> bool:
    if whole(one) and whole(other):
        return np.allclose(one, other, rtol=1e-12, atol=1e-12)
    return one is other


@dataclass
class Known:
    """What the model knows of the job of one store."""

    state: str = ""
    created: float = 0.0
    stale: bool = False
    """Whether a chunk was written since it was handed in."""


class World(RuleBasedStateMachine):
    """The machine."""

    forks: ClassVar[Forks]
    """Set by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.seed = 0
        self.numbers = self._new_numbers()
        self.known = Known()
        self.past: set[str] = set()
        """Jobs of stores that are gone."""
        self.output: Any = None
        """What stands there: nothing, `BEGUN`, or an answer."""
        self.own = True
        """Whether what stands there is of the job of this store."""

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------------------------ what is there

    @property
    def store(self) -> Path:
        return self.folder / "f.zarr"

    @property
    def target(self) -> Path:
        return self.folder / ("norm.zarr" if self.task == "field" else "found.json")

    def _new_numbers(self) -> Numbers:
        self.seed += 1
        return np.random.default_rng(self.seed).integers(-20, 20, SHAPE).astype("f8")

    def _write(self) -> None:
        array = xr.DataArray(self.numbers, dims=("y", "x"), name="f")
        array.to_dataset().to_zarr(
            self.store, encoding={"f": {"chunks": CHUNKS}}, consolidated=False
        )

    def _stands(self) -> Any:
        """Read the output without dhess knowing the job."""
        if not self.target.exists():
            return None
        if self.task == "find":
            answers = json.loads(self.target.read_text())["answers"]
            return [(*each["index"].values(), each["value"]) for each in answers]
        try:
            return dhess.open(self.target).values
        except SourceError:
            return BEGUN  # or it has no metadata yet

    # ------------------------------------------------------------------------------------- rules

    @initialize(task=st.sampled_from(["find", "field"]), overwrite=st.booleans())
    def begin(self, task: str, overwrite: bool) -> None:
        self.task, self.overwrite = task, overwrite
        self._write()
        more = f"k = {K}\n" if task == "find" else ""
        (self.folder / "job.toml").write_text(
            f'source = "f.zarr::f"\ntask = "{task}"\noutput = "{self.target.name}"\n{more}'
            f"chunks = {{ y = {CHUNKS[0]}, x = {CHUNKS[1]} }}\n"
            f"overwrite = {str(overwrite).lower()}\n[resources]\nwindow = 1\n"
        )

    @rule(fresh=st.booleans(), verify=st.booleans())
    def run(self, fresh: bool, verify: bool) -> None:
        ended = self._run(fresh, verify)
        refused = self._refused(fresh)
        if refused:
            assert any(word in ended.said for word in refused), ended.said
            assert ended.code in (1, 2)
            assert same(self._stands(), self.output), "what was refused has changed the output"
            self._know("failed")
            return
        assert ended.code == 0, ended.said
        self._know("done")
        self.output, self.own = answer(self.task, self.numbers), True

    @rule(
        fresh=st.booleans(), windows=st.integers(0, WINDOWS),
        by=st.sampled_from([signal.SIGKILL, signal.SIGTERM]),
    )  # fmt: skip
    def die_after_windows(self, fresh: bool, windows: int, by: int) -> None:
        self._die(self._run(fresh, windows=windows, by=by), fresh)

    @rule(fresh=st.booleans(), renames=st.integers(1, 60))
    def die_between_files(self, fresh: bool, renames: int) -> None:
        self._die(self._run(fresh, renames=renames, by=signal.SIGKILL), fresh)

    @rule(y=st.integers(0, 2), x=st.integers(0, 1))
    def write_a_chunk(self, y: int, x: int) -> None:
        time.sleep(TICK)
        part = tuple(slice(p * c, (p + 1) * c) for p, c in zip((y, x), CHUNKS, strict=True))
        self.numbers[part] = self._new_numbers()[part]
        zarr.open_array(self.store / "f", mode="r+")[part] = self.numbers[part]
        self.known.stale = bool(self.known.state)
        time.sleep(TICK)

    @rule()
    def replace_the_store(self) -> None:
        time.sleep(TICK)
        shutil.rmtree(self.store)
        self.numbers = self._new_numbers()
        self._write()
        self.past.update(entry.id for entry in self._entries())
        # A folder without a word of whose it is may be anybody's that died right there.
        unnamed = self.output is BEGUN and not (self.target / "zarr.json").exists()
        self.known, self.own = Known(), self.output is None or unnamed
        time.sleep(TICK)

    @rule()
    def remove_the_output(self) -> None:
        if self.task == "field":
            shutil.rmtree(self.target, ignore_errors=True)
        else:
            self.target.unlink(missing_ok=True)
        self.output, self.own = None, True

    @invariant()
    def the_output_is_what_it_says(self) -> None:
        if hasattr(self, "task"):
            assert same(self._stands(), self.output)

    # ----------------------------------------------------------------------------------- details

    def _run(self, fresh: bool, verify: bool = False, **moment: int) -> Ended:
        words = ["run", str(self.folder / "job.toml"), *["--fresh"] * fresh, *["--verify"] * verify]
        ended = self.forks.run(*words, **moment)
        note(f"{ended.code}: {ended.said}")
        assert "Traceback" not in ended.said
        return ended

    def _refused(self, fresh: bool) -> list[str]:
        """Return words of the sentences that may refuse a run; none if it has to succeed."""
        taken = self.output is not None and not self.own and not self.overwrite
        return ["exists"] * taken + ["changed"] * (self.known.stale and not fresh)

    def _die(self, ended: Ended, fresh: bool) -> None:
        """Look what a run left that may have been ended anywhere."""
        new = answer(self.task, self.numbers)
        stands = self._stands()
        refused = self._refused(fresh)
        if same(stands, self.output):
            pass
        elif same(stands, new):
            assert not refused
            self.output, self.own = new, True
        else:
            assert not whole(stands), "neither the old answer nor the new one"
            assert not refused
            assert self.task == "field"
            # Only between two renames there is nothing under the name.
            assert not whole(self.output) or self.own or self.overwrite
            self.output, self.own = stands, True
        if ended.code in (0, 1, 2):
            assert bool(ended.code) == bool(refused), ended.said
        self._know({0: "done", 130: "stopped"}.get(ended.code, ""))

    def _know(self, state: str) -> None:
        """Compare the state in the ledger, or take it from there where any may be."""
        entries = self._entries()
        if not entries:
            assert not state
            return
        (entry,) = entries
        if state:
            assert entry.state == state
        assert entry.state in ("queued", "running", "stopped", "done", "failed")
        if entry.created != self.known.created:
            self.known = Known(created=entry.created)
        self.known.state = entry.state

    def _entries(self) -> list[Entry]:
        """Return what the ledger has of the store that is there."""
        with Ledger(f"{self.target}.ledger") as ledger:
            return [entry for entry in ledger.entries() if entry.id not in self.past]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whatever_is_done_in_whatever_order(fresh_process_environment: dict[str, str]) -> None:
    with Forks(fresh_process_environment) as forks:

        class Machine(World):
            pass

        Machine.forks = forks
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=8, stateful_step_count=8, deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
