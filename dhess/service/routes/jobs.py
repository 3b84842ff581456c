"""Jobs: hand in, list, show, cancel, retry, delete."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from dhess.job.spec import Task
from dhess.service import examples
from dhess.service.access import Reading, Submitting, TheService, check_own
from dhess.service.bodies import check_type, table_of
from dhess.service.errors import NoSuchJob
from dhess.service.models import JobPage, JobView, LogPage, State
from dhess.service.problems import problems
from dhess.service.schema import JOBS, job_of

router = APIRouter(prefix="/v1", tags=["jobs"])
ID = r"^[0-9a-f]{16}$"


def _known_form(
    job: Annotated[str, Path(description="A job's id.", examples=[examples.ID])],
) -> str:
    if not re.fullmatch(ID, job):
        raise NoSuchJob(job[:40])
    return job


JobId = Annotated[str, Depends(_known_form)]
_SHOWN: dict[str, Any] = {"model": JobView}


def _view(job: JobView, status: int = 200) -> JSONResponse:
    headers = {"Location": f"/v1/jobs/{job.id}"} if status != 200 else None
    return JSONResponse(job.model_dump(mode="json"), status, headers)


@router.post(
    "/jobs",
    summary="Hand in a job",
    status_code=201,
    openapi_extra=examples.takes({"$ref": "#/components/schemas/Job"}, **JOBS),
    responses={
        200: _SHOWN | examples.answers("It was known already.", examples.JOB),
        201: _SHOWN
        | examples.answers(
            "It is on the disk, and waits for its turn.",
            {**examples.JOB, "state": "queued", "done": 0, "queue": 1},
            headers={"Location": {"schema": {"type": "string"}}},
        ),
        **problems(400, 401, 403, 413, 415, 422, 429, 503),
    },
)
async def submit(request: Request, service: TheService, caller: Submitting) -> Response:
    """Take in a job. The same job of the same data is one job, however often it is handed in."""
    given = await table_of(request, service.settings.max_body)
    view, is_new = await service.engine.submit(job_of(given, service.places), caller.name)
    answer = _view(view, 201 if is_new else 200)
    answer.headers["Location"] = f"/v1/jobs/{view.id}"
    return answer


@router.get(
    "/jobs",
    summary="List jobs, the newest first",
    responses={
        200: {"model": JobPage, **examples.answers("Some of them.", examples.PAGE)},
        **problems(401, 403, 422, 503),
    },
)
async def listed(
    service: TheService,
    caller: Reading,  # noqa: ARG001
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    task: Annotated[Task | None, Query(description="Only these.")] = None,
    submitter: Annotated[str | None, Query(description="Only theirs.", max_length=100)] = None,
    limit: Annotated[int, Query(description="How many.", ge=1, le=200)] = 50,
    before: Annotated[
        str | None, Query(description="`next` of the page before.", max_length=100)
    ] = None,
) -> Response:
    """Return a page of jobs; its `next`, as `before`, gives the one that follows."""
    page = await service.engine.page(
        state=state, task=task, submitter=submitter, before=before, limit=limit
    )
    return JSONResponse(page.model_dump(mode="json"))


@router.get(
    "/jobs/{job}",
    summary="Show a job",
    responses={
        200: _SHOWN | examples.answers("As it is now.", examples.JOB),
        **problems(401, 403, 404, 503),
    },
)
async def show(job: JobId, service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Return a job as it is now."""
    return _view(await service.engine.show(job))


@router.get(
    "/jobs/{job}/log",
    summary="What a job has logged",
    responses={
        200: {"model": LogPage, **examples.answers("Some lines.", examples.LOG)},
        **problems(401, 403, 404, 422, 503),
    },
)
async def log(
    job: JobId,
    service: TheService,
    caller: Reading,  # noqa: ARG001
    after: Annotated[int, Query(description="`next` of the lines before.", ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(description="How many lines.", ge=1, le=10_000)] = 1000,
) -> Response:
    """Return lines of the log, from one on."""
    page = await service.engine.log(job, after, limit)
    return JSONResponse(page.model_dump(mode="json"))


@router.post(
    "/jobs/{job}/cancel",
    summary="Cancel a job",
    status_code=202,
    responses={
        202: _SHOWN | examples.answers("It ends soon.", {**examples.JOB, "wish": "cancel"}),
        **problems(401, 403, 404, 409, 415, 503),
    },
)
async def cancel(job: JobId, request: Request, service: TheService, caller: Submitting) -> Response:
    """Have a job end; what is recorded of it stays, and a retry goes on from there."""
    check_type(request, needed=False)
    check_own(caller, (await service.engine.show(job)).submitter, job)
    return _view(await service.engine.cancel(job), 202)


@router.post(
    "/jobs/{job}/retry",
    summary="Try a failed or cancelled job again",
    status_code=202,
    responses={
        202: _SHOWN | examples.answers("It waits again.", {**examples.JOB, "state": "queued"}),
        **problems(401, 403, 404, 409, 415, 429, 503),
    },
)
async def retry(job: JobId, request: Request, service: TheService, caller: Submitting) -> Response:
    """Put a job that has failed or was cancelled into the queue again."""
    check_type(request, needed=False)
    check_own(caller, (await service.engine.show(job)).submitter, job)
    return _view(await service.engine.retry(job), 202)


@router.delete(
    "/jobs/{job}",
    summary="Remove a job from the record, with its kept results",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "It is gone. What it wrote to its output stays."},
        **problems(401, 403, 404, 409, 503),
    },
)
async def delete(job: JobId, service: TheService, caller: Submitting) -> Response:
    """Forget a job that does not run."""
    check_own(caller, (await service.engine.show(job)).submitter, job)
    await service.engine.delete(job)
    return Response(status_code=204)
