"""Callables: sampled on a grid, lazily and in blocks, or differentiated twice at a point."""

from __future__ import annotations

import inspect
import reprlib
import textwrap
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr

from dhess.differences import DOUBT, REACH, Estimate, estimate, settled
from dhess.errors import InputError, line
from dhess.options import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from dhess.tables import Array

__all__ = ["hessian_at", "sample"]


def sample(
    func: Callable[..., Any], coords: Mapping[Any, Any], *, chunks: Any = "auto"
) -> xr.DataArray:
    """Return f(x, y, …) on the grid of the coordinates: lazily, computed block by block.

    Parameters
    ----------
    func
        Called once for each block, with the coordinates of the block as NumPy arrays that
        broadcast: of shape (a, 1) and (1, b) in two dimensions. By name, if its parameters have the
        names of all dimensions; by position, in the order of ``coords``, if none has. It returns
        real numbers of the shape to which its arguments broadcast, or of one that broadcasts to it.
    coords
        By dimension, in the order of the result: one-dimensional arrays, or DataArrays, whose
        attributes are kept. Numbers, times, or anything that an index can be made of.
    chunks
        Sizes of the blocks, as `dask.array` takes them: "auto" (128 MB), a number, a tuple, or by
        dimension.

    Returns
    -------
    DataArray of float64, with the name of the function. Nothing is called before it is computed.

    Raises
    ------
    InputError
        If func is not callable or its parameters do not fit, or a coordinate is not
        one-dimensional. While it is computed: if func fails in a block, or returns complex numbers,
        no numbers or another shape; it names the coordinates of the block.

    Examples
    --------
    >>> import numpy as np, dhess
    >>> x = np.linspace(-1, 1, 201)
    >>> f = dhess.sample(lambda y, x: 1 - np.exp(-10 * x**2 - y**2), {"y": x, "x": x})
    >>> best = dhess.find_minimum(f, "slope")
    >>> float(best.y[0]), float(best.x[0])
    (0.0, 0.0)
    """
    axes = _axes(coords)
    named = _by_name(func, tuple(axes))
    shape = tuple(axis.size for axis in axes.values())
    sizes = _chunks(chunks, tuple(axes), shape)
    letters = range(len(axes))
    parts = [
        (da.from_array(axis.values, (size,)), (k,))
        for k, (axis, size) in enumerate(zip(axes.values(), sizes, strict=True))
    ]
    names = tuple(map(str, axes)) if named else ()
    values = da.blockwise(
        partial(_block, func, tuple(axes), names), tuple(letters),
        *(each for pair in parts for each in pair),
        align_arrays=False, dtype=np.float64, meta=np.empty((0,) * len(axes)),
    )  # fmt: skip
    name = getattr(func, "__name__", None)
    name = name if name is not None and name.isidentifier() else None
    sampled = xr.DataArray(values, axes, tuple(axes))
    sampled.name = name  # xarray would take that of the graph where there is none
    return sampled


def _axes(coords: object) -> dict[Hashable, xr.Variable]:
    """Check the coordinates, and return them as variables."""
    if not isinstance(coords, Mapping) or not coords:
        raise InputError(
            f"coords={reprlib.repr(coords)} names no dimension; write the coordinates by name, as "
            'coords={"y": y, "x": x}'
        )
    axes = {}
    for name, given in coords.items():
        attrs = given.attrs if isinstance(given, xr.DataArray | xr.Variable) else {}
        values = np.asarray(given)
        if values.ndim != 1 or not values.size:
            raise InputError(
                f"coordinate {name!r} has shape {values.shape}; give one value for each point "
                "along the dimension"
            )
        axes[name] = xr.Variable((name,), values, attrs)
    return axes


