"""Examples of what is sent and answered, for the description of the API."""

from __future__ import annotations

from typing import Any, Final

from dhess.service.schema import FIND

ID: Final = "4e07408562bedb8b"
_WHEN: Final = "2026-03-01T12:00:00.000Z"

JOB: Final[dict[str, Any]] = {
    "id": ID,
    "task": "find",
    "state": "running",
    "note": "",
    "wish": "run",
    "source": "/data/run.zarr::temperature",
    "variable": None,
    "measure": "slope",
    "output": None,
    "submitter": "ada",
    "created": _WHEN,
    "started": _WHEN,
    "ended": None,
    "windows": 50,
    "done": 20,
    "blocks": 80,
    "of_blocks": 200,
    "nbytes": 5_368_709_120,
    "of_nbytes": 13_421_772_800,
    "rate": 2.5,
    "eta": 12.0,
    "best": {"value": 0.00125, "index": [3, 120, 47]},
    "attempts": 0,
    "spec": {"version": 1, "task": "find", **FIND},
    "queue": None,
}
PAGE: Final = {"jobs": [JOB], "next": None}
LOG: Final = {
    "lines": [
        {"time": _WHEN, "level": "info", "job": ID, "message": "searching 200 blocks in 50 windows"}
    ],
    "next": 1,
}
HEALTH: Final = {"status": "ok", "version": "0.1.0"}
READY: Final = {
    "ready": True,
    "checks": {
        "ledger": {"ok": True, "told": "written and read back"},
        "scheduler": {"ok": True, "told": "2 workers"},
    },
}
NOT_READY: Final = {
    "ready": False,
    "checks": {"scheduler": {"ok": False, "told": "does not answer"}},
}
ME: Final = {"name": "ada", "scopes": ["read", "submit"], "open": False}
LOOK: Final = {"source": "run.zarr", "variable": "temperature"}
INFO: Final[dict[str, Any]] = {
    "schema_version": 1,
    "dhess_version": "0.1.0",
    "report": "info",
    "source": "/data/run.zarr",
    "name": "temperature",
    "dims": ["time", "y", "x"],
    "shape": [10, 400, 600],
    "dtype": "float32",
}
PLAN: Final[dict[str, Any]] = {
    "schema_version": 1,
    "dhess_version": "0.1.0",
    "report": "plan",
    "source": "/data/run.zarr",
    "work": "find",
    "measure": "slope",
    "blocks": 200,
    "windows": 50,
    "nbytes": 13_421_772_800,
    "peak_memory": 268_435_456,
    "fits": True,
}
RESULT: Final[dict[str, Any]] = {
    "schema_version": 1,
    "dhess_version": "0.1.0",
    "report": "find",
    "source": "/data/run.zarr",
    "measure": "slope",
    "answers": [{"rank": 0, "value": 0.00125, "index": {"y": 120, "x": 47}}],
}
EVENTS: Final = 'event: job\ndata: {"id":"4e07408562bedb8b","state":"running","done":20}\n\n'


def answers(
    description: str, example: Any, media: str = "application/json", **more: Any
) -> dict[str, Any]:
    """Return how an answer with an example is declared."""
    return {"description": description, "content": {media: {"example": example}}, **more}


def takes(schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    """Return how a JSON body is declared, with its examples by name."""
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": schema, "examples": shown}}
    return {"requestBody": {"required": True, "content": content}}
