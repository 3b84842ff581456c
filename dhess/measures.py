"""The table of measures: adding one is adding a row here and its loop in the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dhess.errors import InputError, suggest
from dhess.kernels import measures as codes
from dhess.stencil import EVERYTHING, HESSIAN, PURE, SLOPES, Need


@dataclass(frozen=True)
class Measure:
    """A scalar made of the first or second derivatives at a point."""

    name: str
    code: int
    """Which loop of the kernels computes it."""
    formula: str
    """Of surfaces: p and q are the first derivatives, r, s and t the second ones."""
    meaning: str
    """With the sign, where one could choose, and what flat places give."""
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
    source: str = ""
    """Where it is defined; empty for what every textbook has."""


_BEAUDET: Final = (
    "P. Beaudet, Rotationally invariant image operators, 4th Int. Joint Conf. on Pattern "
    "Recognition (1978), 579-583"
)
_DO_CARMO: Final = (
    "M. do Carmo, Differential Geometry of Curves and Surfaces (1976), 3-3, for the graph of a "
    "function"
)
_EVANS: Final = (
    "I. Evans, An integrated system of terrain analysis and slope mapping, Zeitschrift für "
    "Geomorphologie Suppl. 36 (1980), 274-295; L. Zevenbergen and C. Thorne, Quantitative analysis "
    "of land surface topography, Earth Surface Processes and Landforms 12 (1987), 47-56; as named "
    "by J. Minár, I. Evans and M. Jenčo, A comprehensive system of definitions of land surface "
    "(topographic) curvatures, Earth-Science Reviews 211 (2020), 103414, with the opposite sign"
)
_GOLUB: Final = "G. Golub and C. Van Loan, Matrix Computations, 4th ed. (2013), 2.3.1"
_HORN: Final = (
    "B. Horn, Hill shading and the reflectance map, Proceedings of the IEEE 69 (1981), 14-47"
)
_KOENDERINK: Final = (
    "J. Koenderink and A. van Doorn, Surface shape and curvature scales, Image and Vision "
    "Computing 10 (1992), 557-564"
)
_LINDEBERG: Final = (
    "T. Lindeberg, Feature detection with automatic scale selection, International Journal of "
    "Computer Vision 30 (1998), 79-116"
)
_MARR: Final = (
    "D. Marr and E. Hildreth, Theory of edge detection, Proceedings of the Royal Society B 207 "
    "(1980), 187-217"
)

_ROWS: Final = (
    Measure(
        "slope", codes.SLOPE, "|∇f| = √Σₖ fₖ²", "steepness; cannot see a checkerboard",
        need=SLOPES, powers=(1, -1), unit="u x⁻¹",
        source=_HORN,
    ),
    Measure(
        "slope_angle", codes.SLOPE_ANGLE, "atan2(f_first, f_last)",
        "direction of ascent, counter-clockwise from the last dimension",
        need=SLOPES, ndim=2, powers=None, unit="rad",
        source=_HORN,
    ),
    Measure(
        "laplacian", codes.LAPLACIAN, "Σₖ fₖₖ",
        "sum of the curvatures; zero also where they cancel", need=PURE,
        source=_MARR,
    ),
    Measure(
        "laplacian_abs", codes.LAPLACIAN_ABS, "|Σₖ fₖₖ|",
        "size of the Laplacian; small also on saddles", need=PURE,
        source=_MARR,
    ),
    Measure(
        "hessian_norm", codes.HESSIAN_NORM, "√Σₖₗ fₖₗ²",
        "curvature of any kind; zero only where nothing bends",
        source=_GOLUB,
    ),
    Measure(
        "hessian_spectral", codes.HESSIAN_SPECTRAL, "maxᵢ |λᵢ|",
        "strongest curvature in any direction",
        source=_GOLUB,
    ),
    Measure(
        "hessian_det", codes.HESSIAN_DET, "det H = Πᵢ λᵢ",
        "product of the curvatures; in 2-D below zero on saddles",
        powers=None, unit="uⁿ x⁻²ⁿ",
        mixes=False, source=_BEAUDET,
    ),
    Measure(
        "hessian_min_element", codes.HESSIAN_MIN_ELEMENT, "minₖₗ fₖₗ",
        "smallest entry of the Hessian, with its sign",
    ),
    Measure(
        "eigenvalue_min", codes.EIGENVALUE_MIN, "minᵢ λᵢ",
        "curvature along the direction that bends down most",
        source=_LINDEBERG,
    ),
    Measure(
        "eigenvalue_max", codes.EIGENVALUE_MAX, "maxᵢ λᵢ",
        "curvature along the direction that bends up most",
        source=_LINDEBERG,
    ),
    Measure(
        "curvedness", codes.CURVEDNESS, "√(Σᵢ λᵢ² / n)",
        "root mean square of the curvatures: how much it bends, whatever the shape",
        source=_KOENDERINK,
    ),
    Measure(
        "shape_index", codes.SHAPE_INDEX, "(2/π) atan((λ₂ + λ₁) / (λ₂ - λ₁)), λ₁ ≥ λ₂",
        "cap 1, ridge 0.5, saddle 0, rut -0.5, cup -1; flat 0 too",
        need=EVERYTHING, ndim=2, powers=(0, 0), unit="1", source=_KOENDERINK,
    ),
    Measure(
        "mean_curvature", codes.MEAN_CURVATURE,
        "((1 + q²) r - 2pqs + (1 + p²) t) / (2 (1 + p² + q²)^1.5)",
        "mean of the surface's two principal curvatures; above zero in a bowl, flat 0",
        need=EVERYTHING, ndim=2, powers=(0, -1), unit="x⁻¹", surface=True, source=_DO_CARMO,
    ),
    Measure(
        "gaussian_curvature", codes.GAUSSIAN_CURVATURE, "(rt - s²) / (1 + p² + q²)²",
        "their product: above zero on caps and bowls, below on saddles; flat 0",
        need=EVERYTHING, ndim=2, powers=(0, -2), unit="x⁻²", surface=True,
        source=_DO_CARMO,
    ),
    Measure(
        "profile_curvature", codes.PROFILE_CURVATURE,
        "(p²r + 2pqs + q²t) / ((p² + q²) (1 + p² + q²)^1.5)",
        "of the vertical cut along the slope; above zero where it steepens uphill; no slope 0",
        need=EVERYTHING, ndim=2, powers=(0, -1), unit="x⁻¹", surface=True, source=_EVANS,
    ),
    Measure(
        "plan_curvature", codes.PLAN_CURVATURE, "(q²r - 2pqs + p²t) / (p² + q²)^1.5",
        "of the contour line; above zero around a basin, below around a peak; no slope 0",
        need=EVERYTHING, ndim=2, powers=(0, -1), unit="x⁻¹", source=_EVANS,
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
