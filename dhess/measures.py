"""The table of measures: adding one is adding a row here and its loop in the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dhess.errors import InputError, suggest
from dhess.kernels import measures as codes
from dhess.stencil import HESSIAN, PURE, SLOPES, Need


@dataclass(frozen=True)
class Measure:
    """A scalar made of the first or second derivatives at a point."""

    name: str
    code: int
    """Which loop of the kernels computes it."""
    formula: str
    meaning: str
    need: Need = HESSIAN
    """Which derivatives it needs."""
    ndim: int | None = None
    """The number of differentiated dimensions that it is for; None: any."""
    powers: tuple[int, int] | None = (1, -2)
    """Powers of the field's and of the coordinate's unit; None: by `unit`, or per dimension."""
    unit: str = "u x⁻²"
    """Unit rule in words: u is the field's unit, x the coordinate's, n their number."""
    mixes: bool = True
    """Whether derivatives along different axes are added up, so that the axes need one unit."""
    surface: bool = False
    """Whether the field is a height over its axes, in their unit."""


_ROWS: Final = (
    Measure(
        "slope", codes.SLOPE, "|∇f| = √Σₖ fₖ²", "steepness; cannot see a checkerboard",
        need=SLOPES, powers=(1, -1), unit="u x⁻¹",
    ),
    Measure(
        "slope_angle", codes.SLOPE_ANGLE, "atan2(f_first, f_last)",
        "direction of ascent, counter-clockwise from the last dimension",
        need=SLOPES, ndim=2, powers=None, unit="rad",
    ),
    Measure(
        "laplacian", codes.LAPLACIAN, "Σₖ fₖₖ",
        "sum of the curvatures; zero also where they cancel", need=PURE,
    ),
    Measure(
        "laplacian_abs", codes.LAPLACIAN_ABS, "|Σₖ fₖₖ|",
        "size of the Laplacian; small also on saddles", need=PURE,
    ),
    Measure(
        "hessian_norm", codes.HESSIAN_NORM, "√Σₖₗ fₖₗ²",
        "curvature of any kind; zero only where nothing bends",
    ),
    Measure(
        "hessian_spectral", codes.HESSIAN_SPECTRAL, "maxᵢ |λᵢ|",
        "strongest curvature in any direction",
    ),
    Measure(
        "hessian_det", codes.HESSIAN_DET, "det H = Πᵢ λᵢ",
        "product of the curvatures; in 2-D below zero on saddles",
        powers=None, unit="uⁿ x⁻²ⁿ", mixes=False,
    ),
    Measure(
        "hessian_min_element", codes.HESSIAN_MIN_ELEMENT, "minₖₗ fₖₗ",
        "smallest entry of the Hessian, with its sign",
    ),
    Measure(
        "eigenvalue_min", codes.EIGENVALUE_MIN, "minᵢ λᵢ",
        "curvature along the direction that bends down most",
    ),
    Measure(
        "eigenvalue_max", codes.EIGENVALUE_MAX, "maxᵢ λᵢ",
        "curvature along the direction that bends up most",
    ),
)  # fmt: skip

MEASURES: Final = {m.name: m for m in _ROWS}
"""Every measure by its name."""


def find_measure(name: object) -> Measure:
    """Return the measure of that name.

    Raises
    ------
    InputError
        If there is none; the nearest name is suggested.

    Examples
    --------
    >>> find_measure("slope").formula
    '|∇f| = √Σₖ fₖ²'
    """
    if not isinstance(name, str) or name not in MEASURES:
        raise InputError(f"unknown measure {name!r}; {suggest(str(name), MEASURES)}")
    return MEASURES[name]


def check_measure(measure: Measure, ndim: int) -> None:
    """Raise InputError if a measure is not for this number of differentiated dimensions."""
    if measure.ndim is not None and measure.ndim != ndim:
        raise InputError(
            f"measure {measure.name!r} is for {measure.ndim} dimensions, and {ndim} "
            f"{'is' if ndim == 1 else 'are'} differentiated; name {measure.ndim} with dims="
        )

