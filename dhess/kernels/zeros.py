"""The zeros of a gradient on single cells, each found once: exclusion, bisection, Newton."""

from __future__ import annotations

from dhess.kernels.around import HALVINGS, ON_FACE, touches_flat
from dhess.kernels.bernstein import (
    bisect,
    differentiate,
    evaluate,
    invert,
    keeps_a_sign,
    raise_degree,
    signs,
    spread,
)
from dhess.kernels.compiled import Kernel, inner

NONE, ISOLATED, FLAT, UNSURE = 0, 1, 2, 3
"""What a cell holds: nothing, single points, more of them than points; or its neighbours tell."""

BUDGET = 1 << 13
"""Boxes of a cell at most. A degenerate zero takes a few hundred; a line of zeros any number."""

COARSE = 7
"""How often boxes are halved at first, to tell lines of zeros by how many boxes are left."""

CROWD = 100
"""More boxes left than that are a line, 2**COARSE boxes long or more."""

MOST = 32
"""Zeros of a cell at most: more than generic data have."""

OUTSIDE = 1e-7
"""How far outside its cell a zero may lie by rounding."""


@inner
def newton(c, u, shape, work, reach):  # type: ignore[no-untyped-def]
    """Move u to a zero near it; False if it leaves (-reach, 1 + reach) or does not settle."""
    value, jacobian = work.vectors[0], work.matrices[0]
    for _ in range(40):
        evaluate(c, u, shape.n, shape.size, work.basis, work.parts, value, jacobian)
        if not invert(jacobian, shape.n, work.matrices[1], work.matrices[2]):
            return False
        longest = 0.0
        for i in range(shape.n):
            step = 0.0
            for k in range(shape.n):
                step += work.matrices[2][i, k] * value[k]
            u[i] -= step
            longest = max(longest, abs(step))
            if not -reach <= u[i] <= 1.0 + reach:
                return False
        if longest < 1e-12:
            return True
    return False


@inner
def turns_away(c, shape, work):  # type: ignore[no-untyped-def]
    """Tell whether a component of A F has one sign on a box, A in ``matrices[2]``.

    With A the inverse of a Jacobian, component i is about how far u_i is from the zero: more than
    the rounding of 1e-6 is not on the box.
    """
    n, size, total = shape.n, shape.size, work.raised.shape[1]
    for k in range(n):
        raise_degree(c, k * size, size, shape.inside[k, k], work.raised[k])
    out = work.raised[n]
    for i in range(n):
        for k in range(n):
            a, row = work.matrices[2][i, k], work.raised[k]
            for j in range(total):
                out[j] = a * row[j] if k == 0 else out[j] + a * row[j]
        low, high = signs(out, 0, total)
        if low > 1e-6 or high < -1e-6:
            return True
    return False


@inner
def judge(c, shape, work):  # type: ignore[no-untyped-def]
    """Tell of a box: -1, it holds no zero; 1, at most one, near ``vectors[1]``; 0, not known.

    Krawczyk's test: with A the inverse of the Jacobian at the middle m, each zero is no further
    from m - A F(m) than half of |I - A J| along each axis, whatever J is on the box; and where the
    norm of that is below 1, F is one to one. (R. Krawczyk, Computing 4 (1969), 187-201.) Most boxes
    that hold none show it in the coefficients of A F already.
    """
    n = shape.n
    value, u = work.vectors[0], work.vectors[1]
    jacobian, middle, radius = work.matrices[0], work.matrices[3], work.matrices[4]
    a = work.matrices[2]
    for j in range(n):
        u[j] = 0.5
    evaluate(c, u, n, shape.size, work.basis, work.parts, value, jacobian)
    if not invert(jacobian, n, work.matrices[1], a):
        return 0
    if turns_away(c, shape, work):
        return -1
    spread(c, n, shape.size, shape.inside, shape.digits, middle, radius)
    worst = 0.0
    for i in range(n):
        off = 0.0
        for j in range(n):
            centre, apart = 0.0, 0.0
            for k in range(n):
                centre += a[i, k] * middle[k, j]
                apart += abs(a[i, k]) * radius[k, j]
            off += abs((1.0 if i == j else 0.0) - centre) + apart
        for k in range(n):
            u[i] -= a[i, k] * value[k]
        if max(-u[i], u[i] - 1.0) > 0.5 * off + 1e-6:
            return -1
        worst = max(worst, off)
    return 1 if worst < 0.9 else 0


