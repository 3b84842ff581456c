"""What a gateway, or the way to it, may have against a request."""

from __future__ import annotations

from typing import Final

from dhess.errors import DhessError

PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that say nothing against the request itself: it may succeed later."""


class RemoteError(DhessError):
    """A gateway has refused a request, or cannot answer it now.

    ``exit_code`` is 2 if the request was wrong, and 1 if the gateway failed.
    """

    def __init__(
        self, sentence: str, status: int | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        """Of the answer, as HTTP counts; None where no gateway answered."""
        self.retry_after = retry_after
        """Seconds after which the gateway wants to be asked again, if it said so."""
        self.exit_code = 1 if self.passing else 2

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in PASSING


class UnreachableError(RemoteError):
    """No gateway answers: it is not there, not to be trusted, or has gone in between."""

    def __init__(self, sentence: str, *, begun: bool = False, passing: bool = True) -> None:
        self._passing = passing
        super().__init__(sentence)
        self.begun = begun
        """Whether it was there at first, so that the request may have been carried out."""
        self.exit_code = 2

    @property
    def passing(self) -> bool:
        """Whether it may be there later; a certificate that is not trusted stays so."""
        return self._passing
