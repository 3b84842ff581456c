"""Floats as unsigned integers in the same order, counted by parts of a range of them."""

from __future__ import annotations

import numpy as np

from dhess.kernels.compiled import Kernel


@Kernel
def count_keys(bits, top, infinite, first, last, shift, parts):  # type: ignore[no-untyped-def]
    """Count into ``parts`` the keys from first to last, 2**shift of them each.

    ``bits`` are those of the floats; ``top`` is the bit of the sign, ``infinite`` the bits of
    infinity. The key of a negative number is the complement of its bits, that of another one has
    the sign's bit set; -0.0 is 0.0. Returns how many are numbers.
    """
    valid = 0
    for i in range(bits.size):
        b = np.uint64(bits[i])
        size = b & (top - np.uint64(1))
        if size > infinite:
            continue
        valid += 1
        key = top + size if b < top else top - size
        key = key - np.uint64(1) if b > top else key
        if first <= key <= last:
            parts[(key - first) >> shift] += 1
    return valid
