"""The HTTP application: routes, guards, errors, and the description of the API."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from dhess.service.headers import Guard
from dhess.service.logs import Requests
from dhess.service.problems import answer_problems, problems
from dhess.service.routes import health, jobs, looking, pages, results
from dhess.service.schema import job_schema

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from dhess.service.state import Service

_ABOUT = """\
Hand in searches and fields, and go home: a job that was answered with 201 ends with its answer,
whatever dies in between.

Every error is `{"detail": "one sentence"}`. Tokens go into the header `Authorization: Bearer …`;
a gateway that listens on loopback only and has no token needs none.
"""


def create_app(service: Service) -> FastAPI:
    """Return the application of a gateway, without its guards."""
    app = FastAPI(
        title="dhess", version=version("dhess"), description=_ABOUT,
        openapi_url="/openapi.json", docs_url=None, redoc_url=None,
        separate_input_output_schemas=False, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    answer_problems(app)
    for routes in (health, looking, jobs, results, pages):
        # What guards each request may answer, whichever it is.
        app.include_router(routes.router, responses=problems(400, 403, 413))
    pages.mount_files(app)
    app.openapi = _described(app)  # type: ignore[method-assign]
    return app


def guarded(app: FastAPI) -> ASGIApp:
    """Return an application with what guards and notes each of its requests.

    Outside of all that Starlette puts around an application, so that even the answer to an error
    that nobody foresaw passes by here.
    """
    service: Service = app.state.service
    return Requests(Guard(app, service.settings), service.metrics.answered)


def _described(app: FastAPI) -> Any:
    """Return what describes the API: as FastAPI does, and with the schema of a job."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = plain()
            schemas = found["components"]["schemas"]
            schemas["Job"] = job_schema()
            _drop_unused(found["paths"], schemas)
            app.openapi_schema = found
        return app.openapi_schema

    return openapi


def _drop_unused(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Leave out the answer that FastAPI adds wherever there is a parameter, even if any will do."""
    for methods in paths.values():
        for told in methods.values():
            if "HTTPValidationError" in str(told["responses"].get("422", "")):
                del told["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