@inner
def keep_zero(root, shape, work, t, found, first, count):  # type: ignore[no-untyped-def]
    """Make a zero exact on its whole cell and keep it, if it is in the cell and new there."""
    n = shape.n
    if count - first >= MOST or not newton(root, t, shape, work, OUTSIDE):
        return count
    for z in range(first, count):
        apart = 0.0
        for j in range(n):
            apart = max(apart, abs(found[z, 1 + j] - t[j]))
        if apart < ON_FACE:
            return count
    evaluate(root, t, n, shape.size, work.basis, work.parts, work.vectors[0], work.matrices[0])
    for j in range(n):
        found[count, 1 + j] = t[j]
        for k in range(n):
            # The mixed derivatives agree but for rounding.
            both = work.matrices[0][j, k] + work.matrices[0][k, j]
            found[count, 2 + n + j * n + k] = 0.5 * both
    found[count, 1 + n] = 1.0
    return count + 1


@inner
def divide(shape, work, top):  # type: ignore[no-untyped-def]
    """Replace the box on top of the stack by its halves."""
    level = work.level[top]
    axis = level % shape.n
    width = 0.5 ** (level // shape.n + 1)
    c = work.stack[top]
    bisect(c, c, work.stack[top + 1], axis, shape.n, shape.size, shape.inside)
    for j in range(shape.n):
        work.low[top + 1, j] = work.low[top, j]
    work.low[top + 1, axis] += width
    work.level[top], work.level[top + 1] = level + 1, level + 1


@inner
def has_line(shape, work, dead):  # type: ignore[no-untyped-def]
    """Tell whether the components that are not zero everywhere have a common zero.

    Where one of them is zero everywhere, zeros come as lines or more: one small box is enough.
    """
    top = 0
    for _ in range(BUDGET):
        if top < 0:
            return False
        out = False
        for k in range(shape.n):
            low, high = signs(work.stack[top], k * shape.size, shape.size)
            out = out or ((low > 0.0 or high < 0.0) and not dead[k])
        if out:
            top -= 1
        elif work.level[top] >= 12 * shape.n:
            return True
        else:
            divide(shape, work, top)
            top += 1
    return True


@inner
def solve(root, shape, work, found, first, halvings):  # type: ignore[no-untyped-def]
    """Find the zeros on a cell, whose coefficients are on the stack too.

    Returns how many rows there are then, how many boxes were left that are too small to halve
    again, and whether there were too many boxes; the corners of those left are between vectors 3
    and 4.
    """
    n = shape.n
    t, low, high = work.vectors[2], work.vectors[3], work.vectors[4]
    top, count, left = 0, first, 0
    for _ in range(BUDGET):
        if top < 0 or left > CROWD:
            break
        c = work.stack[top]
        said = -1 if keeps_a_sign(c, n, shape.size) else judge(c, shape, work)
        level = work.level[top]
        if said == 1:
            u = work.vectors[1]
            if newton(c, u, shape, work, 1e-6):
                for j in range(n):
                    t[j] = work.low[top, j] + u[j] * 0.5 ** ((level + n - 1 - j) // n)
                count = keep_zero(root, shape, work, t, found, first, count)
                said = -1
        if said < 0:
            top -= 1
        elif level >= halvings * n:
            for j in range(n):
                v = work.low[top, j]
                low[j] = v if left == 0 else min(low[j], v)
                high[j] = v if left == 0 else max(high[j], v)
            left += 1
            top -= 1
        else:
            divide(shape, work, top)
            top += 1
    return count, left, top >= 0


@inner
def resolve(root, shape, work, found, first):  # type: ignore[no-untyped-def]
    """Find the zeros on a cell; return its kind and how many rows there are then.

    What is left in the end is one degenerate zero if it lies together, and a line if it does not.
    """
    count, left, full = first, 0, False
    for again in range(2):
        if again:
            prepare(shape, work, root, work.vectors[5])
        halvings = HALVINGS if again else COARSE  # one call, so that it is compiled once
        count, left, full = solve(root, shape, work, found, first, halvings)
        if full or left == 0:
            break
    if full:
        return FLAT, first
    if left:
        for j in range(shape.n):
            if work.vectors[4, j] - work.vectors[3, j] > 0.01:
                return FLAT, first
        low, high = work.vectors[3], work.vectors[4]
        count = keep_degenerate(root, shape, work, low, high, found, count)
    return (ISOLATED if count > first else NONE), count


@inner
def keep_degenerate(root, shape, work, low, high, found, count):  # type: ignore[no-untyped-def]
    """Keep the middle of the boxes that were left."""
    n = shape.n
    t = work.vectors[2]
    for j in range(n):
        t[j] = 0.5 * (low[j] + high[j])
    evaluate(root, t, n, shape.size, work.basis, work.parts, work.vectors[0], work.matrices[0])
    for j in range(n):
        found[count, 1 + j] = t[j]
        for k in range(n):
            found[count, 2 + n + j * n + k] = work.matrices[0][j, k]
    found[count, 1 + n] = 0.0
    return count + 1


@inner
def prepare(shape, work, root, dead):  # type: ignore[no-untyped-def]
    """Put the whole cell on the stack; tell if a component touches zero, and if one is nothing."""
    weak, line = False, False
    for k in range(shape.n):
        low, high = signs(root, k * shape.size, shape.size)
        dead[k] = 1.0 if low == high == 0.0 else 0.0
        line = line or dead[k] == 1.0
        weak = weak or ((low >= 0.0 or high <= 0.0) and dead[k] == 0.0)
        work.low[0, k] = 0.0
    for c in range(shape.n * shape.size):
        work.stack[0, c] = root[c]
    work.level[0] = 0
    return weak, line


@inner
def on_rim(shape, t):  # type: ignore[no-untyped-def]
    """Tell whether a zero lies on a face of its cell."""
    near = False
    for j in range(shape.n):
        near = near or t[j] < ON_FACE or t[j] > 1.0 - ON_FACE
    return near


@inner
def examine(samples, shape, work, root, found, first):  # type: ignore[no-untyped-def]
    """Find the zeros on one cell; return its kind and how many rows there are then."""
    dead = work.vectors[5]
    weak, line = prepare(shape, work, root, dead)
    if weak:
        # Beside a flat cell a component that is zero on the face between them has no zero within.
        if shape.reach == 1:
            return UNSURE, first
        if touches_flat(samples, shape, root, True, work.at):
            return NONE, first
    if line:
        return (FLAT if has_line(shape, work, dead) else NONE), first
    kind, last = resolve(root, shape, work, found, first)
    count = first
    for z in range(first, last):
        t = found[z, 1 : 1 + shape.n]
        if on_rim(shape, t):
            if shape.reach == 1:
                return UNSURE, first
            if touches_flat(samples, shape, t, False, work.at):
                continue
        for v in range(found.shape[1]):
            found[count, v] = found[z, v]
        count += 1
    return kind, count


@Kernel
def solve_cells(near, begin, shape, work, root, kinds, found):  # type: ignore[no-untyped-def]
    """Find the zeros on cells from the samples around each, a row of ``near``; NaN beyond ends.

    ``kinds`` says what each cell holds; a row of ``found`` is a zero: cell, place in it (0…1 along
    each axis), 1 if it is regular, Hessian of the spline. Returns where it stopped, for ``found``
    may be full, and how many zeros there are.
    """
    n, count = shape.n, 0
    for i in range(begin, kinds.size):
        if count + MOST + 1 > len(found):
            return i, count
        kinds[i] = NONE
        samples, first = near[i], count
        if differentiate(
            samples, shape.corner, shape.places, n, shape.size, shape.strides, shape.inside, root
        ):
            kinds[i], count = examine(samples, shape, work, root, found, first)
        for z in range(first, count):
            found[z, 0] = i
    return len(kinds), count
