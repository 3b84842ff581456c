"""One table {name → callable}: the tests hold every contestant to the same answer, the
benchmarks time them. Each finds the smallest Frobenius norm of the Hessian and where it stands.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from . import fused
from .case import DEPTH, REACH, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

DIRECT = 2 * DEPTH
"f_kk at the bowl's centre by the three-point stencil: (1 - 0 + 1) * DEPTH."
TWICE = 8 * DEPTH
"The same by `numpy.gradient` twice: (2**4 - 0 + 2**4) / 4 * DEPTH."
SMOOTHED = TWICE + 12 * DEPTH
"The same after a Gaussian of sigma 1, which adds 6 * d**2 to d**4 (and a constant)."


@dataclass(frozen=True)
class Answer:
    value: float
    index: tuple[int, ...]


@dataclass(frozen=True)
class Contestant:
    search: Callable[[Case], Answer]
    label: str
    "How the README names it."
    second: float
    "The second derivative along one axis that its stencil gives at the bowl's centre."
    takes: Callable[[Case], bool] = lambda _: True
    needs: str | None = None
    "The module without which it cannot run."

    @property
    def missing(self) -> str | None:
        """What is not installed here, or None."""
        if self.needs == "gcc":
            return None if fused.compiler() else "gcc"
        found = self.needs is None or importlib.util.find_spec(self.needs)
        return None if found else self.needs

    def expected(self, case: Case) -> Answer:
        """The answer on even axes, by hand: mixed components vanish at the centre."""
        return Answer(self.second * case.x.ndim**0.5, case.centre)


def with_dhess(case: Case, scheme: str = "direct") -> Answer:
    import dhess

    found = dhess.find_minimum(case.da, scheme=scheme).isel(rank=0)
    return Answer(float(found["value"]), tuple(int(i) for i in found["index"]))


def with_dhess_iterated(case: Case) -> Answer:
    return with_dhess(case, scheme="iterated")


def with_c(case: Case) -> Answer:
    return Answer(*fused.find_minimum(case.x))


def with_findiff(case: Case) -> Answer:
    """One component at a time is held, and each slope is shared by its mixed components."""
    from findiff import Diff

    steps, n = _steps(case), case.x.ndim

    def components() -> Iterator[tuple[bool, NDArray[np.floating]]]:
        for k in range(n):
            along = Diff(k, steps[k], acc=2)
            yield True, (along**2)(case.x)
            if k < n - 1:
                slope = along(case.x)
            for l in range(k + 1, n):
                yield False, Diff(l, steps[l], acc=2)(slope)

    return _smallest_norm(components())


def with_skimage(case: Case) -> Answer:
    """As it comes: a Gaussian of sigma 1, then differences of differences."""
    return _skimage(case, sigma=1)


def with_skimage_bare(case: Case) -> Answer:
    """Without the Gaussian: less than what anybody calls it for."""
    return _skimage(case, sigma=0)


def _skimage(case: Case, sigma: float) -> Answer:
    pairs = combinations_with_replacement(range(case.x.ndim), 2)
    # By name, since its functions have no types and mypy would have to be told so.
    feature = importlib.import_module("skimage.feature")
    components = feature.hessian_matrix(case.x, sigma=sigma, use_gaussian_derivatives=False)
    return _smallest_norm(
        (k == l, component) for (k, l), component in zip(pairs, components, strict=True)
    )


def with_numpy(case: Case) -> Answer:
    """The usual recipe: gradients of gradients in one array of shape (n, n, …)."""
    n = case.x.ndim
    hessian = np.empty((n, n, *case.x.shape), case.x.dtype)
    for k, slope in enumerate(_as_list(np.gradient(case.x, *_steps(case)))):
        for l, curvature in enumerate(_as_list(np.gradient(slope, *_steps(case)))):
            hessian[k, l] = curvature
    return _argmin(np.sqrt((hessian**2).sum(axis=(0, 1))))


def _as_list(gradients: object) -> list[NDArray[np.floating]]:
    return [gradients] if isinstance(gradients, np.ndarray) else list(gradients)  # type: ignore[call-overload]


def _steps(case: Case) -> list[float] | list[NDArray[np.float64]]:
    return [1.0] * case.x.ndim if case.even else list(case.axes)


def _smallest_norm(components: Iterable[tuple[bool, NDArray[np.floating]]]) -> Answer:
    """Sum squares in place; a mixed component stands twice in the matrix."""
    total: NDArray[np.floating] | None = None
    for diagonal, component in components:
        square = np.square(component, out=component)
        if not diagonal:
            square *= 2
        total = square if total is None else np.add(total, square, out=total)
    assert total is not None
    return _argmin(np.sqrt(total, out=total))


def _argmin(norm: NDArray[np.floating]) -> Answer:
    flat = int(np.nanargmin(norm))
    return Answer(float(norm.flat[flat]), tuple(int(i) for i in np.unravel_index(flat, norm.shape)))


def _even_3d_float64(case: Case) -> bool:
    return case.even and case.x.ndim == 3 and case.x.dtype == np.float64


def _even_image(case: Case) -> bool:
    return case.even and case.x.ndim > 1


def _roomy_even_image(case: Case) -> bool:
    """The Gaussian must not look over the rim of the bowl."""
    return _even_image(case) and min(case.centre) > REACH + 1


_SKIMAGE = "scikit-image `hessian_matrix`"
CONTESTANTS = {
    "dhess": Contestant(with_dhess, "`dhess.find_minimum`", DIRECT),
    "dhess-iterated": Contestant(
        with_dhess_iterated, '`dhess.find_minimum(scheme="iterated")`', TWICE
    ),
    "c": Contestant(
        with_c, "fused C, interior points only", DIRECT, takes=_even_3d_float64, needs="gcc"
    ),
    "findiff": Contestant(with_findiff, "findiff", DIRECT, needs="findiff"),
    "skimage": Contestant(
        with_skimage, _SKIMAGE, SMOOTHED, takes=_roomy_even_image, needs="skimage"
    ),
    "skimage-bare": Contestant(
        with_skimage_bare, f"{_SKIMAGE}, no smoothing", TWICE, takes=_even_image, needs="skimage"
    ),
    "numpy": Contestant(with_numpy, "`numpy.gradient` twice", TWICE),
}
