"""Who asks, what a job may be, and what would become of one."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from dhess.errors import InputError
from dhess.measures import MEASURES
from dhess.report import InfoReport, PlanReport
from dhess.service import examples
from dhess.service.access import EVERYTHING, Reading, TheService
from dhess.service.bodies import table_of
from dhess.service.problems import problems
from dhess.service.schema import JOBS, job_of, job_schema

router = APIRouter(prefix="/v1", tags=["looking"])


class Me(BaseModel):
    """Who asks, as the gateway knows them."""

    name: str
    scopes: list[str]
    open: bool
    """Whether no token is needed."""


class MeasureRow(BaseModel):
    """A measure that can be searched for."""

    name: str
    meaning: str


class SpecView(BaseModel):
    """What a job may be."""

    model_config = ConfigDict(protected_namespaces=(), serialize_by_alias=True)

    job: dict[str, Any] = Field(alias="schema")
    """JSON schema of a job."""
    measures: list[MeasureRow]
    roots: list[str]
    """Below which a source may be; a relative one is taken from the first."""
    output_roots: list[str]
    limits: dict[str, int | None]


class Look(BaseModel):
    """What to look at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Annotated[str, Field(min_length=1)] | list[str]
    variable: str | None = None
    chunks: str | int | dict[str, int] = "auto"


@router.get(
    "/me",
    summary="Who am I?",
    responses={
        200: {"model": Me, **examples.answers("Name and scopes.", examples.ME)},
        **problems(401, 403),
    },
)
async def me(caller: Reading) -> Response:
    """Tell whose token it is."""
    told = {"name": caller.name, "scopes": list(caller.scopes), "open": caller == EVERYTHING}
    return JSONResponse(told)


@router.get(
    "/spec",
    summary="What a job may be: its schema, the measures, the roots, the limits",
    responses={
        200: {
            "model": SpecView,
            **examples.answers(
                "All that a form needs.",
                {
                    "schema": {"type": "object", "properties": {}},
                    "measures": [{"name": "slope", "meaning": "steepness"}],
                    "roots": ["/data"],
                    "output_roots": ["/data/outputs"],
                    "limits": {"max_body": 1_000_000},
                },
            ),
        },
        **problems(401, 403),
    },
)
async def spec(service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Tell what can be handed in here."""
    settings = service.settings
    limits = (
        "max_body", "max_blocks", "max_bytes", "max_result_bytes", "jobs_at_once",
        "queued_per_submitter", "running_per_submitter",
    )  # fmt: skip
    return JSONResponse(
        {
            "schema": job_schema(),
            "measures": [{"name": m.name, "meaning": m.meaning} for m in MEASURES.values()],
            "roots": list(service.places.roots),
            "output_roots": list(service.places.output_roots),
            "limits": {name: getattr(settings, name) for name in limits},
        }
    )


@router.post(
    "/info",
    summary="What is in a source?",
    openapi_extra=examples.takes(Look.model_json_schema(), variable=examples.LOOK),
    responses={
        200: {"model": InfoReport, **examples.answers("As dhess info --json.", examples.INFO)},
        **problems(400, 401, 403, 413, 415, 422, 429, 503),
    },
)
async def info(request: Request, service: TheService, caller: Reading) -> Response:
    """Open a source and tell its dimensions, blocks, units and what is worth knowing of it."""
    given = await table_of(request, service.settings.max_body)
    try:
        look = Look.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"][:1]))
        raise InputError(
            f"{name}: {first['msg'].lower()}; send source, variable, chunks"
        ) from error
    source = service.places.placed(look.source, look.variable)
    return _plain(await service.engine.info(source, look.variable, look.chunks, caller=caller.name))


@router.post(
    "/plan",
    summary="What would a job cost?",
    openapi_extra=examples.takes({"$ref": "#/components/schemas/Job"}, **JOBS),
    responses={
        200: {"model": PlanReport, **examples.answers("As dhess plan --json.", examples.PLAN)},
        **problems(400, 401, 403, 413, 415, 422, 429, 503),
    },
)
async def plan(request: Request, service: TheService, caller: Reading) -> Response:
    """Tell blocks, windows, bytes and memory of a job on this service's cluster."""
    given = await table_of(request, service.settings.max_body)
    return _plain(await service.engine.plan(job_of(given, service.places), caller=caller.name))


def _plain(found: dict[str, Any]) -> Response:
    """Return a report, with null where a number is none."""
    return Response(to_json(found, inf_nan_mode="null"), media_type="application/json")
