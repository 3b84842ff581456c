"""Every address against its own description: whatever schemathesis draws gets a declared answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

if TYPE_CHECKING:
    from tests.service.conftest import Tokens
    from tests.service.gateway import Gateway

EXAMPLES = 10
"""Of each address and kind."""
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance, unsupported_method, ignored_auth,
]  # fmt: skip
OPERATIONS = [
    ("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics"), ("GET", "/v1/me"),
    ("GET", "/v1/spec"), ("POST", "/v1/info"), ("POST", "/v1/plan"), ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"), ("GET", "/v1/jobs/{job}"), ("DELETE", "/v1/jobs/{job}"),
    ("GET", "/v1/jobs/{job}/log"), ("POST", "/v1/jobs/{job}/cancel"),
    ("POST", "/v1/jobs/{job}/retry"), ("GET", "/v1/jobs/{job}/events"),
    ("GET", "/v1/jobs/{job}/result"), ("GET", "/v1/jobs/{job}/result.nc"),
    ("GET", "/v1/jobs/{job}/result.png"),
]  # fmt: skip


CASES = [
    (*operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    # Nothing can be wrong with a request that says nothing.
    if mode is GenerationMode.POSITIVE or operation[1].startswith("/v1/")
]


@pytest.fixture(scope="session")
def description(gateway: Gateway) -> dict[str, Any]:
    """What the gateway says of itself."""
    found: dict[str, Any] = gateway.ask("GET", "/openapi.json", token=None).json()
    return found


def test_no_operation_is_left_out(description: dict[str, Any]) -> None:
    found = {
        (method.upper(), path) for path, told in description["paths"].items() for method in told
    }
    assert found == set(OPERATIONS)


@pytest.mark.parametrize("task", ["find", "field", "regions", "critical"])
@pytest.mark.parametrize("path", ["/v1/plan", "/v1/jobs"])
def test_examples_of_each_task_are_taken(
    gateway: Gateway, tokens: Tokens, description: dict[str, Any], path: str, task: str
) -> None:
    """With a source that is there; what depends on its dimensions is left out."""
    operation = schemathesis.openapi.from_dict(description)[path]["POST"]
    examples = operation.definition.raw["requestBody"]["content"]["application/json"]["examples"]
    body = {**examples[task]["value"], "source": "run.zarr", "sel": {}}
    body.pop("period", None)
    if "output" in body:
        body["output"] = f"example_{path[-4:]}.zarr"
    case = operation.Case(body=body, media_type="application/json")
    headers = {"Authorization": f"Bearer {tokens.ada}"}
    answer = case.call_and_validate(
        base_url=gateway.url, headers=headers, checks=CHECKS, timeout=60
    )
    found = answer.json()
    if path == "/v1/plan":
        assert found["work"] == task
    else:
        assert found["task"] == task
        assert gateway.wait(found["id"])["state"] == "done"


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_what_is_drawn_gets_a_declared_answer(
    gateway: Gateway,
    tokens: Tokens,
    done: str,
    description: dict[str, Any],
    method: str,
    path: str,
    mode: GenerationMode,
) -> None:
    """With a job that is done wherever one is asked for, or else every answer would be a 404."""
    schema = schemathesis.openapi.from_dict(description)
    operation = schema[path][method]
    headers = {"Authorization": f"Bearer {tokens.ada}"}
    # A query that nobody knows is no mistake, a key of a body that nobody knows is.
    checks = [
        *CHECKS,
        *([negative_data_rejection] if "requestBody" in operation.definition.raw else []),
    ]

    @seed(2024)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        if "{job}" in path and method != "DELETE":
            case.path_parameters["job"] = done
        case.call_and_validate(base_url=gateway.url, headers=headers, checks=checks, timeout=60)

    answers()
