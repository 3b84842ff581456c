"""Whatever goes wrong is answered by a status and one sentence, as JSON."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from dhess.errors import ClusterError, DhessError, InputError, LedgerError, ReadError
from dhess.service.errors import ServiceError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What is answered when a request is refused or fails."""

    detail: str = Field(description="One sentence: what, the value seen, the limit, the remedy.")


class Bad(ServiceError):  # noqa: N818  (as those of the engine)
    """A request that is wrong as such, whatever it asks for."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="dhess"'}

_TOLD: Final = {
    400: ("The body is no JSON.", "the body is not valid JSON: Expecting value at character 0"),
    401: ("There is no token, or nobody's.", "a token is needed; send Authorization: Bearer …"),
    403: ("The token, or the service's roots, do not allow it.", "this needs the scope 'submit'"),
    404: ("There is no such job.", "there is no job '0123456789abcdef'; GET /v1/jobs lists them"),
    409: ("The job is in a state where that cannot be.", "job 4e07408562bedb8b is done already"),
    413: ("The body, or the result, is too large.", "a body may have 1,000,000 bytes"),
    415: ("The body is of another type.", "a body must be application/json"),
    422: ("What is asked cannot be.", "unknown measure 'slop'; did you mean 'slope'?"),
    429: ("Too much is asked at once.", "100 jobs of 'ada' wait already; try again later"),
    503: ("A part of the service does not answer now.", "the service cannot read its ledger now"),
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how some statuses are declared in the API's description."""
    declared: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        description, example = _TOLD[status]
        content = {"application/json": {"example": {"detail": example}}}
        declared[status] = {"model": Problem, "description": description, "content": content}
        header = {401: "WWW-Authenticate", 429: "Retry-After"}.get(status)
        if header:
            declared[status]["headers"] = {header: {"schema": {"type": "string"}}}
    return declared


def told(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer that says a sentence."""
    # Text from outside may hold halves of characters, which no answer can.
    plain = sentence.encode("utf-8", "replace").decode()
    return JSONResponse({"detail": plain}, status, headers)


def answer_problems(app: FastAPI) -> None:
    """Have an application answer every error so."""
    app.add_exception_handler(DhessError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(Exception, _unforeseen)


async def _of_ours(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ServiceError):
        headers = dict(getattr(error, "headers", {}))
        if (seconds := getattr(error, "retry_after", None)) is not None:
            headers["Retry-After"] = str(max(1, round(seconds)))
        if error.status >= 500:
            log.warning("%s", error)
        return told(error.status, str(error), headers)
    if isinstance(error, LedgerError):
        log.error("%s", error)  # its sentence has a path that is nobody's business
        return told(503, "the service cannot use its ledger now; try again later")
    if isinstance(error, ClusterError):
        return told(503, str(error))
    if isinstance(error, InputError | ReadError):
        return told(422, str(error))
    log.error("%s: %s", type(error).__name__, error)
    return told(503, str(error))


async def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    sentences = {
        404: "there is nothing at this address; /docs lists what there is",
        405: "this address does not take that method; /docs lists what it takes",
    }
    sentence = sentences.get(error.status_code, str(error.detail))
    return told(error.status_code, sentence, dict(error.headers or {}))


async def _of_parameters(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    given = first.get("input")
    if first["type"] == "missing":
        return told(422, f"{name!r} is needed; add it")
    return told(422, f"{name}={given!r} is wrong: {first['msg'].lower()}")


async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
    log.error("unforeseen %s", type(error).__name__, exc_info=error)
    return told(500, "the service failed at this, and its log says why")
