"""Results of jobs that are done, and how those that run get on."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import IO, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dhess.report import CriticalReport, FieldReport, FindReport, RegionsReport
from dhess.service import examples
from dhess.service.access import Reading, TheService, known
from dhess.service.errors import NotReady, ServiceError, TooMany
from dhess.service.models import JobView
from dhess.service.problems import problems
from dhess.service.routes.jobs import JobId
from dhess.service.state import Service

router = APIRouter(prefix="/v1", tags=["results"])
log = logging.getLogger(__name__)

QUIET: Final = 15.0
"""Seconds without news after which a stream says that it is still there."""
MOST_STREAMS: Final = 500
MOST_OF_ONE: Final = 100
_PORTION: Final = 1 << 18
_TYPES: Final = {
    "json": "application/json", "nc": "application/x-netcdf", "png": "image/png",
}  # fmt: skip


def _binary(media: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"description": description, "content": {media: {"schema": schema}}}


_PROBLEMS = problems(401, 403, 404, 409, 413, 429, 503)


@router.get(
    "/jobs/{job}/result",
    summary="The result, as JSON",
    responses={
        200: {
            "model": FindReport | RegionsReport | CriticalReport | FieldReport,
            **examples.answers("As dhess find --json or dhess field --json.", examples.RESULT),
        },
        **_PROBLEMS,
    },
)
async def result(job: JobId, service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Return what was found; of a field, what was written and where."""
    return await _sent(service, job, "json")


@router.get(
    "/jobs/{job}/result.nc",
    summary="The result, as NetCDF",
    response_class=Response,
    responses={
        200: _binary(_TYPES["nc"], "What the function in Python returns, or the field."),
        **_PROBLEMS,
    },
)
async def netcdf(job: JobId, service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Return what a search in Python returns, or a field that is small enough."""
    return await _sent(service, job, "nc")


@router.get(
    "/jobs/{job}/result.png",
    summary="The result, as a picture",
    response_class=Response,
    responses={200: _binary(_TYPES["png"], "Drawn when it is first asked for."), **_PROBLEMS},
)
async def picture(job: JobId, service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Return the field with what was found."""
    return await _sent(service, job, "png")


async def _sent(service: Service, job: str, kind: Literal["json", "nc", "png"]) -> Response:
    """Send a file, in portions; it may be removed meanwhile."""
    path = await service.engine.result_file(job, kind)
    try:
        file: IO[bytes] = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError as error:
        raise NotReady(f"the result of job {job} was removed just now; look at the job") from error
    size = file.seek(0, 2)
    file.seek(0)
    headers = {"Content-Length": str(size)}
    if kind == "nc":
        headers["Content-Disposition"] = f'attachment; filename="dhess-{job}.nc"'
    return StreamingResponse(_portions(file), media_type=_TYPES[kind], headers=headers)


async def _portions(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while portion := await asyncio.to_thread(file.read, _PORTION):
            yield portion


@router.get(
    "/jobs/{job}/events",
    summary="How a job gets on, as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: examples.answers(
            "The job as it is, then whenever it changes, until it has ended.",
            examples.EVENTS,
            "text/event-stream",
        ),
        **problems(401, 403, 404, 429, 503),
    },
)
async def events(
    job: JobId,
    request: Request,
    service: TheService,
    caller: Reading,
) -> Response:
    """Stream a job: ``event: job`` with its JSON, and comments while there is no news."""
    await service.engine.show(job)
    if service.streams.total() >= MOST_STREAMS or service.streams[caller.name] >= MOST_OF_ONE:
        raise TooMany(
            f"{service.streams[caller.name]} streams of {caller.name!r} are open, and "
            f"{service.streams.total()} in all; ask for the job instead",
            retry_after=30,
        )
    token = request.headers.get("authorization", "").partition(" ")[2] or None
    stream = _stream(service, job, token, caller.name)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _next(views: AsyncIterator[JobView]) -> JobView | None:
    return await anext(views, None)


async def _stream(service: Service, job: str, token: str | None, caller: str) -> AsyncIterator[str]:
    """Yield events until the job has ended, the service ends, or the token is revoked."""
    views = service.engine.watch(job)
    stopping = asyncio.ensure_future(service.stopping.wait())
    service.streams[caller] += 1
    upcoming: asyncio.Task[JobView | None] | None = None
    checked = time.monotonic()
    try:
        while True:
            if time.monotonic() - checked >= QUIET:
                await known(service, token)
                checked = time.monotonic()
            if upcoming is None:
                upcoming = asyncio.create_task(_next(views))
            await asyncio.wait(
                {upcoming, stopping}, timeout=QUIET, return_when=asyncio.FIRST_COMPLETED
            )
            if stopping.done():
                return
            if not upcoming.done():
                yield ": keep-alive\n\n"
                continue
            view, upcoming = upcoming.result(), None
            if view is None:
                return
            yield f"event: job\ndata: {view.model_dump_json()}\n\n"
    except ServiceError as error:
        # The token was revoked, the job deleted, the ledger cannot be read: who asks anew is told.
        log.info("a stream of job %s ends: %s", job, error)
    finally:
        service.streams[caller] -= 1
        stopping.cancel()
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.wait({upcoming})
        if hasattr(views, "aclose"):
            await views.aclose()
