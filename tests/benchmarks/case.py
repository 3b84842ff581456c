"""The fields that are searched: noise, with one flat bowl whose place and curvature are known.

Outside the bowl every second difference of the noise is about 1; at the centre of the bowl
``depth * sum(d**4)``, d the distance along an axis, it is 2e-6 along each axis for the direct
stencil and 8e-6 for `numpy.gradient` twice. So every correct search ends at the same point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTH = 1e-6
REACH = 7  # the bowl's half-width in points: a Gaussian of sigma 1 and two gradients look 6 far


@dataclass(frozen=True)
class Case:
    """One field to search, as every contestant gets it."""

    x: NDArray[np.floating]
    axes: tuple[NDArray[np.float64], ...]
    even: bool
    centre: tuple[int, ...]
    "Index of the flattest point."

    @classmethod
    def of(
        cls, shape: tuple[int, ...], *, dtype: type[np.floating] = np.float64, even: bool = True
    ) -> Case:
        rng = np.random.default_rng(sum(shape))
        axes = tuple(_axis(size, even, rng) for size in shape)
        centre = tuple(size // 2 for size in shape)
        x = np.empty(shape, dtype)
        # In place: a temporary as large as the field would hide a contestant's own peak of memory.
        rng.random(out=x, dtype=dtype)
        _plant_bowl(x, axes, centre)
        return cls(x, axes, even, centre)

    @property
    def dims(self) -> tuple[str, ...]:
        return tuple(f"a{k}" for k in range(self.x.ndim))

    @property
    def da(self) -> xr.DataArray:
        """The field with its coordinates; an even axis has none and so a spacing of 1."""
        coords = None if self.even else dict(zip(self.dims, self.axes, strict=True))
        return xr.DataArray(self.x, dims=self.dims, coords=coords)

    @property
    def components(self) -> int:
        """Distinct components of the Hessian."""
        return self.x.ndim * (self.x.ndim + 1) // 2


def _axis(size: int, even: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    axis = np.arange(size, dtype=np.float64)
    return axis if even else axis + rng.uniform(-0.2, 0.2, size)


def _plant_bowl(
    x: NDArray[np.floating], axes: tuple[NDArray[np.float64], ...], centre: tuple[int, ...]
) -> None:
    reach = [min(REACH, c - 1) for c in centre]
    box = tuple(slice(c - r, c + r + 1) for c, r in zip(centre, reach, strict=True))
    distances = [axis[part] - axis[c] for axis, part, c in zip(axes, box, centre, strict=True)]
    x[box] = DEPTH * sum(d**4 for d in np.ix_(*distances))
