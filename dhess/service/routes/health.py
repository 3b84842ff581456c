"""Whether it works: for whoever watches over the gateway."""

import asyncio
import logging
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dhess.errors import LedgerError
from dhess.service import examples
from dhess.service.access import Reading, TheService
from dhess.service.metrics import CONTENT_TYPE
from dhess.service.models import Readiness
from dhess.service.problems import problems, told

router = APIRouter(tags=["health"])
log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds that the ledger has to be read in."""


class Health(BaseModel):
    """That the gateway answers."""

    status: Literal["ok"]
    version: str


@router.get(
    "/health",
    summary="Does the gateway answer, and can it read its ledger?",
    responses={
        200: {"model": Health, **examples.answers("It does.", examples.HEALTH)},
        **problems(503),
    },
)
async def health(service: TheService) -> Response:
    """Read the ledger. What a supervisor asks to know whether to restart the gateway."""
    try:
        await asyncio.wait_for(service.keys.answers(), PATIENCE)
    except (TimeoutError, LedgerError) as error:
        log.error("the ledger cannot be read: %s", str(error) or "it takes too long")
        return told(503, "the service cannot read its ledger now")
    return JSONResponse({"status": "ok", "version": version("dhess")})


@router.get(
    "/ready",
    summary="Can jobs be taken in and run?",
    responses={
        200: {"model": Readiness, **examples.answers("They can.", examples.READY)},
        503: {"model": Readiness, **examples.answers("They cannot.", examples.NOT_READY)},
    },
)
async def ready(service: TheService) -> Response:
    """Write to the ledger, ask the scheduler for its workers, and so on."""
    found = await service.engine.ready()
    return JSONResponse(found.model_dump(mode="json"), 200 if found.ready else 503)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Counters and gauges.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'dhess_jobs{state="done"} 12.0\n',
                }
            },
        },
        **problems(401, 403, 503),
    },
)
async def metrics(service: TheService, caller: Reading) -> Response:  # noqa: ARG001
    """Return figures of requests, jobs, processes and the cluster."""
    figures = service.engine.figures()
    return Response(service.metrics.text(figures), media_type=CONTENT_TYPE)
