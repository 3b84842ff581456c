"""What a gateway refuses, with the HTTP status of each."""

from __future__ import annotations

from dhess.errors import DhessError


class ServiceError(DhessError):
    """Base of the refusals of a gateway."""

    status = 500


class NoSuchJob(ServiceError):  # noqa: N818  (what it is, as NoValidPoint)
    """There is no job of this id."""

    status = 404

    def __init__(self, job: str) -> None:
        super().__init__(f"there is no job {job!r}; list those that there are")


class Conflict(ServiceError):  # noqa: N818
    """What is asked does not go together with the state of the job."""

    status = 409


class NotReady(ServiceError):  # noqa: N818
    """The job has no such result, or none yet."""

    status = 409


class TooLarge(ServiceError):  # noqa: N818
    """A result is larger than the gateway hands out."""

    status = 413


class TooMany(ServiceError):  # noqa: N818
    """Too much waits already."""

    status = 429

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds after which to try again."""


class Refused(ServiceError):  # noqa: N818
    """A place or a size that this gateway does not allow."""

    status = 403


class Unavailable(ServiceError):  # noqa: N818
    """The gateway cannot do its work now."""

    status = 503
