"""How large the fields of a run are, and how often it measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    edge: int = 256
    """Points along each axis of the 3-D field in memory; the others get as many points in all.

    In a store it is the edge of a block, and most stored fields have 27 or 8 of them.
    """
    repeat: int = 15
    "Pairs for each row; a fifth of them where one of the pair takes seconds."

    @property
    def few(self) -> int:
        return max(1, self.repeat // 5)

    @property
    def rounds(self) -> int:
        """Pairs for each row out of core."""
        return max(1, self.repeat // 3)

    @property
    def full(self) -> bool:
        """Whether the limits are about fields of this size."""
        return self.edge >= 256

    @property
    def cube(self) -> tuple[int, ...]:
        return (self.edge,) * 3

    def shape(self, n: int) -> tuple[int, ...]:
        return (round(self.edge ** (3 / n)),) * n
