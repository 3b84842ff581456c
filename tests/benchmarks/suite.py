"""The benchmarks of fields in memory, each a function from a scale to its rows."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import fresh
from .case import Case
from .contestants import CONTESTANTS
from .report import Cost, Ratio, at_least, at_most
from .timing import Pairs, in_pairs, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .report import Limit
    from .scale import Scale

DHESS = CONTESTANTS["dhess"]
PEERS: dict[str, Limit] = {
    "findiff": at_least(25),
    "skimage": at_least(25),
    "numpy": at_least(40),
}


def search(scale: Scale) -> Iterator[Ratio]:
    case = Case.of(scale.cube)
    settle(case, "dhess")
    for name in present("c"):
        settle(case, name)
        yield _race(case, "dhess", name, scale.repeat, at_most(2))
    for name in present(*PEERS, "skimage-bare"):
        settle(case, name)
        yield _race(case, name, "dhess", scale.few, None)
    taken = in_pairs(case.x.min, partial(DHESS.search, case), scale.repeat)
    yield Ratio(f"{DHESS.label} ÷ `x.min()`", taken.quotient, taken.ratio)


def _race(case: Case, over: str, under: str, repeat: int, limit: Limit | None) -> Ratio:
    a, b = CONTESTANTS[under], CONTESTANTS[over]
    taken = in_pairs(partial(a.search, case), partial(b.search, case), repeat)
    return Ratio(f"{b.label} ÷ {a.label}", taken.quotient, taken.ratio, limit)


def alone(scale: Scale) -> Iterator[Ratio]:
    """As a script meets it: one search in a fresh process, whose memory nobody touched before."""
    ours = fresh.search("dhess", scale.edge)
    yield _memory("dhess", ours.extra, scale, at_most(0.05))
    for name, limit in PEERS.items():
        for there in present(name):
            runs = [_alone_in_turn(there, scale) for _ in range(scale.few)]
            taken = Pairs.of([(ours.seconds, theirs.seconds) for ours, theirs in runs])
            what = f"{CONTESTANTS[there].label} ÷ {DHESS.label}, first search of a process"
            yield Ratio(what, taken.quotient, taken.ratio, limit)
            yield _memory(there, max(theirs.extra for _, theirs in runs), scale)


def _alone_in_turn(name: str, scale: Scale) -> tuple[fresh.Search, fresh.Search]:
    return fresh.search("dhess", scale.edge), fresh.search(name, scale.edge)


def _memory(name: str, extra: float, scale: Scale, limit: Limit | None = None) -> Ratio:
    field = 8 * scale.edge**3
    measured = f"{extra / 1e6:.1f} MB ÷ {field / 1e6:.0f} MB"
    return Ratio(
        f"extra memory of {CONTESTANTS[name].label} ÷ field", measured, extra / field, limit
    )


def costs(scale: Scale) -> Iterator[Cost]:
    for dtype in (np.float64, np.float32):
        for n in range(1, 6):
            case = Case.of(scale.shape(n), dtype=dtype)
            DHESS.search(case)
            read = in_pairs(case.x.min, partial(DHESS.search, case), scale.repeat)
            ns = read.b / case.x.size * 1e9
            name = f"{n}-D, {case.x.shape[0]}{_POWERS[n]} {np.dtype(dtype)}"
            yield Cost(name, case.x.size, ns, ns / case.components, read.ratio)


def uneven(scale: Scale) -> Iterator[Ratio]:
    even, jittered = Case.of(scale.cube), Case.of(scale.cube, even=False)
    settle(even, "dhess")
    settle(jittered, "dhess")
    taken = in_pairs(partial(DHESS.search, even), partial(DHESS.search, jittered), scale.repeat)
    yield Ratio(
        f"{DHESS.label} on uneven axes ÷ on even ones", taken.quotient, taken.ratio, at_most(3)
    )


def orders(scale: Scale) -> Iterator[Ratio]:
    """What wider stencils cost, for each weight of theirs."""
    case = Case.of(scale.cube)
    settle(case, "dhess")
    for order in (4, 6, 8):
        wide = partial(_search, case, order=order)
        _expect(case, wide)
        taken = in_pairs(partial(DHESS.search, case), wide, max(scale.few, 3))
        wider = weights(order) / weights(2)
        yield Ratio(
            f"order {order}: cost per weight ({weights(order)} weights) ÷ that of order 2",
            f"{taken.quotient} ÷ {wider:.3g}", taken.ratio / wider, at_most(1.5),
        )  # fmt: skip


def weights(order: int) -> int:
    """Weights that a Hessian takes at a point inside, in three dimensions: of f_kk, and of f_kl.

    Of f_kl, those along the row are p for each axis, one after the other, and p² off it.

    >>> weights(2), weights(8)
    (21, 123)
    """
    return 3 * (order + 1) + 2 * (2 * order) + order * order


def options(scale: Scale) -> Iterator[Ratio]:
    """What options cost that change nothing, or little, on this field."""
    case = Case.of(scale.cube)
    settle(case, "dhess")
    period = {dim: float(size) for dim, size in zip(case.dims, case.x.shape, strict=True)}
    for what, given, limit in (
        ('`nan="adapt"` on data without NaN', {"nan": "adapt"}, at_most(1.5)),
        ("`period=` of all axes", {"period": period}, None),
    ):
        other = partial(_search, case, **given)
        _expect(case, other)
        taken = in_pairs(partial(DHESS.search, case), other, scale.repeat)
        yield Ratio(f"{what} ÷ without", taken.quotient, taken.ratio, limit)


def _search(case: Case, **given: Any) -> tuple[int, ...]:
    import dhess

    found = dhess.find_minimum(case.da, **given).isel(rank=0)
    return tuple(int(i) for i in found["index"])


def _expect(case: Case, search: Callable[[], tuple[int, ...]]) -> None:
    if (found := search()) != case.centre:
        raise AssertionError(f"ended at {found}, the flattest point is {case.centre}")


def imports(scale: Scale) -> Iterator[Ratio]:
    ours, theirs = "dhess", "xarray, dask.array, numba"
    for modules in (ours, theirs):
        fresh.import_seconds(modules)
    taken = pairs(
        partial(fresh.import_seconds, theirs), partial(fresh.import_seconds, ours), scale.repeat
    )
    yield Ratio(f"`import {ours}` ÷ `import {theirs}`", taken.quotient, taken.ratio, at_most(1.3))


def first_call(scale: Scale) -> Iterator[Ratio]:
    for call in ("find_minimum", "hessian"):
        code = f"dhess.{call}(da)"
        fresh.first_call_seconds(code)  # fills the caches on disk
        taken = pairs(lambda: 1.0, partial(fresh.first_call_seconds, code), scale.few)
        what = f"first `{code}` of a fresh process, 32³, imports apart ÷ one second"
        yield Ratio(what, taken.quotient, taken.ratio, at_most(1))


IN_MEMORY: dict[str, Callable[[Scale], Iterator[Ratio | Cost]]] = {
    "search": search,
    "alone": alone,
    "costs": costs,
    "uneven": uneven,
    "orders": orders,
    "options": options,
    "imports": imports,
    "first-call": first_call,
}


def settle(case: Case, name: str) -> None:
    """Run once untimed, and refuse to time a wrong answer."""
    found = CONTESTANTS[name].search(case).index
    if found != case.centre:
        raise AssertionError(f"{name} ended at {found}, the flattest point is {case.centre}")


def present(*names: str) -> Iterator[str]:
    for name in names:
        missing = CONTESTANTS[name].missing
        if missing is None:
            yield name
        else:
            print(f"left out: {name}, since {missing} is not installed", file=sys.stderr)


_POWERS = ["", "", "²", "³", "⁴", "⁵"]