def _by_name(func: object, dims: tuple[Hashable, ...]) -> bool:
    """Tell whether a callable takes the coordinates by name; refuse one that mixes them up."""
    if not callable(func):
        raise InputError(f"func={reprlib.repr(func)} cannot be called; give a function")
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):  # some of those written in C do not tell
        return False
    simple = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = {p.name for p in signature.parameters.values() if p.kind in simple}
    shared = [str(name) for name in dims if str(name) in known]
    names = tuple(map(str, dims))
    if shared and len(shared) < len(dims):
        raise InputError(
            f"func has the parameters {signature} and the dimensions are {names}, so only "
            f"{', '.join(shared)} fits by name; give its parameters the names of the dimensions"
        )
    try:
        signature.bind(**dict.fromkeys(names)) if shared else signature.bind(*names)
    except TypeError as error:
        raise InputError(
            f"func{signature} cannot be called with the {len(dims)} coordinates "
            f"{', '.join(names)}: {line(error)}; let it take one array per dimension"
        ) from error
    return bool(shared)


def _chunks(
    chunks: Any, dims: tuple[Hashable, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    if isinstance(chunks, Mapping):
        for name in chunks:
            if name not in dims:
                raise InputError(
                    f"chunks names {name!r}, which is no dimension of coords; known: "
                    f"{', '.join(map(str, dims))}"
                )
        chunks = {dims.index(name): size for name, size in chunks.items()}
    try:
        sizes: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(
            chunks, shape, dtype=np.dtype(np.float64)
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"chunks={reprlib.repr(chunks)} does not fit {len(shape)} dimensions of {shape} "
            f"points: {line(error)}; give a number, one per dimension, or 'auto'"
        ) from error
    return sizes


def _block(
    func: Callable[..., Any], dims: tuple[Hashable, ...], names: tuple[str, ...], *along: Array
) -> Array:
    """Call the function on a block, whose coordinates are given."""
    n = len(along)
    mesh = [x.reshape([-1 if k == l else 1 for l in range(n)]) for k, x in enumerate(along)]
    where = ", ".join(f"{dim}={x[0]} to {x[-1]}" for dim, x in zip(dims, along, strict=True))
    try:
        found = func(**dict(zip(names, mesh, strict=True))) if names else func(*mesh)
    except Exception as error:
        what = textwrap.shorten(f"{type(error).__name__}: {line(error)}", 140, placeholder=" …")
        raise InputError(f"func failed on the block {where}: {what}") from error
    values = np.asarray(found)
    _check_numbers(values, f"on the block {where}")
    shape = tuple(map(len, along))
    try:
        whole: Array = np.broadcast_to(values, shape).astype(np.float64)
    except ValueError as error:
        raise InputError(
            f"func returned shape {values.shape} on the block {where}, whose shape is {shape}; let "
            "it compute with whole arrays, point by point"
        ) from error
    return whole


def _check_numbers(values: Array, where: str) -> None:
    if values.dtype.kind == "c":
        raise InputError(
            f"func returned complex numbers {where}; dhess differentiates real ones: take the real "
            "part, the imaginary one or abs() of it"
        )
    if values.dtype.kind not in "biuf":
        first = reprlib.repr(values.flat[0]) if values.size else "nothing"
        raise InputError(
            f"func returned {first} {where} (dtype {values.dtype}), which is no number; let it "
            "return real numbers"
        )


def hessian_at(func: Callable[[Any], Any], x: Sequence[float] | Array, *, step: float = 0.5) -> Any:
    """Return the Hessian of a callable at a point, H_kl = ∂²f / ∂x_k ∂x_l, symmetric to the bit.

    Parameters
    ----------
    func
        Takes a point, shape (n,), and returns a real number.
    x
        The point.
    step
        How far from x func is called at first, in the unit of x. It is halved until the estimate
        settles, also where func is NaN or infinite so far away, and doubled where |f| is so large
        that rounding hides the Hessian. What is much narrower than it, and flat around, is
        overlooked.

    Returns
    -------
    Array of shape (n, n).

    Raises
    ------
    InputError
        If x is no list of finite numbers, or func fails, or returns NaN, an infinite, a complex or
        no number, or several; or if the estimate does not settle, as where func has a kink, or
        rounding hides the Hessian at every step.

    Notes
    -----
    Central differences of order 8 [1]_ along the axes, and along both diagonals of each two, at the
    step of the least estimated error. That is the change from one step to the next, and a bound of
    the rounding. Where nothing rises above rounding, that is far below how much func varies, the
    Hessian is 0.

    References
    ----------
    .. [1] B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
       Mathematics of Computation 51(184), 1988, table 1.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import rosen, rosen_hess
    >>> x = np.array([0.5, -0.3, 1.2])
    >>> bool(np.abs(hessian_at(rosen, x) - rosen_hess(x)).max() < 1e-6)
    True
    """
    point = _point(x)
    if not callable(func):
        raise InputError(f"func={reprlib.repr(func)} cannot be called; give a function")
    if not is_number(step) or not 0 < step < np.inf:
        raise InputError(f"step={step!r} is no step; give a finite number above 0")
    _valid(func, point)
    values = _Values(func)
    values(point[None])

    def at(step: float) -> Estimate | None:
        values.finite = True
        with np.errstate(all="ignore"):
            found = estimate(values, point, step, values.eps)
        return found if values.finite and np.isfinite(found.rounding) else None

    found = settled(at, point, float(step) / (2 * REACH))
    if found is None and values.wrong is not None:
        with np.errstate(all="ignore"):
            _valid(func, values.wrong)
    if found is None or not (found.relative <= DOUBT or found.flat):
        told = (
            "no step is of use"
            if found is None
            else f"entries up to {found.largest:.3g} with an estimated error of {found.error:.3g}"
        )
        raise InputError(
            f"the Hessian of func at x={_text(point)} does not settle: {told}; func may have a "
            "kink or noise there: choose another point, or another step="
        )
    return np.zeros_like(found.entries) if found.flat else found.entries


class _Values:
    """A callable of one point, called with many."""

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func
        self.eps = float(np.finfo(np.float64).eps)
        """Relative precision of what it returns."""
        self.finite = True
        self.wrong: Array | None = None
        """First point at which it is not finite."""

    def __call__(self, points: Array) -> Array:
        values = np.full(len(points), np.nan)
        for i, point in enumerate(points):
            found = _number(self.func, point)
            if found.dtype.kind == "f":
                self.eps = max(self.eps, float(np.finfo(found.dtype).eps))
            values[i] = found
            if not np.isfinite(values[i]):
                self.finite = False
                self.wrong = point if self.wrong is None else self.wrong
                break
        return values


def _point(x: object) -> Array:
    try:
        given = np.asarray(x)
    except ValueError:  # rows of different lengths
        given = np.empty(0, object)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iuf":
        raise InputError(f"x={reprlib.repr(x)} is no point; give one real number per dimension")
    point = given.astype(np.float64)
    if not np.isfinite(point).all():
        raise InputError(f"x={_text(point)} is not finite; give a point with finite coordinates")
    return point


def _number(func: Callable[[Any], Any], point: Array) -> Array:
    """Return the value at a point in its own type, shape ()."""
    where = f"at x={_text(point)}"
    try:
        found = func(point.copy())
    except Exception as error:
        what = textwrap.shorten(f"{type(error).__name__}: {line(error)}", 140, placeholder=" …")
        raise InputError(f"func failed {where}: {what}") from error
    values = np.asarray(found)
    _check_numbers(values, where)
    if values.size != 1:
        raise InputError(
            f"func returned shape {values.shape} {where}; let it return one number for a point of "
            f"shape {point.shape}"
        )
    return values.reshape(())


def _valid(func: Callable[[Any], Any], point: Array) -> float:
    value = float(_number(func, point))
    if not np.isfinite(value):
        raise InputError(
            f"func is {value} at x={_text(point)}; choose a point around which it is finite"
        )
    return value


def _text(point: Array) -> str:
    return "[" + ", ".join(f"{each:.6g}" for each in point) + "]"
