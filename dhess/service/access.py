"""Who may do what: a token's scopes, and whose job it is."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dhess.service.problems import CHALLENGE, Bad
from dhess.service.state import Service, service_of
from dhess.service.tokens import LOCAL, SCOPES, Caller

_bearer = HTTPBearer(
    auto_error=False,
    description="A token that `dhess token add NAME` printed. None is needed by a gateway that "
    "listens on loopback only and has no token.",
)
EVERYTHING: Final = Caller(LOCAL, SCOPES)
_LONGEST: Final = 200


class Needs:
    """A dependency: whoever asks, if a scope allows it."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(
        self,
        request: Request,
        service: Annotated[Service, Depends(service_of)],
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        """Return whoever asks, or refuse them."""
        caller = await known(service, None if given is None else given.credentials)
        request.state.caller = caller.name
        if not caller.may(self.scope):
            raise Bad(
                403,
                f"this needs the scope {self.scope!r}, and the token {caller.name!r} has "
                f"{', '.join(caller.scopes) or 'none'}; ask for another one",
            )
        return caller


async def known(service: Service, token: str | None) -> Caller:
    """Return whose token it is.

    Raises
    ------
    Bad
        401, if it is nobody's; the same for one that was revoked and one that never was.
    """
    if service.settings.open and not await service.keys.any():
        return EVERYTHING
    if token is None:
        raise Bad(401, "a token is needed; send Authorization: Bearer …", CHALLENGE)
    caller = await service.keys.caller(token) if len(token) <= _LONGEST else None
    if caller is None:
        raise Bad(401, "the token is unknown or revoked; ask for another one", CHALLENGE)
    return caller


def check_own(caller: Caller, submitter: str, job: str) -> None:
    """Refuse to change a job of somebody else.

    Raises
    ------
    Bad
        403, if the caller neither handed it in nor has the scope ``admin``.
    """
    if caller.name != submitter and not caller.may("admin"):
        raise Bad(
            403, f"job {job} is of another submitter; ask them, or use a token of scope 'admin'"
        )


Reading = Annotated[Caller, Depends(Needs("read"))]
Submitting = Annotated[Caller, Depends(Needs("submit"))]
TheService = Annotated[Service, Depends(service_of)]
