"""Smooth fields, as measured and simulated ones are: for regions and critical points.

`Waves` is a sum of plane waves of drawn directions, phases and lengths: a Gaussian random field but
for their number. `Lattice` is a sum of
one cosine per axis, 5.12 points long, so that how many maxima it has is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .stores import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.scale import Scale

    from .stores import Box

WAVES = 64
PERIOD = 5.12
"Points of a cell of the lattice: 25 of them in 128 points."


@dataclass(frozen=True)
class Waves(Store):
    """Plane waves of variance 1 together; of the components of a wave vector 1 / reach²."""

    reach: float = 8.0

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(7)
        return rng.standard_normal((WAVES, len(self.shape))) / self.reach

    @cached_property
    def phases(self) -> NDArray[np.float64]:
        return np.random.default_rng(8).uniform(0, 2 * np.pi, WAVES)

    def values(self, box: Box) -> NDArray[np.floating]:
        """Sum up the waves: one matrix product, of factors along the last axis and before it."""
        first = np.exp(1j * self.phases)[None]
        for part, along in zip(box[:-1], self.vectors.T[:-1], strict=True):
            own = np.exp(1j * np.outer(np.arange(part.start, part.stop), along))
            first = (first[:, None] * own[None]).reshape(-1, WAVES)
        last = np.exp(1j * np.outer(np.arange(box[-1].start, box[-1].stop), self.vectors[:, -1]))
        left = np.concatenate([first.real, -first.imag], axis=1)
        right = np.concatenate([last.real, last.imag], axis=1)
        shape = [part.stop - part.start for part in box]
        x: Any = math.sqrt(2 / WAVES) * (left @ right.T)
        return np.asarray(x.reshape(shape).astype(self.dtype))

    def slopes(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the size of the gradient at places, as the formula has it."""
        waves = np.sin(places @ self.vectors.T + self.phases)
        slopes: Any = np.linalg.norm(math.sqrt(2 / WAVES) * (waves @ self.vectors), axis=1)
        return np.asarray(slopes)


@dataclass(frozen=True)
class Lattice(Store):
    """The sum of cos(2 pi (x + 1/2) / 5.12 - pi) along each axis: maxima in the middle of cells."""

    def values(self, box: Box) -> NDArray[np.floating]:
        waves = [
            -np.cos(2 * np.pi * (np.arange(part.start, part.stop) + 0.5) / PERIOD) for part in box
        ]
        return np.asarray(sum(np.ix_(*waves)), self.dtype)

    @property
    def maxima(self) -> int:
        return math.prod(round(size / PERIOD) for size in self.shape)

    @property
    def threshold(self) -> float:
        """Return what the Laplacian is below where the field is above 1.5.

        Inside, the three-point stencil takes a cosine to a multiple of itself. Between two maxima
        lies a plane of points where one cosine is below -0.8, and so the field below 1.2.
        """
        return -1.5 * (2 - 2 * math.cos(2 * np.pi / PERIOD))


def waves_store(scale: Scale, *, rough: bool = False) -> Waves:
    """Return a store of the size and the chunks of the main one; it is made once.

    Most waves are around 100 points long, 50 in the rough one, which has 8 times as many critical
    points.
    """
    e = scale.edge
    size = (3 if scale.full else 2) * e
    name, reach = (f"rough-{e}", e / 32) if rough else (f"waves-{e}", e / 16)
    shape, chunks = (size,) * 3, (e // 2,) * 3
    store = Waves(name, shape, chunks, full=scale.full, reach=max(reach, 4.0))
    store.make()
    return store


def lattice_store(scale: Scale) -> Lattice:
    """Return a store of 512³ points, in which a million maxima are; or of 128³."""
    chunk = 128 if scale.full else 32
    store = Lattice(f"lattice-{chunk}", (4 * chunk,) * 3, (chunk,) * 3, full=scale.full)
    store.make()
    return store
