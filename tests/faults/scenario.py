"""What every kind of fault has: what is drawn, what is told of it, and what must come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from .run import Bench


class Hang(AssertionError):  # noqa: N818  (what it is)
    """Something takes longer than it ever may."""


class Unable(Exception):  # noqa: N818  (no error: this machine cannot have such a fault)
    """The fault cannot be brought about here, and why."""


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario that ended as it must."""

    redone: int = 0
    """Windows that were recorded before, and were done again."""
    sentence: str = ""
    """What was said, where something had to be said."""


class Scenario(ABC):
    """A fault that is drawn; frozen dataclasses hold what was drawn."""

    kind: ClassVar[str]
    must: ClassVar[str]
    """What must come out."""

    @classmethod
    @abstractmethod
    def drawn(cls, rng: random.Random) -> Self:
        """Draw one."""

    @property
    @abstractmethod
    def moment(self) -> str:
        """When it happens."""

    @property
    @abstractmethod
    def what(self) -> str:
        """What dies, or is done."""

    @abstractmethod
    def play(self, folder: Path, bench: Bench) -> Outcome:
        """Have it happen in an empty folder; AssertionError if anything else comes out."""
