"""Real spherical harmonics, their gradients and Hessians in closed form, safe near the poles."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .oracles import Array, Float


@lru_cache(maxsize=64)
def legendre(degree: int, order: int) -> tuple[tuple[float, ...], ...]:
    """Coefficients, highest power first, of dᵐP_l/dxᵐ and of its first two derivatives.

    P_l = (1 / 2ˡ l!) dˡ/dxˡ (x² − 1)ˡ, in whole numbers until the last division.

    >>> legendre(2, 0)
    ((1.5, 0.0, -0.5), (3.0, 0.0), (3.0,))
    """
    power = {2 * k: (-1) ** (degree - k) * math.comb(degree, k) for k in range(degree + 1)}
    for _ in range(degree + order):
        power = {k - 1: k * c for k, c in power.items() if k}
    scale = 2**degree * math.factorial(degree)
    found = []
    for _ in range(3):
        top = max(power, default=0)
        found.append(tuple(float(Fraction(power.get(k, 0), scale)) for k in range(top, -1, -1)))
        power = {k - 1: k * c for k, c in power.items() if k}
    return tuple(found)


class Harmonic:
    """A real spherical harmonic, orthonormal, on latitude φ and longitude λ in radians.

    Y = N cosᵐφ Q(sin φ) cos mλ, or sin |m|λ for m < 0, with Q = dᵐP_l/dxᵐ and no sign (−1)ᵐ. All
    that divides by cos φ is divided on paper, so that nothing is lost near the poles:

    - H_φφ = m(m−1) cᵐ⁻² s² Q − m cᵐ Q − (2m+1) s cᵐ Q′ + cᵐ⁺² Q″, times cos mλ
    - H_φλ = (1−m) s cᵐ⁻² Q + cᵐ Q′, times the derivative of cos mλ
    - H_λλ = −m(m−1) cᵐ⁻² Q − m cᵐ Q − s cᵐ Q′, times cos mλ

    and their trace is −l(l+1) Y by Legendre's equation.
    """

    def __init__(self, degree: int, m: int, lat: Array, lon: Array, radius: float = 1.0) -> None:
        self.degree, self.radius = degree, radius
        m, sine = abs(m), m < 0
        ratio = Fraction(math.factorial(degree - m), math.factorial(degree + m))
        norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (2 if m else 1))
        self.s, self.c, self.m = np.sin(lat), np.cos(lat), m
        self.q, self.q1, self.q2 = (norm * np.polyval(p, self.s) for p in legendre(degree, m))
        turn = (np.sin if sine else np.cos)(m * lon)
        self.t = turn
        self.t1 = m * np.cos(m * lon) if sine else -m * np.sin(m * lon)

    def _c(self, power: int, factor: int) -> Float:
        """Return factor · cᵖ: a factor of 0 stands for the whole term, whatever the power."""
        out: Float = factor * self.c**power if factor else 0 * self.c
        return out

    def value(self) -> Float:
        out: Float = self._c(self.m, 1) * self.q * self.t
        return out

    def gradient(self) -> Float:
        """(f_φ / r, f_λ / (r cos φ)), shape (2, …)."""
        c, m, s = self._c, self.m, self.s
        north = (-c(m - 1, m) * s * self.q + c(m + 1, 1) * self.q1) * self.t
        east = c(m - 1, 1 if m else 0) * self.q * self.t1
        return np.stack(np.broadcast_arrays(north, east)) / self.radius

    def hessian(self) -> Float:
        """Physical components of the covariant Hessian, shape (2, 2, …)."""
        c, m, s = self._c, self.m, self.s
        twice = c(m - 2, m * (m - 1))
        q, q1, q2 = self.q, self.q1, self.q2
        north = twice * s**2 * q - c(m, m) * q - c(m, 2 * m + 1) * s * q1 + c(m + 2, 1) * q2
        mixed = c(m - 2, 1 - m if m else 0) * s * q + c(m, 1 if m else 0) * q1
        east = -twice * q - c(m, m) * q - c(m, 1) * s * q1
        rows = np.broadcast_arrays(north * self.t, mixed * self.t1, east * self.t)
        out = np.stack([rows[0], rows[1], rows[1], rows[2]]).reshape(2, 2, *rows[0].shape)
        return out / self.radius**2

    def laplacian(self) -> Float:
        """−l(l+1) Y / r²."""
        return -self.degree * (self.degree + 1) * self.value() / self.radius**2


def harmonics(degree: int) -> list[tuple[int, int]]:
    """Every (l, m) up to a degree."""
    return [(l, m) for l in range(degree + 1) for m in range(-l, l + 1)]
